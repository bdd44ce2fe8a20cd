"""Which campaign brought a customer: the first word stands, whoever speaks later."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from catalog.models import Campaign
from catalog.services.discounts import create_campaign
from core.models import Company
from core.refusal import Refused
from subscriptions.models import FirstTouch
from subscriptions.services import first_touch
from tests.factories import BY, a_company, a_customer, a_subscription, at_noon
from tests.subscriptions.test_discounts import a_code, a_discount, redeem

pytestmark = pytest.mark.django_db

JAN, FEB = date(2026, 1, 1), date(2026, 2, 1)


def a_campaign(company: Company, code: str = "spring") -> Campaign:
    return create_campaign(company=company, code=code, name=code.title(), by=BY, at=at_noon(JAN))


def kept(customer: Any) -> list[tuple[Any, ...]]:
    rows = FirstTouch.objects.filter(customer=customer)
    return list(rows.values_list("campaign__code", "source", "touched_at"))


def test_the_first_touch_stands_whatever_is_said_later() -> None:
    company = a_company()
    customer, spring, fair = a_customer(company), a_campaign(company), a_campaign(company, "fair")
    first_touch.note(company=company, customer=customer, campaign=spring, source="web form", at=at_noon(JAN))
    first_touch.note(company=company, customer=customer, campaign=fair, source="call", at=at_noon(FEB))
    assert kept(customer) == [("spring", "web form", at_noon(JAN))]


def test_nothing_known_is_not_a_first_touch() -> None:
    company = a_company()
    customer = a_customer(company)
    first_touch.note(company=company, customer=customer, campaign=None, source="", at=at_noon(JAN))
    assert kept(customer) == []


def test_a_subscription_started_with_a_campaigns_code_says_what_brought_a_new_customer() -> None:
    company = a_company()
    customer, other = a_customer(company), a_customer(company)
    spring, fair = a_campaign(company), a_campaign(company, "fair")
    a_code(company, "SPRING", discount=a_discount(company, campaign=spring))
    a_code(company, "PLAIN")
    first_touch.note(company=company, customer=other, campaign=fair, source="fair", at=at_noon(JAN))
    a_subscription(company, customer, offer_code="SPRING")
    a_subscription(company, other, offer_code="SPRING")
    unknown = a_customer(company)
    a_subscription(company, unknown, offer_code="PLAIN")
    assert kept(customer) == [("spring", "offer_code", at_noon(JAN))]
    assert kept(other) == [("fair", "fair", at_noon(JAN))]
    assert kept(unknown) == []


def test_a_code_redeemed_on_a_running_subscription_brought_nobody() -> None:
    company = a_company()
    customer = a_customer(company)
    a_code(company, "SPRING", discount=a_discount(company, campaign=a_campaign(company)))
    redeem(a_subscription(company, customer))
    assert kept(customer) == []


def test_a_campaign_of_another_company_is_not_found() -> None:
    company = a_company()
    customer, theirs = a_customer(company), a_campaign(a_company())
    with pytest.raises(Refused, match="not_found"):
        first_touch.note(company=company, customer=customer, campaign=theirs, source="", at=at_noon(JAN))


def test_what_is_kept_can_not_be_changed() -> None:
    company = a_company()
    customer = a_customer(company)
    first_touch.note(company=company, customer=customer, campaign=None, source="call", at=at_noon(JAN))
    with pytest.raises(DatabaseError, match="only ever appended"), transaction.atomic():
        FirstTouch.objects.filter(customer=customer).update(source="fair")
