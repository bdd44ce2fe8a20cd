"""Receipts of what a customer declared in the portal: mails whose words a company may put in its own.

The rule that matters: a receipt says what arrived and when, to the second, and is the same on the screen and in the
mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from core.models import Company
from customers.models import Message
from customers.services import mail_texts, messages
from portal.access import Visitor
from subscriptions.models import Subscription

CANCELED: Final = "cancellation_receipt"
CANCEL_UNDONE: Final = "cancellation_undone"
CHANGED: Final = "change_receipt"
CHANGE_UNDONE: Final = "change_undone"
DECLARED: Final = "declaration_receipt"
DECLARED_TO_STAFF: Final = "declaration_received"
_ADDRESS: Final = {"address": _("Full name and address of your company")}
_FACTS: Final = {
    "moment": _("When it was received, to the second"),
    "subscription": _("Name of the subscription"),
    "number": _("Number of the subscription"),
    "customer": _("Name of the customer"),
    "customer_number": _("Number of the customer"),
    "contact": _("Who declared it"),
    **_ADDRESS,
}
_LINK: Final = {"link": _("Where it can be taken back")}


def tell(visitor: Visitor, subscription: Subscription, name: str, values: Mapping[str, str]) -> Message:
    """Writes the receipt `name` to the contact and the customer. `values`: what it names beside what all do."""
    company, language = visitor.company, get_language() or visitor.company.language
    own = {
        "subscription": subscription.name, "number": subscription.number, "customer": visitor.customer.name,
        "customer_number": visitor.customer.number, "contact": visitor.contact.name, "address": address(company),
    }  # fmt: skip
    mail = mail_texts.compose(company=company, name=name, language=language, facts=own | dict(values))
    return messages.write(
        company=company, customer=visitor.customer, template=name, category="legal", language=language,
        subject=mail.subject, body=mail.body, recipients=[visitor.contact.email, visitor.customer.email],
        subject_kind="subscription", subject_id=subscription.pk, at=visitor.now,
    )  # fmt: skip


def link(subscription: Subscription) -> str:
    """Where the customer takes back what is planned."""
    return str(settings.SITE_URL) + reverse("portal:subscription", args=[subscription.ref])


def address(company: Company) -> str:
    """The seller's full name and address, a line each."""
    town = " ".join(part for part in (company.postal_code, company.city) if part)
    return "\n".join(line for line in (company.legal_name, *company.address_lines, town) if line)


mail_texts.register(
    CANCELED,
    title=_("Cancellation received"),
    purpose=_("Confirms a cancellation made in the portal, as the law asks; it has to name what is in it now."),
    placeholders={
        **_FACTS, **_LINK, "last_day": _("Last day of service"), "unused": _("What becomes of paid days after it"),
    },
    category="legal",
)  # fmt: skip
mail_texts.register(
    CANCEL_UNDONE,
    title=_("Cancellation taken back"),
    purpose=_("When a customer takes a cancellation back in the portal."),
    placeholders=_FACTS,
    category="legal",
)
mail_texts.register(
    CHANGED,
    title=_("Change received"),
    purpose=_("Confirms a change made in the portal."),
    placeholders={
        **_FACTS, **_LINK, "what": _("From when, and what"), "sums": _("What is invoiced or credited at once"),
    },
    category="legal",
)  # fmt: skip
mail_texts.register(
    CHANGE_UNDONE,
    title=_("Change taken back"),
    purpose=_("When a customer takes a planned change back in the portal."),
    placeholders=_FACTS,
    category="legal",
)
mail_texts.register(
    DECLARED,
    title=_("Cancellation declared without signing in"),
    purpose=_("Confirms a cancellation declared on the public page, as the law asks."),
    placeholders={"declared": _("What was declared and when it was received, a line each"), **_ADDRESS},
    category="legal",
)
mail_texts.register(
    DECLARED_TO_STAFF,
    title=_("To your staff: cancellation declared"),
    purpose=_("Tells your own address of a cancellation declared on the public page, and whom it seems to be about."),
    placeholders={
        "name": _("The name they gave"),
        "about": _("Whom it seems to be about"),
        "declared": _("What was declared and when it was received, a line each"),
        "link": _("The customer's page; empty where nobody was found"),
    },
    category="contract",
    subject=_("Cancellation received: {name}"),
    body=_("""{about}

{declared}

The customer's page:
{link}"""),
)
