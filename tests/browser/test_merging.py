"""In a real browser: a pair that looks alike is found, looked at, turned round and merged; on a phone and on a desk."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.backoffice.conftest import TODAY, Office
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.browser.walking import Pictures
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(transactional_db: None) -> Office:
    cache.clear()
    company = a_company(today=TODAY)
    return Office(company, a_plan(company), a_customer(company))


def test_two_customers_become_one(page: Page, live_server: LiveServer, office: Office) -> None:
    from customers.services import contacts, notes

    place = {"lines": ["Hafenstr. 3"], "postal_code": "18055", "city": "Rostock", "country": "DE"}
    older = a_customer(office.company, name="Windkraft Nord GmbH", email="ada@windkraft.example", address=place)
    younger = a_customer(
        office.company, name="Windkraft Nord", email="Ada@windkraft.example", phone="+49 381 123456", address=place
    )
    for one in (older, younger):
        contacts.add_contact(customer=one, name="Ada Wind", email="ada@windkraft.example", by=BY, at=office.at)
    notes.add_note(customer=younger, text="Likes quinces", by=BY, at=office.at)
    a_subscription(office.company, older, office.plan, on=TODAY)
    sign_in(page, live_server.url, office.user().email)
    pictures = Pictures("merge")
    page.goto(live_server.url + "/office/customers/")
    page.get_by_role("link", name="May be the same").click()
    expect(page.get_by_text("same e-mail address, similar name at the same place")).to_be_visible()
    pictures.take(page, "pairs")
    page.get_by_role("link", name="Merge", exact=True).click()
    there = page.url
    page.get_by_role("link", name="The other way round").first.click()
    expect(page.get_by_text("still runs or is yet to start").or_(page.get_by_text("still run or are"))).to_be_visible()
    pictures.take(page, "in-the-way")
    page.get_by_role("link", name="The other way round").first.click()
    assert page.url == there
    pictures.take(page, "preview")
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for address in (there, live_server.url + "/office/customers/duplicates/"):
            page.goto(address)
            assert [one["id"] for one in Axe().run(page).response["violations"]] == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(BEYOND)
    page.goto(there)
    page.get_by_label("Number of the customer that goes").fill(younger.number)
    page.get_by_role("button", name="Merge for good").click()
    expect(page.get_by_text(f"{younger.number} is merged into {older.number}.")).to_be_visible()
    expect(page.get_by_text("+49 381 123456")).to_be_visible()
    pictures.take(page, "stays")
    page.get_by_role("link", name="Windkraft Nord", exact=True).click()
    expect(page.get_by_role("link", name="Go on there")).to_be_visible()
    pictures.take(page, "gone")
