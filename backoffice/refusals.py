"""Words of this door's refusals."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "office.no_pause_end": _("No end of a pause is planned."),
        "office.not_suspended": _("It isn't suspended."),
        "office.past_start": _("You may not date starts back; choose today or a later day."),
    }
)
