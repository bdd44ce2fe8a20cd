"""An offer in a reminder, clicked in a browser, lands on the next invoice and in the report of its effect.

120.00 a year plus 19 %; the offer takes a fifth off the renewal of 1 March 2027: 96.00, with tax 114.24.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.crm.reminding import RENEWAL, START, a_house, a_rule, a_subscriber, an_offer, consent, tick
from tests.factories import BY, at_noon, set_clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SENT = RENEWAL.replace(month=1, day=30)


@pytest.fixture
def reminder(transactional_db: None) -> Any:
    from crm.models import Reminder
    from tests.billing.test_settling import bill

    cache.clear()
    company = a_house()
    subscription = a_subscriber(company, name="Ada")
    bill(company, START)
    consent(subscription.customer)
    a_rule(company, category="marketing", offer=an_offer(company))
    tick(company, SENT)
    return Reminder.objects.get()


def link_in(body: str) -> str:
    """The path of the reminder's page, as the mail has it."""
    found = re.search(r"https?://[^/\s]+(/r/\S+)", body)
    assert found is not None, body
    return found[1]


def test_the_offer_is_taken_by_one_click(page: Page, live_server: LiveServer, reminder: Any) -> None:
    from billing.models import Invoice
    from billing.services import acts
    from crm.services import reminder_outcomes
    from crm.services.effects import effects
    from tests.billing.test_settling import bill

    page.goto(live_server.url + link_in(reminder.message.body))
    expect(page.get_by_text("20 % off the next year")).to_be_visible()
    expect(page.get_by_text("€114.24")).to_be_visible()
    assert not Axe().run(page).response["violations"]
    page.get_by_role("button", name="Renew with this offer").click()
    expect(page.get_by_text("The offer is yours")).to_be_visible()

    company = reminder.company
    set_clock(company, RENEWAL)
    acts.move_due(company=company, at=at_noon(RENEWAL), by=BY)
    bill(company, RENEWAL)
    assert Invoice.objects.filter(company=company).latest("pk").gross_minor == 11424
    reminder_outcomes.follow_up(company=company, at=at_noon(RENEWAL))
    (effect,) = effects(company, "offer")
    assert (effect.sent, effect.opened, effect.accepted, effect.renewed) == (1, 1, 1, 1)
    assert (effect.cost, effect.kept) == ({"EUR": 2400}, {"EUR": 9600})


def test_on_a_phone_nothing_is_cut_off(page: Page, live_server: LiveServer, reminder: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(live_server.url + link_in(reminder.message.body))
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
