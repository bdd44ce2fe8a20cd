"""Given for the calendar of mails: a consumer in each of four countries, who live a year day by day.

Consumers pay 120.00 a year, tax included, from 1 March 2026 on; cards expire on 30 November 2026. The ticks are the
product's own: what moves by itself, what is billed, what the law wants said, who is reminded.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.crm.reminding import START, YEARLY
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

END = date(2027, 3, 1)
#: In Germany the contract goes on open-ended after its first year, as the law there wants it.
RULES: dict[str, dict[str, Any]] = {
    "DE": {"renewal_rule": "evergreen", "notice_to": "any_day"}, "FR": {}, "IT": {}, "ES": {},
}  # fmt: skip


def a_year(countries: tuple[str, ...] = tuple(RULES)) -> dict[str, Any]:
    """The subscription of each country's consumer, after a year in one company."""
    company = a_company(today=START, language="de", country="DE", name="Nordlicht")
    held = {country: a_consumer(company, country, **RULES[country]) for country in countries}
    live(company)
    return held


def a_consumer(company: Any, country: str, **rules: Any) -> Any:
    from billing.models import Gateway, PaymentMethod

    rules = YEARLY | rules
    plan = a_plan(company, amount="120.00", price={"tax_behavior": "inclusive"}, rules=rules, name={"de": "Tageblatt"})
    customer = a_customer(company, kind="person", country=country, language=country.lower(), name="Ada")
    subscription = a_subscription(company, customer, plan, on=START)
    gateway, _ = Gateway.objects.get_or_create(
        company=company, kind="stripe", defaults={"name": "Stripe", "created_at": at_noon(START)}
    )
    PaymentMethod.objects.create(
        company=company, customer=customer, gateway=gateway, kind="card", status="active", is_default=True,
        label="Visa •••• 4242", expires_on=date(2026, 11, 30), created_at=at_noon(START),
    )  # fmt: skip
    return subscription


def live(company: Any) -> None:
    """A year, day by day: what moves by itself, what is billed, what the law wants said, who is reminded."""
    from billing.services import acts
    from core.services import outbox
    from crm.services import reminding, renewal_law
    from subscriptions.models import Subscription
    from tests.billing.test_settling import bill

    day = START
    while day <= END:
        at = set_clock(company, day)
        if Subscription.objects.filter(company=company, next_move_on__lte=day).exists():
            acts.move_due(company=company, at=at, by=BY)
        if Subscription.objects.filter(company=company, next_bill_on__lte=day).exists():
            bill(company, day)
            while outbox.relay(worker="test").done:
                pass
        renewal_law.keep_law(company=company, at=at)
        reminding.reminders_tick(company, at)
        day += timedelta(days=1)


def mails_of(subscription: Any) -> list[Any]:
    """Every mail to the customer, oldest first."""
    from customers.models import Message

    return list(Message.objects.filter(customer=subscription.customer).order_by("created_at", "pk"))
