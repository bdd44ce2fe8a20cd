"""Small builders for tests. They go through the verbs only; what a verb would not write, no test has.

Everything happens on `TODAY`, at noon UTC, unless said otherwise. Models and verbs are imported when used: pytest loads
this file before the apps are ready.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from core.actors import Actor

if TYPE_CHECKING:
    from catalog.models import Plan, Product
    from core.models import Company
    from customers.models import Customer
    from subscriptions.models import Subscription

TODAY = date(2026, 1, 1)
BY = Actor.system("test")
_number = count(1)


def at_noon(day: date) -> datetime:
    """Noon UTC: the same day in every zone the tests use."""
    return datetime.combine(day, time(12), UTC)


def a_company(*, today: date = TODAY, **changes: Any) -> Company:
    """A German test company whose clock stands at noon of `today`; its books start in 2015."""
    from billing.services.companies import open_company

    number = next(_number)
    values: dict[str, Any] = {
        "name": f"Nordlicht {number}",
        "slug": f"nordlicht-{number}",
        "legal_name": "Nordlicht GmbH",
        "country": "DE",
        "currency": "EUR",
        "language": "en",
        "time_zone": "Europe/Berlin",
        "books_start_on": date(2015, 1, 1),
        "is_live": False,
        "clock_at": at_noon(today),
        "owner": None,
        "email": "billing@nordlicht.example",
    }
    return open_company(**(values | changes), by=BY, at=at_noon(today))


def set_clock(company: Company, day: date) -> datetime:
    """Moves the test company's clock to noon of the day, asking no ticks; the instant."""
    company.clock_at = at_noon(day)
    company.save(update_fields=["clock_at"])
    return company.clock_at


def a_customer(company: Company, *, country: str = "DE", **changes: Any) -> Customer:
    """A business customer with a billing address in `country`."""
    from customers.services.customers import create_customer

    number = next(_number)
    values: dict[str, Any] = {
        "name": f"Customer {number}",
        "address": {"lines": ["Street 1"], "postal_code": "10115", "city": "Town", "country": country},
        "email": f"customer{number}@example.com",
    }
    return create_customer(company=company, **(values | changes), by=BY, at=company.clock_at or at_noon(TODAY))


def a_product(company: Company, *, category: str = "standard-electronic", **changes: Any) -> Product:
    """A service; `category` is a code of the company's tax categories."""
    from catalog.models import TaxCategory
    from catalog.services.products import create_product

    number = next(_number)
    values: dict[str, Any] = {
        "code": f"service-{number}",
        "name": {company.language: f"Service {number}"},
        "tax_category": TaxCategory.objects.get(company=company, code=category),
    }
    return create_product(company=company, **(values | changes), by=BY, at=company.clock_at or at_noon(TODAY))


def a_plan(
    company: Company,
    *,
    amount: str = "10.00",
    currency: str = "EUR",
    product: Product | None = None,
    price: dict[str, Any] | None = None,
    rules: dict[str, Any] | None = None,
    **changes: Any,
) -> Plan:
    """A plan on sale with one product at `amount` per unit and cycle; `price` and `rules` change the rest."""
    from catalog.services.plans import PlanItemSpec, PriceSpec, create_plan

    number = next(_number)
    given: dict[str, Any] = {"valid_from": date(2015, 1, 1), **(price or {})}
    spec = PriceSpec(currency=currency, unit_amount=Decimal(amount), **given)
    values: dict[str, Any] = {
        "code": f"plan-{number}",
        "name": {company.language: f"Plan {number}"},
        "items": [PlanItemSpec(product=product or a_product(company), prices=[spec])],
        "status": "on_sale",
        "rules": rules or {},
    }
    return create_plan(company=company, **(values | changes), by=BY, at=company.clock_at or at_noon(TODAY))


def a_subscription(
    company: Company, customer: Customer | None = None, plan: Plan | None = None, *, on: date = TODAY, **changes: Any
) -> Subscription:
    """Agreed, not billed: started on `on` from a plan. See `subscriptions.services.starting.agree`."""
    from subscriptions.services.starting import agree

    values: dict[str, Any] = {"start_on": on}
    if plan is None and "items" not in changes:
        plan = a_plan(company)
    return agree(
        company=company,
        customer=customer or a_customer(company),
        plan=plan,
        on=on,
        **(values | changes),
        by=BY,
        at=at_noon(on),
    )
