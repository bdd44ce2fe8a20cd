"""A server that may forget what it acknowledged is noticed before anything starts."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection

from tests.factories import a_company

pytestmark = pytest.mark.django_db


def complaints() -> list[tuple[str | None, str]]:
    found = run_checks(databases=["default"])
    return sorted((one.id, one.msg.split(" runs with ")[1].split()[0]) for one in found if "28" in str(one.id))


@pytest.fixture
def lazy_commits() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")


def test_without_a_live_company_it_is_a_warning(lazy_commits: None) -> None:
    a_company(is_live=False)
    assert ("core.W028", "synchronous_commit") in complaints()


def test_with_a_live_company_it_is_an_error(lazy_commits: None) -> None:
    a_company(is_live=True, clock_at=None)
    assert ("core.E028", "synchronous_commit") in complaints()


def test_nothing_starts_on_it(lazy_commits: None) -> None:
    a_company(is_live=True, clock_at=None)
    with pytest.raises(CommandError, match="synchronous_commit = off"):
        call_command("check", databases=["default"])


def test_a_setting_that_keeps_everything_is_not_mentioned() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO on")
    assert "synchronous_commit" not in [name for _, name in complaints()]


def test_it_is_not_asked_without_a_database() -> None:
    a_company(is_live=True, clock_at=None)
    assert [one for one in run_checks() if "28" in str(one.id)] == []
