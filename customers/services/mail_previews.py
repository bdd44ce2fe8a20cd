"""A mail as it would look to a real customer, and a trial of it to a colleague; nothing goes to the customer.

The rule that matters: a preview is made as the mail itself is; what only the occasion knows stands in square brackets.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from customers.models import Customer, Message
from customers.services import mail_texts, messages
from customers.services.mail_texts import Composed, MailKind, Text


def facts_of(kind: MailKind, customer: Customer | None, language: str) -> dict[str, str]:
    """A value for each placeholder: the customer's, else what it means, in brackets."""
    with override(language):
        known = dict(kind.example(customer)) if kind.example is not None and customer is not None else {}
        known.setdefault("customer", customer.name if customer is not None else "")
        return {name: str(known.get(name) or f"[{meaning}]") for name, meaning in kind.placeholders.items()}


def preview(
    *, company: Company, name: str, language: str, customer: Customer | None, subject: str | None = None, body: str = ""
) -> Composed:
    """The mail in words: with these words, else with those that hold. Refuses what `mail_texts.save` refuses."""
    kind = mail_texts.kind_of(name)
    text = mail_texts.check(kind, subject, body) if subject is not None else None
    composer = mail_texts.Composer(company, only=(name, mail_texts.SIGNATURE))
    return composer.compose(name, language, facts_of(kind, customer, language), text)


def send_trial(
    *, company: Company, name: str, language: str, customer: Customer | None, text: Text, to: str, by: Actor,
    at: datetime,
) -> Message:  # fmt: skip
    """Mails the preview to a colleague, marked as a trial. Refuses `mail_text.no_address`."""
    mail = preview(
        company=company, name=name, language=language, customer=customer, subject=text.subject, body=text.body
    )
    if not to:
        raise Refused("mail_text.no_address")
    with override(language), transaction.atomic():
        message = messages.write(
            company=company, customer=None, template=name, language=language,
            subject=_("Trial: %(subject)s") % {"subject": mail.subject or company.name}, body=mail.body,
            recipients=[to], at=at,
        )  # fmt: skip
        trail.audit(
            company_id=company.pk, at=at, by=by, verb="mail_text.trial", subject_kind="message", subject_id=message.pk,
            facts={"name": name, "language": language},
        )  # fmt: skip
    return message
