"""Whatever days the ticks are asked on, in whatever order and number: nobody is reminded twice of one occasion, and
nobody of what is over."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.crm.reminding import RENEWAL, a_house, a_rule, a_subscriber, tick

pytestmark = pytest.mark.django_db

DAYS = st.lists(
    st.integers(min_value=-45, max_value=10).map(lambda days: RENEWAL + timedelta(days=days)), min_size=1, max_size=8
)
RULES = st.lists(
    st.tuples(
        st.sampled_from(["before_renewal", "before_notice_deadline"]), st.integers(0, 40), st.integers(0, 12)
    ),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=DAYS, rules=RULES)
def test_one_rule_reminds_once_of_one_occasion(db: None, days: list[date], rules: list[tuple[str, int, int]]) -> None:
    from crm.models import Reminder
    from customers.models import Message

    company = a_house()
    a_subscriber(company)
    for occasion, before, late in rules:
        a_rule(company, occasion=occasion, days=before, late_days=late)
    for day in days:
        tick(company, day)
    rows = list(Reminder.objects.filter(company=company).select_related("rule"))
    assert len({(row.rule_id, row.subject_id, row.occasion_on) for row in rows}) == len(rows)
    assert Message.objects.filter(company=company, subject_kind="reminder").count() == len(rows)
    for row in rows:
        on, due_on = row.sent_at.date(), row.occasion_on - timedelta(days=row.rule.days)
        assert due_on <= on <= min(due_on + timedelta(days=row.rule.late_days), row.occasion_on)
        # It was asked on a day on which it was due, so it is there; and on none, it is not.
    for occasion, before, late in rules:
        occasion_on = RENEWAL if occasion == "before_renewal" else date(2027, 1, 31)
        last = occasion_on - timedelta(days=1 if occasion == "before_renewal" else 0)
        due = [
            day for day in days
            if occasion_on - timedelta(days=before) <= day <= min(
                occasion_on - timedelta(days=before) + timedelta(days=min(late, before)), last
            )
        ]  # fmt: skip
        made = [row for row in rows if (row.rule.occasion, row.rule.days) == (occasion, before)]
        assert bool(due) == bool(made) or len([one for one in rules if one[:2] == (occasion, before)]) > 1
