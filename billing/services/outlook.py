"""What settling a customer will come to, on one day after the other, in memory: each day on what the one before leaves.

The rule that matters: it is reckoned as `settling` does, never otherwise; what nobody can tell without having written
it is `NotReckoned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from billing.services import (
    agreed,
    allowances,
    books,
    discounting,
    exchange,
    giving_back,
    loading,
    mailing,
    windows,
)
from billing.services.agreed import is_due
from billing.services.grouping import InvoiceDoc
from billing.services.keeping import next_bill_on
from billing.services.loading import Also, CreditLeft, CustomerRow, Facts
from billing.services.owing import Due
from billing.services.reckoning import Before, Reckoned, reckon, revenue_codes
from billing.services.usage_reading import foresee
from billing.services.windows import Issuing
from core import clock
from core.models import Company
from subscriptions.models import Subscription
from subscriptions.services import due, schedule
from subscriptions.services.schedule import ONE_DAY, Agreement

#: Beyond every due day.
_FAR: Final = date(9999, 12, 30)
_OPEN: Final = """
SELECT 'open', currency, '', '', open_minor, NULL, invoice_id, NULL, NULL FROM billing_invoicebalance
WHERE company_id = %(company)s AND customer_id = ANY(%(customers)s::bigint[]) AND status = 'open'
"""


class NotReckoned(Exception):
    """It can't be told in memory what would come of it."""


@dataclass(slots=True)
class Outlook:
    """A customer's agreements and facts, moved on by `settle` as if it had been written."""

    company: Company
    customers: dict[int, CustomerRow]
    agreements: list[Agreement]
    known: Facts
    before: Before = field(default_factory=Before)
    #: Invoices reckoned that are still to be paid, by currency.
    unpaid: set[str] = field(default_factory=set)
    #: Usage was billed otherwise than at its close: what was rated before is not what is stored.
    is_rated_apart: bool = False
    #: What the meters say is still to be asked.
    asks: bool = False

    @classmethod
    def of(cls, held: Subscription, customers: dict[int, CustomerRow], *, on: date, at: datetime) -> Outlook:
        """The customer of a subscription that is agreed in memory: it stands in the place of its rows; what else the
        customer has is read, with all the facts. `on`: the first day that is to be settled.

        Two queries; one where the customer has nothing else (`has_siblings` of `holding.look`).
        """
        company = held.company
        others: list[Agreement] = []
        if held.has_siblings:  # type: ignore[attr-defined]
            rows = agreed.lock_due(company, list(customers), _FAR)
            others = [one for one in rows if one.id != held.pk]
        own = [] if held.parked_at is not None else [agreed.agreement_of(held, {})]
        every = _in_order([*others, *own])
        now = [one for one in every if is_due(one, on, [held.time_zone])]
        known = loading.facts(
            company,
            list(customers),
            clock.day_in(at, company.time_zone).year,
            [one.id for one in every],
            _FAR,
            currencies=exchange.wanted(company, {one.currency for one in every}),
            since=min((one.next_bill_on or on for one in every), default=on),
            also=[
                agreed.asking(held),
                windows.waiting(held),
                Also(_OPEN, {}),
                mailing.contacts_of(held.customer),
                *foresee(customers, now, on=on).questions(),
                *giving_back.foresee(now, on=on).questions(),
            ],
        )
        if known.also.get("draft"):
            raise NotReckoned("drafts")
        if own:
            every = _in_order([*others, agreed.agreement_of(held, known.also)])
        return cls(company, customers, every, known)

    def settle(
        self, on: date, *, at: datetime, zones: Sequence[str] = (), on_one_document: bool = False
    ) -> Reckoned | None:
        """What `settling.settle` would do on that day, and all moved on by it; None when nothing is due."""
        due_now = [one for one in self.agreements if is_due(one, on, zones)]
        asks, self.asks = self.asks, True
        if not due_now:
            return None
        foreseen, cuts = foresee(self.customers, due_now, on=on), giving_back.foresee(due_now, on=on)
        if foreseen.asked and self.is_rated_apart:
            raise NotReckoned("usage")
        if asks:
            self.known.also.update(loading.ask([*cuts.questions(), *foreseen.questions()]))
        books.revenue_accounts_to_be(self.known.accounts, revenue_codes(due_now))
        found = reckon(
            self.company, self.customers, due_now, self.known, foreseen, cuts, on=on, at=at,
            on_one_document=on_one_document, how=Issuing(), before=self.before,
        )  # fmt: skip
        self._move_on(found, on)
        return found

    def next_due(self, subscription_id: int) -> date | None:
        """The next day something of it falls due; None: never, or it can't be billed."""
        return next((one.next_bill_on for one in self.agreements if one.id == subscription_id), None)

    def days_to_come(self, subscription_id: int, count: int) -> list[date]:
        """See `due.days_of`."""
        return next((due.days_of(one, count) for one in self.agreements if one.id == subscription_id), [])

    def _move_on(self, found: Reckoned, on: date) -> None:
        given_back, known = found.given_back, self.known
        if (given_back.cuts or given_back.notes) and (self.before.notes or self.before.released):
            raise NotReckoned("given back twice")
        entries = {entry.agreement.id: entry for entry in found.dues}
        lost = {id_ for id_, _, _ in found.parked}
        self.agreements = [
            _moved(one, entries[one.id], found, on) if one.id in entries else one
            for one in self.agreements
            if one.id not in lost
        ]
        rated = [one for one in found.usage.rated if one.agreement.id in found.billed]
        self.is_rated_apart = self.is_rated_apart or any(one.kind != "usage" or one.less for one in rated)
        self._use_credit(found)
        for entry in found.dues:
            id_, billed = entry.agreement.id, {row.id for row, _ in entry.one_offs}
            if billed:
                known.one_offs[id_] = [row for row in known.one_offs[id_] if row.id not in billed]
            if known.discounts.get(id_):
                known.discounts[id_] = discounting.after(known.discounts[id_], found.discounts, found.drafts)
        for kind in ("rated", "counted", "live", "given"):
            known.also.pop(kind, None)
        self.before.lines += [line for document in (*found.invoices, *found.drafts) for line in document.lines]
        self.before.notes += given_back.notes
        self.before.released |= given_back.released

    def _use_credit(self, found: Reckoned) -> None:
        known, given_back = self.known, found.given_back
        used: dict[int, int] = {}
        for document in found.invoices:
            for id_, minor in document.credit_used:
                used[id_] = used.get(id_, 0) + minor
            if document.status == "open":
                self.unpaid.add(document.currency)
        self.known = known._replace(
            credits=_left([*known.credits, *given_back.credits], used),
            allowances=_left(
                allowances.merged(known.allowances, found.returned.at_hand), _used_before_tax(found.invoices)
            ),
        )  # fmt: skip
        # Credit that a note makes pays what is open, too, once new invoices had theirs.
        made = {credit.currency for credit in given_back.credits} & {credit.currency for credit in self.known.credits}
        settled = {note.invoice.id: note.invoice.open_minor for note in given_back.notes}
        still_open = {row[1] for row in known.also.get("open", ()) if settled.get(row[6] or 0, row[4])} | self.unpaid
        if made & still_open:
            raise NotReckoned("credit pays older invoices")


def _in_order(agreements: Iterable[Agreement]) -> list[Agreement]:
    return sorted(agreements, key=lambda one: (one.customer_id, one.id))


def _left(credits: Iterable[CreditLeft], used: Mapping[int, int]) -> list[CreditLeft]:
    found = [one._replace(left_minor=one.left_minor - used.get(one.id, 0)) for one in credits]
    return [one for one in found if one.left_minor > 0]


def _used_before_tax(invoices: Iterable[InvoiceDoc]) -> dict[int, int]:
    used: dict[int, int] = {}
    for document in invoices:
        for one in document.allowances:
            used[one.credit_id] = used.get(one.credit_id, 0) + one.used_minor
    return used


def _moved(agreement: Agreement, entry: Due, found: Reckoned, on: date) -> Agreement:
    """The agreement as it would be read after the settling; see `keeping` and its kin, which write it."""
    closing = found.minimum.get(agreement.id)
    closed = [] if closing is None else closing.windows
    of_price = {window.slot.id: window.end - ONE_DAY for window in closed if not window.is_whole}
    of_whole = [window.end - ONE_DAY for window in closed if window.is_whole]
    slots = []
    for slot, owed in zip(agreement.slots, entry.slots, strict=True):
        settled = {id(terms) for terms in schedule.pending(slot, on)}
        terms = [row._replace(settles="", settles_until=None) if id(row) in settled else row for row in slot.terms]
        moved = slot._replace(
            billed_through_on=owed.billed_through_on,
            reopened=owed.reopened,
            terms=terms,
            minimum_through_on=of_price.get(slot.id, slot.minimum_through_on),
        )
        if slot.id in found.usage.seen:
            moved = moved._replace(usage_due_on=None, late_from_on=None)
        slots.append(moved)
    return agreement._replace(
        slots=slots,
        next_bill_on=next_bill_on(entry, found.given_back),
        minimum_through_on=of_whole[-1] if of_whole else agreement.minimum_through_on,
    )
