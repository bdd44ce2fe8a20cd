"""Acts on everybody in a segment in a real browser: chosen, filled in, looked at, done; accessible, never too wide."""

from __future__ import annotations

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
from tests.crm.test_bulk_acts import worked
from tests.factories import BY, a_company, a_customer, a_plan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(transactional_db: None) -> Office:
    """Four subscriptions, one of them canceled already, and a segment of all."""
    from billing.services import acts
    from crm.services import segments

    cache.clear()
    company = a_company(today=TODAY, address_lines=["Deichstraße 9"], postal_code="20459", city="Hamburg")
    office = Office(company, a_plan(company, amount="29.90"), a_customer(company, name="Ærø Windkraft"))
    started = [office.start(customer=a_customer(company, name=f"Kundin {number}")) for number in range(4)]
    acts.cancel(subscription=started[0], timing="period_end", by=BY, at=office.at)
    rules = {"match": "all", "conditions": [], "groups": []}
    segments.save(company=company, name="Everybody", rules=rules, by=BY, at=office.at)
    return office


def newest() -> Any:
    from crm.models import BulkAct

    return BulkAct.objects.latest("pk")


def test_everybody_is_canceled_after_a_preview(page: Page, live_server: LiveServer, office: Office) -> None:
    from subscriptions.models import Subscription

    pictures = Pictures("bulk-act")
    sign_in(page, live_server.url, office.user().email)
    page.goto(live_server.url + "/office/segments/")
    page.get_by_role("link", name="Everybody").first.click()
    page.get_by_role("link", name="Act on everybody").click()
    pictures.take(page, "choose")
    page.get_by_role("link", name="Cancel at the period's end").click()
    pictures.take(page, "form")
    page.get_by_label("Reason").select_option("closing")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Nothing has been done yet.")).to_be_visible()
    worked(newest())
    page.reload()
    pictures.take(page, "preview")
    found = []
    for width in (320, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") != width:
            found.append((width, page.evaluate(BEYOND)))
    found += [(one["id"], str(one["nodes"])[:200]) for one in Axe().run(page).response["violations"]]
    assert found == []
    page.get_by_role("button", name="Do it with 3 rows").click()
    worked(newest())
    page.reload()
    expect(page.get_by_text("This is canceled already").first).to_be_visible()
    pictures.take(page, "done")
    assert set(Subscription.objects.values_list("end_kind", flat=True)) == {"cancel"}
    assert Subscription.objects.filter(end_reason="closing").count() == 3
