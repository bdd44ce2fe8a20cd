"""Sums of all money say what its rows come to, whatever of it is summed up by day and whatever became of it since."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from billing.services import money_rows, payment_days
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.crowd import at_once
from tests.money.providers import billed

CURRENCIES = ("EUR", "EUR", "USD")
WAYS = {"stripe": "card", "sepa": "debit", "paypal": "paypal"}
#: When everything stands still and some invoices are late.
ON = TODAY + timedelta(days=90)
NOTHING = money_rows.Filters()
#: State, currency, number and minor units.
Sums = list[tuple[str, str, int, int]]


class House:
    """A company whose money is written as it may come, past the verbs: only what stands in the rows matters here."""

    def __init__(self, seed: int) -> None:
        from billing.models import Gateway

        self.dice = random.Random(seed)
        self.company = a_company()
        self.customers = [a_customer(self.company) for _ in range(3)]
        self.invoices = [billed(self.company, customer) for customer in self.customers]
        self.gateways = [
            Gateway.objects.create(
                company=self.company, kind=kind, name=kind, is_active=False, created_at=at_noon(TODAY)
            )
            for kind in WAYS
        ]

    def money(self) -> dict[str, Any]:
        return {
            "company": self.company, "currency": self.dice.choice(CURRENCIES),
            "amount_minor": self.dice.randint(1, 10**6), "created_at": at_noon(self.day()),
        }  # fmt: skip

    def day(self) -> date:
        return TODAY + timedelta(days=self.dice.randint(0, 40))

    def pay(self, count: int) -> None:
        from billing.models import Payment

        Payment.objects.bulk_create(
            Payment(
                **self.money(), customer=self.dice.choice([None, *self.customers]), received_on=self.day(),
                method=self.dice.choice(Payment.Method.values), status=self.dice.choice(["settled"] * 9 + ["pending"]),
            )
            for _ in range(count)
        )  # fmt: skip

    def turn(self, count: int) -> None:
        """Some payments are taken back or given back, or settle after all."""
        from billing.models import Payment

        keys = list(Payment.objects.filter(company=self.company).values_list("pk", flat=True))
        for pk in self.dice.sample(keys, count):
            Payment.objects.filter(pk=pk).update(status=self.dice.choice(Payment.Status.values))

    def happen(self) -> None:
        """A try that ended or not, money taken back, money given back."""
        from billing.models import Attempt, Payment, Refund, Reversal

        invoice, gateway = self.dice.choice(self.invoices), self.dice.choice(self.gateways)
        Attempt.objects.filter(invoice=invoice, state="pending").update(state="settled", closed_at=at_noon(TODAY))
        state = self.dice.choice(["failed", "canceled", "settled", "pending"])
        Attempt.objects.create(
            **self.money(), invoice=invoice, customer=invoice.customer, gateway=gateway, state=state, origin="due",
            key=str(self.dice.random()), closed_at=None if state == "pending" else at_noon(TODAY),
        )  # fmt: skip
        payments = list(Payment.objects.filter(company=self.company))
        Reversal.objects.create(
            **self.money(), payment=self.dice.choice(payments), gateway=gateway, taken_on=self.day(),
            kind=self.dice.choice(Reversal.Kind.values), external_id=str(self.dice.random()),
        )  # fmt: skip
        Refund.objects.create(
            **self.money(), customer=self.dice.choice(self.customers), status=self.dice.choice(Refund.Status.values),
            asked_on=self.day(), gateway=self.dice.choice([None, *self.gateways]),
        )  # fmt: skip

    def rows(self) -> Iterator[tuple[str, str, int, str, date, int | None]]:
        """State, currency, amount, way, day and customer of everything, one by one."""
        from billing.models import Attempt, InvoiceBalance, Payment, Refund, Reversal

        own, zone = {"company_id": self.company.pk}, ZoneInfo(self.company.time_zone)
        for row in Payment.objects.filter(**own):
            state = "received" if row.status == "settled" else row.status
            yield state, row.currency, row.amount_minor, row.method, row.received_on, row.customer_id
        for row in Attempt.objects.filter(**own).exclude(state="settled").select_related("gateway"):
            state = row.state if row.state in ("failed", "canceled") else "pending"
            day = row.created_at.astimezone(zone).date()
            yield state, row.currency, row.amount_minor, WAYS[row.gateway.kind], day, row.customer_id
        for row in Reversal.objects.filter(**own).select_related("payment"):
            if row.payment.status not in ("returned", "disputed"):
                state = "returned" if row.kind == "return" else "disputed"
                paid = row.payment
                yield state, row.currency, row.amount_minor, paid.method, row.taken_on, paid.customer_id
        words = {"settled": "refunded", "failed": "failed", "canceled": "canceled"}
        for row in Refund.objects.filter(**own).select_related("gateway"):
            way = WAYS[row.gateway.kind] if row.gateway else "transfer"
            state = words.get(row.status, "refunding")
            yield state, row.currency, -row.amount_minor, way, row.asked_on, row.customer_id
        for row in InvoiceBalance.objects.filter(**own, status="open", payment_due_on__lt=ON):
            yield "late", row.currency, row.open_minor, "", row.payment_due_on, row.customer_id

    def added_up(self, filters: money_rows.Filters) -> Sums:
        sums: dict[tuple[str, str], list[int]] = defaultdict(list)
        for state, currency, minor, way, day, customer_id in self.rows():
            passes = (
                (not filters.states or state in filters.states)
                and filters.way in ("", way)
                and filters.currency in ("", currency)
                and (filters.customers is None or customer_id in filters.customers)
                and (filters.first or day) <= day <= (filters.last or day)
            )
            if passes:
                sums[state, currency].append(minor)
        return sorted((state, currency, len(found), sum(found)) for (state, currency), found in sums.items())

    def told(self, filters: money_rows.Filters) -> Sums:
        totals = money_rows.totals(self.company, filters, ON)
        return sorted((total.state, total.currency, total.count, total.minor) for total in totals)

    def filters(self) -> Iterator[money_rows.Filters]:
        """Each filter alone, and a few of them together."""
        day, one = self.day(), frozenset({self.dice.choice(list(money_rows.STATES))})
        yield from (NOTHING, money_rows.Filters(states=one))
        yield from (money_rows.Filters(first=day), money_rows.Filters(last=day))
        yield from (money_rows.Filters(way=way) for way in ("card", "transfer", "debit"))
        yield from (money_rows.Filters(states=frozenset({state}), currency="EUR") for state in ("received", "returned"))
        yield money_rows.Filters(customers=[self.customers[0].pk])
        yield money_rows.Filters(way="card", currency="USD", first=day, last=day + timedelta(days=9))


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_the_rows_however_much_of_them_is_summed_up(seed: int) -> None:
    house = House(seed)
    for _ in range(4):
        house.pay(40)
        if house.dice.random() < 0.7:
            payment_days.sum_up(house.company, worth=1)
        house.turn(15)
        house.happen()
        for filters in house.filters():
            assert house.told(filters) == house.added_up(filters), filters


@pytest.mark.django_db
@pytest.mark.parametrize("state", money_rows.STATES)
def test_the_list_of_a_state_has_its_rows_and_no_others(state: str) -> None:
    house = House(9)
    house.pay(120)
    house.turn(60)
    for _ in range(12):
        house.happen()
    filters = money_rows.Filters(states=frozenset({state}))
    found = money_rows.page(house.company, filters, ON, size=1000)
    assert sorted(row.minor for row in found) == sorted(row[2] for row in house.rows() if row[0] == state)
    assert {row.state for row in found} <= {state}


@pytest.mark.django_db
def test_payments_that_are_summed_up_are_not_read_again() -> None:
    """What the sums say is told: they are read, not the payments."""
    from billing.models import PaymentDay

    house = House(1)
    house.pay(30)
    assert payment_days.sum_up(house.company, worth=1) == 30
    assert payment_days.sum_up(house.company, worth=1) == 0
    received = replace(NOTHING, states=frozenset({"received"}))
    before = sum(minor for _state, _currency, _count, minor in house.told(received))
    day = PaymentDay.objects.filter(company=house.company).latest("pk")
    PaymentDay.objects.filter(pk=day.pk).update(amount_minor=day.amount_minor + 5)
    assert sum(minor for _state, _currency, _count, minor in house.told(received)) == before + 5


@pytest.mark.django_db
def test_few_payments_are_not_worth_a_sum() -> None:
    from billing.models import PaymentDay

    house = House(2)
    house.pay(9)
    assert payment_days.sum_up(house.company, worth=10) == 0
    house.pay(1)
    assert payment_days.payment_days_tick(house.company, at_noon(ON)) == {"payments": 0}
    assert payment_days.sum_up(house.company, worth=10) == 10
    assert sum(day.count for day in PaymentDay.objects.filter(company=house.company)) == 10


@pytest.mark.django_db
def test_the_doctor_names_sums_that_are_not_those_of_the_payments_and_they_are_added_up_anew() -> None:
    from django.core.management import call_command
    from django.db.models import F

    from billing.models import PaymentDay
    from billing.services.examinations import payment_sums

    house, said = House(6), StringIO()
    house.pay(40)
    payment_days.sum_up(house.company, worth=1)
    house.pay(5)
    house.turn(20)
    assert list(payment_sums(at_noon(ON))) == []
    broken = PaymentDay.objects.filter(company=house.company).latest("pk")
    PaymentDay.objects.filter(pk=broken.pk).update(amount_minor=F("amount_minor") + 1)
    slug = house.company.slug
    assert [one.text for one in payment_sums(at_noon(ON))] == [
        f"{slug}: the sums of payments differ from the payments on 1 days."
    ]
    call_command("sum_payments", company=slug, stdout=said)
    assert said.getvalue() == f"{slug}: 45 payments\n"
    assert list(payment_sums(at_noon(ON))) == []
    assert house.told(NOTHING) == house.added_up(NOTHING)


@pytest.mark.django_db
def test_another_companys_payments_are_in_no_sum() -> None:
    house, other = House(3), House(4)
    house.pay(20)
    other.pay(20)
    for one in (house, other):
        payment_days.sum_up(one.company, worth=1)
    other.pay(5)
    assert house.told(NOTHING) == house.added_up(NOTHING)
    assert other.told(NOTHING) == other.added_up(NOTHING)


@pytest.mark.django_db(transaction=True)
def test_a_payment_that_is_being_written_is_in_no_sum_and_told_once_it_is_there() -> None:
    """It has the smaller id and comes to light after one with a greater id."""
    from billing.models import Payment
    from billing.services import payments

    company = a_company()
    given: dict[str, Any] = {
        "company": company, "customer": None, "currency": "EUR", "method": "transfer", "received_on": TODAY, "by": BY,
        "at": at_noon(TODAY),
    }  # fmt: skip
    writer = connection.copy()
    try:
        writer.set_autocommit(False)
        with writer.cursor() as cursor:
            cursor.execute(
                "INSERT INTO billing_payment (public_id, company_id, method, status, currency, amount_minor, "
                "received_on, reference, note, created_at) VALUES (gen_random_uuid(), %s, 'cash', 'settled', 'EUR', "
                "700, %s, '', '', now())",
                [company.pk, TODAY],
            )
        payments.record(amount_minor=100, **given)
        assert payment_days.sum_up(company, worth=1) == 0
        writer.commit()
    finally:
        writer.close()
    assert Payment.objects.filter(company=company).count() == 2
    assert payment_days.sum_up(company, worth=1) == 2
    assert money_rows.totals(company, NOTHING, TODAY) == [money_rows.Total("received", "EUR", 2, 800)]


@pytest.mark.django_db(transaction=True)
def test_summed_up_by_several_at_once_each_payment_is_in_one_sum() -> None:
    from billing.models import PaymentDay

    house = House(5)
    house.pay(50)
    at_once(*[lambda: payment_days.sum_up(house.company, worth=1)] * 4)
    payment_days.sum_up(house.company, worth=1)
    assert sum(day.count for day in PaymentDay.objects.filter(company=house.company)) == 50
    assert house.told(NOTHING) == house.added_up(NOTHING)
