"""A company at work: somebody in every role, a customer with a plan, invoices, a payment. All through the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import BY, a_company, a_customer, a_plan, at_noon

if TYPE_CHECKING:
    from django.test import Client

    from core.models import Company, User

TODAY = date(2026, 3, 15)


@dataclass
class Office:
    """The company, its plan and customer, and ways to act in it."""

    company: Company
    plan: Any
    customer: Any

    @property
    def at(self) -> Any:
        return at_noon(TODAY)

    def user(self, role: str = "admin") -> User:
        """Somebody who works here in that role."""
        from core.models import Membership, Role, User
        from core.rights import ROLES

        user, made = User.objects.get_or_create(email=f"{role}@{self.company.slug}.example", defaults={"name": role})
        if made:
            rights = sorted(ROLES[role][1])
            row = Role.objects.filter(company=self.company, rights=rights).first()
            assert row is not None
            Membership.objects.create(company=self.company, user=user, role=row)
        return user

    def client(self, role: str = "admin") -> Client:
        """A browser in which somebody of that role is signed in."""
        from django.test import Client

        client = Client()
        client.force_login(self.user(role), backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    def start(self, **changes: Any) -> Any:
        """A subscription from the plan, started and billed."""
        from billing.services import acts

        values = {"company": self.company, "customer": self.customer, "plan": self.plan, "start_on": TODAY, "on": TODAY}
        return acts.start(**(values | changes), by=BY, at=self.at).subscription

    def invoice(self, **changes: Any) -> Any:
        """The invoice of a subscription started today."""
        from billing.models import Invoice

        self.start(**changes)
        return Invoice.objects.filter(company=self.company).latest("pk")


@pytest.fixture
def office(db: None) -> Office:
    company = a_company(
        today=TODAY, name="Nordlicht", address_lines=["Deichstraße 9"], postal_code="20459", city="Hamburg"
    )
    return Office(company, a_plan(company, amount="100.00"), a_customer(company, name="Ærø Windkraft"))
