"""The German rates of 2020, lived through: 19 percent, 16 from 1 July to 31 December 2020, 19 again.

Source: Zweites Corona-Steuerhilfegesetz, BGBl. I 2020 S. 1512 (§ 28 Abs. 1 UStG). The rate of a supply over a period is
that of its last day (§ 27 Abs. 1 UStG), unless the company chose otherwise.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.factories import a_plan
from tests.stories.test_a_year_in_the_life import Life

pytestmark = pytest.mark.django_db

START = date(2020, 1, 15)


def taxes(life):
    """(first day, day after the last, net, rate, tax of the document) of every line, in order."""
    from billing.models import InvoiceLine

    rows = InvoiceLine.objects.filter(company=life.company).order_by("invoice__sequence", "position")
    return [
        (row.period_start, row.period_end, row.net_minor, row.tax_rate.normalize(), row.invoice.tax_minor)
        for row in rows.select_related("invoice")
    ]


def begin(rate_change, **price):
    life = Life(START)
    life.company.rate_change = rate_change
    life.company.save()
    life.start(a_plan(life.company, amount="310.00", **price))
    return life


def test_monthly_from_the_15th_by_the_rate_of_the_last_day():
    """15 June to 14 July ends in July: 16 percent, 310.00 x 0.16 = 49.60. 15 December to 14 January ends in 2021: 19
    percent, 58.90. Twelve months: five at 19 (Jan..May starts), six at 16 (Jun..Nov), one at 19 (Dec)."""
    life = begin("end_of_period")
    life.until(date(2021, 1, 14))
    found = taxes(life)
    assert [row[3] for row in found] == [Decimal(19)] * 5 + [Decimal(16)] * 6 + [Decimal(19)]
    assert [row[4] for row in found] == [5890] * 5 + [4960] * 6 + [5890]


def test_monthly_from_the_15th_in_parts():
    """15 June to 15 July: 16 of 30 days in June, 310.00 x 16/30 = 165.333.., 14/30 = 144.666..: 165.33 and 144.67.
    Tax 165.33 x 19% = 31.4127 = 31.41, 144.67 x 16% = 23.1472 = 23.15. 15 December to 15 January: 17 of 31 days in
    December, 310.00 x 17/31 = 170.00 and 140.00: 27.20 + 26.60."""
    life = begin("split")
    life.until(date(2021, 1, 14))
    found = taxes(life)
    june = [row for row in found if date(2020, 6, 15) <= row[0] < date(2020, 7, 15)]
    assert june == [
        (date(2020, 6, 15), date(2020, 7, 1), 16533, Decimal(19), 3141 + 2315),
        (date(2020, 7, 1), date(2020, 7, 15), 14467, Decimal(16), 3141 + 2315),
    ]
    december = [row for row in found if row[0] >= date(2020, 12, 15)]
    assert december == [
        (date(2020, 12, 15), date(2021, 1, 1), 17000, Decimal(16), 2720 + 2660),
        (date(2021, 1, 1), date(2021, 1, 15), 14000, Decimal(19), 2720 + 2660),
    ]
    assert sum(row[2] for row in found) == 12 * 31000


def test_monthly_from_the_15th_by_the_day_it_falls_due():
    """In advance it is due on its first day: June still 19, December still 16."""
    life = begin("tax_point")
    life.until(date(2021, 1, 14))
    assert [row[3] for row in taxes(life)] == [Decimal(19)] * 6 + [Decimal(16)] * 6


def test_a_year_paid_ahead_is_cut_at_both_changes():
    """15 January 2020 to 15 January 2021 are 366 days: 168 to 30 June, 184 to 31 December, 14 in 2021. 366.00 a year
    is 1.00 a day: 168.00 at 19, 184.00 at 16, 14.00 at 19. Tax: 182.00 x 19% = 34.58, 184.00 x 16% = 29.44."""
    life = Life(START)
    life.company.rate_change = "split"
    life.company.save()
    life.start(a_plan(life.company, amount="366.00", rules={"interval_unit": "year"}))
    life.until(START.replace(day=16))
    assert [(row[2], row[3]) for row in taxes(life)] == [
        (16800, Decimal(19)), (18400, Decimal(16)), (1400, Decimal(19)),
    ]  # fmt: skip
    assert taxes(life)[0][4] == 3458 + 2944


def test_a_cancellation_gives_each_part_back_at_its_rate():
    """Canceled on 5 July 2020 for the same day: 6 to 14 July are 9 of the 14 days of the part at 16 percent:
    144.67 x 9/14 = 93.0021.. = 93.00, tax 14.88. The part at 19 percent is used up."""
    from billing.models import CreditNote

    life = Life(START)
    life.company.rate_change = "split"
    life.company.save()
    subscription = life.start(a_plan(life.company, amount="310.00", rules={"notice_to": "any_day"}))
    life.until(date(2020, 7, 5))
    life.cancel(subscription, "now", unused="credit")
    note = CreditNote.objects.get(company=life.company)
    assert (note.net_minor, note.tax_minor) == (9300, 1488)
