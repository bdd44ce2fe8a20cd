"""Acts: what is agreed and what is billed move together."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db

FREE = {"notice_to": "any_day"}


def start(company, customer=None, plan=None, on=TODAY, **more):
    from billing.services import acts

    values = {"start_on": on, "on": on, "plan": plan or a_plan(company, rules=FREE)}
    return acts.start(
        company=company, customer=customer or a_customer(company), **(values | more), by=BY, at=at_noon(on)
    )


def cancel(subscription, timing="now", on=TODAY, **more):
    from billing.services import acts

    return acts.cancel(subscription=subscription, timing=timing, on=on, **more, by=BY, at=at_noon(on))


def tick(company, day):
    from billing.services import acts

    return acts.move_due(company=company, at=set_clock(company, day), by=BY)


def settle(company, subscription, on):
    from billing.services.settling import settle

    return settle(company=company, customer_ids=[subscription.customer_id], on=on, at=at_noon(on), by=BY)


def invoices(subscription):
    from billing.models import Invoice

    rows = Invoice.objects.filter(lines__subscription=subscription).order_by("pk").distinct()
    return list(rows.values_list("charge_due_on", "net_minor"))


def notes(customer):
    from billing.models import CreditNote

    rows = CreditNote.objects.filter(customer=customer).order_by("pk")
    return list(rows.values_list("net_minor", "gross_minor", "settled_minor", "to_account_minor"))


def test_a_start_bills_the_first_period():
    result = start(a_company())
    assert invoices(result.subscription) == [(TODAY, 1000)]
    assert result.subscription.next_bill_on == date(2026, 2, 1)
    assert (result.mrr_before, result.mrr_after) == (0, 1000)


def test_a_start_in_the_past_bills_every_period_since():
    result = start(a_company(today=date(2026, 3, 10)), on=date(2026, 3, 10), start_on=TODAY)
    assert invoices(result.subscription) == [(TODAY, 1000), (date(2026, 2, 1), 1000), (date(2026, 3, 1), 1000)]


def test_a_future_start_bills_nothing_yet():
    assert invoices(start(a_company(), start_on=date(2026, 2, 1)).subscription) == []


def test_canceled_today_the_unused_days_come_back_at_once():
    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    result = cancel(subscription, on=date(2026, 1, 10))
    # 31.00 for 31 days; 21 of them (11 to 31 January) are unused: 21.00 net, 24.99 gross.
    assert notes(subscription.customer) == [(2100, 2499, 2499, 0)]
    assert (result.subscription.state, result.subscription.ends_on) == ("active", date(2026, 1, 10))
    assert result.subscription.next_bill_on is None
    assert (result.mrr_before, result.mrr_after) == (3100, 0)


def test_the_day_after_its_end_it_is_canceled_and_churned():
    company = a_company()
    subscription = start(company).subscription
    cancel(subscription, on=date(2026, 1, 10))
    assert tick(company, date(2026, 1, 10)) == {}
    assert tick(company, date(2026, 1, 11)) == {"canceled": 1}
    subscription.refresh_from_db()
    assert subscription.state == "canceled"
    assert subscription.movements.get(kind="churn").effective_on == date(2026, 1, 11)


def test_canceling_a_paid_period_makes_account_credit():
    from billing.models import Invoice
    from billing.services import payments

    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    invoice = Invoice.objects.get()
    payments.record(
        company=company, customer=None, invoice=invoice, amount_minor=3689, currency="EUR", method="transfer",
        received_on=TODAY, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    cancel(subscription, on=date(2026, 1, 10))
    assert notes(subscription.customer) == [(2100, 2499, 0, 2499)]
    assert payments.balance_of(subscription.customer, on=TODAY)["EUR"].credit_minor == 2499


def test_a_refund_waits_to_be_paid_out():
    from billing.models import Invoice, Refund
    from billing.services import payments

    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    payments.record(
        company=company, customer=None, invoice=Invoice.objects.get(), amount_minor=3689, currency="EUR",
        method="transfer", received_on=TODAY, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    cancel(subscription, unused="refund", on=date(2026, 1, 10))
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.status) == (2499, "pending")
    assert payments.balance_of(subscription.customer, on=TODAY) == {}


def test_with_none_nothing_comes_back():
    from billing.models import BilledDays

    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    cancel(subscription, unused="none", on=date(2026, 1, 10))
    assert notes(subscription.customer) == []
    days = BilledDays.objects.filter(slot__subscription=subscription, released_at__isnull=True).order_by("days")
    assert [(row.kind, row.days.lower, row.days.upper) for row in days] == [
        ("billed", date(2026, 1, 1), date(2026, 1, 11)),
        ("forfeited", date(2026, 1, 11), date(2026, 2, 1)),
    ]


def test_a_planned_end_credits_on_the_first_day_no_longer_covered():
    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    cancel(subscription, "date", ends_on=date(2026, 1, 20))
    assert notes(subscription.customer) == []
    tick(company, date(2026, 1, 20))
    assert notes(subscription.customer) == []
    assert tick(company, date(2026, 1, 21)) == {"canceled": 1}
    assert notes(subscription.customer) == [(1100, 1309, 1309, 0)]  # 11 of 31 days
    subscription.refresh_from_db()
    assert subscription.next_bill_on is None


def test_an_end_at_the_period_end_bills_nothing_more_and_credits_nothing():
    company = a_company()
    subscription = start(company).subscription
    cancel(subscription, "period_end", on=date(2026, 1, 10))
    assert tick(company, date(2026, 2, 1)) == {"canceled": 1}
    settle(company, subscription, date(2026, 6, 1))
    assert invoices(subscription) == [(TODAY, 1000)]
    assert notes(subscription.customer) == []


def test_a_known_end_clips_the_period_it_lies_in():
    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="28.00", rules=FREE)).subscription
    cancel(subscription, "date", ends_on=date(2026, 2, 7))
    settle(company, subscription, date(2026, 2, 1))
    assert invoices(subscription) == [(TODAY, 2800), (date(2026, 2, 1), 700)]  # 7 of 28 days


def test_an_end_taken_back_on_its_day_is_billed_on_from_the_next():
    from billing.services import acts

    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    cancel(subscription, on=date(2026, 1, 10))
    result = acts.undo_cancel(subscription=subscription, on=date(2026, 1, 10), by=BY, at=at_noon(date(2026, 1, 10)))
    assert (result.subscription.ends_on, result.subscription.next_bill_on) == (None, date(2026, 1, 11))
    settle(company, subscription, date(2026, 2, 1))
    assert invoices(subscription) == [(TODAY, 3100), (date(2026, 1, 11), 2100), (date(2026, 2, 1), 3100)]


def test_a_back_dated_end_credits_at_once_and_is_canceled():
    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    settle(company, subscription, date(2026, 2, 1))
    result = cancel(
        subscription, "date", on=date(2026, 2, 5), ends_on=date(2026, 1, 20), override=True, override_reason="agreed"
    )
    assert result.subscription.state == "canceled"
    # 11 of 31 days of January, and all of February.
    assert sorted(note[0] for note in notes(subscription.customer)) == [1100, 3100]


def test_canceled_twice_credits_once():
    company = a_company()
    subscription = start(company).subscription
    for _ in range(2):
        cancel(subscription, on=date(2026, 1, 10))
    assert len(notes(subscription.customer)) == 1


def test_a_trial_canceled_is_never_billed():
    company = a_company()
    subscription = start(company, plan=a_plan(company, trial_days=14, rules=FREE)).subscription
    cancel(subscription, "now", on=date(2026, 1, 5))
    assert tick(company, date(2026, 1, 6)) == {"canceled": 1}
    settle(company, subscription, date(2026, 3, 1))
    assert invoices(subscription) == []
    assert not subscription.movements.exists()


def test_arrears_are_billed_to_the_last_day():
    company = a_company()
    plan = a_plan(company, amount="31.00", price={"billed": "arrears"}, rules=FREE)
    subscription = start(company, plan=plan).subscription
    cancel(subscription, on=date(2026, 1, 10))
    tick(company, date(2026, 1, 11))
    settle(company, subscription, date(2026, 1, 11))
    assert invoices(subscription) == [(date(2026, 1, 11), 1000)]  # 10 of 31 days


def test_the_tick_is_registered_before_the_run():
    from core.services.ticks import all_ticks

    names = [tick.name for tick in all_ticks()]
    assert names.index("subscriptions.moves") < names.index("billing.run")


def test_a_refused_act_changes_nothing():
    from billing.models import Invoice
    from core.models import AuditEntry
    from core.refusal import Refused
    from subscriptions.models import Subscription

    company = a_company()
    customer, plan = a_customer(company), a_plan(company)
    before = AuditEntry.objects.filter(company=company).count()
    with pytest.raises(Refused):
        start(company, customer, plan, currency="USD")
    assert not Subscription.objects.filter(company=company).exists()
    assert not Invoice.objects.filter(company=company).exists()
    assert AuditEntry.objects.filter(company=company).count() == before


UNITS = ["day", "week", "month", "year"]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("billed", ["advance", "arrears"])
@pytest.mark.parametrize("ends_after", [None, 40])
def test_the_agreement_and_billing_know_the_same_next_due_day(unit, billed, ends_after):
    """One rule, two readers: `due.next_due` plans what `settle` then finds."""
    from subscriptions.services import due, holding

    company = a_company()
    rules = FREE | {"interval_unit": unit, "interval_count": 3, "anchor_rule": "anniversary"}
    ends_on = None if ends_after is None else TODAY + timedelta(days=ends_after)
    subscription = a_subscription(company, plan=a_plan(company, price={"billed": billed}, rules=rules), ends_on=ends_on)
    for _ in range(4):
        day = subscription.next_bill_on
        if day is None:
            break
        settle(company, subscription, day)
        held = holding.read(subscription)
        assert held.next_bill_on == due.next_due(held, holding.positions(held))
        assert held.next_bill_on is None or held.next_bill_on > day
        subscription = held


def together(*calls):
    """Runs the calls at once, each on a connection of its own; what they raised."""
    import threading

    from django.db import connection

    begin, raised = threading.Barrier(len(calls)), []

    def one(call):
        try:
            begin.wait(30)
            call()
        except Exception as error:  # noqa: BLE001  the test names it
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.mark.django_db(transaction=True)
def test_six_cancellations_at_once_credit_once():
    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="31.00", rules=FREE)).subscription
    assert together(*[lambda: cancel(subscription, on=date(2026, 1, 10))] * 6) == []
    assert notes(subscription.customer) == [(2100, 2499, 2499, 0)]


@pytest.mark.django_db(transaction=True)
def test_six_ticks_at_once_move_once():
    from billing.services import acts

    company = a_company()
    plan = a_plan(company, rules=FREE)
    rows = [start(company, plan=plan).subscription for _ in range(5)]
    for row in rows:
        cancel(row, "date", ends_on=date(2026, 1, 20))
    at = set_clock(company, date(2026, 1, 21))
    assert together(*[lambda: acts.move_due(company=company, at=at, by=BY)] * 6) == []
    for row in rows:
        row.refresh_from_db()
        assert row.state == "canceled"
        assert [kind for (kind,) in row.movements.order_by("id").values_list("kind")] == ["new", "churn"]
        assert len(notes(row.customer)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_and_billing_at_once_agree_on_the_last_day():
    from billing.models import BilledDays

    company = a_company()
    subscription = start(company, plan=a_plan(company, amount="28.00", rules=FREE)).subscription
    on = date(2026, 2, 1)
    assert together(lambda: cancel(subscription, on=on), lambda: settle(company, subscription, on)) == []
    days = BilledDays.objects.filter(slot__subscription=subscription, released_at__isnull=True, kind="billed")
    assert max(row.days.upper for row in days) == date(2026, 2, 2)
