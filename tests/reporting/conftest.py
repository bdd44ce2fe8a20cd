"""One rich company for the tests that only read it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction


@pytest.fixture(scope="module")
def rich(django_db_setup: Any, django_db_blocker: Any) -> Any:
    """The rich life, built once for the tests of a module and taken away after them."""
    from tests.reporting.rich import a_rich_life

    with django_db_blocker.unblock(), transaction.atomic():
        yield a_rich_life()
        transaction.set_rollback(True)
