"""Invoices to come, of many customers at once: settled in memory for a day ahead, with nothing written.

The rule that matters: it is the very reckoning of the billing run over what is agreed today; what nobody can know yet
(usage, changes of prices, taxes and plans) is not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from billing.services import books, debit_marks, exchange, giving_back
from billing.services.agreed import lock_due
from billing.services.due_days import due_day
from billing.services.grouping import InvoiceDoc
from billing.services.loading import facts, lock_customers
from billing.services.reckoning import reckon, revenue_codes
from billing.services.usage_reading import foresee
from billing.services.windows import Issuing
from core import clock
from core.models import Company
from subscriptions.models import Subscription

#: Customers reckoned at a time.
CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Coming:
    """An invoice as it would be issued on the day `on` (its charges fall due then), payable on `due_on`; minor units.

    `to_pay`: after account credit there is today. `nets`: what each subscription brings, without tax.
    """

    customer_id: int
    currency: str
    on: date
    due_on: date
    net: int
    tax: int
    gross: int
    to_pay: int
    nets: tuple[tuple[int | None, int], ...]


def count_due(company: Company, until: date) -> int:
    """How many subscriptions have something due by that day."""
    return _due(company, until).count()


def coming(
    company: Company, until: date, *, at: datetime, told: Callable[[int, int], None] | None = None
) -> Iterator[list[Coming]]:  # fmt: skip
    """Every invoice whose charges fall due by that day, a chunk of customers at a time; the same few statements for
    each chunk. `told` hears how many customers of how many are reckoned.

    Rows are locked while they are read, as billing does, and let go at once.
    """
    ids = sorted(set(_due(company, until).values_list("customer_id", flat=True)))
    for place in range(0, len(ids), CHUNK):
        yield _chunk(company, ids[place : place + CHUNK], until, at)
        if told is not None:
            told(min(place + CHUNK, len(ids)), len(ids))


def _due(company: Company, until: date) -> QuerySet[Subscription]:
    return Subscription.objects.filter(company=company, next_bill_on__lte=until, parked_at__isnull=True)


def _chunk(company: Company, customer_ids: Sequence[int], until: date, at: datetime) -> list[Coming]:
    with transaction.atomic():
        customers = lock_customers(company, customer_ids, skip_locked=False)
        agreements = lock_due(company, list(customers), until)
        usage, cuts = foresee(customers, agreements, on=until), giving_back.foresee(agreements, on=until)
        known = facts(
            company, list(customers), clock.day_in(at, company.time_zone).year,
            [agreement.id for agreement in agreements], until,
            currencies=exchange.wanted(company, {agreement.currency for agreement in agreements}),
            since=min((agreement.next_bill_on or until for agreement in agreements), default=until),
            also=[*usage.questions(), *cuts.questions(), debit_marks.question(company)],
        )  # fmt: skip
        books.revenue_accounts_to_be(known.accounts, revenue_codes(agreements))
        found = reckon(company, customers, agreements, known, usage, cuts, on=until, at=at, how=Issuing())
        transaction.set_rollback(True)
    return [_told(document) for document in (*found.invoices, *found.drafts)]


def _told(document: InvoiceDoc) -> Coming:
    totals = document.totals.totals
    nets: dict[int | None, int] = {}
    for line in document.lines:
        nets[line.subscription_id] = nets.get(line.subscription_id, 0) + line.net_minor
    on = max(document.charge_due_on, document.issued_on)
    return Coming(
        document.customer.id, document.currency, document.charge_due_on,
        due_day(on, document.terms_days, document.terms_from), totals.net, totals.tax, totals.gross,
        totals.gross - document.credit_used_minor, tuple(sorted(nets.items(), key=lambda item: item[0] or 0)),
    )  # fmt: skip
