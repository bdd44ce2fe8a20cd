"""The words of mailings: what a text may name, and how a mail is made of it for one reader.

The rule that matters: a text holds no code; a reader gets the words in their own language, else in the company's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.refusal import Refused
from crm.models import Mailing
from customers.models import Customer
from customers.services import mail_texts
from customers.services.mail_texts import Composed, Composer, Text

#: The mail text that mailings are made from; its own words are what a new mailing begins with.
NAME: Final = "mailing"
PLACEHOLDERS: Final = {
    "customer": _("Name of the customer"),
    "subscription": _("Name of the subscription"),
    "offer": _("What is offered, in your words"),
    "offer_until": _("Last day to take the offer"),
    "code": _("The offer code"),
    "link": _("Link to the offer, or to the portal; it counts who opened it"),
}


class Reader(NamedTuple):
    """What a mail says of the one it goes to, in their language."""

    customer: str
    subscription: str
    language: str
    link: str
    offer: str = ""
    offer_until: str = ""
    code: str = ""


def example(customer: Customer) -> dict[str, str]:
    """Values for a look at the text with a real customer."""
    values = dict.fromkeys(PLACEHOLDERS, "")
    subscription = customer.subscriptions.order_by("-pk").first()
    return values | {"customer": customer.name, "subscription": subscription.name if subscription else ""}


def language_for(mailing: Mailing, language: str) -> str:
    """The mail's language for a reader of that one: the same where the mailing has words in it, else the company's."""
    return language if mailing.body.get(language) else mailing.company.language


def compose(composer: Composer, mailing: Mailing, reader: Reader) -> Composed:
    """The mail as this reader gets it."""
    company, language = composer.company, reader.language
    subject = mailing.subject.get(language) or mailing.subject.get(company.language, "")
    facts = {name: getattr(reader, name) for name in PLACEHOLDERS}
    return composer.compose(NAME, language, facts, Text(subject, mailing.body.get(language, "")))


def checked(
    company: Company, subject: Mapping[str, str], body: Mapping[str, str], *, has_offer: bool, has_code: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Subject and body by language as they are kept.

    Refuses `mailing.no_words` without words in the company's language or with half of another's, unknown placeholders,
    `mailing.link_not_named` and `mailing.code_not_named` where the text hides the offer it comes with.
    """
    kind = mail_texts.kind_of(NAME)
    kept: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for language in mail_texts.LANGUAGES:
        own_subject, own_body = subject.get(language, "").strip(), body.get(language, "").strip()
        if not own_subject and not own_body and language != company.language:
            continue
        if not own_subject or not own_body:
            raise Refused("mailing.no_words", field="body" if own_subject else "subject", language=language)
        text = mail_texts.check(kind, own_subject, own_body)
        if has_offer and "{link}" not in text.body:
            raise Refused("mailing.link_not_named", field="body")
        if has_code and "{code}" not in text.body:
            raise Refused("mailing.code_not_named", field="body")
        kept[0][language], kept[1][language] = text.subject, text.body
    return kept


mail_texts.register(
    NAME,
    title=_("Mailing"),
    purpose=_("What a new mailing of a campaign begins with."),
    placeholders=PLACEHOLDERS,
    category="marketing",
    subject=_("News for {customer}"),
    body=_("""Hello {customer},

{offer}

Take the offer by {offer_until}, with one click:
{link}

{signature}"""),
    example=example,
)
