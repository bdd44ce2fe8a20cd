"""Ends that are taken back or moved after days were forfeited, and acts of customers who live in two time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import transaction

from billing.models import BilledDays, CreditNote, Invoice
from billing.services import acts, payments, tiling
from core.models import Company
from subscriptions.models import Subscription
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db


def started(company: Company, **changes: Any) -> Subscription:
    """31.00 a month plus 19 percent, from 1 January; it may end on any day."""
    values: dict[str, Any] = {"customer": a_customer(company), "start_on": TODAY, "on": TODAY}
    values["plan"] = a_plan(company, amount="31.00", rules={"notice_to": "any_day"})
    return acts.start(company=company, **(values | changes), by=BY, at=at_noon(TODAY)).subscription


def cancel(subscription: Subscription, on: date, **how: Any) -> None:
    at = set_clock(subscription.company, on)
    acts.cancel(subscription=subscription, **({"timing": "now"} | how), on=on, by=BY, at=at)


def test_days_forfeited_for_an_end_taken_back_come_back_with_the_next_end() -> None:
    company = a_company()
    subscription = started(company)
    cancel(subscription, date(2026, 1, 10), unused="none")
    acts.undo_cancel(subscription=subscription, on=date(2026, 1, 10), by=BY, at=at_noon(date(2026, 1, 10)))
    cancel(subscription, date(2026, 1, 21), unused="credit")
    # 22 to 31 January are 10 of 31 days: 10.00 net.
    assert [note.net_minor for note in CreditNote.objects.filter(company=company)] == [1000]
    assert tiling.check(company) == []


def test_days_forfeited_come_back_when_the_same_end_is_to_give_them_back() -> None:
    company = a_company()
    subscription = started(company)
    cancel(subscription, date(2026, 1, 11), unused="none")
    cancel(subscription, date(2026, 1, 11), unused="credit")
    # 12 to 31 January are 20 of 31 days: 20.00 net.
    assert [note.net_minor for note in CreditNote.objects.filter(company=company)] == [2000]
    assert tiling.check(company) == []


def test_days_of_one_line_in_two_rows_come_back_as_one_line_never_above_what_was_charged() -> None:
    company = a_company()
    subscription = started(company)
    cancel(subscription, date(2026, 1, 20), unused="none")
    acts.undo_cancel(subscription=subscription, on=date(2026, 1, 20), by=BY, at=at_noon(date(2026, 1, 20)))
    set_clock(company, date(2026, 1, 21))
    acts.cancel(
        subscription=subscription, timing="date", ends_on=date(2026, 1, 5), override=True, override_reason="moved out",
        on=date(2026, 1, 21), by=BY, at=at_noon(date(2026, 1, 21)),
    )  # fmt: skip
    note = CreditNote.objects.get(company=company)
    # 6 to 31 January are 26 of 31 days.
    assert (note.net_minor, note.lines.count()) == (2600, 1)
    assert BilledDays.objects.filter(slot__subscription=subscription, released_at__isnull=True).count() == 1


def test_an_end_moved_later_leaves_forfeited_only_what_lies_after_it() -> None:
    company = a_company()
    subscription = started(company)
    cancel(subscription, date(2026, 1, 10), unused="none")
    cancel(subscription, date(2026, 1, 10), timing="date", ends_on=date(2026, 1, 25), unused="credit")
    at = set_clock(company, date(2026, 1, 26))
    acts.move_due(company=company, at=at, by=BY)
    # 26 to 31 January are 6 of 31 days.
    assert [note.net_minor for note in CreditNote.objects.filter(company=company)] == [600]


def test_an_act_bills_nothing_of_a_subscription_whose_day_has_not_come_where_it_lives() -> None:
    # 31 January, 12:00 UTC: 1 February in Auckland, still 31 January in New York.
    instant = datetime(2026, 1, 31, 12, tzinfo=UTC)
    company = a_company()
    customer = a_customer(company)
    plan = a_plan(company, rules={"notice_to": "any_day"})
    at_home = started(company, customer=customer, plan=plan, overrides={"time_zone": "America/New_York"})
    far_away = started(company, customer=customer, plan=plan, overrides={"time_zone": "Pacific/Auckland"})
    company.clock_at = instant
    company.save(update_fields=["clock_at"])
    acts.cancel(subscription=far_away, timing="period_end", by=BY, at=instant)
    at_home.refresh_from_db()
    assert str(at_home.next_bill_on) == "2026-02-01"
    billed = Invoice.objects.filter(company=company, lines__subscription=at_home).values_list(
        "charge_due_on", flat=True
    )
    assert sorted(map(str, billed)) == ["2026-01-01"]


@pytest.mark.django_db(transaction=True)
def test_a_payment_taken_back_while_it_is_allocated_leaves_nothing_paid() -> None:
    import threading

    from django.db import connection

    company = a_company()
    customer = a_customer(company)
    a_subscription(company, customer, a_plan(company, amount="100.00"))
    from billing.services.settling import settle

    settle(company=company, customer_ids=[customer.pk], on=TODAY, at=at_noon(TODAY), by=BY)
    invoice = Invoice.objects.get(company=company)
    payment = payments.record(
        company=company, customer=None, amount_minor=11900, currency="EUR", method="transfer", received_on=TODAY,
        by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    errors: list[Exception] = []

    def take_back() -> None:
        try:
            payments.take_back(payment=payment, reason="returned", by=BY, at=at_noon(TODAY))
        except Exception as error:  # noqa: BLE001  looked at below
            errors.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=take_back)
    with transaction.atomic():
        payments.allocate(payment=payment, invoice=invoice, by=BY, at=at_noon(TODAY))
        other.start()
        other.join(0.7)
        assert other.is_alive()
    other.join(20)
    assert errors == []
    invoice.balance.refresh_from_db()
    assert (invoice.balance.paid_minor, invoice.balance.open_minor, invoice.balance.status) == (0, 11900, "open")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount_minor) FROM billing_posting WHERE company_id = %s", [company.pk])
        assert cursor.fetchone() == (0,)


def test_the_customer_an_allocation_named_meanwhile_is_locked_before_the_payment() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    company = a_company()
    payment = payments.record(
        company=company, customer=None, amount_minor=100, currency="EUR", method="transfer", received_on=TODAY, by=BY,
        at=at_noon(TODAY),
    )  # fmt: skip
    again = type(payment).objects.get(pk=payment.pk)
    payments.allocate(payment=again, customer=a_customer(company), by=BY, at=at_noon(TODAY))
    with CaptureQueriesContext(connection) as seen:
        payments.take_back(payment=payment, reason="returned", by=BY, at=at_noon(TODAY))
    locks = [query["sql"].split(" FROM ")[1].split()[0] for query in seen.captured_queries if " FOR " in query["sql"]]
    assert locks[:3] == ['"customers_customer"', '"billing_payment"', '"billing_paymentbalance"']
