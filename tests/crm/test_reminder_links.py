"""Links of reminders where things are no longer as they were: each page says what to do, and looking changes nothing.

The subscriber pays 120.00 a year from 1 March 2026 on; the reminder with its offer went out on 30 January 2027.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from tests.crm.reminding import START, a_house, a_rule, a_subscriber, an_offer, consent, tick
from tests.factories import BY, at_noon, set_clock

pytestmark = pytest.mark.django_db
SENT = date(2027, 1, 30)


def a_reminder(**house: Any) -> Any:
    from crm.models import Reminder
    from tests.billing.test_settling import bill

    company = a_house(**house)
    subscription = a_subscriber(company, name="Ada")
    bill(company, START)
    consent(subscription.customer)
    a_rule(company, category="marketing", offer=an_offer(company))
    tick(company, SENT)
    return Reminder.objects.get(company=company)


@pytest.fixture
def reminder() -> Any:
    return a_reminder()


def link(reminder: Any) -> str:
    from crm.services import offer_links

    return f"/r/{offer_links.token_of(reminder, on=SENT)}/"


def said(answer: Any) -> str:
    return str(answer.content.decode())


def state() -> dict[str, Any]:
    """Every row of the database's tables, but sessions."""
    from django.apps import apps

    return {
        model._meta.label: sorted(map(repr, model._default_manager.values_list()))
        for model in apps.get_models()
        if model._meta.managed and model._meta.app_label != "sessions"
    }


def test_looking_changes_nothing_but_the_note_that_it_was_opened(client: Client, reminder: Any) -> None:
    before = state()
    client.get(link(reminder))
    after = state()
    assert [label for label, rows in after.items() if rows != before[label]] == ["crm.Reminder"]
    reminder.refresh_from_db()
    assert reminder.opened_at == at_noon(SENT)
    assert client.get(link(reminder)).status_code == 200
    assert state() == after


def test_the_click_sent_again_does_nothing_more(client: Client, reminder: Any) -> None:
    token = client.get(link(reminder)).context["preview_token"]
    client.post(link(reminder), {"preview_token": token})
    before = state()
    assert client.post(link(reminder), {"preview_token": token}).status_code == 302
    assert state() == before


def test_a_link_of_one_company_touches_no_other(client: Client, reminder: Any) -> None:
    other = a_reminder(name="Other")
    token = client.get(link(other)).context["preview_token"]
    assert client.post(link(reminder), {"preview_token": token}).status_code == 422
    client.post(link(other), {"preview_token": token})
    assert (reminder.subscription.discounts.count(), other.subscription.discounts.count()) == (0, 1)


def test_a_token_for_another_page_opens_nothing(client: Client, reminder: Any) -> None:
    from billing.services import pay_links

    answer = client.get(f"/r/{pay_links.method_token(reminder.customer)}/")
    assert answer.status_code == 404
    assert "This link is not valid." in said(answer)


def test_after_its_last_day_the_page_says_so_and_a_click_takes_nothing(client: Client, reminder: Any) -> None:
    address = link(reminder)
    set_clock(reminder.company, date(2027, 4, 10))
    for answer in (client.get(address), client.post(address)):
        assert answer.status_code == 410
        assert "This link was good until" in said(answer)
        assert 'href="/portal/"' in said(answer)
    assert reminder.subscription.discounts.count() == 0


def test_an_archived_customer_is_told_whom_to_write_to(client: Client, reminder: Any) -> None:
    reminder.customer.archived_at = at_noon(SENT)
    reminder.customer.save(update_fields=["archived_at"])
    before = state()
    for answer in (client.get(link(reminder)), client.post(link(reminder))):
        assert answer.status_code == 410
        assert "Write to billing@nordlicht.example." in said(answer)
        assert "Ada" not in said(answer)
    assert state() == before


def test_an_archived_offer_is_told_and_not_given(client: Client, reminder: Any) -> None:
    from crm.services import offers

    token = client.get(link(reminder)).context["preview_token"]
    offers.archive(offer=reminder.offer, by=BY, at=at_noon(SENT))
    page = said(client.get(link(reminder)))
    assert "This offer is no longer made." in page
    assert "Renew with this offer" not in page
    assert client.post(link(reminder), {"preview_token": token}).status_code == 422
    assert reminder.subscription.discounts.count() == 0


def test_an_ended_subscription_leads_to_the_others(client: Client, reminder: Any) -> None:
    from billing.services import acts

    acts.cancel(subscription=reminder.subscription, timing="period_end", by=BY, at=at_noon(SENT), on=SENT)
    day = date(2027, 3, 2)
    acts.move_due(company=reminder.company, at=set_clock(reminder.company, day), by=BY)
    page = said(client.get(link(reminder)))
    assert "This subscription is over." in page
    assert 'href="/portal/subscriptions/"' in page
    assert "Renew with this offer" not in page
    assert client.post(link(reminder)).status_code == 422
    assert reminder.subscription.discounts.count() == 0
