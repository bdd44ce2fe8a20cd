"""Words of this door's refusals."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "portal.change_waits": _("Something else is planned for %(day)s; please write to us about this change."),
        "portal.bound_until": _("Your contract runs until %(day)s at least; this plan would end it earlier."),
    }
)
