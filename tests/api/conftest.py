"""Companies and callers. Models are imported when a fixture runs: apps load after this file."""

from __future__ import annotations

import pytest


@pytest.fixture
def company(db):
    from .caller import make_company

    return make_company()


@pytest.fixture
def other_company(db):
    from .caller import make_company

    return make_company()


@pytest.fixture
def api(company):
    """A caller that may do everything in `company`."""
    from .caller import Caller, key_for

    return Caller(key_for(company))


@pytest.fixture
def caller(company):
    """Makes callers with the scopes named."""
    from .caller import Caller, key_for

    return lambda *scopes: Caller(key_for(company, *scopes))


@pytest.fixture
def house(db):
    """A row of every kind an address can name."""
    from tests.house.test_every_door import build_house

    return build_house()
