"""What can't be billed is parked with its reason; the others are billed, and a run that writes too much waits."""

from __future__ import annotations

from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.models import BillingRun, Invoice
from billing.services import running
from core import clock
from core.models import Company, Event
from core.refusal import Refused
from subscriptions.models import Slot, Subscription
from tests.billing.test_run import run, start
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db
FIRST = date(2026, 1, 1)


def take_days(subscription: Subscription) -> None:
    """Days of January stand as billed already, though nothing else knows of it: the database will refuse them."""
    slot = Slot.objects.get(subscription=subscription)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_billeddays (company_id, slot_id, component, days, kind) "
            "VALUES (%s, %s, 'base', '[2026-01-10,2026-01-11)', 'billed')",
            [subscription.company_id, slot.pk],
        )


def free_days(subscription: Subscription) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_billeddays SET released_at = now(), released_by = 1 "
            "WHERE line_id IS NULL AND slot_id IN (SELECT id FROM subscriptions_slot WHERE subscription_id = %s)",
            [subscription.pk],
        )


@pytest.fixture
def company() -> Company:
    return a_company(today=FIRST)


def test_the_database_refusing_one_subscription_stops_nobody_else(company: Company) -> None:
    plan = a_plan(company)
    subscriptions = [a_subscription(company, plan=plan, on=FIRST) for _ in range(5)]
    bad = subscriptions[3]
    take_days(bad)
    done = run(company, FIRST)
    assert (done.state, done.invoice_count, done.parked_count) == ("parked", 4, 1)
    bad.refresh_from_db()
    assert bad.parked_code == "billing.refused_by_database"
    assert "billed_days_never_overlap" in bad.parked_detail
    assert [subscription.pk for subscription in running.parked(company=company, by_day=FIRST)] == [bad.pk]
    assert list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2, 3, 4]


def test_only_the_bad_subscription_of_a_customer_is_parked(company: Company) -> None:
    plan, customer = a_plan(company), a_customer(company)
    good, bad = (a_subscription(company, customer, plan, on=FIRST) for _ in range(2))
    take_days(bad)
    assert run(company, FIRST).invoice_count == 1
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.parked_at, good.next_bill_on) == (None, date(2026, 2, 1))
    assert (bad.parked_code, bad.next_bill_on) == ("billing.refused_by_database", FIRST)


def test_a_parked_subscription_is_told_once_for_the_same_reason(company: Company) -> None:
    bad = a_subscription(company, on=FIRST)
    take_days(bad)
    run(company, FIRST)
    run(company, FIRST)
    [event] = Event.objects.filter(type="subscription.parked", subject_id=bad.pk)
    assert (event.data["code"], event.data["due_on"]) == ("billing.refused_by_database", "2026-01-01")


def test_the_next_run_tries_it_again(company: Company) -> None:
    bad = a_subscription(company, on=FIRST)
    take_days(bad)
    run(company, FIRST)
    free_days(bad)
    assert (run(company, FIRST).state, Invoice.objects.count()) == ("done", 1)
    bad.refresh_from_db()
    assert (bad.parked_at, bad.parked_code) == (None, "")


def test_the_hourly_tick_tries_it_again(company: Company) -> None:
    bad = a_subscription(company, on=FIRST)
    take_days(bad)
    run(company, FIRST)
    again = {"company": company, "at": clock.now(company), "by": BY}
    assert running.retry_parked(**again) == {"tried": 1, "billed": 0}
    bad.refresh_from_db()
    assert bad.parked_at is not None
    free_days(bad)
    assert running.retry_parked(**again) == {"tried": 1, "billed": 1}
    assert running.retry_parked(**again) == {}


def test_the_command_lists_what_was_parked_and_fails(company: Company) -> None:
    plan = a_plan(company)
    a_subscription(company, plan=plan, on=FIRST)
    bad = a_subscription(company, plan=plan, on=FIRST)
    take_days(bad)
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("run_billing", "--company", company.slug, "--on", "2026-01-01", stdout=said, stderr=StringIO())
    assert ended.value.code == 1
    assert f"{bad.number}  billing.refused_by_database" in said.getvalue()
    assert Invoice.objects.count() == 1


def test_the_dry_run_lists_it_too_and_parks_nobody(company: Company) -> None:
    plan = a_plan(company)
    a_subscription(company, plan=plan, on=FIRST)
    bad = a_subscription(company, plan=plan, on=FIRST)
    take_days(bad)
    shown = running.rehearse(company=company, on=FIRST, by=BY, at=clock.now(company))
    assert (shown.done.invoice_count, [pk for pk, _, _ in shown.parked]) == (1, [bad.pk])
    bad.refresh_from_db()
    assert (bad.parked_at, Invoice.objects.count(), BillingRun.objects.count()) == (None, 0, 0)


def test_a_run_that_writes_more_than_it_counted_waits_for_a_person(company: Company) -> None:
    plan = a_plan(company)
    for _ in range(4):
        a_subscription(company, plan=plan, on=FIRST)
    started = start(company, FIRST, cut=running.Cut(subscriptions=1))
    assert started is not None
    # As if two lines had been counted where there are four: three are one and a half times two, four are not.
    BillingRun.objects.filter(pk=started.pk).update(forecast_lines=2)
    started.refresh_from_db()
    held = running.working.work(started, pause=0)
    assert (held.state, Invoice.objects.count()) == ("held", 3)
    with pytest.raises(Refused, match=r"run\.held"):
        start(company, FIRST)
    with pytest.raises(CommandError, match="waits for a person"):
        call_command("run_billing", "--company", company.slug, "--on", "2026-01-01", stdout=StringIO())
    released = running.release(run=held, by=BY, at=clock.now(company))
    assert (running.work(released, pause=0).state, Invoice.objects.count()) == ("done", 4)


def test_while_a_run_waits_the_daily_tick_starts_none(company: Company) -> None:
    a_subscription(company, on=FIRST)
    started = start(company, FIRST)
    assert started is not None
    BillingRun.objects.filter(pk=started.pk).update(state=BillingRun.State.HELD)
    set_clock(company, date(2026, 2, 1))
    assert running.continue_due(company=company, at=at_noon(date(2026, 2, 1)), by=BY) == []


def test_what_is_due_for_ever_is_parked_instead_of_billed_for_ever(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.services.running import chunks
    from billing.services.settling import Settlement

    stuck = a_subscription(company, on=FIRST)
    monkeypatch.setattr(chunks, "settle", lambda **given: Settlement())
    done = run(company, FIRST)
    stuck.refresh_from_db()
    assert (done.state, stuck.parked_code) == ("parked", "billing.stuck")


def test_a_reason_of_the_arithmetic_is_said_in_words() -> None:
    from billing.services.running import parking
    from pricing.taxes import BadTax

    missing = BadTax("tax_rate_missing", country="FR", category="standard", on=FIRST)
    assert parking.reason(missing) == (
        "tax_rate_missing", "No tax rate is known for FR (standard) on 1 Jan 2026.",
    )  # fmt: skip


@pytest.mark.parametrize("late", [7, 8])
@pytest.mark.parametrize("by_run", [True, False])
def test_a_mended_one_is_mailed_or_not_as_the_days_run_would_whichever_comes_first(
    company: Company, late: int, by_run: bool
) -> None:
    bad = a_subscription(company, on=FIRST)
    take_days(bad)
    run(company, FIRST)
    free_days(bad)
    on = FIRST + timedelta(days=late)
    set_clock(company, on)
    if by_run:
        run(company, on)
    else:
        running.retry_parked(company=company, at=at_noon(on), by=BY)
    assert Invoice.objects.get().notifies is (late == 7)
