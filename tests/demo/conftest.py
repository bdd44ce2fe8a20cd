"""The demo's story, told once for all tests of this folder that read it.

The rule that matters: it is never committed, and whoever needs an empty database comes before those who read it. They
are marked as tests of the database all the same: without a marked one, no test database is made.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Readers of the story come last: it stands until the last test of this folder is done."""
    items.sort(key=lambda item: item.path.parent == HERE and "story" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="package")
def story(django_db_setup, django_db_blocker):
    """The test company with its two years; `company` and `now`."""
    from django.db import connection, transaction

    from demo import history

    assert connection.settings_dict["NAME"].startswith("test_"), "readers of the story need the mark django_db"
    with django_db_blocker.unblock(), transaction.atomic():
        yield SimpleNamespace(company=history.load(NOW), now=NOW)
        transaction.set_rollback(True)
