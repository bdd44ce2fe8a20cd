"""A year in the life of a subscription, told day by day through the acts and what happens by itself.

Amounts and dates are derived in the text of each story. Prices are net; German business customers pay 19 percent.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.factories import BY, a_company, a_customer, a_plan, at_noon, set_clock

pytestmark = pytest.mark.django_db


class Life:
    """A company with its clock, walked day by day: moves first, then billing, as the ticks are ordered."""

    def __init__(self, today):
        self.company = a_company(today=today)
        self.day = today

    @property
    def at(self):
        return at_noon(self.day)

    def start(self, plan, customer=None, **more):
        from billing.services import acts

        customer = customer or a_customer(self.company)
        values = {"start_on": self.day, "on": self.day} | more
        return acts.start(company=self.company, customer=customer, plan=plan, **values, by=BY, at=self.at).subscription

    def cancel(self, subscription, timing, **more):
        from billing.services import acts

        return acts.cancel(subscription=subscription, timing=timing, **more, by=BY, at=self.at).subscription

    def pay(self, invoice):
        from billing.services import payments

        payments.record(
            company=self.company,
            customer=invoice.customer,
            invoice=invoice,
            amount_minor=invoice.balance.open_minor,
            currency=invoice.currency,
            method="transfer",
            received_on=self.day,
            by=BY,
            at=self.at,
        )

    def until(self, day):
        """Lives through every day up to and with that one."""
        from billing.services import acts
        from billing.services.settling import settle
        from subscriptions.models import Subscription

        while self.day < day:
            self.day += timedelta(days=1)
            set_clock(self.company, self.day)
            acts.move_due(company=self.company, at=self.at, by=BY)
            due = Subscription.objects.filter(company=self.company, next_bill_on__lte=self.day)
            customers = list(due.values_list("customer_id", flat=True))
            settle(company=self.company, customer_ids=customers, on=self.day, at=self.at, by=BY)

    def invoices(self):
        """(issued on, first day, day after the last, net) of every line, in order of issue."""
        from billing.models import InvoiceLine

        rows = InvoiceLine.objects.filter(company=self.company).order_by(
            "invoice__year", "invoice__sequence", "position"
        )
        return list(rows.values_list("invoice__issued_on", "period_start", "period_end", "net_minor"))

    def movements(self):
        from subscriptions.models import Movement

        rows = Movement.objects.filter(company=self.company).order_by("id")
        return list(rows.values_list("kind", "amount_minor", "effective_on"))

    def check_books(self):
        """No number is missing, the chain holds, the books balance, every invoice adds up."""
        from billing.models import Invoice
        from billing.services import books

        sequences = list(
            Invoice.objects.filter(company=self.company).order_by("year", "sequence").values_list("year", "sequence")
        )
        for year in {year for year, _ in sequences}:
            mine = [sequence for of, sequence in sequences if of == year]
            assert mine == list(range(1, len(mine) + 1))
        assert books.verify_chain(self.company) == []
        assert sum(row[3] for row in books.trial_balance(self.company, self.day)) == 0


def test_monthly_on_the_31st():
    """Begun on 31 January, the boundaries are the last day of each month and never drift to the 28th.

    10.00 a month, always whole periods: twelve invoices in a year and the thirteenth on the next 31 January.
    """
    life = Life(date(2026, 1, 31))
    life.start(a_plan(life.company, amount="10.00"))
    life.until(date(2027, 1, 31))
    starts = [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
        date(2026, 5, 31),
        date(2026, 6, 30),
        date(2026, 7, 31),
        date(2026, 8, 31),
        date(2026, 9, 30),
        date(2026, 10, 31),
        date(2026, 11, 30),
        date(2026, 12, 31),
        date(2027, 1, 31),
    ]
    ends = [*starts[1:], date(2027, 2, 28)]
    assert life.invoices() == [(start, start, end, 1000) for start, end in zip(starts, ends, strict=True)]
    assert life.movements() == [("new", 1000, date(2026, 1, 31))]
    life.check_books()


def test_from_a_trial_to_paid():
    """14 free days from 10 March: free through 23 March, paid from the 24th, which is the anchor.

    Nothing is billed before. Three paid months follow; the customer cancels in the third, which ends on 23 June.
    """
    life = Life(date(2026, 3, 10))
    subscription = life.start(a_plan(life.company, amount="29.00", trial_days=14))
    life.until(date(2026, 3, 23))
    assert life.invoices() == []
    assert life.movements() == []
    life.until(date(2026, 5, 30))
    life.cancel(subscription, "period_end")
    life.until(date(2026, 9, 1))
    assert life.invoices() == [
        (date(2026, 3, 24), date(2026, 3, 24), date(2026, 4, 24), 2900),
        (date(2026, 4, 24), date(2026, 4, 24), date(2026, 5, 24), 2900),
        (date(2026, 5, 24), date(2026, 5, 24), date(2026, 6, 24), 2900),
    ]
    assert life.movements() == [("new", 2900, date(2026, 3, 24)), ("churn", -2900, date(2026, 6, 24))]
    subscription.refresh_from_db()
    assert (subscription.state, subscription.ends_on) == ("canceled", date(2026, 6, 23))
    life.check_books()


def test_a_year_bound_renewed_once_and_ended_with_notice():
    """Twelve months from 15 February 2025, notice of one month to the term's end, renewing for twelve more.

    Notice for 14 February 2026 had to come by 14 January; the customer asks on the 15th, one day late, so the contract
    renews on 15 February 2026 and ends on 14 February 2027: 24 invoices of 40.00, no more.
    """
    life = Life(date(2025, 2, 15))
    rules = {
        "minimum_count": 12,
        "notice_count": 1,
        "notice_unit": "month",
        "notice_to": "term_end",
        "renewal_rule": "renew",
    }
    subscription = life.start(a_plan(life.company, amount="40.00", rules=rules))
    life.until(date(2026, 1, 15))
    ended = life.cancel(subscription, "period_end")
    assert ended.ends_on == date(2027, 2, 14)
    life.until(date(2026, 2, 15))
    subscription.refresh_from_db()
    assert (subscription.term_start_on, subscription.term_ends_on) == (date(2026, 2, 15), date(2027, 2, 14))
    life.until(date(2027, 3, 31))
    subscription.refresh_from_db()
    assert subscription.state == "canceled"
    lines = life.invoices()
    assert len(lines) == 24
    assert (lines[0][1], lines[-1][1], lines[-1][2]) == (date(2025, 2, 15), date(2027, 1, 15), date(2027, 2, 15))
    assert {line[3] for line in lines} == {4000}
    assert life.movements() == [("new", 4000, date(2025, 2, 15)), ("churn", -4000, date(2027, 2, 15))]
    life.check_books()


def test_canceled_in_the_middle_the_credit_pays_the_next_invoice():
    """Two subscriptions of one customer, 31.00 and 50.00 a month, each begun on 1 January and paid.

    The first ends on 10 January: 21 of its 31 days come back, 21.00 net and 24.99 gross, as account credit, because its
    invoice is paid. On 1 February the second is billed: 59.50 gross, less 24.99 of credit, so 34.51 is left to pay.
    """
    from billing.models import CreditNote, Invoice
    from billing.services.payments import balance_of

    life = Life(date(2026, 1, 1))
    customer = a_customer(life.company)
    first = life.start(a_plan(life.company, amount="31.00", rules={"notice_to": "any_day"}), customer)
    life.start(a_plan(life.company, amount="50.00"), customer)
    for invoice in Invoice.objects.filter(company=life.company).select_related("balance", "customer"):
        life.pay(invoice)
    life.until(date(2026, 1, 10))
    life.cancel(first, "now")
    note = CreditNote.objects.get(company=life.company)
    assert (note.net_minor, note.gross_minor, note.to_account_minor) == (2100, 2499, 2499)
    assert balance_of(customer, on=life.day)["EUR"].credit_minor == 2499
    life.until(date(2026, 2, 1))
    last = Invoice.objects.select_related("balance").get(company=life.company, issued_on=date(2026, 2, 1))
    assert (last.gross_minor, last.balance.credit_used_minor, last.balance.open_minor) == (5950, 2499, 3451)
    assert balance_of(customer, on=life.day)["EUR"].credit_minor == 0
    assert life.movements() == [
        ("new", 3100, date(2026, 1, 1)),
        ("expansion", 5000, date(2026, 1, 1)),
        ("contraction", -3100, date(2026, 1, 11)),
    ]
    life.check_books()


def test_a_contract_that_expires_and_a_return():
    """Three months fixed from 1 January at 20.00: invoices on 1 January, February and March, then it expires.

    The customer comes back on 1 June: the revenue returns as a reactivation.
    """
    life = Life(date(2026, 1, 1))
    customer = a_customer(life.company)
    fixed = life.start(
        a_plan(life.company, amount="20.00", rules={"minimum_count": 3, "renewal_rule": "expire"}), customer
    )
    life.until(date(2026, 6, 1))
    fixed.refresh_from_db()
    assert (fixed.state, fixed.ends_on) == ("expired", date(2026, 3, 31))
    life.start(a_plan(life.company, amount="25.00"), customer)
    life.until(date(2026, 7, 1))
    assert [(issued, net) for issued, _, _, net in life.invoices()] == [
        (date(2026, 1, 1), 2000),
        (date(2026, 2, 1), 2000),
        (date(2026, 3, 1), 2000),
        (date(2026, 6, 1), 2500),
        (date(2026, 7, 1), 2500),
    ]
    assert life.movements() == [
        ("new", 2000, date(2026, 1, 1)),
        ("churn", -2000, date(2026, 4, 1)),
        ("reactivation", 2500, date(2026, 6, 1)),
    ]
    life.check_books()


def test_a_renewal_whose_first_invoice_waits_for_its_grace():
    """A year paid at once, 120.00 from 1 March 2025, renewing, with 14 days of grace.

    The renewed year begins on 1 March 2026; its invoice waits until 15 March and covers the whole year.
    """
    life = Life(date(2025, 3, 1))
    rules = {
        "interval_unit": "year",
        "minimum_count": 12,
        "renewal_rule": "renew",
        "notice_to": "term_end",
        "grace_days": 14,
    }
    life.start(a_plan(life.company, amount="120.00", rules=rules))
    life.until(date(2026, 3, 14))
    assert len(life.invoices()) == 1
    life.until(date(2026, 3, 15))
    assert life.invoices()[1] == (date(2026, 3, 15), date(2026, 3, 1), date(2027, 3, 1), 12000)
    assert life.movements() == [("new", 1000, date(2025, 3, 1))]
    life.check_books()


def test_canceled_within_the_grace_the_renewed_year_is_never_billed():
    """The same contract, called off on 10 March 2026: it ended on 28 February 2026, and one invoice is all there is."""
    life = Life(date(2025, 3, 1))
    rules = {
        "interval_unit": "year",
        "minimum_count": 12,
        "renewal_rule": "renew",
        "notice_to": "term_end",
        "grace_days": 14,
    }
    subscription = life.start(a_plan(life.company, amount="120.00", rules=rules))
    life.until(date(2026, 3, 10))
    ended = life.cancel(subscription, "period_end")
    assert (ended.state, ended.ends_on) == ("canceled", date(2026, 2, 28))
    life.until(date(2026, 6, 1))
    assert len(life.invoices()) == 1
    assert life.movements() == [("new", 1000, date(2025, 3, 1)), ("churn", -1000, date(2026, 3, 1))]
    life.check_books()
