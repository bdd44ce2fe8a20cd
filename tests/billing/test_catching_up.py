"""Days nobody was asked about are made up on the first tick, with the same end as if each had been asked."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import BY, a_company, a_customer, a_plan, at_noon, set_clock

if TYPE_CHECKING:
    from core.models import Company

pytestmark = pytest.mark.django_db
BEGAN, LATER = date(2026, 1, 24), date(2026, 2, 9)


def at_work() -> Company:
    """Monthly and yearly subscriptions that renew, end their trial, end, lapse credit and fall overdue within days."""
    from billing.services import acts, granting

    at = at_noon(BEGAN)
    company = a_company(today=BEGAN)
    plan = a_plan(company, amount="30.00")
    trial = a_plan(company, amount="20.00", trial_days=5)
    for day in (24, 26, 29, 31):
        begun = date(2025, 12, day)
        acts.start(company=company, customer=a_customer(company), plan=plan, start_on=begun, on=BEGAN, by=BY, at=at)
    ended = acts.start(
        company=company, customer=a_customer(company), plan=trial, start_on=BEGAN, on=BEGAN, by=BY, at=at
    ).subscription
    acts.cancel(subscription=ended, timing="date", ends_on=date(2026, 1, 28), override=True, override_reason="x",
                by=BY, at=at)  # fmt: skip
    granting.grant(
        customer=a_customer(company), amount_minor=700, currency="EUR", reason="x", expires_on=date(2026, 1, 27),
        by=BY, at=at,
    )  # fmt: skip
    return company


def ask(company: Company, day: date) -> None:
    from core.services import ticks

    at = set_clock(company, day)
    for tick in ticks.all_ticks():
        ticks.run_tick(name=tick.name, company=company, at=at)


def state(company: Company) -> dict[str, Any]:
    """What came of it, without ids and instants."""
    from billing.models import CreditBalance, Invoice, InvoiceBalance, Posting
    from subscriptions.models import Movement, Subscription

    def rows(found: Any, *names: str) -> list[Any]:
        return sorted(found.values_list(*names), key=repr)

    return {
        "lines": rows(
            Invoice.objects.filter(company=company).filter(lines__isnull=False), "lines__period_start",
            "lines__period_end", "lines__amount_minor",
        ),
        "open": rows(InvoiceBalance.objects.filter(company_id=company.pk), "gross_minor", "status"),
        "subscriptions": rows(
            Subscription.objects.filter(company=company), "state", "ends_on", "next_bill_on", "term_ends_on"
        ),
        "movements": rows(Movement.objects.filter(company=company), "kind", "amount_minor", "effective_on"),
        "credit": rows(CreditBalance.objects.filter(credit__company=company), "left_minor", "lapsed_minor"),
        "booked": sum(Posting.objects.filter(company=company).values_list("amount_minor", flat=True)),
    }  # fmt: skip


def test_nine_missed_days_and_more_are_made_up_on_the_first_tick() -> None:
    daily, late = at_work(), at_work()
    day = BEGAN
    while day < LATER:
        day += timedelta(days=1)
        ask(daily, day)
    ask(late, LATER)
    assert state(late) == state(daily)
    assert len(state(late)["lines"]) == 4 * 2
    assert state(late)["credit"] == [(0, 700)]


def test_asking_again_adds_nothing() -> None:
    company = at_work()
    ask(company, LATER)
    once = state(company)
    ask(company, LATER)
    assert state(company) == once
