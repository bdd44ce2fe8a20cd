"""Replacing an issued invoice: a credit note of all that is left of it, and a new one that names it.

The rule that matters: its days and items move to the new invoice, so nothing falls due again meanwhile; amounts stay,
before credit that lowered them, and taxes, address and VAT id are those of the customer today.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

import orjson
from django.db import connection, transaction

from billing.models import BilledDays, CreditNote, Invoice, InvoiceBalance, InvoiceLine, Snapshot
from billing.services import drafting
from billing.services.crediting import audit_note, issue_notes, load_invoices, use_on_open
from billing.services.discounting import lowered, return_uses
from billing.services.loading import lock_customers
from billing.services.noting import Invoiced, note_of
from billing.services.reopening import Days
from billing.services.voiding import all_left
from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from customers.services import merged
from pricing.money import round_half_up

How = Literal["draft", "issue"]


@transaction.atomic
def replace(
    *,
    invoice: Invoice,
    how: How = "draft",
    po_reference: str | None = None,
    reason: str,
    at: datetime,
    by: Actor,
) -> tuple[CreditNote, Invoice]:
    """The credit note and the new invoice: a draft with the old lines, to be changed, or (`issue`) issued at once.

    Refuses `credit.not_issued`, `void.not_open`, `credit.nothing_left`, `credit.pack_used`.
    """
    company = invoice.company
    merged.refuse(invoice.customer, field="invoice")
    checks.choice(how, ("draft", "issue"), field="how")
    checked(reason, field="reason", limit=500)
    checked(po_reference or "", field="po_reference", limit=80)
    if invoice.sequence is None:
        raise Refused("credit.not_issued")
    customers = lock_customers(company, [invoice.customer_id])
    known = load_invoices(company, [invoice.pk])[invoice.pk]
    if known.status not in ("open", "paid"):
        raise Refused("void.not_open", state=InvoiceBalance.Status(known.status).label)
    old = list(
        InvoiceLine.objects.filter(invoice=invoice)
        .select_related("product__tax_category", "subscription")
        .order_by("position")
    )
    standing = [row for row in old if known.lines[row.pk].left_minor or not row.amount_minor]
    amounts = {row.pk: _amount_of(row, known) for row in standing}
    lines = all_left(known)
    note = note_of(known, customers[invoice.customer_id], lines, cause="replace", reason=reason) if lines else None
    if note is None:
        raise Refused("credit.nothing_left", number=known.number)
    covered = [line for line in known.lines.values() if not line.amount_minor]
    for line in covered:
        line.billed_days = 0
    issue_notes(company, [note], at=at, by=by, free=covered, pays=False)
    moved = _release([row.pk for row in standing], note.id, at)
    return_uses(company, lowered(known.lines))
    audit_note(company, note, at=at, by=by)

    fresh = _draft_of(invoice, po_reference, at)
    copies = [_copy_of(row, amounts[row.pk], moved.get(row.pk, [])) for row in standing]
    drafting.adopt(fresh, copies, by=by, at=at)
    _move(company.pk, {row.pk: copy.pk for row, copy in zip(standing, copies, strict=True)}, moved)
    if how == "issue":
        fresh = drafting.issue(invoice=fresh, at=at, by=by)
    use_on_open(company, [note], at=at, by=by)
    return CreditNote.objects.get(pk=note.id), Invoice.objects.get(pk=fresh.pk)


def _amount_of(row: InvoiceLine, known: Invoiced) -> int:
    """What is left of a line, before granted and prepaid credit lowered it, in the mode of its document's prices."""
    line = known.lines[row.pk]
    allowed = sum(int(told["amount_minor"]) for told in row.calculation.get("allowances", ()))
    if not row.amount_minor:
        return allowed
    kept: int = row.amount_minor - line.credited_minor
    return kept + allowed - round_half_up(Fraction(allowed * line.credited_minor, row.amount_minor))


_RELEASED = """
UPDATE billing_billeddays SET released_at = %s, released_by = %s
WHERE line_id = ANY(%s) AND released_at IS NULL
RETURNING line_id, slot_id, lower(days), upper(days), kind, component
"""


def _release(line_ids: Sequence[int], note_id: int, at: datetime) -> dict[int, list[tuple[Any, ...]]]:
    """Releases all live days of these lines; by line: slot, start, end, kind, component.

    Days of a line that was given back whole stay where they are: no line of the new invoice bills them.
    """
    found: dict[int, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_RELEASED, [at, note_id, list(line_ids)])
        for line_id, *row in sorted(cursor.fetchall()):
            found.setdefault(line_id, []).append(tuple(row))
    return found


def _draft_of(invoice: Invoice, po_reference: str | None, at: datetime) -> Invoice:
    """The new invoice, unsaved: of the same charges, under the same terms."""
    body = orjson.loads(Snapshot.objects.get(document_kind="invoice", document_id=invoice.pk).body)
    terms = body.get("terms")
    assert invoice.issued_on is not None
    days = terms["days"] if terms else (invoice.payment_due_on - invoice.issued_on).days
    return Invoice(
        company=invoice.company,
        customer=invoice.customer,
        language=invoice.language,
        currency=invoice.currency,
        tax_behavior=invoice.tax_behavior,
        net_minor=0,
        tax_minor=0,
        gross_minor=0,
        created_at=at,
        charge_due_on=invoice.charge_due_on,
        payment_due_on=invoice.payment_due_on,
        terms_days=days,
        terms_from=terms["from"] if terms else "issue",
        po_reference=invoice.po_reference if po_reference is None else po_reference,
        replaces=invoice,
    )


def _copy_of(row: InvoiceLine, amount_minor: int, days: Sequence[tuple[Any, ...]]) -> InvoiceLine:
    """A line of the new invoice: the same charge, at what is left of it, for the days that are still billed."""
    calculation = {name: told for name, told in row.calculation.items() if name not in ("allowances", "pack")}
    calculation["fixed"] = True
    if "pack" in row.calculation:
        sold = row.calculation["pack"]
        calculation["pack"] = {name: sold[name] for name in ("amount_minor", "expires_on")}
    start, end = row.period_start, row.period_end
    live: list[Days] = [(first, last) for _, first, last, _, _ in days]
    if live and start is not None and end is not None:
        start, end = min(first for first, _ in live), max(last for _, last in live)
    return InvoiceLine(
        company_id=row.company_id,
        position=row.position,
        subscription=row.subscription,
        slot_id=row.slot_id,
        product=row.product,
        description=row.description,
        quantity=row.quantity,
        unit_amount=row.unit_amount,
        period_start=start,
        period_end=end,
        kind=row.kind,
        amount_minor=amount_minor,
        discount_minor=row.discount_minor,
        net_minor=0,
        tax_category=row.tax_category,
        tax_rate=row.tax_rate,
        calculation=calculation,
    )


_RATED = """
INSERT INTO billing_ratedusage (company_id, slot_id, kind, start_at, end_at, period_start, period_end, quantity,
                                cost_minor, billed_minor, line_id, note_id, rated_at)
SELECT r.company_id, r.slot_id, CASE r.kind WHEN 'closed' THEN 'late' ELSE r.kind END, r.start_at, r.end_at,
       r.period_start, r.period_end, r.quantity, r.cost_minor, r.billed_minor, v.new, r.note_id, r.rated_at
FROM billing_ratedusage r JOIN unnest(%(old)s::bigint[], %(new)s::bigint[]) v(old, new) ON v.old = r.line_id
ORDER BY r.id
"""


def _move(company_id: int, lines: dict[int, int], moved: dict[int, list[tuple[Any, ...]]]) -> None:
    """What the old lines billed is billed by the new ones: days, single items, rated usage."""
    BilledDays.objects.bulk_create(
        BilledDays(
            company_id=company_id, slot_id=slot_id, days=(start, end), kind=kind, component=component,
            line_id=lines[line_id],
        )
        for line_id, rows in moved.items()
        for slot_id, start, end, kind, component in rows
    )  # fmt: skip
    params = {"old": list(lines), "new": list(lines.values())}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE subscriptions_oneoff o SET line_id = v.new "
            "FROM unnest(%(old)s::bigint[], %(new)s::bigint[]) v(old, new) WHERE o.line_id = v.old",
            params,
        )
        cursor.execute(_RATED, params)
