"""A campaign with an offer, measured in monthly revenue: made in the office, taken out of the mail, read on its page.

Monthly 10.00. The offer takes a fifth off the next period: 2.00 given up. Two units more within that period are worth
16.00 a month: that is gained.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.signing import sign_in
from tests.browser.walking import Pictures, relay
from tests.crm.mailing import NOW, START, a_campaign, subscribers
from tests.crm.reminding import a_house, an_offer, move
from tests.factories import BY, set_clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STAFF = "ada@nordlicht.example"
LOWERED, GROWN = date(2026, 4, 1), date(2026, 4, 10)


@pytest.fixture
def company(transactional_db: None) -> Any:
    """Two subscribers, one of whom never allowed advertising; an offer and a campaign; somebody in the office."""
    from core.models import User
    from customers.models import Customer
    from tests.billing.test_settling import bill

    cache.clear()
    company = a_house(owner=User.objects.create_user(STAFF, name="Ada"))
    first, silent = subscribers(company, 2)
    Customer.objects.filter(pk=first.customer_id).update(name="Greta Holm", email="greta@example.org")
    Customer.objects.filter(pk=silent.customer_id).update(marketing_consent_at=None)
    bill(company, START)
    a_campaign(company)
    an_offer(company)
    return company


def choose(page: Page, name: str, label: str | list[str]) -> None:
    """Chooses something in the builder and waits until it is drawn anew."""
    page.locator("#builder").evaluate("one => { one.dataset.old = '' }")
    page.locator(name).select_option(label=label)
    expect(page.locator("#builder:not([data-old])")).to_be_visible()


def choose_condition(page: Page, place: str, field: str, operator: str, values: list[str]) -> None:
    """Fills one condition of the builder; each choice brings the inputs that fit it."""
    choose(page, f"#{place}-field", field)
    choose(page, f"#{place}-op", operator)
    choose(page, f"#{place}-value", values)


def test_a_campaign_with_an_offer_is_measured_in_mrr(page: Page, live_server: LiveServer, company: Any) -> None:
    from billing.services import acts_changing
    from crm.models import Mailing
    from crm.services import mailing_sending
    from subscriptions.models import Subscription
    from subscriptions.services.change_specs import ItemChange
    from tests.billing.test_settling import bill

    pictures = Pictures("campaign")
    site = live_server.url
    sign_in(page, site, STAFF)

    page.goto(f"{site}/office/segments/new/")
    page.get_by_label("Name", exact=True).fill("Monthly")
    choose_condition(page, "b0-c0", "billing interval", "is", ["monthly"])
    expect(page.locator("#segment-count")).to_contain_text("Billing interval is monthly.")
    expect(page.locator("#segment-count")).to_contain_text("2 customers today.")
    pictures.snap(page, "segment-form")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Greta Holm")).to_be_visible()
    assert not Axe().run(page).response["violations"]
    pictures.take(page, "segment")

    page.get_by_role("link", name="Write to them").click()
    page.get_by_label("Name", exact=True).fill("Stay with us")
    page.get_by_label("Campaign").select_option(label="Spring")
    page.locator("#id_offer").select_option(label="Stay")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Left out: advertising not allowed – 1")).to_be_visible()
    expect(page.get_by_text("20 % off the next year").first).to_be_visible()
    assert not Axe().run(page).response["violations"]
    pictures.take(page, "mailing-draft")
    page.get_by_role("button", name="Send to 1 customer").click()
    expect(page.get_by_text("Stay with us is scheduled.")).to_be_visible()
    assert mailing_sending.mailings_tick(company, NOW)["sent"] == 1
    mail.outbox.clear()
    relay()

    [sent] = [one for one in mail.outbox if one.to == ["greta@example.org"] and "/m/" in str(one.body)]
    found = re.search(r"https?://[^/\s]+(/m/\S+)", str(sent.body))
    assert found is not None
    page.context.clear_cookies()
    page.goto(site + found[1])
    expect(page.get_by_text("20 % off the next year")).to_be_visible()
    assert not Axe().run(page).response["violations"]
    pictures.take(page, "offer")
    page.get_by_role("button", name="Take the offer").click()
    expect(page.get_by_text("The offer is yours")).to_be_visible()

    set_clock(company, LOWERED)
    move(company, LOWERED)
    bill(company, LOWERED)
    at = set_clock(company, GROWN)
    bill(company, GROWN)
    subscription = Subscription.objects.get(customer__name="Greta Holm")
    acts_changing.change(
        subscription=subscription, items=[ItemChange(slot=subscription.slots.get(), quantity=3)], timing="now", by=BY,
        at=at,
    )  # fmt: skip

    sign_in(page, site, STAFF)
    mailing = Mailing.objects.get()
    page.goto(f"{site}/office/mailings/{mailing.ref}/")
    for label, count in (("Sent", "1"), ("Clicked", "1"), ("Offer taken", "1"), ("Left out", "1")):
        stat = page.locator("a.stat", has=page.get_by_text(label, exact=True))
        expect(stat.locator(".stat__value")).to_have_text(count)
    expect(page.locator("dt:has-text('MRR gained') + dd")).to_contain_text("€")
    pictures.take(page, "mailing-results")
    page.locator("a.stat", has=page.get_by_text("Offer taken", exact=True)).click()
    expect(page.locator("main").get_by_role("link", name="Greta Holm")).to_be_visible()

    page.goto(f"{site}/office/campaigns/{mailing.campaign.ref}/")
    row = page.get_by_role("row", name=re.compile("Stay with us"))
    expect(row.locator("[data-label='Sent']")).to_have_text("1")
    expect(row.locator("[data-label='Clicked']")).to_have_text("1")
    expect(row.locator("[data-label='Offer taken']")).to_have_text("1")
    expect(row.locator("[data-label='MRR gained']")).to_contain_text("€16.00")
    expect(row.locator("[data-label='MRR given up']")).to_contain_text("€2.00")
    pictures.take(page, "campaign")
    row.get_by_role("link", name="Stay with us").click()
    page.locator("dt:has-text('MRR gained') + dd").get_by_role("link").click()
    expect(page.get_by_role("row", name=re.compile("expansion"))).to_contain_text("€16.00")


def test_what_is_chosen_before_an_answer_is_there_is_kept(page: Page, live_server: LiveServer, company: Any) -> None:
    sign_in(page, live_server.url, STAFF)
    page.goto(f"{live_server.url}/office/segments/new/")
    choose(page, "#b0-c0-field", "billing interval")
    answers = []

    def slowly(route: Route) -> None:
        answer = route.fetch()
        if not answers:
            page.locator("#b0-c0-value").select_option(label=["monthly"])
        answers.append(answer.status)
        route.fulfill(response=answer)

    page.route("**/office/segments/new/", slowly)
    page.locator("#b0-c0-op").select_option(label="is not")
    expect(page.locator("#segment-count")).to_contain_text("Billing interval is not monthly.")
    assert len(answers) == 2


def test_on_a_phone_nothing_is_cut_off(page: Page, live_server: LiveServer, company: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    sign_in(page, live_server.url, STAFF)
    for path in ("segments/new/", "segments/", "mailings/new/", "mailings/"):
        page.goto(f"{live_server.url}/office/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
