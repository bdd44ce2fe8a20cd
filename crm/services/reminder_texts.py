"""The words of reminders: a mail text for each occasion, which a company may word itself, like all its mails.

The rule that matters: every text knows the same placeholders; what an occasion has no value for is empty, and a line
with nothing but empty ones is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from crm.models import ReminderRule
from customers.models import Customer
from customers.services import mail_texts
from customers.services.mail_texts import Words

Occasion = ReminderRule.Occasion

PLACEHOLDERS: Final = {
    "customer": _("Name of the customer"),
    "subscription": _("Name of the subscription"),
    "day": _("Day of the occasion: of the renewal, the deadline, the due date"),
    "deadline": _("Last day to cancel before the renewal"),
    "last_day": _("Last day of service of a subscription that ended"),
    "price": _("What is paid from that day on"),
    "price_before": _("What is paid until then"),
    "invoice": _("Number of the invoice"),
    "amount": _("The invoice's open amount"),
    "method": _("The payment method, such as Visa •••• 4242"),
    "offer": _("What is offered, in your words"),
    "offer_until": _("Last day to take the offer"),
    "link": _("Link to the page with the subscription and the offer; opens without signing in"),
    "method_link": _("Link to new payment details, where they are needed; opens without signing in"),
}

#: The text that each occasion uses unless the rule names another.
TEXT_OF: Final[Mapping[str, str]] = {
    Occasion.BEFORE_RENEWAL: "remind_renewal",
    Occasion.BEFORE_NOTICE_DEADLINE: "remind_deadline",
    Occasion.BEFORE_TRIAL_END: "remind_trial",
    Occasion.BEFORE_PRICE_CHANGE: "remind_price",
    Occasion.CARD_EXPIRING: "remind_card",
    Occasion.MANDATE_EXPIRING: "remind_mandate",
    Occasion.PAYMENT_DUE: "remind_due",
    Occasion.PAYMENT_FAILED: "remind_failed",
    Occasion.AFTER_PAYMENT: "remind_paid",
    Occasion.WIN_BACK: "remind_back",
}
#: The text of a renewal with an offer.
WITH_OFFER: Final = "remind_offer"


def example(customer: Customer) -> dict[str, str]:
    """Values for a look at a text with a real customer, where no occasion is at hand."""
    values = dict.fromkeys(PLACEHOLDERS, "")
    subscription = customer.subscriptions.order_by("-pk").first()
    return {
        **values,
        "customer": customer.name,
        "subscription": subscription.name if subscription is not None else "",
    }


def _register(
    name: str, title: Words, purpose: Words, subject: Words, body: Words, *, category: str = "contract"
) -> None:
    mail_texts.register(
        name, title=title, purpose=purpose, placeholders=PLACEHOLDERS, category=category,  # type: ignore[arg-type]
        subject=subject, body=body, example=example,
    )  # fmt: skip


_register(
    "remind_renewal",
    _("Renewal coming"),
    _("Tells of a renewal, in time to think about it."),
    _("{subscription} renews on {day}"),
    _("""Hello {customer},

your subscription {subscription} renews on {day}, at {price}.

If you don't want that, cancel by {deadline}.

Your payment details need to be renewed before:
{method_link}

Look at your subscription, change it or cancel it here:
{link}

{signature}"""),
)
_register(
    WITH_OFFER,
    _("Renewal with an offer"),
    _("Tells of a renewal with an offer that is taken by one click."),
    _("Stay with {subscription}: an offer for you"),
    _("""Hello {customer},

your subscription {subscription} renews on {day}. For staying with us we offer you:

{offer}

Take the offer by {offer_until}, with one click:
{link}

Your payment details need to be renewed before:
{method_link}

{signature}"""),
    category="marketing",
)
_register(
    "remind_deadline",
    _("Last day to cancel coming"),
    _("Tells of the last day on which a renewal can still be prevented."),
    _("{subscription}: you can cancel until {day}"),
    _("""Hello {customer},

your subscription {subscription} goes on by itself, at {price}, unless you cancel by {day}.

Look at your subscription, change it or cancel it here:
{link}

{signature}"""),
)
_register(
    "remind_trial",
    _("Trial ends"),
    _("Tells when a trial ends and what is paid from then on."),
    _("Your trial of {subscription} ends"),
    _("""Hello {customer},

your free trial of {subscription} ends soon. From {day} on you pay {price}.

Your payment details need to be renewed before:
{method_link}

If you don't want to go on, cancel before that day:
{link}

{signature}"""),
)
_register(
    "remind_price",
    _("Price changes"),
    _("Tells of a new price before it holds."),
    _("The price of {subscription} changes on {day}"),
    _("""Hello {customer},

from {day} on your subscription {subscription} costs {price}.

Until then it costs {price_before}.

Look at your subscription, change it or cancel it here:
{link}

{signature}"""),
)
_register(
    "remind_card",
    _("Card expires"),
    _("Asks for new payment details before a card expires."),
    _("{method} expires on {day}"),
    _("""Hello {customer},

your card {method} expires on {day}. Please enter new payment details, so that your payments go on:

{method_link}

{signature}"""),
)
_register(
    "remind_mandate",
    _("Mandate lapses"),
    _("Asks for a new mandate before one that was not used for long lapses."),
    _("Your direct debit mandate lapses on {day}"),
    _("""Hello {customer},

your mandate for {method} was not used for a long time and lapses on {day}. Please sign a new one:

{method_link}

{signature}"""),
)
_register(
    "remind_due",
    _("Payment due"),
    _("Tells of an invoice that is due soon and is paid by the customer."),
    _("Invoice {invoice} is due on {day}"),
    _("""Hello {customer},

invoice {invoice} is due on {day}. To be paid: {amount}.

Pay it here:
{link}

{signature}"""),
)
_register(
    "remind_failed",
    _("Payment failed"),
    _("Asks to pay or to choose another way after a payment failed."),
    _("Invoice {invoice} could not be collected"),
    _("""Hello {customer},

on {day} invoice {invoice} could not be collected. Still to be paid: {amount}.

Pay it here:
{link}

Or enter new payment details:
{method_link}

{signature}"""),
)
_register(
    "remind_paid",
    _("Thanks for a payment"),
    _("Confirms that an invoice is paid."),
    _("Thank you: invoice {invoice} is paid"),
    _("""Hello {customer},

invoice {invoice} over {amount} is paid since {day}. Thank you.

{signature}"""),
)
_register(
    "remind_back",
    _("Win back"),
    _("Invites a customer back some time after the end."),
    _("We would like to have you back"),
    _("""Hello {customer},

your subscription {subscription} ended on {last_day}. We would be glad to have you back.

{offer}

{link}

{signature}"""),
    category="marketing",
)
