"""Who left is offered to come back: one click begins a subscription of the same plan, with the discount.

120.00 a year plus 19 %, canceled to the end of February 2027; three months later a fifth off: 96.00, with tax 114.24.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from tests.crm.reminding import START, a_house, a_rule, a_subscriber, an_offer, consent, tick
from tests.factories import BY, at_noon, set_clock

pytestmark = pytest.mark.django_db
LAST = date(2027, 2, 28)
SENT = date(2027, 5, 30)


@pytest.fixture
def reminder() -> Any:
    from billing.services import acts
    from crm.models import Reminder
    from tests.billing.test_settling import bill

    company = a_house()
    subscription = a_subscriber(company, name="Ada")
    bill(company, START)
    consent(subscription.customer)
    acts.cancel(subscription=subscription, timing="date", ends_on=LAST, by=BY, at=at_noon(START), on=START)
    acts.move_due(company=company, at=set_clock(company, date(2027, 3, 1)), by=BY)
    a_rule(company, occasion="win_back", days=90, category="marketing", offer=an_offer(company))
    tick(company, SENT)
    return Reminder.objects.get(company=company)


def link(reminder: Any) -> str:
    from crm.services import offer_links

    return f"/r/{offer_links.token_of(reminder, on=SENT)}/"


def new_ones(reminder: Any) -> list[Any]:
    from subscriptions.models import Subscription

    return list(Subscription.objects.filter(company=reminder.company).exclude(pk=reminder.subscription_id))


def take(client: Client, reminder: Any) -> Any:
    token = client.get(link(reminder)).context["preview_token"]
    return client.post(link(reminder), {"preview_token": token})


def test_the_mail_names_the_offer(reminder: Any) -> None:
    assert reminder.message.category == "marketing"
    assert "20 % off the next year" in reminder.message.body


def test_the_mail_names_the_last_day_of_service(reminder: Any) -> None:
    assert "ended on 28 February 2027." in reminder.message.body


def test_looking_shows_what_is_invoiced_and_begins_nothing(client: Client, reminder: Any) -> None:
    page = client.get(link(reminder)).content.decode()
    assert "€114.24" in page
    assert "€142.80" in page
    assert "Order with obligation to pay" in page
    assert new_ones(reminder) == []


def test_one_click_begins_the_same_plan_with_the_discount(client: Client, reminder: Any) -> None:
    from billing.models import Invoice
    from core.models import Event

    assert take(client, reminder).status_code == 302
    [new] = new_ones(reminder)
    assert (new.customer_id, new.plan_id, new.start_on) == (reminder.customer_id, reminder.subscription.plan_id, SENT)
    reminder.refresh_from_db()
    assert reminder.agreed == new.discounts.get()
    invoice = Invoice.objects.filter(company=reminder.company).latest("pk")
    assert (invoice.net_minor, invoice.gross_minor) == (9600, 11424)
    assert Event.objects.get(type="offer.accepted").data["subscription"] == new.ref
    assert "Welcome back" in client.get(link(reminder)).content.decode()


def test_clicking_twice_begins_one(client: Client, reminder: Any) -> None:
    take(client, reminder)
    assert client.post(link(reminder), {"preview_token": "anything"}).status_code == 302
    assert len(new_ones(reminder)) == 1


def test_a_click_on_what_was_not_shown_begins_nothing(client: Client, reminder: Any) -> None:
    assert client.post(link(reminder), {"preview_token": "x"}).status_code == 422
    assert new_ones(reminder) == []


def test_who_came_back_by_themselves_is_told_so(client: Client, reminder: Any) -> None:
    from tests.factories import a_subscription

    a_subscription(reminder.company, reminder.customer, reminder.subscription.plan, on=SENT)
    assert "You have this subscription again already." in client.get(link(reminder)).content.decode()
    assert client.post(link(reminder)).status_code == 422
    assert len(new_ones(reminder)) == 1
