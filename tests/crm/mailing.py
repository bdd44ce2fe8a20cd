"""Given for mailings: subscribers who allowed advertising, a segment of all, a mailing with an offer or a code."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.crm.reminding import START, a_house, a_subscriber, an_offer, consent
from tests.factories import BY, a_plan, at_noon, set_clock

NOW = at_noon(START)
EVERYBODY: dict[str, Any] = {"match": "all", "conditions": [], "groups": []}


def only(*conditions: dict[str, Any], match: str = "all") -> dict[str, Any]:
    """Rules of these conditions alone."""
    return {"match": match, "conditions": list(conditions), "groups": []}


def a_segment(company: Any, rules: dict[str, Any] | None = None, name: str = "Everybody") -> Any:
    from crm.services import segments

    return segments.save(company=company, name=name, rules=rules or EVERYBODY, by=BY, at=NOW)


def a_campaign(company: Any, code: str = "spring") -> Any:
    from catalog.services.discounts import create_campaign

    return create_campaign(company=company, code=code, name=code.title(), by=BY, at=NOW)


def a_mailing(company: Any, *, offer: Any = None, **changes: Any) -> Any:
    """A draft to everybody, in English; its text names the offer and the link."""
    from crm.services import mailings

    given: dict[str, Any] = {
        "name": "Stay", "subject": {"en": "An offer for {customer}"},
        "body": {"en": "Hello {customer},\n\n{offer} until {offer_until}:\n{link}\n\n{signature}"},
    }  # fmt: skip
    given |= changes
    given.setdefault("campaign", None)
    given["campaign"] = given["campaign"] or a_campaign(company)
    given["segment"] = changes.get("segment") or a_segment(company)
    return mailings.save(company=company, offer=offer, **given, by=BY, at=NOW)


def subscribers(company: Any, count: int) -> list[Any]:
    """Subscriptions of customers who allowed advertising, all of one plan."""
    plan = a_plan(company, amount="10.00")
    found = []
    for _ in range(count):
        subscription = a_subscriber(company, plan=plan)
        consent(subscription.customer)
        found.append(subscription)
    return found


def start(mailing: Any, at: datetime = NOW) -> Any:
    """Schedules it for now."""
    from crm.services import mailings

    return mailings.schedule(mailing=mailing, by=BY, at=at)


def tick(company: Any, at: datetime = NOW) -> dict[str, Any]:
    """What the mailings of that instant came to."""
    from crm.services import mailing_sending

    return mailing_sending.mailings_tick(company, at)


def later(**shift: int) -> datetime:
    return NOW + timedelta(**shift)


__all__ = [
    "BY", "EVERYBODY", "NOW", "START", "Decimal", "a_campaign", "a_house", "a_mailing", "a_segment", "a_subscriber",
    "an_offer", "at_noon", "consent", "date", "later", "only", "set_clock", "start", "subscribers", "tick",
]  # fmt: skip
