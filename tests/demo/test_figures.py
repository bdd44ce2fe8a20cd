"""The demo's recurring revenue: every month adds up, and an auditor reckons the same from what was agreed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo.test_history import NOW

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def first_of(story: Any) -> Any:
    return story.company.books_start_on.replace(day=1)


@pytest.mark.parametrize("by", ["", "plan", "country"])
def test_opening_and_movements_are_closing_in_every_month(story: Any, by: str) -> None:
    from reporting import movements

    lines = movements.line(movements.Wanted(story.company, first_of(story), NOW.date(), by))
    whole = movements.line(movements.Wanted(story.company, first_of(story), NOW.date()))
    for rows in lines.values():
        assert rows[0].opening == 0
        assert all(after.opening == before.closing for before, after in zip(rows, rows[1:], strict=False))
        assert all(row.closing >= 0 for row in rows)
    for (currency, _none), months in whole.items():
        for place, month in enumerate(months):
            parts = [rows[place] for (of, _value), rows in lines.items() if of == currency]
            assert sum(part.closing for part in parts) == month.closing


def test_there_are_customers_of_two_subscriptions(story: Any) -> None:
    from django.db.models import Count

    from subscriptions.models import Movement

    rows = Movement.objects.filter(company=story.company).order_by().values("customer_id")
    several = rows.annotate(count=Count("subscription_id", distinct=True)).filter(count__gt=1)
    assert several.count() > 0


def test_what_is_reckoned_once_more_is_what_was_told(story: Any) -> None:
    from reporting import audit

    assert [str(one) for one in audit.differences(story.company, NOW.date())] == []
