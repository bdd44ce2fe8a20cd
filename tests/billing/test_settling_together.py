"""Many settle at once: each day once, numbers without gap, one chain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import pytest
from django.db import connection, transaction

from billing.models import BilledDays, Invoice
from billing.services.chain import verify_chain
from billing.services.settling import settle
from billing.services.tiling import check
from core.models import Company
from tests.billing.test_settling import company_customers
from tests.factories import BY, a_company, a_plan, a_subscription, set_clock

pytestmark = pytest.mark.django_db(transaction=True)

ON = date(2026, 6, 1)


def together(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Runs `work(number)` in as many threads, each with its own connection; what went wrong."""
    failures: list[BaseException] = []
    begin = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            begin.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001  the test looks at it
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def a_dozen() -> Company:
    """Twelve customers with six months due."""
    company = a_company()
    plan = a_plan(company)
    for _ in range(12):
        a_subscription(company, plan=plan)
    return company


def assert_each_day_once(company: Company) -> None:
    # Twelve customers, January to June: 72 invoices with one line and one run of days each.
    sequences = list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, 73))
    assert BilledDays.objects.count() == 72
    assert check(company, ON) == []
    assert verify_chain(company) == []


@pytest.mark.parametrize("skip_locked", [False, True])
def test_eight_settle_the_same_customers_and_each_day_is_billed_once(skip_locked: bool) -> None:
    company = a_dozen()
    at = set_clock(company, ON)
    customers = company_customers(company)

    def work(number: int) -> None:
        # Different orders and overlapping parts; the locks sort themselves.
        part = customers[number % 4 :] + customers[: number % 4]
        settle(company=company, customer_ids=part[: 12 - number % 3], on=ON, at=at, by=BY, skip_locked=skip_locked)

    assert together(8, work) == []
    settle(company=company, customer_ids=customers, on=ON, at=at, by=BY)
    assert_each_day_once(company)


def test_numbers_of_a_settling_that_failed_are_given_again() -> None:
    company = a_dozen()
    at = set_clock(company, ON)
    customers = company_customers(company)

    class Killed(Exception):
        pass

    def work(number: int) -> None:
        with transaction.atomic():
            settle(company=company, customer_ids=customers[number::6], on=ON, at=at, by=BY)
            if number % 2:
                raise Killed

    failures = together(6, work)
    assert [type(failure) for failure in failures] == [Killed] * 3
    settle(company=company, customer_ids=customers, on=ON, at=at, by=BY)
    assert_each_day_once(company)


def test_skipped_customers_are_named() -> None:
    company = a_dozen()
    at = set_clock(company, ON)
    customers = company_customers(company)
    outcomes = []

    def work(_: int) -> None:
        outcomes.append(settle(company=company, customer_ids=customers, on=ON, at=at, by=BY, skip_locked=True))

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM customers_customer WHERE id = %s FOR UPDATE", [customers[3]])
        assert together(1, work) == []
    assert outcomes[0].skipped_customer_ids == [customers[3]]
    assert len(outcomes[0].invoice_ids) == 66
