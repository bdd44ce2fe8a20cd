"""One stand-in of Stripe for a module of tests; each test makes its own customers in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from tests.standins.stripe_process import Listener, Standin, running


@pytest.fixture(scope="module")
def stripe_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """The process; its webhooks only go out on a flush."""
    with running(tmp_path_factory.mktemp("stripe")) as standin:
        standin.control("deliveries", {"mode": "held"})
        yield standin


@pytest.fixture
def shop(stripe_process: Standin) -> Standin:
    """The process without faults."""
    stripe_process.faults()
    return stripe_process


@pytest.fixture
def client(shop: Standin) -> stripe.StripeClient:
    """The vendor's client, which tries everything once."""
    return shop.client()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A webhook endpoint that listens."""
    door = Listener()
    yield door
    door.close()
