"""Direct debits at random: whatever people, banks and customers do in whatever order, the money adds up."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, at_noon
from tests.money.debits import IBANS, a_company, a_creditor, a_customer, a_mandate, billed, collect, make

pytestmark = pytest.mark.django_db
CODES = ("AM04", "AC04", "MD01", "MD06", "MS03", "AG02", "ZZ99")


class Life:
    """A company, three customers, and a bank; one act at a time."""

    def __init__(self, seed: int) -> None:
        self.dice, self.day = Random(seed), TODAY
        self.company = a_company(payment_terms_days=0)
        self.gateway = a_creditor(self.company)
        self.customers = [a_customer(self.company) for _ in range(3)]
        for customer in self.customers:
            a_mandate(customer, self.gateway)

    @property
    def at(self):
        return at_noon(self.day)

    def pick(self, rows):
        rows = list(rows)
        return self.dice.choice(rows) if rows else None

    def bill(self):
        billed(self.company, self.dice.choice(self.customers), str(self.dice.randint(1, 99)), on=self.day)

    def collect(self):
        collect(self.company, self.day)

    def make(self):
        make(self.company, self.gateway, self.day)

    def batch(self, *states):
        from billing.services import debit_files

        return self.pick(debit_files.batches_of(self.company, states=states))

    def send(self):
        from billing.services import debit_files

        batch = self.batch("made", "sent", "canceled")
        if batch:
            debit_files.mark_sent(batch=batch, is_at_bank=self.dice.random() < 0.3, by=BY, at=self.at)

    def cancel(self):
        from billing.services import debit_files

        batch = self.batch("made", "sent", "canceled")
        if batch:
            debit_files.cancel_batch(batch=batch, drops=self.dice.random() < 0.3, by=BY, at=self.at)

    def credit(self):
        from billing.services import debit_files

        batch = self.batch("made", "sent", "canceled")
        if batch:
            debit_files.settle_batch(batch=batch, on=self.day, by=BY, at=self.at)

    def attempt(self):
        from billing.models import Attempt

        return self.pick(
            Attempt.objects.filter(company=self.company, collect_on__isnull=False)
            .select_related("invoice__company", "invoice__customer", "gateway", "method")
            .order_by("pk")
        )

    def come_back(self):
        from billing.services import debit_files, debit_returns

        attempt = self.attempt()
        if attempt:
            debit_returns.take_return(
                company=self.company, end_to_end_id=debit_files.end_to_end_id(attempt), code=self.dice.choice(CODES),
                on=self.day, fee_minor=self.dice.choice([0, 300]), was_credited=self.dice.random() < 0.5,
                external_id=f"R{self.dice.randint(1, 5)}-{attempt.pk}", by=BY, at=self.at,
            )  # fmt: skip

    def pay(self):
        from billing.services import payments

        attempt = self.attempt()
        if attempt:
            payments.record(
                company=self.company, customer=attempt.invoice.customer,
                amount_minor=self.dice.choice([100, attempt.amount_minor]), currency="EUR", method="transfer",
                received_on=self.day, invoice=attempt.invoice, by=BY, at=self.at,
            )  # fmt: skip

    def mandate(self):
        from billing.models import Mandate

        return self.pick(
            Mandate.objects.filter(company=self.company)
            .select_related("method__customer__company", "method__gateway__company")
            .order_by("pk")
        )

    def amend(self):
        from billing.services import mandates

        mandates.amend(mandate=self.mandate(), iban=self.dice.choice(IBANS), by=BY, at=self.at)

    def end(self):
        from billing.services import mandates

        if self.dice.random() < 0.3:
            mandates.end(mandate=self.mandate(), by=BY, at=self.at)

    def sign(self):
        customer = self.dice.choice(self.customers)
        a_mandate(customer, self.gateway, self.dice.choice(IBANS), on=self.day)

    def ask_again(self):
        from billing.services import collecting

        attempt = self.attempt()
        if attempt and attempt.method:
            collecting.pay_now(
                invoice=attempt.invoice, gateway=self.gateway, method=attempt.method, origin="retry", by=BY, at=self.at
            )

    def wait(self):
        self.day += timedelta(days=self.dice.randint(1, 4))

    def begin(self) -> None:
        """A debit from invoice to credit, so that no life is without one."""
        self.bill()
        self.collect()
        self.day += timedelta(days=4)
        self.make()
        self.credit()

    def live(self, steps: int) -> None:
        acts = [
            self.bill, self.collect, self.make, self.send, self.cancel, self.credit, self.come_back, self.pay,
            self.amend, self.end, self.sign, self.ask_again, self.wait, self.wait, self.collect, self.make, self.credit,
        ]  # fmt: skip
        for _ in range(steps):
            try:
                self.dice.choice(acts)()
            except Refused:
                continue


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_money_adds_up(seed):
    from django.db.models import Count, Sum

    from billing.models import Attempt, DebitBatch, InvoiceBalance, Payment, Posting, Reversal
    from billing.services import debit_files

    life = Life(seed)
    life.begin()
    life.live(90)
    company = life.company
    alive = (
        Attempt.objects.filter(company=company, state__in=Attempt.LIVE).values("invoice").annotate(count=Count("pk"))
    )
    assert all(row["count"] == 1 for row in alive)
    settled = Attempt.objects.filter(company=company, state="settled")
    assert set(settled.values_list("pk", flat=True)) == set(
        Payment.objects.filter(company=company, attempt__isnull=False).values_list("attempt_id", flat=True)
    )
    assert all(debit_files.is_whole(batch) for batch in DebitBatch.objects.filter(company=company))
    unbalanced = Posting.objects.filter(company=company).values("entry").annotate(sum=Sum("amount_minor"))
    assert all(row["sum"] == 0 for row in unbalanced)
    owed = InvoiceBalance.objects.filter(company_id=company.pk).aggregate(sum=Sum("open_minor"))["sum"] or 0
    receivable = Posting.objects.filter(company=company, account__role="receivable").aggregate(sum=Sum("amount_minor"))
    assert (receivable["sum"] or 0) == owed
    money_in = Payment.objects.filter(company=company).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    gone = Reversal.objects.filter(company=company).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    assert gone <= money_in
    twice = Reversal.objects.filter(company=company).values("payment").annotate(count=Count("pk"))
    assert all(row["count"] == 1 for row in twice)
    assert settled.count() > 0, "nothing was ever collected: this life proves nothing"
