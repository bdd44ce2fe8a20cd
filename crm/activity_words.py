"""Words of the refusals about activities and calendars, and how the timeline of customers shows what was said."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register
from customers.services import titles

register(
    {
        "activity.with_nobody": _("Say with whom it was: a customer or a lead."),
        "activity.other_customer": _("This lead became another customer."),
        "activity.other_contact": _("This contact belongs to another customer."),
        "activity.ends_before": _("It can't end before it begins."),
        "activity.has_next_step": _("Its next step is planned already: change the task."),
        "activity.mail_says": _("What a mail says itself can't be corrected."),
        "mail.too_large": _("The mail is larger than 15 MB."),
        "mail.unreadable": _("This is no mail as mail programs save it (.eml, with its sender)."),
        "mail.from_nobody": _("Nobody here has this address: %(address)s. Choose the customer or the lead."),
        "calendar.off": _("This link is not valid."),
    }
)
titles.register(
    {
        "activity.log": _("Call, meeting or mail written down"),
        "activity.logged": _("Call, meeting or mail written down"),
        "activity.change": _("Call, meeting or mail changed"),
        "activity.changed": _("Call, meeting or mail changed"),
        "activity.archive": _("Call, meeting or mail archived"),
        "activity.restore": _("Call, meeting or mail shown again"),
        "calendar_link.create": _("Calendar link made"),
        "calendar_link.revoke": _("Calendar link switched off"),
    }
)
