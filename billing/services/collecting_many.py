"""Acts on many rows of money at once: what each would do, which are passed over and why, then the acts.

The rule that matters: preview and act look at the same facts; a row that can't be done stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Attempt, Gateway, Invoice, InvoiceBalance, Payment, PaymentMethod
from billing.services import attempts, collecting, mailing, paying_mails, payments, receivables, sending
from core import clock
from core.actors import Actor
from core.ids import BadId
from core.models import Company
from core.refusal import Refused

ACTS: Final[dict[str, str | Promise]] = {
    "retry": gettext_lazy("Collect again"),
    "cancel": gettext_lazy("Cancel the attempt"),
    "record": gettext_lazy("Record as paid by transfer"),
    "link": gettext_lazy("Send a pay link"),
}
#: Rows in one go.
MOST: Final = 200


@dataclass(slots=True)
class Planned:
    """A row to be: its invoice, the amount in minor units, by what; `skipped` says why nothing will be done."""

    ref: str
    invoice: Invoice
    minor: int
    attempt: Attempt | None = None
    method: PaymentMethod | None = None
    skipped: str = ""
    words: str = ""


def plan(*, company: Company, act: str, refs: Sequence[str]) -> list[Planned]:
    """What `act` would do with these attempts and invoices (outside ids), each invoice once. Reads a fixed number of
    times. Refuses an unknown act (`field.choice`)."""
    if act not in ACTS:
        raise Refused("field.choice", field="act", value=act, choices=", ".join(ACTS))
    named = _named(company, refs[:MOST])
    ids = [invoice.pk for invoice, _attempt, _ref in named]
    balances = InvoiceBalance.objects.in_bulk(ids)
    live = {row.invoice_id: row for row in _attempts(company).filter(invoice_id__in=ids, state__in=Attempt.LIVE)}
    methods = collecting.methods_for([invoice for invoice, _attempt, _ref in named]) if act == "retry" else {}
    found: list[Planned] = []
    for invoice, attempt, ref in named:
        balance = balances[invoice.pk]
        row = Planned(ref, invoice, max(balance.open_minor, 0), live.get(invoice.pk))
        if act == "cancel":
            _plan_cancel(row, attempt)
        elif balance.status not in receivables.PAYABLE or balance.open_minor <= 0:
            row.skipped = _("nothing is due")
        elif act != "link" and row.attempt is not None:
            row.skipped = _("a payment is under way")
        elif act == "retry":
            row.method = methods.get(invoice.pk)
            if row.method is None:
                row.skipped = _("there is no payment method to charge")
            else:
                row.words = row.method.label
        elif act == "link":
            recipients = mailing.recipients_of(invoice.customer)
            row.words = ", ".join(recipients)
            row.skipped = "" if recipients else _("there is no e-mail address")
        found.append(row)
    return found


def _plan_cancel(row: Planned, named: Attempt | None) -> None:
    attempt = named if named is not None and named.state in Attempt.LIVE else row.attempt
    row.attempt = attempt
    if attempt is None:
        row.skipped = _("no payment is under way")
        return
    row.minor, row.words = attempt.amount_minor, attempt.gateway.name
    if attempt.batch_id is not None:
        row.skipped = _("it stands in a file for the bank")


def _attempts(company: Company) -> Any:
    return Attempt.objects.filter(company=company).select_related("gateway")


def _named(company: Company, refs: Sequence[str]) -> list[tuple[Invoice, Attempt | None, str]]:
    """The invoices that the ids name, each once, with the attempt it was named by; what is unknown is left out."""
    wanted: dict[type[Any], list[Any]] = {Attempt: [], Invoice: []}
    for ref in refs:
        for model, ids in wanted.items():
            try:
                ids.append(model.public_id_of(ref))
            except (BadId, ValueError):
                continue
    tries = list(_attempts(company).filter(public_id__in=wanted[Attempt]).select_related("gateway"))
    by_invoice = {row.invoice_id: row for row in tries}
    rows = Invoice.objects.filter(company=company, sequence__isnull=False).select_related(
        "customer__company", "company"
    )
    invoices = list(rows.filter(public_id__in=wanted[Invoice])) + list(rows.filter(pk__in=by_invoice))
    unique = {invoice.pk: invoice for invoice in invoices}
    return [
        (invoice, by_invoice.get(pk), by_invoice[pk].ref if pk in by_invoice else invoice.ref)
        for pk, invoice in sorted(unique.items())
    ]


def carry_out(*, company: Company, act: str, refs: Sequence[str], by: Actor, at: datetime) -> list[Planned]:
    """Does it, row by row, each in its own transaction; what couldn't be done says why in `skipped`.

    Repeated: what was done is passed over. Never inside a transaction.
    """
    rows = plan(company=company, act=act, refs=refs)
    do = {"retry": _retry, "cancel": _cancel, "record": _record, "link": _link}[act]
    for row in rows:
        if not row.skipped:
            _carefully(row, do, by=by, at=at)
    return rows


def _carefully(row: Planned, do: Callable[..., None], *, by: Actor, at: datetime) -> None:
    try:
        do(row, by=by, at=at)
    except Refused as refused:
        row.skipped = refused.message
    except IntegrityError:
        row.skipped = _("a payment is under way")


def _retry(row: Planned, *, by: Actor, at: datetime) -> None:
    assert row.method is not None
    row.attempt = begin(invoice=row.invoice, method=row.method, by=by, at=at)


def begin(*, invoice: Invoice, method: PaymentMethod, by: Actor, at: datetime) -> Attempt:
    """Writes the attempt that charges a saved method; the relay sends it. Refuses as `attempts.open_attempt` does."""
    company, gateway = invoice.company, method.gateway
    with transaction.atomic():
        receivables.lock_customer(company, invoice.customer_id)
        method.refresh_from_db(fields=["status"])
        if method.status != collecting.USABLE:
            raise Refused("method.not_usable", field="method", state=method.get_status_display())
        balance = receivables.lock_balances(company, [invoice.pk])[invoice.pk]
        is_debit = gateway.kind == Gateway.Kind.SEPA
        day = collecting.debit_day(invoice, gateway, clock.day_in(at, company.time_zone)) if is_debit else None
        return attempts.open_attempt(
            invoice=invoice, balance=balance, gateway=gateway, method=method, origin=Attempt.Origin.STAFF,
            collect_on=day, by=by, at=at,
        )  # fmt: skip


def _cancel(row: Planned, *, by: Actor, at: datetime) -> None:
    assert row.attempt is not None
    done = sending.cancel(attempt_id=row.attempt.pk, at=at)
    if done.state not in (Attempt.State.CANCELED, Attempt.State.FAILED):
        row.skipped = _("its provider doesn't confirm that no money will come")


def _record(row: Planned, *, by: Actor, at: datetime) -> None:
    company = row.invoice.company
    with transaction.atomic():
        receivables.lock_customer(company, row.invoice.customer_id)
        balance = receivables.lock_balances(company, [row.invoice.pk])[row.invoice.pk]
        if balance.status not in receivables.PAYABLE or balance.open_minor != row.minor:
            raise Refused("preview.differs")
        payments.record(
            company=company, customer=row.invoice.customer, amount_minor=row.minor, currency=row.invoice.currency,
            method=Payment.Method.TRANSFER, received_on=clock.day_in(at, company.time_zone), invoice=row.invoice, by=by,
            at=at,
        )  # fmt: skip


def _link(row: Planned, *, by: Actor, at: datetime) -> None:
    paying_mails.send_link(invoice=row.invoice, by=by, at=at)
