"""Runs of ties and what they heard are dropped when they are old; what is asked or told once is remembered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from core.services.sweeping import sweep
from tests.crm.tying import a_company, a_tie, run, running, subscribed

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def there(tmp_path: Any, settings: Any) -> Any:
    settings.WORK_LOG_DAYS = 90
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def a_run(tie: Any, ago: timedelta, **more: Any) -> Any:
    from crm.models import TieRun

    at = clock.machine_now() - ago
    return TieRun.objects.create(company=tie.company, tie=tie, began_at=at, ended_at=at, **more)


def test_runs_go_by_their_end(settings: Any) -> None:
    settings.WORK_LOG_DAYS = 90
    tie = a_tie(a_company(), "csv")
    a_run(tie, 91 * DAY, sent=3)
    begun = a_run(tie, 91 * DAY, error="no luck")
    type(begun).objects.filter(pk=begun.pk).update(ended_at=clock.machine_now() - DAY)
    young = a_run(tie, 89 * DAY, sent=1)
    assert sweep(tie.company, clock.machine_now()) == {"tie_runs": 1}
    assert list(tie.runs.order_by("pk")) == [begun, young]


def test_changes_go_but_what_is_asked_or_told_once_stays() -> None:
    from crm.models import TieChange

    tie = a_tie(a_company(), "csv")
    for what, _label in TieChange.What.choices:
        for days in (89, 91):
            at = clock.machine_now() - days * DAY
            TieChange.objects.create(
                company=tie.company, tie=tie, at=at, key="a@example.com", what=what, outcome="kept"
            )
    assert sweep(tie.company, clock.machine_now()) == {"tie_changes": 4}
    left = [(row.what, (clock.machine_now() - row.at).days) for row in tie.changes.order_by("pk")]
    assert left == [
        ("name", 89), ("phone", 89), ("email", 89), ("email", 91), ("consent", 89), ("consent", 91), ("list", 89),
        ("person", 89),
    ]  # fmt: skip


def test_another_address_is_asked_about_once_however_long_ago(there: Any) -> None:
    from crm.models import Task, Tie, TieChange

    company = a_company()
    (one,) = subscribed(company)
    tie = a_tie(company, is_two_way=True)
    run(tie)
    run(tie)
    there.control("brevo", "edit", email=one.email, address="new@example.com")
    run(tie)
    assert Task.objects.filter(company=company).count() == 1
    TieChange.objects.update(at=clock.machine_now() - 400 * DAY)
    assert "tie_changes" not in sweep(company, clock.machine_now())
    # All of it is heard anew.
    Tie.objects.filter(pk=tie.pk).update(heard_through="")
    tie.refresh_from_db()
    run(tie)
    assert Task.objects.filter(company=company).count() == 1


def test_old_changes_are_found_by_their_age_among_many_that_stay() -> None:
    tie = a_tie(a_company(), "csv")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_tiechange (company_id, public_id, tie_id, at, key, what, ours, theirs, outcome, words)"
            " SELECT %s, gen_random_uuid(), %s, now() - interval '1 year', n::text, 'consent', '', 'on', 'kept', ''"
            " FROM generate_series(1, 5000) n",
            [tie.company_id, tie.pk],
        )
        cursor.execute("ANALYZE crm_tiechange")
        with CaptureQueriesContext(connection) as asked:
            assert sweep(tie.company, clock.machine_now(), ["tie_changes"]) == {}
        (sql,) = [query["sql"] for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]]
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using tie_change_by_age" in plan, plan
