"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "reminder_link.invalid": _("This link is not valid."),
        "reminder_link.over": _("This link was good until %(day)s."),
        "reminder.offer_is_advertising": _("An offer is advertising: choose that kind of mail."),
        "reminder.no_offer_here": _(
            "An offer can be made before a renewal, a last day to cancel or the end of a trial."
        ),
        "reminder.text_unknown": _("This is no mail text for reminders."),
        "offer.none": _("This reminder carries no offer."),
        "offer.canceled": _("This subscription is canceled; take the cancellation back first."),
        "offer.withdrawn": _("This offer is no longer made."),
        "offer.over": _("This offer was good until %(day)s."),
        "offer.used": _("This offer was taken already."),
        "offer.not_taken": _("This offer was not taken."),
    }
)
