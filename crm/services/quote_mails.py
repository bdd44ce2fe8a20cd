"""The words of mails about quotes, which a company may word itself, like all its mails."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from customers.services import mail_texts

PLACEHOLDERS: Final = {
    "customer": _("Name of the recipient"),
    "number": _("Number of the quote"),
    "title": _("What the quote is about"),
    "valid_until": _("Last day to accept it"),
    "link": _("Link to the quote; opens without signing in"),
    "seller": _("Name of the colleague who follows it up"),
}
SIGNED: Final = {**PLACEHOLDERS, "name": _("The name it was signed with")}


def example(customer: Customer) -> dict[str, str]:
    """Values for a look at a text with a real customer, where no quote is at hand."""
    return {**dict.fromkeys(SIGNED, ""), "customer": customer.name, "number": "Q-2026-0001"}


mail_texts.register(
    "quote_sent",
    title=_("Quote"),
    purpose=_("Brings a quote, with its paper and the link to accept it."),
    placeholders=PLACEHOLDERS,
    category="contract",
    subject=_("Quote {number}: {title}"),
    body=_("""Hello {customer},

here is our quote {number}: {title}.

Read it, choose your options and accept it here, without signing in:
{link}

It is good until {valid_until}. If you have questions, just answer this mail.

{seller}

{signature}"""),
    example=example,
)
mail_texts.register(
    "quote_accepted",
    title=_("Quote accepted"),
    purpose=_("Confirms that a quote was accepted, with its paper."),
    placeholders=SIGNED,
    category="contract",
    subject=_("Thank you: quote {number} is accepted"),
    body=_("""Hello {customer},

thank you. Quote {number}, {title}, was accepted by {name}. The invoice comes with a mail of its own.

What was agreed stands here:
{link}

{signature}"""),
    example=example,
)
