"""In a real browser: an endpoint is made, its secret copied, a test sent and its answer read."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from core.models import WebhookDelivery, WebhookEndpoint
from core.services import webhook_sending
from tests.backoffice.conftest import TODAY, Office
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.core.hooking import a_sink
from tests.factories import a_company, a_customer, a_plan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(transactional_db: None, settings: Any) -> Office:
    settings.WEBHOOKS_TO_LOOPBACK = True
    cache.clear()
    company = a_company(today=TODAY)
    return Office(company, a_plan(company), a_customer(company))


def test_an_endpoint_is_made_tested_and_its_answer_read(page: Page, live_server: LiveServer, office: Office) -> None:
    sign_in(page, live_server.url, office.user().email)
    with a_sink() as sink:
        page.goto(live_server.url + "/office/settings/webhooks/")
        page.get_by_role("link", name="New endpoint").click()
        page.get_by_role("textbox", name="Address").fill(f"{sink.url}/status/500")
        page.get_by_label("invoice.*").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Copy the secret now.")).to_be_visible()
        endpoint = WebhookEndpoint.objects.get()
        expect(page.get_by_text(endpoint.secret)).to_be_visible()
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("Not tried yet")).to_be_visible()
        webhook_sending.send_due(worker="browser")
        page.reload()
        expect(page.get_by_text("as asked")).to_be_visible()
        delivery = WebhookDelivery.objects.get()
        assert (delivery.state, delivery.last_status) == ("waiting", 500)
    addresses = [
        "settings/webhooks/", "settings/webhooks/new/", f"settings/webhooks/{endpoint.ref}/",
        f"settings/webhook-deliveries/{delivery.ref}/", "settings/event-types/", "settings/outbox/",
    ]  # fmt: skip
    found = []
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for address in addresses:
            page.goto(f"{live_server.url}/office/{address}")
            found += [f"{address}: {one['id']}" for one in Axe().run(page).response["violations"]]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"{address} {width}: {page.evaluate(BEYOND)}")
    assert found == []
