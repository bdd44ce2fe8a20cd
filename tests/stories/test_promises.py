"""A life at random: subscriptions start, change, pause, end, are billed, credited and paid, and every promise holds.

After each example the books are read as an auditor would read them: from the rows alone, sharing nothing with the code
that wrote them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from core.refusal import Refused
from tests.factories import BY, a_company, a_customer, a_plan

START = date(2027, 12, 20)
DAY = timedelta(days=1)


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


class Business(RuleBasedStateMachine):
    """One company, up to three customers, everything that can happen to their subscriptions, on days that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.company = a_company(today=START)
        self.customers = [a_customer(self.company) for _ in range(3)]
        self.subscriptions: list[Any] = []
        self.refused: defaultdict[str, int] = defaultdict(int)

    def teardown(self) -> None:
        try:
            audit(self.company)
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    @property
    def at(self) -> Any:
        self.company.refresh_from_db(fields=["clock_at"])
        return self.company.clock_at

    def attempt(self, act: Any, **given: Any) -> None:
        """Does an act; the business may refuse it, and then nothing has changed."""
        try:
            with transaction.atomic():
                act(**given, by=BY, at=self.at)
        except Refused as refused:
            self.refused[refused.code] += 1

    def one(self, number: int) -> Any:
        from subscriptions.models import Subscription

        return Subscription.objects.get(pk=self.subscriptions[number % len(self.subscriptions)])

    @initialize(cents=st.integers(1, 9999))
    def begin(self, cents: int) -> None:
        self._start(0, cents, "month", 1, "advance", 1)

    @rule(
        who=st.integers(0, 2),
        cents=st.integers(1, 99999),
        cycle=st.sampled_from([("month", 1), ("month", 3), ("week", 2), ("day", 10), ("year", 1)]),
        billed=st.sampled_from(["advance", "advance", "arrears"]),
        quantity=st.integers(1, 7),
    )
    def start(self, who: int, cents: int, cycle: tuple[str, int], billed: str, quantity: int) -> None:
        if len(self.subscriptions) < 4:
            self._start(who, cents, *cycle, billed, quantity)

    def _start(self, who: int, cents: int, unit: str, count: int, billed: str, quantity: int) -> None:
        from billing.services import acts
        from subscriptions.services.agreeing import ItemSpec

        amount = str(Decimal(cents) / 100)
        rules = {"interval_unit": unit, "interval_count": count, "notice_to": "any_day"}
        plan = a_plan(self.company, amount=amount, price={"billed": billed}, rules=rules)
        today = self.at.date()
        item = ItemSpec(product=plan.items.get().product, quantity=Decimal(quantity))
        made = acts.start(
            company=self.company, customer=self.customers[who], plan=plan, items=[item], start_on=today, on=today,
            by=BY, at=self.at,
        )  # fmt: skip
        self.subscriptions.append(made.subscription.pk)

    @rule(days=st.integers(1, 40))
    def days_pass(self, days: int) -> None:
        from core.services import ticks

        ticks.advance(company=self.company, to=self.at + timedelta(days=days))

    @rule(
        number=st.integers(0, 3),
        timing=st.sampled_from(["now", "period_end"]),
        unused=st.sampled_from(["credit", "refund", "none"]),
    )
    def cancel(self, number: int, timing: str, unused: str) -> None:
        from billing.services import acts

        self.attempt(acts.cancel, subscription=self.one(number), timing=timing, unused=unused)

    @rule(number=st.integers(0, 3))
    def undo(self, number: int) -> None:
        from billing.services import acts

        self.attempt(acts.undo_cancel, subscription=self.one(number))

    @rule(number=st.integers(0, 3), days=st.integers(0, 30))
    def pause(self, number: int, days: int) -> None:
        from billing.services import acts_pausing

        from_on = self.at.date() + timedelta(days=days)
        self.attempt(acts_pausing.pause, subscription=self.one(number), from_on=from_on)

    @rule(number=st.integers(0, 3), keeps=st.booleans())
    def resume(self, number: int, keeps: bool) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.resume, subscription=self.one(number), keep_anchor=keeps)

    @rule(number=st.integers(0, 3), billing=st.sampled_from(["stop", "credit", "continue"]))
    def suspend(self, number: int, billing: str) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.suspend, subscription=self.one(number), suspended_billing=billing)

    @rule(number=st.integers(0, 3))
    def reinstate(self, number: int) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.reinstate, subscription=self.one(number))

    @rule(number=st.integers(0, 9), cents=st.integers(1, 20000))
    def pay(self, number: int, cents: int) -> None:
        from billing.services import payments

        invoice = self.invoice(number)
        if invoice is not None:
            self.attempt(
                payments.record, company=self.company, customer=invoice.customer, amount_minor=cents,
                currency=invoice.currency, method="transfer", received_on=self.at.date(),
            )  # fmt: skip

    @rule(number=st.integers(0, 9), percent=st.integers(1, 100))
    def credit(self, number: int, percent: int) -> None:
        from billing.services import crediting

        invoice = self.invoice(number)
        if invoice is not None:
            gross = max(1, invoice.gross_minor * percent // 100)
            self.attempt(crediting.credit_invoice, invoice=invoice, gross_minor=gross, reason="goodwill")

    @rule(number=st.integers(0, 9), days=st.sampled_from(["bill_again", "free"]))
    def void(self, number: int, days: str) -> None:
        from billing.services import voiding

        invoice = self.invoice(number)
        if invoice is not None:
            self.attempt(voiding.void, invoice=invoice, days=days, reason="wrong")

    def invoice(self, number: int) -> Any:
        from billing.models import Invoice

        found = Invoice.objects.filter(company=self.company, sequence__isnull=False).order_by("pk")
        count = found.count()
        return found[number % count] if count else None


def audit(company: Any) -> None:
    """Reads everything and compares it with the promises, by their numbers."""
    _no_day_twice(company)
    _no_day_forgotten(company)
    _a_repeat_adds_nothing(company)
    _nothing_over(company)
    _cancel_wins(company)
    _numbers_have_no_gap(company)
    _totals_add_up(company)
    _books_balance(company)


def _no_day_twice(company: Any) -> None:
    """1. No day of a slot is billed twice."""
    twice = rows(
        "SELECT a.slot_id, a.component, a.days, b.days FROM billing_billeddays a JOIN billing_billeddays b "
        "ON a.slot_id = b.slot_id AND a.component = b.component AND a.id < b.id AND a.days && b.days "
        "WHERE a.company_id = %s AND a.released_at IS NULL AND b.released_at IS NULL",
        company.pk,
    )
    assert twice == []


def _no_day_forgotten(company: Any) -> None:
    """2. Every day up to the last billed one is accounted for."""
    from billing.services import tiling

    assert tiling.check(company) == []


def _a_repeat_adds_nothing(company: Any) -> None:
    """3. Billing again on the same day writes no document."""
    from billing.models import CreditNote, Invoice
    from billing.services.settling import settle
    from customers.models import Customer

    company.refresh_from_db()
    ids = list(Customer.objects.filter(company=company).values_list("pk", flat=True))
    given: dict[str, Any] = {
        "company": company, "customer_ids": ids, "on": company.clock_at.date(), "at": company.clock_at, "by": BY,
    }  # fmt: skip
    settle(**given)
    before = (Invoice.objects.count(), CreditNote.objects.count())
    settle(**given)
    assert (Invoice.objects.count(), CreditNote.objects.count()) == before


def _nothing_over(company: Any) -> None:
    """8. Counters are the sums of what they count, and nothing is over-allocated or over-credited."""
    from billing.models import Allocation, CreditNote, CreditNoteLine, InvoiceBalance, LineCredit

    paid: defaultdict[int, int] = defaultdict(int)
    used: defaultdict[int, int] = defaultdict(int)
    for allocation in Allocation.objects.filter(company=company):
        (paid if allocation.payment_id else used)[allocation.invoice_id] += allocation.amount_minor
    credited: defaultdict[int, int] = defaultdict(int)
    for note in CreditNote.objects.filter(company=company):
        credited[note.invoice_id] += note.gross_minor
    for balance in InvoiceBalance.objects.filter(company_id=company.pk).exclude(status="draft"):
        assert balance.paid_minor == paid[balance.invoice_id]
        assert balance.credited_minor == credited[balance.invoice_id] <= balance.gross_minor
        assert balance.credit_used_minor == used[balance.invoice_id]
        assert balance.open_minor >= 0
    by_line: defaultdict[int, int] = defaultdict(int)
    for line in CreditNoteLine.objects.filter(company=company):
        by_line[line.invoice_line_id] += line.amount_minor
    for kept in LineCredit.objects.filter(line__company=company):
        assert kept.credited_minor == by_line[kept.line_id] <= kept.amount_minor


def _cancel_wins(company: Any) -> None:
    """9. No billed day lies after the last day of service."""
    after = rows(
        "SELECT d.id FROM billing_billeddays d JOIN subscriptions_slot slot ON slot.id = d.slot_id "
        "JOIN subscriptions_subscription s ON s.id = slot.subscription_id WHERE d.company_id = %s "
        "AND d.released_at IS NULL AND d.kind = 'billed' AND s.state IN ('canceled', 'expired') "
        "AND upper(d.days) > s.ends_on + 1",
        company.pk,
    )
    assert after == []


def _numbers_have_no_gap(company: Any) -> None:
    """13. Numbers run from 1 in each series and year, and their dates never go back."""
    from billing.models import CreditNote, Invoice

    for model in (Invoice, CreditNote):
        issued = model.objects.filter(company=company, sequence__isnull=False).order_by("year", "sequence")
        by_year: defaultdict[int, list[Any]] = defaultdict(list)
        for document in issued:
            by_year[document.year].append(document)
        for documents in by_year.values():
            assert [document.sequence for document in documents] == list(range(1, len(documents) + 1))
            dates = [document.issued_on for document in documents]
            assert dates == sorted(dates)


def _totals_add_up(company: Any) -> None:
    """15. Net and tax make the gross, lines make the net, rows of tax make the tax."""
    from billing.models import CreditNote, Invoice

    for model in (Invoice, CreditNote):
        for document in model.objects.filter(company=company).prefetch_related("lines"):
            assert document.net_minor + document.tax_minor == document.gross_minor
            assert sum(line.net_minor for line in document.lines.all()) == document.net_minor
            assert sum(row["tax_minor"] for row in document.tax_rows) == document.tax_minor


def _books_balance(company: Any) -> None:
    """16. Every entry balances; receivables are what is open, customers' credit is what is left of it."""
    uneven = rows(
        "SELECT entry FROM billing_posting WHERE company_id = %s GROUP BY entry, currency "
        "HAVING sum(amount_minor) <> 0 OR count(*) < 2",
        company.pk,
    )
    assert uneven == []
    sums = dict(
        rows(
            "SELECT a.role, coalesce(sum(p.amount_minor), 0)::bigint FROM billing_account a "
            "LEFT JOIN billing_posting p ON p.account_id = a.id WHERE a.company_id = %s GROUP BY a.role",
            company.pk,
        )
    )
    [(open_sum,)] = rows(
        "SELECT coalesce(sum(open_minor), 0)::bigint FROM billing_invoicebalance "
        "WHERE company_id = %s AND status <> 'draft'",
        company.pk,
    )
    [(left,)] = rows(
        "SELECT coalesce(sum(b.left_minor), 0)::bigint FROM billing_creditbalance b "
        "JOIN billing_credit c ON c.id = b.credit_id WHERE c.company_id = %s AND c.source = 'money'",
        company.pk,
    )
    assert sums["receivable"] == open_sum
    [(promised,)] = rows(
        "SELECT coalesce(sum(amount_minor), 0)::bigint FROM billing_refund "
        "WHERE company_id = %s AND status = 'pending'",
        company.pk,
    )
    # A refund that was asked for is owed until it is paid out.
    assert sums["customer_credit"] == -left - promised


@pytest.mark.django_db
def test_every_promise_holds_whatever_happens() -> None:
    run_state_machine_as_test(
        Business,
        settings=settings(
            max_examples=max(5, settings.default.max_examples // 10),
            stateful_step_count=14,
            deadline=None,
            # A life that breaks a promise is told as it was: making it shorter takes minutes.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
