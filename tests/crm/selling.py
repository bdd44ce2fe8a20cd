"""Leads and what they need, for tests: a company that sells, its staff, a campaign."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any

from catalog.models import Campaign
from catalog.services.discounts import create_campaign
from core.models import Company, Role, User
from core.services.people import add_member
from crm.models import Lead
from crm.services import leads
from tests.factories import BY, TODAY, at_noon

_number = count(1)


def a_seller(company: Company) -> User:
    """Somebody of the company who sells."""
    role = Role.objects.filter(company=company).order_by("pk")[0]
    email = f"seller{next(_number)}@nordlicht.example"
    return add_member(company=company, email=email, name="Sam", role=role, by=BY, at=at_noon(TODAY)).user


def a_lead(company: Company, *, on: date = TODAY, **values: Any) -> Lead:
    given: dict[str, Any] = {"name": "Ada Wind", "organization": "Windkraft Nord GmbH"} if not values else {}
    if "name" not in values and "organization" not in values:
        given = {"name": "Ada Wind", "organization": "Windkraft Nord GmbH"}
    return leads.create(company=company, **(given | values), by=BY, at=at_noon(on))


def a_campaign(company: Company, code: str = "spring") -> Campaign:
    return create_campaign(company=company, code=code, name=code.title(), by=BY, at=at_noon(TODAY))
