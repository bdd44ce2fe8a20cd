"""What the timeline calls the acts and events of this room that begin, stop, take up and leave a subscription."""

from django.utils.translation import gettext_lazy as _

from customers.services import titles
from subscriptions.services import end_reasons

titles.register(
    {
        "subscription.start": _("Agreed"),
        "subscription.converted": _("Trial over, goes on paid"),
        "subscription.cancel": _("Cancellation planned"),
        "subscription.undo_cancel": _("Cancellation taken back"),
        "subscription.undo_end": _("Cancellation taken back"),
        "subscription.end": _("Subscription ended after cancellation"),
        "subscription.import": _("Import"),
        "import.run": _("Import carried out"),
        "import.undo": _("Import taken back"),
        "subscription.add_one_off": _("One-off charge added"),
        "subscription.cancel_one_off": _("One-off charge canceled"),
        "subscription.move_one_off": _("One-off charge moved to another day"),
        "subscription.bill_one_off": _("One-off charge billed early"),
        "subscription.renewal_notice_sent": _("Renewal notice sent"),
        "subscription.renewal_notice_missed": _("Renewal notice missed"),
        "subscription.park": _("Billing gave up on it"),
        "subscription.pause": _("Pause agreed"),
        "subscription.pause_planned": _("Pause planned"),
        "subscription.pause_undone": _("Planned pause taken back"),
        "subscription.undo_pause": _("Planned pause taken back"),
        "subscription.plan_resume": _("End of the pause planned"),
        "subscription.resume_planned": _("End of the pause planned"),
        "subscription.resume": _("Pause ended"),
        "subscription.resumed": _("Subscription resumed"),
        "subscription.suspend": _("Suspended for non-payment"),
        "subscription.suspended": _("Suspended for non-payment"),
        "subscription.reinstate": _("Suspension ended"),
        "subscription.reinstated": _("Suspension ended"),
        "subscription.move_day": _("Billing day moved"),
        "subscription.day_move_planned": _("Move of the billing day planned"),
        "subscription.day_moved": _("Billing day moved"),
        "subscription.undo_move_day": _("Move of the billing day taken back"),
        "subscription.day_move_undone": _("Move of the billing day taken back"),
        "subscription.change": _("Terms changed"),
        "subscription.changed": _("Terms changed"),
        "subscription.change_planned": _("Change of terms planned"),
        "subscription.undo_change": _("Change of terms taken back"),
        "subscription.change_undone": _("Change of terms taken back"),
        "subscription.withdraw": _("Withdrawal from the contract"),
        "subscription.terminate": _("Ended for good cause"),
        "subscription.switch": _("Switches to another provider"),
    }
)
titles.register_reasons({**end_reasons.WORDS, **end_reasons.EXITS})
