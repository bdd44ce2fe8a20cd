"""Letters of dunning: reminders of four levels, the wish to confirm or for another method, and the word to colleagues.

The rule that matters: a letter is written in the transaction that found the money missing, in the reader's language,
with links that pay without signing in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import structlog
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.documents.content import read
from billing.documents.figures import Figures
from billing.gateways import reasons
from billing.models import Attempt, Claim, DunningCase
from billing.services import attempts, mailing, pay_links
from billing.services.lateness import Late
from core import clock
from core.actors import Actor
from core.models import Company
from customers.models import Customer, Message
from customers.services import mail_texts, messages
from customers.services.customers import language_of

log = structlog.get_logger(__name__)
#: Invoices that are attached to a reminder at most.
ATTACHED: Final = 5
KIND: Final = "dunning_case"
CONFIRM: Final = "reminder_confirm"
METHOD: Final = "reminder_method"


def remind(
    *, case: DunningCase, level: int, late: Sequence[Late], claims: Sequence[Claim], on: date, at: datetime
) -> Message | None:
    """The reminder of a level over these invoices and the open claims; None where nobody gets documents."""
    customer = case.customer
    recipients = mailing.recipients_of(customer)
    if not recipients:
        return None
    language = language_of(customer)
    with override(language):
        facts = _facts(customer, late, claims, case.currency, language, on)
    attachments = [{"kind": "invoice", "id": one.invoice.pk} for one in late[:ATTACHED]]
    return _write(customer, f"reminder_{level}", facts, recipients, language, case.pk, attachments, at=at)


def tell_colleagues(
    *, case: DunningCase, late: Sequence[Late], claims: Sequence[Claim], is_handed_over: bool, on: date, at: datetime
) -> Message | None:
    """A mail to the company's own address, in its language; None where it has none."""
    customer, company = case.customer, case.customer.company
    if not company.email:
        return None
    with override(company.language):
        facts = _facts(customer, late, claims, case.currency, company.language, on)
    facts |= {"email": customer.email, "phone": customer.phone}
    text = "reminder_alert_handover" if is_handed_over else "reminder_alert"
    return _write(customer, "reminder_alert", facts, [company.email], company.language, case.pk, [], at=at,
                  is_internal=True, text=text)  # fmt: skip


@attempts.when_moved
def ask_customer(attempt: Attempt, before: str, *, by: Actor, at: datetime) -> None:
    """At once, when only the customer can help: the pay link to confirm, or to choose another method.

    Only for tries with a saved method that the customer did not begin: others are on the page already.
    """
    if attempt.method_id is None or attempt.origin == Attempt.Origin.CUSTOMER:
        return
    kind = reasons.kind_of(attempt.reason)
    if attempt.state == Attempt.State.REQUIRES_ACTION or (
        attempt.state == Attempt.State.FAILED and attempt.reason == "authentication_required"
    ):
        template = CONFIRM
    elif attempt.state == Attempt.State.FAILED and kind == reasons.HARD:
        template = METHOD
    else:
        return
    if not _was_asked(attempt, template):
        _ask(attempt, template, attempt.reason, at=at)


def ask_for_method(refused: Sequence[tuple[Attempt, str]], *, at: datetime) -> Message | None:
    """Asks for another method, with the first of these tries and why it failed or its money went back.

    None where the customer was asked for any of them already, or nobody gets documents.
    """
    if not refused or any(_was_asked(attempt, METHOD) for attempt, _reason in refused):
        return None
    attempt, reason = refused[0]
    return _ask(attempt, METHOD, reason, at=at)


def _was_asked(attempt: Attempt, template: str) -> bool:
    return Message.objects.filter(
        company_id=attempt.company_id, subject_kind="attempt", subject_id=attempt.pk, template=template
    ).exists()


def _ask(attempt: Attempt, template: str, reason: str, *, at: datetime) -> Message | None:
    customer, invoice = attempt.customer, attempt.invoice
    recipients = mailing.recipients_of(customer)
    if not recipients:
        log.info("nobody_to_ask", attempt=attempt.pk)
        return None
    language, company = language_of(customer), customer.company
    with override(language):
        facts = {
            "customer": customer.name,
            "number": invoice.number,
            "total": Figures(language, attempt.currency).money(attempt.amount_minor),
            "method": attempt.method.label if attempt.method is not None else "",
            "reason": reasons.told_to_payer(reason),
            "link": pay_links.paying_link(invoice, on=clock.day_in(at, company.time_zone)),
        }
    return _write(customer, template, facts, recipients, language, attempt.pk, [], at=at, kind="attempt")


def _facts(
    customer: Customer, late: Sequence[Late], claims: Sequence[Claim], currency: str, language: str, on: date
) -> dict[str, str]:
    """What a reminder may name, in the active language."""
    figures = Figures(language, currency)
    total = sum(one.open_minor for one in late) + sum(claim.amount_minor for claim in claims)
    items = [
        _("Invoice %(number)s, due on %(due_on)s: %(open)s open")
        % {"number": one.invoice.number, "due_on": figures.day(one.due_on), "open": figures.money(one.open_minor)}
        for one in late
    ]
    for claim in claims:
        named = {"number": claim.invoice.number, "amount": figures.money(claim.amount_minor)}
        if claim.kind == Claim.Kind.INTEREST:
            items.append(_("Interest on invoice %(number)s: %(amount)s") % named)
        else:
            items.append(_("Fee for late payment of invoice %(number)s: %(amount)s") % named)
    return {
        "customer": customer.name,
        "items": "\n".join(items),
        "total": figures.money(total),
        "pay_links": "\n".join(f"{one.invoice.number}: {pay_links.paying_link(one.invoice, on=on)}" for one in late),
        "bank": mailing.bank_lines(read(late[0].invoice)) if late else "",
    }


def _write(
    customer: Customer, template: str, facts: dict[str, str], recipients: Sequence[str], language: str,
    subject_id: int, attachments: Sequence[dict[str, Any]], *, at: datetime, kind: str = KIND,
    is_internal: bool = False, text: str = "",
) -> Message:  # fmt: skip
    company: Company = customer.company
    mail = mail_texts.compose(company=company, name=text or template, language=language, facts=facts)
    return messages.write(
        company=company, customer=None if is_internal else customer, template=template, language=language,
        subject=mail.subject, body=mail.body, recipients=recipients, attachments=attachments, subject_kind=kind,
        subject_id=subject_id, at=at,
    )  # fmt: skip
