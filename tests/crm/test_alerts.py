"""Alerts: raised once, closed when their cause is gone, told to those who are to hear of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import BY, a_company, a_customer, a_subscription, at_noon, set_clock

if TYPE_CHECKING:
    from core.models import Company, User

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 16)
AT = at_noon(TODAY)


@pytest.fixture
def company() -> Company:
    return a_company(today=TODAY)


def a_member(company: Company, role: str, *, language: str = "") -> User:
    from core.models import Membership, Role, User
    from core.rights import ROLES

    number = User.objects.count()
    user = User.objects.create_user(f"{role}{number}@example.com", name=role.capitalize(), language=language)
    row = Role.objects.get(company=company, rights=sorted(ROLES[role][1]))
    Membership.objects.create(company=company, user=user, role=row)
    return user


def a_parked(company: Company, **changes: Any) -> Any:
    """A subscription that billing gave up on: the simplest cause there is."""
    from subscriptions.models import Subscription

    row = a_subscription(company, a_customer(company, **changes), on=date(2026, 3, 1))
    Subscription.objects.filter(pk=row.pk).update(parked_at=AT, parked_code="x", parked_detail="No price.")
    row.refresh_from_db()
    return row


def mend(subscription: Any) -> None:
    from subscriptions.models import Subscription

    Subscription.objects.filter(pk=subscription.pk).update(parked_at=None, next_bill_on=None)


def look(company: Company, at: Any = AT, **kwargs: Any) -> Any:
    from crm.services import alerting

    looked = alerting.look(company=company, at=at, **kwargs)
    assert looked.failed == []
    return looked


def alerts(company: Company, kind: str = "parked") -> list[Any]:
    from crm.models import Alert

    return list(Alert.objects.filter(company=company, kind=kind).order_by("pk"))


def test_a_cause_raises_one_alert_however_often_it_is_looked_at(company: Company) -> None:
    subscription = a_parked(company)
    assert [look(company).raised for _ in range(3)] == [1, 0, 0]
    (alert,) = alerts(company)
    assert (alert.state, alert.occurrence, alert.subscription_id) == ("open", 1, subscription.pk)
    assert (alert.customer_id, alert.facts) == (subscription.customer_id, {"code": "x", "detail": "No price."})
