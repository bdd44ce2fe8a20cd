"""What the demo's scenes leave behind: usage, changes, pauses, add-ons, credit, with their exact amounts."""

from __future__ import annotations

from datetime import date

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def cast(story, key: str):
    from subscriptions.models import Subscription

    return Subscription.objects.select_related("customer", "plan").get(company=story.company, external_id=f"CAST-{key}")


def lines(story, key: str, *kinds: str) -> list[tuple[str, str, int]]:
    """(kind, first day, net in cents) of the subscription's lines of these kinds, oldest first."""
    from billing.models import InvoiceLine

    rows = InvoiceLine.objects.filter(subscription=cast(story, key), kind__in=kinds).order_by("invoice_id", "position")
    return [(row.kind, str(row.period_start), row.amount_minor) for row in rows]


def notes(story, key: str) -> list[tuple[str, int]]:
    """(cause, net in cents) of the customer's credit notes."""
    from billing.models import CreditNote

    rows = CreditNote.objects.filter(customer=cast(story, key).customer).order_by("pk")
    return [(row.cause, sum(line.amount_minor for line in row.lines.all())) for row in rows]


def credit_left(story, key: str) -> dict[str, tuple[int, int]]:
    from billing.models import Credit

    rows = Credit.objects.filter(customer=cast(story, key).customer).select_related("balance")
    return {row.source: (row.amount_minor, row.balance.left_minor) for row in rows}


def test_usage_is_billed_by_its_tiers_with_bills_before_the_close_and_late_events(story):
    from subscriptions.models import UsageEvent

    used = lines(story, "reader", "usage", "interim", "late")
    assert [kind for kind, _, _ in used].count("usage") == 4
    assert [kind for kind, _, _ in used].count("interim") == 4
    # 240 pages more in a month that was in its last tier: 240 x 0.04.
    assert ("late", "2026-08-21", 960) in used
    assert UsageEvent.objects.filter(company=story.company, subscription=cast(story, "reader")).count() > 100


def test_little_usage_is_raised_to_its_minimum(story):
    by_month: dict[str, int] = {}
    for _, start, minor in lines(story, "till", "usage", "minimum"):
        by_month[start] = by_month.get(start, 0) + minor
    assert list(by_month) == ["2026-07-21", "2026-08-21", "2026-09-21", "2026-10-21"]
    assert by_month["2026-07-21"] == 6000
    assert by_month["2026-10-21"] > 6000


def test_seats_that_grow_are_charged_for_the_rest_of_the_year(story):
    # 135.00 a seat: 3 for the year, 2 for 275 of 365 days, 4 for 153 of 365 days.
    assert lines(story, "grows", "base", "added") == [
        ("base", "2026-03-07", 40500),
        ("added", "2026-06-05", 20342),
        ("added", "2026-10-05", 22636),
    ]
    assert notes(story, "grows") == []


def test_an_upgrade_gives_back_and_charges_the_rest_of_the_month(story):
    # 67.50 x 15/31 back; 5 x 21.00 and 8.00 for the add-on, each x 15/31.
    assert notes(story, "upgrade") == [("change", 3266)]
    assert [row for row in lines(story, "upgrade", "base") if row[1] == "2026-09-15"] == [
        ("base", "2026-09-15", 5081),
        ("base", "2026-09-15", 387),
    ]


def test_a_downgrade_waits_for_the_end_of_the_paid_month(story):
    [change] = cast(story, "downgrade").changes.all()
    assert (change.kind, change.status, change.effective_on) == ("plan", "planned", date(2026, 12, 19))
    assert notes(story, "downgrade") == []


def test_the_set_up_is_charged_once_and_the_add_on_from_its_day(story):
    assert lines(story, "addon", "one_off") == [("one_off", "None", 29000)]
    # 8.00 x 4/30, then each month.
    rows = [row for row in lines(story, "addon", "base") if row[2] in (107, 800)]
    assert [minor for _, _, minor in rows] == [107, 800, 800]


def test_one_pause_runs_and_one_is_planned(story):
    runs, waits = cast(story, "paused"), cast(story, "pauses")
    assert (runs.state, runs.paused_from_on, runs.resumes_on) == ("paused", date(2026, 11, 3), date(2027, 3, 3))
    # 40.50 x 11/31.
    assert notes(story, "paused") == [("pause", 1437)]
    assert (waits.state, waits.paused_from_on, waits.resumes_on) == (
        "active", date(2026, 12, 15), date(2027, 2, 13),
    )  # fmt: skip


def test_a_pause_that_is_over_counts_its_months_from_the_day_it_ended(story):
    assert cast(story, "rested").state == "active"
    assert [start for _, start, _ in lines(story, "rested", "base")][2:] == ["2026-09-05", "2026-10-05", "2026-11-05"]


def test_one_is_suspended_and_one_came_back(story):
    assert cast(story, "suspended").state == "suspended"
    assert "2026-11-14" not in [start for _, start, _ in lines(story, "suspended", "base")]
    assert cast(story, "reinstated").state == "active"
    # 40.50 x 27/30 for the rest of the month in which it came back.
    assert ("base", "2026-09-17", 3645) in lines(story, "reinstated", "base")


def test_the_billing_day_moves_at_the_end_of_what_was_paid(story):
    # 14 October to the first: 40.50 x 18/31.
    assert lines(story, "moves", "base")[-2:] == [("base", "2026-10-14", 2352), ("base", "2026-11-01", 4050)]


def test_an_end_dated_back_gives_back_what_was_billed(story):
    assert cast(story, "backdated").ends_on == date(2026, 10, 27)
    # 40.50 x 17/31.
    assert notes(story, "backdated") == [("cancel", 2221)]


def test_granted_and_prepaid_credit_are_partly_used(story):
    # Three months of 81.00; three of 108.00, of which the granted 50.00 go first.
    assert credit_left(story, "granted") == {"granted": (25000, 700)}
    assert credit_left(story, "prepaid") == {"prepaid": (45000, 17600), "granted": (5000, 0)}


def test_an_amount_off_a_gross_price_is_taken_for_two_months(story):
    assert cast(story, "gross").tax_behavior == "inclusive"
    totals = cast(story, "gross").customer.invoices.order_by("pk").values_list("gross_minor", flat=True)
    assert list(totals) == [990, 990, 990, 790, 790]


def test_old_customers_move_to_todays_price(story):
    from subscriptions.models import Change

    moved = Change.objects.filter(company=story.company, kind="version")
    assert 2 <= moved.count() <= 4
    assert set(moved.values_list("reason", flat=True)) == {"Neue Preisliste, angekündigt im September"}


def test_the_portals_customer_may_change_seats_and_pause(story):
    from customers.models import Contact
    from portal import changing, standing
    from portal.access import Visitor

    contact = Contact.objects.select_related("customer__company").get(email="kundin@werft-petersen.example")
    visitor = Visitor(contact)
    [team] = [row for row in standing.with_positions(visitor) if row.external_id == "CAST-yard-team"]
    today = story.now.date()
    assert changing.may_change(visitor, team) and changing.may_pause(visitor, team)
    assert [seats.quantity for seats in changing.seats_of(team, today)] == [6]
    assert "pro" in [offered.plan.code for offered in changing.plans_for(visitor, team, today)]
    [seats] = changing.seats_of(team, today)
    assert changing.change_seats(visitor, team, {seats.slot: 8})(None).settlement.invoice_ids
