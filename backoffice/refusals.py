"""Words of this door's refusals."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "office.past_start": _("You may not date starts back; choose today or a later day."),
    }
)
