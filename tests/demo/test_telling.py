"""A story that was interrupted goes on where it stopped; the same days give the same story."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAYS = 75


class Interrupted(Exception):
    """The power went."""


def tell(*stops: int) -> list[tuple[Any, ...]]:
    """The first 75 days, interrupted after the given days; every invoice as (customer, due day, gross, status)."""
    from django.db import transaction

    from billing.models import Invoice
    from demo import history

    def until(last: int):
        seen = [0]

        def told(company) -> None:
            seen[0] += 1
            if seen[0] == last:
                raise Interrupted

        return told

    with transaction.atomic():
        for days in (*stops, DAYS - sum(stops)):
            with pytest.raises(Interrupted):
                history.load(NOW, until(days))
        rows = Invoice.objects.order_by("pk").values_list(
            "customer__name", "charge_due_on", "gross_minor", "balance__status", "number"
        )
        told = list(rows)
        transaction.set_rollback(True)
    return told


def test_an_interrupted_story_goes_on_as_if_nothing_had_been(db):
    whole = tell()
    assert len(whole) > 10
    assert tell(13, 9) == whole


def test_people_are_the_same_whenever_they_are_drawn():
    from demo import people

    first, last = date(2024, 11, 1), date(2026, 11, 22)
    assert people.generate(first, last) == people.generate(first, last)
    assert len(people.generate(first, last)) == 300


def test_every_customer_is_one_the_verbs_take():
    from customers.services.customers import check_spec
    from demo import people

    for person in people.generate(date(2024, 2, 1), date(2026, 2, 28)):
        check_spec(person.spec)


def test_customers_of_other_companies_are_left_alone(db):
    from billing.models import Payment
    from billing.services.settling import settle
    from demo import paying
    from tests import factories

    company = factories.a_company()
    customer = factories.a_customer(company, metadata={"pays": "prompt"})
    subscription = factories.a_subscription(company, customer)
    settle(company=company, customer_ids=[customer.pk], on=subscription.start_on, at=company.clock_at, by=factories.BY)
    later = factories.at_noon(date(2026, 3, 2))
    assert paying.pay_tick(company, later) == {}
    assert Payment.objects.count() == 0
