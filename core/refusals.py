"""Words of the core's refusals."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register({
    "company.clock_is_real": _("A live company follows the real clock; only test companies can be advanced."),
    "company.clock_goes_forward": _("The clock only moves forward; it stands at %(now)s."),
    "not_found": _("There is nothing with this id here."),
})
