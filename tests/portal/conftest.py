"""A customer who can sign in, and somebody else beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import factories
from tests.portal.houses import START, House, a_house

if TYPE_CHECKING:
    from django.test import Client

    from core.models import Company


@pytest.fixture
def company(db: None) -> Company:
    return factories.a_company(today=START, iban="DE02120300000000202051", accent="#ffd400")


@pytest.fixture
def house(company: Company) -> House:
    return a_house(company, "ada@example.com")


@pytest.fixture
def other(company: Company) -> House:
    return a_house(company, "eve@example.com")


@pytest.fixture
def ada(client: Client, house: House) -> Client:
    client.force_login(house.owner.user)
    return client
