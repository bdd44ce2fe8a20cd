"""A process of the stand-in providers for each life: its messages are of nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.money.providers import Providers, running


@pytest.fixture
def providers(tmp_path: Path) -> Iterator[Providers]:
    with running(tmp_path) as found:
        found.control("deliveries", {"mode": "held"})
        yield found
