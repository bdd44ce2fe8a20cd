"""The company of the campaign and its customers, by seed: plans by the month and year, trials, ends, cards, transfers.

The rule that matters: everything comes of the seed and the number of a customer, and is written by the verbs.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from core.actors import Actor

BY: Final = Actor.system("faults")
FIRST: Final = date(2025, 1, 1)
AT: Final = datetime(2025, 1, 1, 5, tzinfo=UTC)
PLACES: Final = {
    "DE": ("10115", "Berlin"),
    "FR": ("75001", "Paris"),
    "IT": ("00118", "Roma"),
    "ES": ("28001", "Madrid"),
}
LANGUAGE: Final = {"DE": "de", "FR": "fr", "IT": "it", "ES": "es"}
#: Of so many customers and more, most pay by the year or the quarter, and those come in the course of the year: every
#: day has its work, and none so much that the campaign would be about printing invoices.
MANY: Final = 300
SHARES: Final = (1, 1, 10, 85, 1.5, 1.5)
SPREAD: Final = (2, 3)
#: One in twenty has a card that is refused, four a good one, thirteen send money, two never pay.
PAYS: Final = ("broken", *["card"] * 4, *["transfer"] * 13, *["never"] * 2)


def write(*, seed: int, customers: int) -> dict[str, Any]:
    """Writes the company with so many customers, each with a subscription: a few start within the first month, many
    in the course of the year."""
    from billing.services import gateway_accounts
    from billing.services.companies import open_company
    from core.services import webhook_endpoints
    from crm.services import reminder_rules
    from customers.services.customers import create_customer
    from subscriptions.services.starting import AgreementSpec, agree_many

    dice = random.Random(f"story {seed}")
    company = open_company(
        name="Faults", slug="faults", legal_name="Faults GmbH", country="DE", currency="EUR", language="en",
        time_zone="Europe/Berlin", books_start_on=date(2020, 1, 1), is_live=False, owner=None,
        email="billing@faults.example", mails_start_on=FIRST, by=BY, at=AT,
    )  # fmt: skip
    plans = _plans(company)
    gateway = gateway_accounts.save(
        company=company, kind="stripe", secret="sk_test_faults", webhook_id="we_faults",
        webhook_secret="whsec_of_the_faults", by=BY, at=AT,
    )  # fmt: skip
    webhook_endpoints.create(
        company=company, url=os.environ["TURNUS_FAULTS_HOOKS"], types=["invoice.*", "payment.*", "subscription.*"],
        by=BY, at=AT,
    )  # fmt: skip
    reminder_rules.ensure_defaults(company=company, at=AT)
    specs = []
    for number in range(1, customers + 1):
        country = dice.choice(list(PLACES))
        code, town = PLACES[country]
        pays = dice.choice(PAYS)
        customer = create_customer(
            company=company, name=f"Customer {number:04}", kind="person", language=LANGUAGE[country],
            email=f"c{number:04}@example.com", metadata={"pays": pays},
            address={"lines": [f"Street {number}"], "postal_code": code, "city": town, "country": country},
            by=BY, at=AT,
        )  # fmt: skip
        if pays in ("card", "broken"):
            _card(customer, gateway, "pm_card_visa" if pays == "card" else "pm_card_chargeCustomerFail")
        if customers < MANY:
            start_on, plan = FIRST + timedelta(days=dice.randrange(31)), dice.choice(plans)
        else:
            place = dice.choices(range(len(plans)), SHARES)[0]
            start_on, plan = FIRST + timedelta(days=dice.randrange(330 if place in SPREAD else 31)), plans[place]
        specs.append(AgreementSpec(customer=customer, plan=plan, start_on=start_on))
    made = agree_many(company=company, specs=specs, on=FIRST, by=BY, at=AT)
    for subscription in made:
        if dice.random() < 0.1:
            _ends(subscription, FIRST + timedelta(days=dice.randrange(60, 300)))
    return {"customers": customers, "subscriptions": len(made)}


def _plans(company: Any) -> list[Any]:
    from catalog.models import TaxCategory
    from catalog.services.plans import PlanItemSpec, PriceSpec, create_plan
    from catalog.services.products import create_product

    category = TaxCategory.objects.get(company=company, code="standard-electronic")
    products = [
        create_product(company=company, code=code, name={"en": code}, tax_category=category, by=BY, at=AT)
        for code in ("access", "support")
    ]
    month = {"interval_unit": "month", "interval_count": 1}
    year = {"interval_unit": "year", "interval_count": 1}
    renews = {"minimum_count": 1, "minimum_unit": "month", "renewal_rule": "renew", "renewal_count": 1,
              "renewal_unit": "month"}  # fmt: skip
    wanted: list[tuple[str, str, int, dict[str, Any], dict[str, Any]]] = [
        ("monthly", "19.90", 1, month, {}),
        ("monthly-more", "49.00", 2, month, {}),
        ("quarterly", "99.00", 1, {"interval_unit": "month", "interval_count": 3}, {}),
        ("yearly", "240.00", 2, {**year, **renews, "minimum_unit": "year", "renewal_unit": "year"}, {}),
        ("term", "29.00", 1, {**month, **renews, "minimum_count": 3, "renewal_count": 3}, {}),
        ("trial", "15.00", 1, month, {"trial_days": 14}),
    ]
    made = []
    for code, amount, positions, rules, more in wanted:
        price = PriceSpec(currency="EUR", unit_amount=Decimal(amount), valid_from=date(2020, 1, 1))
        items = [PlanItemSpec(product=product, prices=[price]) for product in products[:positions]]
        made.append(
            create_plan(
                company=company,
                code=code,
                name={"en": code},
                items=items,
                status="on_sale",
                rules=rules,
                **more,
                by=BY,
                at=AT,
            )  # fmt: skip
        )
    return made


def _card(customer: Any, gateway: Any, test_id: str) -> None:
    """A card the customer saved at the provider, as its page would have it."""
    import stripe

    from billing.gateways.stripe_words import method_of
    from billing.services import payment_methods

    client = stripe.StripeClient(gateway.secret, base_addresses={"api": os.environ["TURNUS_TEST_STRIPE_URL"]})
    made = client.v1.customers.create({"name": customer.name, "email": customer.email})
    attached = client.v1.payment_methods.attach(test_id, {"customer": made.id})
    payment_methods.keep(gateway=gateway, customer=customer, found=method_of(attached), by=BY, at=AT)


def _ends(subscription: Any, on: date) -> None:
    from billing.services import acts
    from core.refusal import Refused

    try:
        acts.cancel(subscription=subscription, timing="date", ends_on=on, override=True,
                    override_reason="as the story wants", on=FIRST, by=BY, at=AT)  # fmt: skip
    except Refused as refused:
        print(f"customer {subscription.customer_id} stays: {refused.code}")
