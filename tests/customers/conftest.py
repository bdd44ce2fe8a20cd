"""A company and a customer of it. Models are imported when a fixture runs: apps load after this file."""

from __future__ import annotations

from datetime import date

import pytest


@pytest.fixture
def company(db):
    from core.models import Company

    return Company.objects.create(
        name="Nordlicht",
        slug="nordlicht",
        legal_name="Nordlicht GmbH",
        country="DE",
        language="de",
        time_zone="Europe/Berlin",
        books_start_on=date(2024, 1, 1),
    )


@pytest.fixture
def customer(company):
    from customers.services import customers

    from .given import ADDRESS, AT, BY

    return customers.create_customer(company=company, name="Müller AG", address=ADDRESS, by=BY, at=AT)
