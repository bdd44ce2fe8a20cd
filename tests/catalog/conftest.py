"""A company that sells, with its taxes. Models are imported when a fixture runs: apps load after this file."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest


@pytest.fixture
def company(db):
    from catalog.services import taxes
    from core.models import Company

    from .given import AT, BY

    company = Company.objects.create(
        name="Nordlicht",
        slug="nordlicht",
        legal_name="Nordlicht GmbH",
        country="DE",
        language="de",
        time_zone="Europe/Berlin",
        books_start_on=date(2024, 1, 1),
    )
    taxes.seed(company=company, by=BY, at=AT)
    return company


@pytest.fixture
def product(company):
    from catalog.services import products

    from .given import AT, BY, company_category

    return products.create_product(
        company=company,
        code="hosting",
        name={"de": "Hosting", "en": "Hosting"},
        tax_category=company_category(company, "standard-electronic"),
        by=BY,
        at=AT,
    )


@pytest.fixture
def plan(company, product):
    from catalog.services import plans

    from .given import AT, BY

    price = plans.PriceSpec(currency="EUR", unit_amount=Decimal("19.90"), valid_from=date(2026, 1, 1))
    return plans.create_plan(
        company=company,
        code="basic",
        name={"de": "Basis"},
        items=[plans.PlanItemSpec(product=product, prices=[price])],
        by=BY,
        at=AT,
    )
