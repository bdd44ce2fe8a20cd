"""Customers with a running subscription, an open invoice and an owner who can sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from tests import factories

if TYPE_CHECKING:
    from core.models import Company
    from customers.models import Contact, Customer
    from subscriptions.models import Subscription

START = date(2026, 1, 1)
TODAY = date(2026, 1, 10)


@dataclass
class House:
    """A customer with what belongs to it."""

    company: Company
    customer: Customer
    owner: Contact
    subscription: Subscription

    @property
    def invoice(self) -> Any:
        from billing.models import Invoice

        return Invoice.objects.get(customer=self.customer)

    def contact(self, role: str, email: str) -> Contact:
        return invited(self.customer, role, email)


def invited(customer: Customer, role: str, email: str) -> Contact:
    from customers.services import customers

    at = factories.at_noon(TODAY)
    contact = customers.add_contact(
        customer=customer, name=email.split("@")[0].title(), email=email, role=role, by=factories.BY, at=at
    )
    customers.invite_to_portal(contact=contact, by=factories.BY, at=at)
    contact.refresh_from_db()
    return contact


def a_house(company: Company, email: str, *, amount: str = "31.00", **plan: Any) -> House:
    """Starts on 1 January for 31.00 net a month (36.89 gross in Germany), billed that day; the clock goes on."""
    from billing.services.settling import settle

    factories.set_clock(company, START)
    customer = factories.a_customer(company, email=f"office-{email}")
    subscription = factories.a_subscription(
        company, customer, factories.a_plan(company, amount=amount, **plan), on=START
    )
    settle(company=company, customer_ids=[customer.pk], on=START, at=factories.at_noon(START), by=factories.BY)
    factories.set_clock(company, TODAY)
    subscription.refresh_from_db()
    subscription.company.refresh_from_db()
    return House(company, customer, invited(customer, "owner", email), subscription)
