"""A business at random whose money goes every way it can: lost and found, taken back, unknown, refunded, in two years.

The rule that matters: everything goes through the verbs; what the books say afterwards is compared with the reports.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.stories.business import START, Business

WHICH = st.integers(0, 9)


class MoneyLife(Business):
    """The same life, with more that may become of money."""

    @rule(number=WHICH)
    def lose(self, number: int) -> None:
        from billing.services import receivables

        invoice = self.invoice(number)
        if invoice is not None:
            self.attempt(receivables.write_off, invoice=invoice, reason="gone away")

    @rule(number=WHICH, cents=st.integers(1, 30000), days=st.integers(0, 5))
    def pay_named(self, number: int, cents: int, days: int) -> None:
        from billing.services import payments

        invoice = self.invoice(number)
        if invoice is not None:
            self.attempt(
                payments.record, company=self.company, invoice=invoice, customer=None, amount_minor=cents,
                currency=invoice.currency, method="cash", received_on=self.today - timedelta(days=days),
            )  # fmt: skip

    @rule(cents=st.integers(1, 9999))
    def pay_unknown(self, cents: int) -> None:
        from billing.services import payments

        self.attempt(
            payments.record, company=self.company, customer=None, amount_minor=cents, currency="EUR",
            method="transfer", received_on=self.today,
        )  # fmt: skip

    @rule(number=WHICH, cents=st.sampled_from([None, 100, 2000]))
    def allocate(self, number: int, cents: int | None) -> None:
        from billing.models import Payment
        from billing.services import payments

        invoice = self.invoice(number)
        payment = self.last(Payment.objects.filter(balance__left_minor__gt=0))
        if invoice is not None and payment is not None:
            self.attempt(payments.allocate, payment=payment, invoice=invoice, amount_minor=cents)

    @rule(back=st.integers(0, 2))
    def money_gone(self, back: int) -> None:
        from billing.models import Payment
        from billing.services import payments

        rows = list(Payment.objects.filter(company=self.company).order_by("-pk")[: back + 1])
        if rows:
            self.attempt(payments.take_back, payment=rows[-1], reason="returned", on=self.today)

    @rule(who=st.integers(0, 2), cents=st.integers(1, 5000))
    def refund(self, who: int, cents: int) -> None:
        from billing.services import account_credit

        self.attempt(
            account_credit.refund_credit, customer=self.customers[who], currency="EUR", amount_minor=cents,
            reason="asked for",
        )  # fmt: skip

    @rule(paid=st.booleans())
    def end_refund(self, paid: bool) -> None:
        from billing.models import Refund
        from billing.services import account_credit

        refund = self.last(Refund.objects.filter(status="pending"))
        if refund is None:
            return
        if paid:
            self.attempt(account_credit.settle_refund, refund=refund, paid_on=self.today)
        else:
            self.attempt(account_credit.cancel_refund, refund=refund, reason="not wanted")

    @rule(who=st.integers(0, 2))
    def use_credit(self, who: int) -> None:
        from billing.services import account_credit

        self.attempt(account_credit.apply_credit, customer=self.customers[who], currency="EUR")

    def days(self) -> list[date]:
        """Days worth looking back at: a few within, the ends of months, the last."""
        last = self.today
        found = {START, last}
        day = START
        while day < last:
            found.add(day)
            found.add(day.replace(day=1) - timedelta(days=1))
            day += timedelta(days=11)
        return sorted(one for one in found if START <= one <= last)


def lives(machine: type[MoneyLife], *, examples: int, steps: int) -> None:
    """Lives so many of them; the books are read by the machine's `teardown`."""
    import os

    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    is_deep = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * (20 if is_deep else 1), stateful_step_count=steps, deadline=None,
            derandomize=not is_deep, database=None, phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def sums(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
