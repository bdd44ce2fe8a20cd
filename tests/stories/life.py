"""A company whose days pass: everything that happens by itself happens, as on the real clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from tests.factories import BY, a_company, a_customer

DAY = timedelta(days=1)


class Life:
    """A test company, its clock at noon of `day` in its own zone; acts are done on `day`, `until` lets days pass."""

    def __init__(self, today: date, **company: Any) -> None:
        from core import clock

        self.company = a_company(today=today, **company)
        self.zone = clock.zone(self.company.time_zone)
        self._set(today)

    def _set(self, day: date) -> None:
        self.day = day
        self.company.clock_at = self.at
        self.company.save(update_fields=["clock_at"])

    @property
    def at(self) -> datetime:
        return datetime.combine(self.day, datetime.min.time().replace(hour=12), self.zone)

    def start(self, plan: Any, customer: Any = None, **more: Any) -> Any:
        from billing.services import acts

        customer = customer or a_customer(self.company)
        given = {"start_on": self.day, "on": self.day} | more
        return acts.start(company=self.company, customer=customer, plan=plan, **given, by=BY, at=self.at).subscription

    def do(self, act: Any, **given: Any) -> Any:
        """An act of today."""
        return act(**given, by=BY, at=self.at)

    def until(self, day: date) -> None:
        """Lives up to and with that day: every tick in its order on each day that has something due.

        Days on which nothing is due are passed over: a tick asks what is due, and would find nothing.
        """
        while True:
            due = self._next_due()
            if due is None or due > day:
                break
            self._set(max(due, self.day + DAY))
            self._ask()
        if self.day < day:
            self._set(day)
            self._ask()

    def _next_due(self) -> date | None:
        from django.db.models import Min

        from billing.models import Invoice
        from subscriptions.models import Subscription

        rows = Subscription.objects.filter(company=self.company)
        found = rows.aggregate(bill=Min("next_bill_on", filter=Q(parked_at__isnull=True)), move=Min("next_move_on"))
        drafts = Invoice.objects.filter(company=self.company, sequence__isnull=True, issue_after_at__isnull=False)
        issue_at = drafts.aggregate(at=Min("issue_after_at"))["at"]
        days = [found["bill"], found["move"], issue_at and issue_at.astimezone(self.zone).date() + DAY]
        return min((one for one in days if one is not None), default=None)

    def _ask(self) -> None:
        from core.services import ticks

        for tick in ticks.all_ticks():
            ticks.run_tick(name=tick.name, company=self.company, at=self.at)

    def pay_all(self) -> None:
        """The customers pay what is open."""
        from billing.models import Invoice
        from billing.services import payments

        for invoice in Invoice.objects.filter(company=self.company, balance__status="open").order_by("pk"):
            payments.record(
                company=self.company, customer=invoice.customer, invoice=invoice, currency=invoice.currency,
                amount_minor=invoice.balance.open_minor, method="transfer", received_on=self.day, by=BY, at=self.at,
            )  # fmt: skip

    def lines(self) -> list[tuple[Any, ...]]:
        """(document date, kind, first day, day after the last, net in minor units) of every line, in order of issue."""
        from billing.models import InvoiceLine

        rows = InvoiceLine.objects.filter(company=self.company, invoice__sequence__isnull=False)
        return list(
            rows.order_by("invoice__year", "invoice__sequence", "position").values_list(
                "invoice__issued_on", "kind", "period_start", "period_end", "net_minor"
            )
        )

    def notes(self) -> list[tuple[Any, ...]]:
        """(document date, cause, net in minor units) of every credit note, in order."""
        from billing.models import CreditNote

        rows = CreditNote.objects.filter(company=self.company).order_by("year", "sequence")
        return list(rows.values_list("issued_on", "cause", "net_minor"))

    def movements(self) -> list[tuple[Any, ...]]:
        from subscriptions.models import Movement

        rows = Movement.objects.filter(company=self.company).order_by("effective_on", "id")
        return list(rows.values_list("kind", "amount_minor", "effective_on"))

    def check(self) -> None:
        """No day is forgotten, no number is missing, the chain holds, the books balance, revenue is never below 0."""
        from billing.models import CreditNote, Invoice
        from billing.services import books, tiling

        assert tiling.check(self.company) == []
        for model in (Invoice, CreditNote):
            issued = model.objects.filter(company=self.company, sequence__isnull=False)
            numbers = list(issued.order_by("year", "sequence").values_list("year", "sequence"))
            for year in {year for year, _ in numbers}:
                mine = [sequence for of, sequence in numbers if of == year]
                assert mine == list(range(1, len(mine) + 1))
        assert books.verify_chain(self.company) == []
        assert sum(row[3] for row in books.trial_balance(self.company, self.day)) == 0
        self._check_revenue()

    def _check_revenue(self) -> None:
        from subscriptions.models import Movement, Slot

        for slot in Slot.objects.filter(subscription__company=self.company):
            by_day: dict[date, int] = {}
            for day, amount in Movement.objects.filter(slot=slot).values_list("effective_on", "amount_minor"):
                by_day[day] = by_day.get(day, 0) + amount
            earned = 0
            for day in sorted(by_day):
                earned += by_day[day]
                assert earned >= 0, (slot, day)
            assert earned == slot.mrr_minor


def months(first: date, count: int, day: int = 0) -> Iterable[date]:
    """The same day of so many months, clamped, beginning with `first`."""
    from pricing.periods import add_months

    return [add_months(first, number, day or first.day) for number in range(count)]
