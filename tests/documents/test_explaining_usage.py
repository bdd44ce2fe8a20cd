"""Usage lines say what was counted and how it was priced, from what they store alone."""

from __future__ import annotations

from datetime import date

import pytest

from billing.documents.explaining import explain
from billing.models import InvoiceLine
from tests.billing.test_usage_rating import TIERS, a_month_of, bill, used
from tests.factories import a_company, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, a_user

pytestmark = pytest.mark.django_db


def said(line: InvoiceLine | None, language: str = "en") -> list[str]:
    """The sentences before the one about tax."""
    assert line is not None
    return explain(line, language)[:-1]


def test_tiers_are_told_one_by_one():
    assert said(a_month_of("graduated", "40", "110", tiers=TIERS)[1]) == [
        "Used in the period, from 2 events: 150.",
        "Tier above 0 up to 100: 100 × €0.10: €10.00.",
        "Tier above 100 up to 200: 50 × €0.05: €2.50.",
    ]


def test_packages_and_what_is_free():
    line = a_month_of("package", "121", amount="100.00", package_size="10", free_units="10")[1]
    assert said(line) == [
        "Used in the period, from 1 event: 121.",
        "Free: 10.",
        "12 packages of 10 × €100.00: €1,200.00.",
    ]


def test_percentages_with_fees_floors_and_ceilings():
    line = a_month_of(
        "percentage", "10", "80", "10000", rate="2.99", fee="0.10", floor="1.75", ceiling="12.00", free_events=1
    )[1]
    assert said(line) == [
        "Used in the period, from 3 events: 10,090.",
        "Free: the first 1 event.",
        "2.99% of 10,080: 301.392\xa0EUR.",
        "2 events × €0.10: €0.20.",
        "1 event is capped at €12.00: -€287.10.",
    ]


def test_a_shorter_period_says_what_it_scales():
    company = a_company(today=date(2026, 1, 22))
    meter = a_meter(company)
    item = a_usage_item(meter, "0", model="graduated", details={"tiers": [{"up_to": "310", "unit_price": "1.00"}, {}]})
    subscription = a_user(company, item, on=date(2026, 1, 22))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-25", 150))
    bill(company, date(2026, 2, 1))
    assert said(InvoiceLine.objects.get()) == [
        "Used in the period, from 1 event: 150.",
        "The period is shorter: tiers and what is free count for 10 of 31 days.",
        "Tier above 0 up to 310: 100 × €1.00: €100.00.",
        "Tier above 310: 50 × €0.00: €0.00.",
    ]


def test_late_usage_and_what_was_billed_before_are_told():
    company = a_company(today=date(2026, 1, 1))
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=1000))
    for day, units in ((5, 10), (6, 3)):
        set_clock(company, date(2026, 1, day))
        used(company, meter, subscription, (f"2026-01-{day:02}", units))
        bill(company, date(2026, 1, day))
    bill(company, date(2026, 2, 1))
    set_clock(company, date(2026, 2, 3))
    used(company, meter, subscription, ("2026-01-07", 2))
    bill(company, date(2026, 3, 1))
    lines = InvoiceLine.objects.order_by("invoice__sequence")
    assert [said(line)[0] for line in lines] == [
        "Used so far, from 1 event: 10.",
        "Used in the period, from 2 events: 13.",
        "Used in the period, from 3 events: 15.",
    ]
    assert said(lines[1])[1:] == [
        "13 × €1.00: €13.00.",
        "That is €13.00, of which €10.00 was charged before the close.",
    ]
    assert said(lines[2])[1:] == [
        "15 × €1.00: €15.00.",
        "Usage came in late: the whole period costs €15.00, of which €13.00 was charged before.",
    ]
