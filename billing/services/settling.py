"""`settle`: compares what is agreed with what is billed, and writes the difference.

The rule that matters: this is the only path from an agreement to a document, for one customer and for thousands. It
locks in one order, reads what is due again under the lock, and a subscription that can't be billed stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import orjson
from django.db import connection
from django.utils import translation

from billing.models import BillingRun
from billing.services import (
    allowances,
    books,
    charging,
    commitments,
    crediting,
    exchange,
    issuing,
    one_offs,
    snapshots,
    steps,
    windows,
)
from billing.services.charging import Charge, SlotDue
from billing.services.copying import array, canonical
from billing.services.discounting import Take, take_discounts, write_uses
from billing.services.grouping import InvoiceDoc, Line, Priced, group
from billing.services.loading import CustomerRow, Facts, OneOffRow, facts, lock_customers, lock_due, words
from billing.services.snapshots import plain
from billing.services.taxing import Taxing
from billing.services.usage_rating import USAGE_KINDS, Usage, complete_usage, days_without_line, keep_rated, rate_usage
from billing.services.windows import Issuing
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from pricing.errors import PricingError
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY, Agreement


@dataclass(slots=True)
class Settlement:
    """What came of it. `totals_by_currency` holds net, tax and gross of the invoices in minor units, `credited` those
    of the credit notes; drafts count in neither; `quiet` counts documents without mail; `parked` names
    (subscription id, code, detail).
    """

    invoice_ids: list[int] = field(default_factory=list)
    credit_note_ids: list[int] = field(default_factory=list)
    draft_ids: list[int] = field(default_factory=list)
    lines: int = 0
    totals_by_currency: dict[str, dict[str, int]] = field(default_factory=dict)
    credited_by_currency: dict[str, dict[str, int]] = field(default_factory=dict)
    quiet: int = 0
    parked: list[tuple[int, str, str]] = field(default_factory=list)
    skipped_customer_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Due:
    """A subscription's part: what its slots owe and what came of pricing it. `more_days`: further due days to come;
    `before`: the day before which alone something falls due, in a trial that may not go on."""

    agreement: Agreement
    slots: list[SlotDue]
    priced: list[Priced]
    one_offs: list[tuple[OneOffRow, Line]] = field(default_factory=list)
    more_days: list[date] = field(default_factory=list)
    before: date | None = None


def settle(
    *,
    company: Company,
    customer_ids: Sequence[int],
    on: date,
    at: datetime,
    by: Actor,
    run: BillingRun | None = None,
    notify_since: date | None = None,
    skip_locked: bool = False,
    zones: Sequence[str] = (),
    on_one_document: bool = False,
    how: Issuing | None = None,
) -> Settlement:
    """Bills everything of these customers that is due on or before `on`, and gives back days after an end.

    Due is the first day of a period in advance, the day after the last of one in arrears. One transaction; the number
    of statements doesn't depend on the number of customers. Charges due before `notify_since` (or before the company
    sends mail at all) are issued without mail. With `skip_locked`, customers that others hold are left alone and
    named. `zones`: only subscriptions of these time zones; empty: of all. `on_one_document`: what fell due earlier
    falls due on that day, as after an act dated back. `how`: the drafts that are written anew, see `windows`.
    """
    if not customer_ids:
        return Settlement()

    def work() -> Settlement:
        outcome = Settlement()
        customers = lock_customers(company, customer_ids, skip_locked=skip_locked)
        if skip_locked:
            outcome.skipped_customer_ids = sorted(set(customer_ids) - set(customers))
        agreements = lock_due(company, list(customers), on, zones) if customers else []
        if agreements:
            year = clock.day_in(at, company.time_zone).year
            known = facts(
                company, list(customers), year, [agreement.id for agreement in agreements], on,
                currencies=exchange.wanted(company, {agreement.currency for agreement in agreements}),
                since=min((agreement.next_bill_on or on for agreement in agreements), default=on),
            )  # fmt: skip
            _settle_locked(
                company, customers, agreements, known, on=on, at=at, by=by, run=run, notify_since=notify_since,
                outcome=outcome, on_one_document=on_one_document, how=how or Issuing(),
            )  # fmt: skip
        return outcome

    if run is not None:
        # The run's chunk is a transaction of its own, and begins again as a whole when dates move on.
        return work()
    return issuing.with_dates(work)


def _settle_locked(
    company: Company,
    customers: dict[int, CustomerRow],
    agreements: list[Agreement],
    known: Facts,
    *,
    on: date,
    at: datetime,
    by: Actor,
    run: BillingRun | None,
    notify_since: date | None,
    outcome: Settlement,
    on_one_document: bool,
    how: Issuing,
) -> None:
    today = clock.day_in(at, company.time_zone)
    codes = [slot.revenue_account for agreement in agreements for slot in agreement.slots if slot.revenue_account]
    codes += [terms.product.revenue_account for agreement in agreements for slot in agreement.slots
              for terms in slot.terms if terms.product is not None and terms.product.revenue_account]  # fmt: skip
    books.revenue_accounts(company, known.accounts, codes)

    given_back = crediting.give_back_due(company, customers, agreements, known, on=on, at=at)
    usage = rate_usage(company, customers, agreements, given_back, on=on)
    waiting = {one.id: one.paid_from_on - ONE_DAY for one in agreements if _waits(one, customers[one.customer_id])}
    minimum = commitments.closing(agreements, given_back.notes, on=on, last=waiting)
    taxing = Taxing(company, known.rates, today=today)
    dues = []
    discounts: list[Take] = []
    for agreement in agreements:
        try:
            customer = customers[agreement.customer_id]
            due = _price(company, customer, agreement, taxing, known, on, given_back.ended, usage, minimum)
            taken = take_discounts(agreement, due.priced, known.discounts.get(agreement.id))
            if on_one_document:
                for priced in due.priced:
                    priced.due_on = max(priced.due_on, on)
            exchange.check(company, due.priced, known.exchange)
            dues.append(due)
            discounts += taken
        except (PricingError, Refused) as error:
            outcome.parked.append((agreement.id, error.code[:60], _why(error, company.language)[:500]))
        except Exception as error:  # noqa: BLE001  one bad subscription stops nobody; its reason is kept
            outcome.parked.append((agreement.id, "billing.unexpected", f"{type(error).__name__}: {error}"[:500]))

    invoices = group(company, (priced for due in dues for priced in due.priced))
    free_days: list[str] = []
    if not company.issues_zero_invoices:
        free_days = [row for document in invoices if not document.gross_minor for row in _days_only(company, document)]
        invoices = [document for document in invoices if document.gross_minor]
    billed = {due.agreement.id for due in dues}
    free_days += days_without_line(company, usage, billed)
    quiet_before = max(filter(None, (notify_since, company.mails_start_on)), default=None)
    for document in invoices:
        document.run_id = run.pk if run else None
    # A draft takes neither credit nor uses of discounts: what is written beside documents is for those issued now.
    invoices, drafts = windows.sort_out(company, invoices, how, at=at)
    for document in (*invoices, *drafts):
        document.notifies = quiet_before is None or document.charge_due_on >= quiet_before
    returned = allowances.give_back(company, given_back.notes, on=today, free=given_back.free)
    if known.allowances or returned:
        allowances.apply(invoices, allowances.merged(known.allowances, returned), on=today)
    exchange.fix(company, [*invoices, *drafts], known.exchange)
    for note in given_back.notes:
        note.notifies = quiet_before is None or note.given_back_from is None or note.given_back_from >= quiet_before
    issuing.apply_credit(invoices, [*known.credits, *given_back.credits])

    link_id, entries, allocations = issuing.assign_ids(invoices)
    frozen = issuing.freeze(invoices)
    seller = snapshots.seller_body(company) if invoices or given_back.notes else None
    issuing.set_dates(invoices, max(today, known.last_invoice_on or today))
    audit = _audit(company, customers, invoices, given_back, outcome, by=by, run=run)
    beside = audit | issuing.beside(invoices)
    _write_state(company, dues, outcome.parked, given_back, seller=seller, beside=beside, at=at)
    _close_changes(dues, on)
    windows.keep(company, drafts, today=today, at=at)
    keep_rated(company, usage, billed, at=at)
    write_uses(company, discounts, drafts, at=at)
    allowances.write(company, invoices)
    issuing.write_ahead(
        company, invoices, frozen, accounts=known.accounts, entries=entries, allocations=allocations,
        more_days=free_days,
    )  # fmt: skip
    one_offs.mark_billed([billed for due in dues for billed in due.one_offs])
    commitments.mark_closed({id_: closed for id_, closed in minimum.items() if id_ in billed})

    # From here on others wait for the numbers.
    seller_hash = snapshots.sha256(seller) if seller else ""
    crediting.number_notes(company, given_back.notes, seller=seller_hash, today=today)
    issuing.number_invoices(company, invoices, frozen, seller=seller_hash)
    hashes = [note.sha256 for note in given_back.notes] + [document.sha256 for document in invoices]
    issuing.link(company, link_id=link_id, hashes=hashes, at=at)
    crediting.write_notes(company, given_back.notes, known.accounts, link_id=link_id, at=at)
    issuing.write_numbered(company, invoices, link_id=link_id, allocations=allocations, at=at)
    crediting.use_on_open(company, given_back.notes, at=at, by=by)
    _sum_up(outcome, invoices, given_back)
    outcome.draft_ids = [document.id for document in drafts]
    outcome.lines += sum(document.line_count for document in drafts)


def _why(error: PricingError | Refused, language: str) -> str:
    """The reason in words, in the company's language; the bare figures where a code has no words."""
    with translation.override(language):
        if isinstance(error, Refused):
            return error.message
        try:
            refusal = Refused(error.code)
            refusal.params = error.params
            return refusal.message
        except (LookupError, TypeError, ValueError):
            return ", ".join(f"{name}: {value}" for name, value in error.params.items())


def _price(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    taxing: Taxing,
    known: Facts,
    on: date,
    ended: dict[int, date],
    usage: Usage,
    minimum: Mapping[int, commitments.Closing],
) -> _Due:
    """The due charges of a subscription with their taxes. `ended`: slots whose unused days were given back just now."""
    if agreement.id in usage.errors:
        raise usage.errors[agreement.id]
    if not agreement.slots or not all(slot.terms for slot in agreement.slots):
        raise PricingError("billing.nothing_agreed")
    terms_days = agreement.payment_terms_days
    if terms_days is None:
        terms_days = customer.payment_terms_days
    if terms_days is None:
        terms_days = company.payment_terms_days
    terms_from = agreement.payment_terms_from or customer.payment_terms_from or company.payment_terms_from
    po_reference = agreement.po_reference or customer.po_reference
    slots, priced = [], []
    before = None
    if _waits(agreement, customer):
        before = agreement.paid_from_on
        on = min(on, before - ONE_DAY)
    for slot in agreement.slots:
        through = ended.get(slot.id)
        due = usage.due.get(slot.id) or charging.slot_due(
            agreement, slot if through is None else slot._replace(billed_through_on=through), on
        )
        slots.append(due)
        for charge in due.charges:
            line = _line(company, customer, agreement, charge, taxing, known)
            if charge.kind in USAGE_KINDS:
                complete_usage(line, usage.by_charge[slot.id, charge.component, charge.start])
            priced.append(
                Priced(
                    customer,
                    agreement.currency,
                    agreement.tax_behavior,
                    charge.due_on,
                    terms_days,
                    po_reference,
                    line,
                    terms_from,
                )
            )
    found = _Due(agreement, slots, priced, before=before)
    if agreement.id in known.one_offs:
        rows = known.one_offs[agreement.id]
        found.one_offs = one_offs.due_lines(company, customer, agreement, rows, taxing, known.accounts, on)
        for row, line in found.one_offs:
            terms = (row.due_on, terms_days, po_reference, line, terms_from)
            priced.append(Priced(customer, agreement.currency, agreement.tax_behavior, *terms))
        later = one_offs.next_due(agreement, rows, on)
        found.more_days += [later] if later is not None else []
    closed = minimum.get(agreement.id)
    if closed is not None:
        fresh = [one.line for one in priced]
        for due_on, line in commitments.lines(company, customer, agreement, closed, fresh, taxing, known.accounts):
            terms = (due_on, terms_days, po_reference, line, terms_from)
            priced.append(Priced(customer, agreement.currency, agreement.tax_behavior, *terms))
        found.more_days += [closed.next_on] if closed.next_on is not None else []
    return found


def _waits(agreement: Agreement, customer: CustomerRow) -> bool:
    """Whether its trial may not go on: then only what has no trial falls due before its end."""
    may_end = agreement.trial_may_end and agreement.state in ("pending", "trial")
    return may_end and not customer.payment_method


def _line(
    company: Company, customer: CustomerRow, agreement: Agreement, charge: Charge, taxing: Taxing, known: Facts
) -> Line:
    slot, terms = schedule.supplied(charge.slot, charge.terms), charge.terms
    tax = taxing.over(customer, slot.supply, slot.level, charge.start, charge.end, charge.due_on)
    name = words(slot.product_name, customer.language, company.language)[:400]
    days, full_days = (charge.end - charge.start).days, (charge.full_end - charge.full_start).days
    interval = f"{terms.interval_count} {terms.interval_unit}"
    # A dearer price for as many units is charged by its difference, too.
    units = terms.quantity if charge.units_before is None else terms.quantity - charge.units_before or terms.quantity
    calculation: dict[str, Any] = {
        "model": terms.model,
        "quantity": plain(terms.quantity),
        "unit_amount": plain(terms.unit_amount),
        "interval": interval,
        "full_start": charge.full_start.isoformat(),
        "full_end": charge.full_end.isoformat(),
        "days": days,
        "full_days": full_days,
        "share": f"{days}/{full_days}" if terms.is_prorated and days != full_days else "1",
        "prorated": terms.is_prorated,
        "price_version": terms.price_version,
        "price_ref": terms.price_ref,
        "tax": tax.facts(),
    }
    if terms.details != "{}":
        calculation["details"] = orjson.loads(terms.details)
    if terms.model not in steps.PLAIN and charge.kind == "base":
        taken = steps.steps_of(terms.model, terms.unit_amount, terms.details, terms.quantity)
        calculation["steps"] = list(taken)
    if charge.units_before is not None:
        calculation["quantity_before"] = plain(charge.units_before)
    billed = (charge.start, charge.served_end, "billed")
    return Line(
        subscription_id=agreement.id,
        slot_id=slot.id,
        product_id=slot.product_id,
        description=name,
        detail=agreement.name if agreement.name != name else "",
        quantity=units,
        unit=words(slot.unit_name, customer.language, company.language),
        unit_amount=terms.unit_amount,
        period_start=charge.start,
        period_end=charge.end,
        amount_minor=charge.amount_minor,
        tax=tax,
        account_id=books.revenue_account(known.accounts, slot.revenue_account, name),
        calculation=calculation,
        days=(billed,) if charge.served_end == charge.end else (billed, (charge.served_end, charge.end, "forfeited")),
        kind=charge.kind,
        component=charge.component,
        price_id=terms.price_id,
        share=Fraction(days, full_days) if terms.is_prorated else Fraction(1),
    )


def _days_only(company: Company, document: InvoiceDoc) -> list[str]:
    """Periods that cost nothing count as billed, without a line."""
    return [
        issuing.days_row(company.pk, line.slot_id, start, end, None, kind, line.component)
        for line in document.lines
        if line.slot_id is not None
        for start, end, kind in line.days
    ]


def _close_changes(dues: list[_Due], on: date) -> None:
    """Terms whose effect on billed days is settled by now say so. No statement without any."""
    done = [terms.id for entry in dues for slot in entry.agreement.slots for terms in schedule.pending(slot, on)]
    if done:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE subscriptions_slotterms SET settles = '', settles_until = NULL WHERE id = ANY(%s::bigint[])",
                [done],
            )


_STATE = f"""
WITH moved AS (
    UPDATE subscriptions_slot slot SET billed_through_on = v.day
    FROM unnest(%(slots)s::bigint[], %(through)s::date[]) v(id, day) WHERE slot.id = v.id
), halted AS (
    UPDATE subscriptions_subscription s
    SET parked_at = %(at)s, parked_code = v.code, parked_detail = v.detail
    FROM unnest(%(parked)s::bigint[], %(codes)s::text[], %(details)s::text[]) v(id, code, detail) WHERE s.id = v.id
), part AS (
    INSERT INTO billing_snapshotpart (company_id, sha256, body)
    SELECT %(company)s, %(seller_hash)s, %(seller)s WHERE %(seller)s::text IS NOT NULL
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO core_auditentry (company_id, at, written_at, actor_kind, actor_id, actor_label, verb, subject_kind,
                                 subject_id, customer_id, reason, facts)
    SELECT %(company)s, %(at)s, %(now)s, %(actor_kind)s, %(actor_id)s, %(actor_label)s, 'billing.settle',
           %(subject_kind)s, %(subject_id)s, %(customer)s, '', %(facts)s::jsonb
    WHERE %(facts)s::jsonb IS NOT NULL
), {issuing.BESIDE}
UPDATE subscriptions_subscription s SET next_bill_on = v.day
FROM unnest(%(agreements)s::bigint[], %(next)s::date[]) v(id, day)
WHERE s.id = v.id
"""  # noqa: S608  put together of this room's own texts


def _write_state(
    company: Company,
    dues: list[_Due],
    parked: list[tuple[int, str, str]],
    given_back: crediting.GivenBack,
    *,
    seller: bytes | None,
    beside: dict[str, Any],
    at: datetime,
) -> None:
    """Moves slots and subscriptions on, parks what could not be billed, keeps the seller's part and what stands beside
    (audit row, balances, mails): in one statement (one more for each slot whose days wait to be billed again)."""
    through = dict(given_back.ended)
    through |= {
        slot.id: due.billed_through_on
        for entry in dues
        for slot, due in zip(entry.agreement.slots, entry.slots, strict=True)
        if due.billed_through_on != through.get(slot.id, slot.billed_through_on)
    }
    agreements = [(entry.agreement.id, _next_bill_on(entry, given_back)) for entry in dues]
    params: dict[str, Any] = {
        "company": company.pk,
        "at": at,
        "now": clock.machine_now(),
        "slots": array(through),
        "through": array(through.values()),
        "parked": [row[0] for row in parked],
        "codes": [row[1] for row in parked],
        "details": [row[2].replace("\0", "") for row in parked],
        "seller": seller.decode() if seller else None,
        "seller_hash": snapshots.sha256(seller) if seller else None,
        "agreements": array(id_ for id_, _ in agreements),
        "next": array(day for _, day in agreements),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STATE, params | beside)
        for entry in dues:
            for slot, due in zip(entry.agreement.slots, entry.slots, strict=True):
                if slot.reopened != due.reopened:
                    ranges = [f"[{start},{end})" for start, end in due.reopened]
                    cursor.execute(
                        "UPDATE subscriptions_slot SET reopened_days = %s::text[]::daterange[] WHERE id = %s",
                        [ranges, slot.id],
                    )


def _next_bill_on(entry: _Due, given_back: crediting.GivenBack) -> date | None:
    """When something falls due next: a period, or the day after a planned end that leaves billed days unused."""
    days = [due.next_due_on for due in entry.slots if due.next_due_on is not None]
    ends_on = entry.agreement.ends_on
    gave_back = entry.agreement.id in given_back.agreements
    if ends_on is not None and not gave_back and any(due.billed_through_on > ends_on for due in entry.slots):
        days.append(ends_on + ONE_DAY)
    days += entry.more_days
    return min((day for day in days if entry.before is None or day < entry.before), default=None)


def _audit(
    company: Company,
    customers: dict[int, CustomerRow],
    invoices: list[InvoiceDoc],
    given_back: crediting.GivenBack,
    outcome: Settlement,
    *,
    by: Actor,
    run: BillingRun | None,
) -> dict[str, Any]:
    """The one audit row for all: who billed whom, how many documents, who was parked. No facts, no row.

    Written with the state instead of through `trail.audit`: it stands in the hot path.
    """
    only = next(iter(customers)) if len(customers) == 1 else None
    row: dict[str, Any] = {
        "actor_kind": by.kind,
        "actor_id": by.id,
        "actor_label": by.label,
        "subject_kind": "run" if run else "customer" if only else "company",
        "subject_id": run.pk if run else only or company.pk,
        "customer": only,
        "facts": None,
    }
    if invoices or given_back.notes or outcome.parked:
        facts_said = {
            "invoices": len(invoices),
            "invoice_ids": [invoices[0].id, invoices[-1].id] if invoices else [],
            "credit_notes": len(given_back.notes),
            "parked": [id_ for id_, _, _ in outcome.parked],
        }
        row["facts"] = canonical(facts_said).decode()
    return row


def _sum_up(outcome: Settlement, invoices: list[InvoiceDoc], given_back: crediting.GivenBack) -> None:
    outcome.invoice_ids = [document.id for document in invoices]
    outcome.credit_note_ids = [note.id for note in given_back.notes]
    outcome.lines = sum(document.line_count for document in invoices)
    outcome.quiet = sum(not document.notifies for document in invoices)
    outcome.quiet += sum(not note.notifies for note in given_back.notes)
    for sums, documents in (
        (outcome.totals_by_currency, invoices),
        (outcome.credited_by_currency, given_back.notes),
    ):
        for document in documents:
            totals = document.totals.totals
            entry = sums.setdefault(document.currency, {"net": 0, "tax": 0, "gross": 0})
            entry["net"] += totals.net
            entry["tax"] += totals.tax
            entry["gross"] += totals.gross


def park(*, subscription_id: int, code: str, detail: str, at: datetime) -> None:
    """Takes a subscription out of billing until a person has looked at it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE subscriptions_subscription SET parked_at = %s, parked_code = %s, parked_detail = %s WHERE id = %s",
            [at, code[:60], detail.replace("\0", "")[:500], subscription_id],
        )
