"""Given for reminders and offers: a company with rules of its own alone, a yearly subscriber, the tick of a day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

START = date(2026, 3, 1)
#: The term of a year from START on renews then.
RENEWAL = date(2027, 3, 1)
YEARLY = {
    "interval_unit": "year", "minimum_count": 12, "minimum_unit": "month", "notice_count": 1, "notice_unit": "month",
    "notice_to": "term_end", "renewal_rule": "renew",
}  # fmt: skip


def a_house(**changes: Any) -> Any:
    """A company whose clock stands at START, without the rules that companies begin with."""
    company = a_company(today=START, **changes)
    from crm.models import ReminderRule
    from crm.services import reminder_rules

    reminder_rules.ensure_defaults(company=company, at=at_noon(START))
    ReminderRule.objects.filter(company=company).update(is_active=False)
    return company


def a_subscriber(company: Any, *, plan: Any = None, on: date = START, **customer: Any) -> Any:
    """A customer with a subscription of 120.00 a year that renews."""
    plan = plan or a_plan(company, amount="120.00", rules=YEARLY)
    subscription = a_subscription(company, a_customer(company, **customer), plan, on=on)
    move(company, on)
    return subscription


def a_rule(company: Any, **changes: Any) -> Any:
    """Thirty days before a renewal."""
    from crm.services import reminder_rules

    given: dict[str, Any] = {"name": "Rule", "occasion": "before_renewal", "days": 30, "late_days": 7}
    return reminder_rules.save(company=company, **(given | changes), by=BY, at=at_noon(START))


def an_offer(company: Any, *, percent: str = "20", **changes: Any) -> Any:
    """A fifth off, for one period, in German and English."""
    from catalog.services.discounts import create_discount
    from crm.services import offers

    discount = create_discount(
        company=company, code="stay", name={"en": "Stay"}, percent=Decimal(percent), duration="periods", periods=1,
        by=BY, at=at_noon(START),
    )  # fmt: skip
    given: dict[str, Any] = {
        "name": "Stay", "discount": discount, "words": {"en": "20 % off the next year", "de": "20 % auf das Jahr"},
        "valid_days": 30,
    }  # fmt: skip
    return offers.save(company=company, **(given | changes), by=BY, at=at_noon(START))


def consent(customer: Any) -> None:
    """The customer allows advertising."""
    customer.marketing_consent_at = at_noon(START)
    customer.save(update_fields=["marketing_consent_at"])


def move(company: Any, day: date) -> None:
    """Makes what is due by itself on that day."""
    from billing.services import acts

    acts.move_due(company=company, at=at_noon(day), by=BY)


def tick(company: Any, day: date) -> dict[str, int]:
    """What the reminders of that day came to."""
    from crm.services import reminding

    set_clock(company, day)
    return reminding.remind_due(company=company, at=at_noon(day))


def mails(company: Any) -> list[tuple[str, str]]:
    """Template and subject of everything written, oldest first."""
    from customers.models import Message

    return list(Message.objects.filter(company=company).order_by("pk").values_list("template", "subject"))
