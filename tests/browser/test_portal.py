"""The portal in a real browser: sign in by mailed code, see, pay, leave in two steps with a receipt."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.signing import sign_in
from tests.portal.houses import START, House, a_house

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EMAIL = "ada@example.com"


@pytest.fixture
def house(transactional_db: None) -> House:
    cache.clear()  # Codes may be asked for three times a minute.
    company = factories.a_company(today=START, iban="DE02120300000000202051", accent="#ffd400")
    factories.a_plan(company, code="big", amount="62.00", name={"en": "Big"})
    return a_house(company, EMAIL, customer_may_change=True, customer_may_pause=True)


@pytest.fixture
def ada(page: Page, live_server: LiveServer, house: House) -> Page:
    sign_in(page, live_server.url, EMAIL)
    return page


def pages(house: House) -> list[str]:
    from catalog.models import Plan

    subscription, invoice = house.subscription.ref, house.invoice.ref
    big = Plan.objects.get(code="big").ref
    return [
        "/portal/",
        "/portal/subscriptions/",
        f"/portal/subscriptions/{subscription}/",
        f"/portal/subscriptions/{subscription}/cancel/",
        f"/portal/subscriptions/{subscription}/cancel/?when=period_end",
        f"/portal/subscriptions/{subscription}/change/",
        f"/portal/subscriptions/{subscription}/change/?plan={big}",
        f"/portal/subscriptions/{subscription}/seats/",
        f"/portal/subscriptions/{subscription}/pause/",
        "/portal/invoices/",
        f"/portal/invoices/{invoice}/",
        "/portal/credit-notes/",
        "/portal/data/",
        "/portal/data/change/",
        "/portal/colleagues/",
        "/portal/colleagues/invite/",
        f"/portal/{house.company.slug}/cancel/",
    ]


def test_leaving_takes_two_steps_and_gives_a_receipt(ada: Page, house: House) -> None:
    expect(ada.get_by_role("heading", level=1)).to_have_text(house.customer.name)
    ada.get_by_role("link", name="Cancel contract", exact=True).click()
    ada.get_by_text("With the paid period: 31 January 2026").click()
    ada.get_by_role("button", name="Continue").click()
    expect(ada.get_by_text("Saturday, 31 January 2026")).to_be_visible()
    ada.get_by_role("button", name="Cancel now").click()
    paper = ada.locator(".paper")
    expect(paper).to_contain_text("Received: 10 January 2026, 13:00:00 (Europe/Berlin)")
    expect(paper).to_contain_text("Last day of service: 31 January 2026")
    expect(ada.get_by_role("button", name="Print")).to_be_visible()
    ada.get_by_role("link", name="To the subscription").click()
    ada.get_by_role("button", name="Take the cancellation back").click()
    expect(ada.get_by_text("The cancellation is taken back; your subscription goes on.")).to_be_visible()
    house.subscription.refresh_from_db()
    assert house.subscription.ends_on is None


def test_another_plan_shows_its_sum_and_gives_a_receipt(ada: Page, house: House) -> None:
    ada.get_by_role("link", name="Change the plan", exact=True).click()
    ada.get_by_role("link", name="See what it means").click()
    # 22 of 31 days: 44.00 less 22.00, and 19 %.
    ada.get_by_role("button", name="Confirm the change €26.18").click()
    expect(ada.locator(".paper")).to_contain_text("To the plan Big")
    house.subscription.refresh_from_db()
    assert house.subscription.plan is not None
    assert house.subscription.plan.code == "big"


def test_an_open_invoice_is_found_and_its_pdf_opens(ada: Page, house: House) -> None:
    ada.get_by_role("link", name=house.invoice.number, exact=True).click()
    expect(ada.get_by_text("DE02 1203 0000 0000 2020 51")).to_be_visible()
    ada.get_by_text("Why this amount?").click()
    expect(ada.get_by_text("The price is 1 × 31.00 EUR per month.")).to_be_visible()
    with ada.expect_download() as loading:
        ada.get_by_role("link", name="Download", exact=True).click()
    assert loading.value.suggested_filename == f"{house.invoice.number}.pdf"
    assert loading.value.path().read_bytes().startswith(b"%PDF")


def test_the_language_is_switched_and_kept(ada: Page) -> None:
    ada.get_by_role("contentinfo").get_by_role("button", name="Deutsch").click()
    expect(ada.locator("html")).to_have_attribute("lang", "de")
    ada.reload()
    expect(ada.get_by_text("1. Februar 2026")).to_be_visible()


def test_a_declaration_needs_no_sign_in(page: Page, live_server: LiveServer, house: House) -> None:
    page.goto(f"{live_server.url}/portal/{house.company.slug}/cancel/")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_role("textbox", name="Contract").fill(house.subscription.number)
    page.get_by_label("E-mail for the receipt").fill("ada@home.example")
    page.get_by_role("button", name="Cancel now").click()
    expect(page.locator(".paper")).to_contain_text(f"Contract: {house.subscription.number}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    ada: Page, live_server: LiveServer, house: House, scheme: Any
) -> None:
    ada.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for width in (1440, 320):
        ada.set_viewport_size({"width": width, "height": 900})
        for place in pages(house):
            ada.goto(live_server.url + place)
            found = Axe().run(ada).response["violations"]
            assert [(place, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
            assert (place, ada.evaluate("document.documentElement.scrollWidth")) == (place, width)


@pytest.mark.console_errors_expected  # the browser notes the status 422
def test_a_refused_day_takes_the_focus_to_its_summary(ada: Page, live_server: LiveServer, house: House) -> None:
    ada.goto(f"{live_server.url}/portal/subscriptions/{house.subscription.ref}/cancel/?when=date&ends_on=2026-01-15")
    expect(ada.locator(".error-summary")).to_be_focused()
    found = Axe().run(ada).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_everything_works_without_script(browser: Browser, live_server: LiveServer, house: House) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    try:
        page = context.new_page()
        sign_in(page, live_server.url, EMAIL)
        page.goto(f"{live_server.url}/portal/subscriptions/{house.subscription.ref}/")
        page.get_by_role("link", name="Cancel contract", exact=True).click()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Cancel now").click()
        expect(page).to_have_url(re.compile("/portal/receipts/"))
    finally:
        context.close()
