"""Dunning from several sides at once: real threads, real transactions."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from tests.factories import BY, a_company, a_customer, at_noon
from tests.money.dunning import a_policy, bill, days, pay, set_day, tick

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*functions):
    """Runs them at the same time, each on a connection of its own; what they answered."""
    barrier = Barrier(len(functions))

    def run(function):
        try:
            barrier.wait()
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, function) for function in functions]]


def done(customers):
    from billing.models import DunningEntry

    rows = DunningEntry.objects.filter(case__customer__in=customers, result="done")
    return Counter(rows.values_list("case__customer_id", "action", "step_days"))


def test_several_ticks_at_once_do_each_step_once():
    from billing.models import Claim, DunningCase
    from billing.services import dunning
    from customers.models import Message

    company = a_company(payment_terms_days=0)
    a_policy(company, (2, "mail"), (2, "claim", {"fee_minor": 500}), (2, "alert"), (2, "suspend"))
    customers = [a_customer(company, kind="person") for _ in range(4)]
    for customer in customers:
        bill(company, customer)
    at = set_day(company, days(2))
    found = at_once(*[lambda: dunning.dunning_tick(company, at)] * 4)
    assert [one["failed"] for one in found] == [0, 0, 0, 0]
    assert DunningCase.objects.count() == 4
    assert set(done(customers).values()) == {1}
    assert len(done(customers)) == 16
    assert (Message.objects.filter(template="reminder_0").count(), Claim.objects.count()) == (4, 4)


def test_whoever_pays_while_the_tick_runs_is_not_reminded_afterwards():
    from billing.models import DunningCase, DunningEntry
    from billing.services import dunning

    company = a_company(payment_terms_days=0)
    a_policy(company, (2, "mail"), (3, "mail", {"level": 1}), (4, "suspend"))
    customers = [a_customer(company) for _ in range(5)]
    invoices = [bill(company, customer) for customer in customers]
    tick(company, days(1))
    at = set_day(company, days(2))
    at_once(
        lambda: dunning.dunning_tick(company, at),
        lambda: [pay(invoice, days(2)) for invoice in invoices],
        lambda: dunning.dunning_tick(company, at),
    )
    for day in (3, 4, 5):
        tick(company, days(day))
    assert set(DunningCase.objects.values_list("state", flat=True)) == {"paid"}
    for customer in customers:
        rows = list(DunningEntry.objects.filter(case__customer=customer).order_by("pk"))
        came = next(row.pk for row in rows if row.action == "paid")
        assert [row.action for row in rows if row.result == "done" and row.pk > came] == []
        assert sum(row.amount_minor for row in rows if row.action == "paid") == 11_900


def test_a_promise_and_a_tick_at_once_end_with_the_promise_and_at_most_one_mail():
    from billing.models import DunningCase
    from billing.services import dunning
    from customers.models import Message

    company = a_company(payment_terms_days=0)
    a_policy(company, (2, "mail"), (3, "mail", {"level": 1}))
    customer = a_customer(company)
    bill(company, customer)
    tick(company, days(1))
    case = DunningCase.objects.get()
    at = set_day(company, days(2))
    at_once(
        lambda: dunning.dunning_tick(company, at),
        lambda: dunning.promise(case=case, until=days(9), by=BY, at=at_noon(days(2))),
    )
    tick(company, days(3))
    assert DunningCase.objects.get().state == "promised"
    assert Message.objects.filter(template__startswith="reminder").count() <= 1
    assert not Message.objects.filter(template="reminder_1").exists()


def test_the_database_refuses_a_step_done_twice():
    from django.db import IntegrityError

    from billing.models import DunningCase, DunningEntry

    company = a_company(payment_terms_days=0)
    a_policy(company, (2, "mail"))
    bill(company, a_customer(company))
    tick(company, days(2))
    entry = DunningEntry.objects.get(action="mail")
    entry.pk = None
    with pytest.raises(IntegrityError, match="dunning_entry_step_once"):
        entry.save(force_insert=True)
    assert DunningCase.objects.get().steps_done == 1
