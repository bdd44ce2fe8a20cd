"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "subscription.move": _("A subscription that is %(state)s can't become %(to)s."),
        "subscription.plan_not_on_sale": _("The plan %(plan)s is %(state)s; only plans on sale can start."),
        "subscription.day_range": _("%(day)s is too far away."),
        "subscription.without_items": _("A subscription needs at least one position."),
        "subscription.no_price": _("%(product)s has no price in %(currency)s on that day."),
        "subscription.price_of_other": _("That price is not one of %(product)s."),
        "subscription.interim_without_usage": _("Only usage is billed before the close of its period."),
        "subscription.service_before_start": _("It starts on %(start)s; nothing is supplied before."),
        "subscription.price_currency": _("The price is in %(other)s, the subscription in %(currency)s."),
        "subscription.tax_behavior_mixed": _("All prices of a subscription are net, or all are gross."),
        "subscription.terms_contradict": _("These terms contradict each other (%(detail)s)."),
        "subscription.end_before_start": _("It starts on %(start)s; it can't end before."),
        "subscription.before_books": _("The books start on %(day)s; earlier days can't be billed here."),
        "subscription.books_closed": _("The books are closed through %(day)s."),
        "subscription.external_id_taken": _("There is already a subscription with the external id %(value)s."),
        "discount.given_already": _("%(code)s is given to this subscription already."),
        "discount.covers_nothing": _("%(code)s covers nothing of this subscription."),
        "discount.currency": _("%(code)s is an amount in %(other)s, the subscription is in %(currency)s."),
        "discount.day_past": _("A discount can't be given for days that are over."),
        "discount.over": _("This discount is used up or taken back already."),
        "offer_code.unknown": _("There is no offer with this code."),
        "offer_code.not_yet": _("This code is valid from %(day)s."),
        "offer_code.expired": _("This code was valid until %(day)s."),
        "offer_code.used_up": _("This code has been used as often as it can be."),
        "offer_code.customer_limit": _("You have used this code as often as it can be."),
        "offer_code.first_time_only": _("This code is for new customers."),
        "subscription.ended": _("This subscription ended on %(day)s."),
        "subscription.end_too_early": _("The contract can end on %(day)s at the earliest."),
        "subscription.end_in_the_past": _("The last day can't lie in the past."),
        "subscription.end_missing": _("Name the last day of service."),
        "subscription.override_needs_reason": _("Say why the contract's terms are overridden."),
        "subscription.nothing_to_undo": _("No cancellation is planned."),
        "subscription.undo_too_late": _("It ended on %(day)s; that can't be undone."),
        "subscription.act_in_the_past": _("%(day)s is over; dating an act back needs the right to and a reason."),
        "subscription.act_before_paid": _("That is possible from %(day)s on, the first paid day."),
        "subscription.act_after_end": _("It ends on %(day)s; nothing can be planned after that."),
        "subscription.pause_empty": _("A pause has to begin before it ends."),
        "subscription.not_paused": _("It isn't paused."),
        "subscription.pause_not_planned": _("No pause is planned."),
        "subscription.pause_begun": _("The pause began on %(day)s; it can only be ended now."),
        "subscription.not_suspended": _("It isn't suspended."),
        "subscription.resume_before_pause": _("The pause begins on %(day)s; it can't end before."),
        "subscription.reinstate_before_suspension": _("The suspension began on %(day)s; it can't end before."),
        "subscription.suspend_later": _("A suspension begins today or, with a reason, earlier."),
    }
)
