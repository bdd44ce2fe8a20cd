"""`settle`: compares what is agreed with what is billed, and writes the difference.

The rule that matters: this is the only path from an agreement to a document, for one customer and for thousands. It
locks in one order, reads what is due again under the lock, and a subscription that can't be billed stops nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import translation

from billing.models import BillingRun
from billing.services import (
    allowances,
    books,
    commitments,
    crediting,
    exchange,
    issuing,
    one_offs,
    snapshots,
    windows,
)
from billing.services.copying import canonical
from billing.services.discounting import Take, take_discounts, write_uses
from billing.services.grouping import InvoiceDoc, group
from billing.services.keeping import close_changes, write_state
from billing.services.loading import CustomerRow, Facts, facts, lock_customers, lock_due
from billing.services.owing import days_only, price, waits
from billing.services.taxing import Taxing
from billing.services.usage_rating import days_without_line, keep_rated, rate_usage
from billing.services.windows import Issuing
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from pricing.errors import PricingError
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
    waiting = {one.id: one.paid_from_on - ONE_DAY for one in agreements if waits(one, customers[one.customer_id])}
    minimum = commitments.closing(agreements, given_back.notes, on=on, last=waiting)
    taxing = Taxing(company, known.rates, today=today)
    dues = []
    discounts: list[Take] = []
    for agreement in agreements:
        try:
            customer = customers[agreement.customer_id]
            due = price(company, customer, agreement, taxing, known, on, given_back.ended, usage, minimum)
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
        free_days = [row for document in invoices if not document.gross_minor for row in days_only(company, document)]
        invoices = [document for document in invoices if document.gross_minor]
    billed = {due.agreement.id for due in dues}
    free_days += days_without_line(company, usage, billed)
    quiet_before = max(filter(None, (notify_since, company.mails_start_on)), default=None)
    for document in invoices:
        document.run_id = run.pk if run else None
    # A draft takes neither credit nor uses of discounts: what is written beside documents is for those issued now.
    invoices, drafts = windows.sort_out(company, invoices, how, at=at)
    for document in (*invoices, *drafts):
        document.notifies &= quiet_before is None or document.charge_due_on >= quiet_before
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
    write_state(company, dues, outcome.parked, given_back, seller=seller, beside=beside, at=at)
    close_changes(dues, on)
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
