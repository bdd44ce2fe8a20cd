"""One process of the stand-in providers for a module of tests; each test makes its own customers in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.money.providers import Providers, running


@pytest.fixture(scope="module")
def providers_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with running(tmp_path_factory.mktemp("providers")) as found:
        found.control("deliveries", {"mode": "held"})
        yield found


@pytest.fixture
def providers(providers_process: Providers) -> Providers:
    """The process without faults."""
    providers_process.faults()
    return providers_process
