"""The demo's story, told once for all tests of this folder that read it.

The rule that matters: it is never committed, and whoever needs an empty database comes before those who read it. They
are marked as tests of the database all the same: without a marked one, no test database is made.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from core.models import Company

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Readers of the story come last: it stands until the last test of this folder is done."""
    items.sort(key=lambda item: item.path.parent == HERE and "story" in getattr(item, "fixturenames", ()))


_open: list[Callable[[], None]] = []


@pytest.fixture(scope="session")
def story(django_db_setup, django_db_blocker):
    """The test company with its two years; `company` and `now`."""
    from django.db import connection, transaction

    from demo import history

    assert connection.settings_dict["NAME"].startswith("test_"), "readers of the story need the mark django_db"
    unblocked, told = django_db_blocker.unblock(), transaction.atomic()
    unblocked.__enter__()
    told.__enter__()

    def end() -> None:
        transaction.set_rollback(True)
        told.__exit__(None, None, None)
        unblocked.__exit__(None, None, None)

    _open.append(end)
    try:
        yield SimpleNamespace(company=history.load(NOW, _counts_rows), now=NOW)
    finally:
        if _open:
            _open.pop()()


def _counts_rows(company: Company) -> None:
    """Nobody else does within a transaction, and the planner would take every table for an empty one."""
    from django.db import connection

    if company.clock_at is not None and company.clock_at.day == 1:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The story's transaction ends with the last test of this folder: later tests empty its tables.

    After the last test of all the fixture ended it, while its database was there.
    """
    if _open and nextitem is not None and nextitem.path.parent != HERE:
        _open.pop()()
