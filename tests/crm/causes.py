"""Causes of alerts, people who hear of them, and looking for them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tests.factories import a_customer, a_subscription, at_noon

if TYPE_CHECKING:
    from core.models import Company, User

TODAY = date(2026, 3, 16)
AT = at_noon(TODAY)


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
    """In the order of what they are about: written down they are by the text of their key, 10 before 9."""
    from crm.models import Alert

    return list(Alert.objects.filter(company=company, kind=kind).order_by("subscription_id", "pk"))
