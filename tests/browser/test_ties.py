"""In a real browser: a tie is made, tried, looked at and switched on; its pages on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.backoffice.conftest import TODAY, Office
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.browser.walking import Pictures
from tests.crm.tying import NOW, Marketing, running, subscribed
from tests.factories import a_company, a_customer, a_plan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def there(tmp_path: Path, settings: Any) -> Iterator[Marketing]:
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


@pytest.fixture
def office(transactional_db: None) -> Office:
    cache.clear()
    company = a_company(today=TODAY)
    return Office(company, a_plan(company), a_customer(company))


def test_a_tie_is_made_tried_and_switched_on(
    page: Page, live_server: LiveServer, office: Office, there: Marketing, tmp_path: Path
) -> None:
    from crm.models import Tie
    from crm.services import tying

    subscribed(office.company, 3)
    sign_in(page, live_server.url, office.user().email)
    page.goto(live_server.url + "/office/settings/ties/")
    page.get_by_role("link", name="Brevo").click()
    page.get_by_label("API key").fill("xkeysib-of-the-tests")
    page.get_by_label("List", exact=True).fill("7")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("It works: Nordlicht · Customers.")).to_be_visible()
    page.get_by_role("link", name="What would be sent").click()
    expect(page.get_by_text("new or changed: may get advertising")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("Brevo is kept up by itself.")).to_be_visible()
    assert tying.ties_tick(office.company, NOW)["sent"] == 3
    tie = Tie.objects.get()
    there.control("brevo", "edit", email="reader@example.com", attributes={"FIRSTNAME": "Rita", "LASTNAME": "Reader"})
    assert tying.ties_tick(office.company, NOW)["leads"] == 1
    page.goto(f"{live_server.url}/office/settings/ties/{tie.ref}/")
    expect(page.get_by_role("link", name="Rita Reader")).to_be_visible()
    pictures = Pictures("tie")
    for name, place in (("list", ""), ("detail", f"{tie.ref}/"), ("heard", f"{tie.ref}/changes/"),
                        ("edit", f"{tie.ref}/edit/")):  # fmt: skip
        page.goto(f"{live_server.url}/office/settings/ties/{place}")
        pictures.take(page, name)
    addresses = ["settings/ties/", f"settings/ties/{tie.ref}/", f"settings/ties/{tie.ref}/preview/",
                 "settings/ties/new/?kind=mailchimp"]  # fmt: skip
    found = []
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for place, address in enumerate(addresses):
            page.goto(f"{live_server.url}/office/{address}")
            page.screenshot(path=tmp_path / f"{width}-{place}.png", full_page=True)
            found += [f"{address}: {one['id']}" for one in Axe().run(page).response["violations"]]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"{address} at {width}: {page.evaluate(BEYOND)}")
    assert found == []
