"""What the audit log calls what people do to reports."""

from django.utils.translation import gettext_lazy as _

from customers.services import titles

titles.register(
    {
        "annotation.write": _("Note on a day written"),
        "annotation.remove": _("Note on a day removed"),
        "goal.set": _("Goal of a report set"),
        "report.save": _("View of a report saved"),
        "report.forget": _("View of a report removed"),
    }
)
