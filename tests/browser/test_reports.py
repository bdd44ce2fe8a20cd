"""Reports in a real browser: asked, opened down to their rows, saved, on the wall; accessible and never too wide."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from reporting import registry
from tests.backoffice.conftest import Office
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.browser.walking import Pictures
from tests.factories import BY, a_company, a_customer, a_plan, at_noon, set_clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MONTHS = [date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
REASONS = ["too_expensive", "not_used", "switching"]


@pytest.fixture
def office(transactional_db: None) -> Office:
    """Half a year: two customers more each month, from the third on one who leaves; a payment now and then."""
    from billing.models import Invoice
    from billing.services import acts, payments
    from tests.billing.test_settling import bill

    cache.clear()
    company = a_company(today=MONTHS[0], address_lines=["Deichstraße 9"], postal_code="20459", city="Hamburg")
    plans = [a_plan(company, amount="29.90"), a_plan(company, amount="490.00")]
    living: list[Any] = []
    for number, day in enumerate(MONTHS):
        set_clock(company, day)
        for plan in plans:
            customer = a_customer(company, name=f"Kundin {number}{plan.pk % 7}")
            started = acts.start(
                company=company, customer=customer, plan=plan, start_on=day, on=day, by=BY, at=at_noon(day)
            )
            living.append(started.subscription)
        if number > 1:
            acts.cancel(
                subscription=living.pop(0), timing="period_end", reason=REASONS[number % 3], by=BY, at=at_noon(day)
            )
        bill(company, day)
        for invoice in Invoice.objects.filter(company=company, issued_on=day).order_by("pk")[::2]:
            payments.record(
                company=company, customer=invoice.customer, amount_minor=invoice.balance.open_minor, currency="EUR",
                method="transfer", received_on=day, by=BY, at=at_noon(day),
            )  # fmt: skip
    return Office(company, plans[0], living[0].customer)


@pytest.fixture
def ada(page: Page, live_server: LiveServer, office: Office) -> Page:
    sign_in(page, live_server.url, office.user().email)
    return page


def places() -> list[str]:
    names = [spec.name for spec in registry.every()]
    return ["/office/reports/", "/office/reports/notes/", "/office/customers/at-risk/"] + [
        f"/office/reports/{name}/" for name in names
    ]


def test_a_number_is_asked_for_opened_saved_and_put_on_the_wall(
    ada: Page, live_server: LiveServer, office: Office
) -> None:
    pictures = Pictures("reports")
    ada.goto(live_server.url + "/office/reports/")
    pictures.take(ada, "index")
    ada.get_by_role("link", name=re.compile("^Recurring revenue")).first.click()
    expect(ada.get_by_role("heading", level=1)).to_have_text("Recurring revenue")
    pictures.take(ada, "mrr")
    ada.get_by_label("Divided by").select_option(label="Plan")
    ada.get_by_role("button", name="Show", exact=True).click()
    expect(ada).to_have_url(re.compile("by=plan"))
    figure = ada.locator(".figure", has_text="Recurring revenue").first
    amount = figure.locator(".stat__value").inner_text()
    figure.get_by_role("link").click()
    expect(ada.get_by_text(amount).first).to_be_visible()
    expect(ada.get_by_role("link", name="Kundin").first.or_(ada.locator("tbody tr").first)).to_be_visible()
    ada.go_back()
    ada.get_by_role("link", name="Save the view").click()
    ada.get_by_label("Name", exact=True).fill("Every Monday")
    ada.get_by_label("For everybody who may see reports").check()
    ada.get_by_label("On the wall").check()
    ada.get_by_role("button", name="Save").click()
    expect(ada.get_by_text("The view is saved.")).to_be_visible()
    ada.get_by_role("link", name="Wall").click()
    expect(ada.get_by_role("link", name="Every Monday")).to_be_visible()
    pictures.take(ada, "wall")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 375)])
def test_axe_finds_nothing(ada: Page, live_server: LiveServer, office: Office, scheme: Any, width: int) -> None:
    pictures = Pictures("report")
    ada.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    ada.set_viewport_size({"width": width, "height": 900})
    found = []
    for place in places():
        ada.goto(live_server.url + place)
        pictures.snap(ada, f"{place.strip('/').replace('/', '-')}-{width}")
        for one in Axe().run(ada).response["violations"]:
            found.append((place, one["id"], [node["target"] for node in one["nodes"]][:3]))
    assert found == []


def test_no_report_scrolls_sideways(ada: Page, live_server: LiveServer, office: Office) -> None:
    wide = []
    for width in (320, 1024):
        ada.set_viewport_size({"width": width, "height": 900})
        for place in places():
            ada.goto(live_server.url + place)
            ada.evaluate("document.querySelectorAll('.chart details').forEach(one => { one.open = true })")
            if ada.evaluate("document.documentElement.scrollWidth") != width:
                wide.append((place, width, ada.evaluate(BEYOND)))
    assert wide == []
