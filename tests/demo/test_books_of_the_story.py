"""The reports of money over the demo's two years: the bridge has no rest, revenue and taxes are what accounts say."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db


def test_from_recurring_revenue_to_money_no_month_has_a_rest(story: Any) -> None:
    from core import clock
    from reporting import bridge

    company = story.company
    today = clock.today(company)
    found = bridge.months(company, company.books_start_on, today, today)
    assert found
    for rows in found.values():
        for month in rows:
            assert [month.rest(leg) for leg in bridge.LEGS] == [0, 0, 0], month
            assert set(month.causes) <= set(bridge.CAUSES), month


def test_revenue_and_taxes_are_what_their_accounts_say(story: Any) -> None:
    from core import clock
    from tests.reporting.opening import ask
    from tests.reporting.test_books_at_random import figure, posted

    company = story.company
    first, today = company.books_start_on, clock.today(company)
    for name, role in (("revenue", "revenue"), ("vat", "tax")):
        assert figure(ask(company, name, first, today), role) == -posted(company, role, first, today)
