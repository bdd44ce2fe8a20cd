"""`settle`: compares what is agreed with what is billed, and writes the difference.

The rule that matters: this is the only path from an agreement to a document, for one customer and for thousands. It
locks in one order, reads what is due again under the lock, and a subscription that can't be billed stops nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from billing.models import BillingRun
from billing.services import (
    allowances,
    books,
    commitments,
    crediting,
    debit_marks,
    exchange,
    giving_back,
    issuing,
    one_offs,
    snapshots,
    spending,
    windows,
)
from billing.services.agreed import lock_due
from billing.services.clauses import carry_out
from billing.services.copying import canonical
from billing.services.discount_uses import uses
from billing.services.grouping import InvoiceDoc
from billing.services.keeping import Moves, settled_clauses, write_state
from billing.services.loading import CustomerRow, Facts, facts, lock_customers
from billing.services.reckoning import reckon, revenue_codes
from billing.services.usage_rating import marks_seen, rated_clauses
from billing.services.usage_reading import Foreseen, foresee
from billing.services.windows import Issuing
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.models import Company
from subscriptions.services.schedule import Agreement


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
            usage, cuts = foresee(customers, agreements, on=on), giving_back.foresee(agreements, on=on)
            known = facts(
                company, list(customers), year, [agreement.id for agreement in agreements], on,
                currencies=exchange.wanted(company, {agreement.currency for agreement in agreements}),
                since=min((agreement.next_bill_on or on for agreement in agreements), default=on),
                also=[*usage.questions(), *cuts.questions(), debit_marks.question(company)],
            )  # fmt: skip
            _settle_locked(
                company, customers, agreements, known, usage, cuts, on=on, at=at, by=by, run=run,
                notify_since=notify_since, outcome=outcome, on_one_document=on_one_document, how=how or Issuing(),
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
    usage: Foreseen,
    cuts: giving_back.Cuts,
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
    books.revenue_accounts(company, known.accounts, revenue_codes(agreements))
    found = reckon(
        company, customers, agreements, known, usage, cuts, on=on, at=at, run_id=run.pk if run else None,
        notify_since=notify_since, on_one_document=on_one_document, how=how,
    )  # fmt: skip
    outcome.parked = found.parked
    invoices, given_back, dues = found.invoices, found.given_back, found.dues

    giving_back.write_given_back(company, given_back, invoices, at=at)
    allowances.write_returned(company, found.returned)
    link_id, entries, allocations = issuing.assign_ids(invoices)
    debit_marks.mark(company, invoices, today=today, also=known.also)
    frozen = issuing.freeze(invoices)
    seller = snapshots.seller_body(company) if invoices or given_back.notes else None
    audit = _audit(company, customers, invoices, given_back, outcome, by=by, run=run)
    beside = audit | issuing.beside(invoices)
    windows.keep(company, found.drafts, at=at)
    issuing.write_ahead(
        company, invoices, frozen, accounts=known.accounts, entries=entries, allocations=allocations,
        more_days=found.free_days,
    )  # fmt: skip
    point("billing.lines")
    used = uses(company, found.discounts, found.drafts, at=at)
    minimums = commitments.closed_through(found.minimum, found.billed)
    made = {note.credit_id for note in given_back.notes}
    write_state(
        company, dues, outcome.parked, given_back, seller=seller, beside=beside, at=at,
        moves=Moves(minimums[0], marks_seen(found.usage, found.billed), minimums[1], used.moves),
        clauses=[
            *settled_clauses(dues, on), *rated_clauses(company, found.usage, found.billed, at=at), *used.clauses,
            *spending.clauses(company, invoices, allocations=allocations, made=made, at=at),
            *one_offs.billed_clauses([billed for due in dues for billed in due.one_offs]),
        ],
    )  # fmt: skip

    # From here on others wait for the numbers.
    seller_hash = snapshots.sha256(seller) if seller else ""
    crediting.number_notes(company, given_back.notes, seller=seller_hash, today=today)
    issuing.number_invoices(company, invoices, frozen, seller=seller_hash)
    point("billing.numbered")
    hashes = [note.sha256 for note in given_back.notes] + [document.sha256 for document in invoices]
    issuing.link(company, link_id=link_id, hashes=hashes, at=at)
    point("billing.linked")
    crediting.write_notes(company, given_back.notes, known.accounts, link_id=link_id, at=at)
    if made:
        carry_out(spending.clauses(company, invoices, allocations=allocations, made=made, is_made=True, at=at))
    issuing.write_numbered(company, invoices, link_id=link_id, at=at)
    crediting.use_on_open(company, given_back.notes, at=at, by=by)
    _sum_up(outcome, invoices, given_back)
    outcome.draft_ids = [document.id for document in found.drafts]
    outcome.lines += sum(document.line_count for document in found.drafts)


def _audit(
    company: Company,
    customers: dict[int, CustomerRow],
    invoices: list[InvoiceDoc],
    given_back: giving_back.GivenBack,
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


def _sum_up(outcome: Settlement, invoices: list[InvoiceDoc], given_back: giving_back.GivenBack) -> None:
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
