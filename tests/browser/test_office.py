"""The back office in a real browser: accessible, as wide as the window, by keyboard, and without script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.backoffice.conftest import TODAY, Office
from tests.browser.signing import sign_in
from tests.factories import a_company, a_customer, a_plan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(transactional_db: None) -> Office:
    cache.clear()  # Codes may be asked for three times a minute.
    company = a_company(today=TODAY, address_lines=["Deichstraße 9"], postal_code="20459", city="Hamburg")
    name = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    return Office(company, a_plan(company, amount="100.00"), a_customer(company, name=name))


@pytest.fixture
def ada(page: Page, live_server: LiveServer, office: Office) -> Page:
    sign_in(page, live_server.url, office.user().email)
    return page


def a_planned_change(office: Office, subscription: Any) -> Any:
    from decimal import Decimal

    from billing.services import acts_changing
    from subscriptions.services.change_specs import ItemChange
    from tests.factories import BY

    more = ItemChange(slot=subscription.slots.get(), quantity=Decimal(2))
    return acts_changing.change(
        subscription=subscription, items=[more], timing="period_end", by=BY, at=office.at
    ).change


def pages(office: Office) -> list[str]:
    from billing.models import Invoice
    from customers.services import notes
    from tests.factories import BY

    subscription = office.start()
    invoice = Invoice.objects.get()
    notes.add_note(customer=office.customer, text="Call again", by=BY, at=office.at)
    customer, plan = office.customer.ref, office.plan.ref
    return [
        "/office/",
        "/office/reports/mrr/",
        "/office/search/?q=Donau",
        "/office/keys/",
        "/office/customers/",
        "/office/customers/new/",
        f"/office/customers/{customer}/",
        f"/office/customers/{customer}/?tab=notes",
        f"/office/customers/{customer}/?tab=timeline",
        "/office/products/",
        "/office/plans/",
        f"/office/plans/{plan}/",
        "/office/plans/new/",
        "/office/subscriptions/",
        f"/office/subscriptions/new/?customer={customer}&plan={plan}",
        f"/office/subscriptions/{subscription.ref}/",
        f"/office/subscriptions/{subscription.ref}/cancel/",
        f"/office/subscriptions/{subscription.ref}/change-terms/",
        f"/office/subscriptions/{subscription.ref}/pause/",
        f"/office/changes/{a_planned_change(office, subscription).ref}/undo/",
        "/office/invoices/",
        f"/office/invoices/new/?customer={customer}",
        f"/office/invoices/{invoice.ref}/",
        f"/office/invoices/{invoice.ref}/credit/",
        f"/office/payments/new/?invoice={invoice.ref}",
        "/office/payments/",
        "/office/runs/",
        "/office/runs/parked/",
        "/office/imports/new/",
        "/office/jobs/",
        "/office/settings/",
        "/office/settings/company/",
        "/office/settings/taxes/",
        "/office/settings/people/",
        "/office/settings/keys/",
        "/office/settings/audit/",
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 375)])
def test_axe_finds_nothing(ada: Page, live_server: LiveServer, office: Office, scheme: Any, width: int) -> None:
    ada.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    ada.set_viewport_size({"width": width, "height": 900})
    found = []
    for place in pages(office):
        ada.goto(live_server.url + place)
        for one in Axe().run(ada).response["violations"]:
            found.append((place, one["id"], [node["target"] for node in one["nodes"]][:3]))
    assert found == []


#: What sticks out, for whoever reads the failure.
BEYOND = """[...document.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".table-wrap, .tabs")
).slice(0, 4).map((one) => one.tagName + "." + one.className)"""


def test_no_page_scrolls_sideways(ada: Page, live_server: LiveServer, office: Office) -> None:
    places = pages(office)
    wide = []
    for width in (320, 1024):
        ada.set_viewport_size({"width": width, "height": 900})
        for place in places:
            ada.goto(live_server.url + place)
            if ada.evaluate("document.documentElement.scrollWidth") != width:
                wide.append((place, width, ada.evaluate(BEYOND)))
    assert wide == []


def test_a_list_is_walked_by_keyboard(ada: Page, live_server: LiveServer, office: Office) -> None:
    a_customer(office.company, name="Aa")
    ada.goto(live_server.url + "/office/")
    ada.keyboard.press("g")
    ada.keyboard.press("c")
    expect(ada.get_by_role("heading", level=1)).to_have_text("Customers")
    ada.wait_for_load_state()
    ada.keyboard.press("j")
    ada.keyboard.press("j")
    ada.keyboard.press("Enter")
    expect(ada.get_by_role("heading", level=1)).to_contain_text("Donau")
    ada.wait_for_load_state()
    ada.keyboard.press("e")
    expect(ada.get_by_role("heading", level=1)).to_have_text("Edit customer")


def test_a_customer_is_found_while_one_types(ada: Page, live_server: LiveServer, office: Office) -> None:
    ada.goto(live_server.url + "/office/subscriptions/new/")
    ada.get_by_role("searchbox", name="Customer").press_sequentially("betriebswerk")
    ada.get_by_role("link", name=re.compile("^Donau")).click()
    expect(ada.get_by_role("link", name=re.compile("plan-"))).to_be_visible()


def test_a_cancellation_shows_its_sum_before_and_is_taken_back(
    ada: Page, live_server: LiveServer, office: Office
) -> None:
    subscription = office.start()
    ada.goto(f"{live_server.url}/office/subscriptions/{subscription.ref}/")
    ada.get_by_role("link", name="Cancel the subscription").click()
    expect(ada.locator("#preview")).to_contain_text("14 Apr 2026")
    ada.get_by_label("Today is the last day").check()
    ada.get_by_label("Why it may").fill("Goodwill")
    ada.get_by_label("End before the contract allows").check()
    expect(ada.locator("#preview")).to_contain_text("-€115.16")
    ada.get_by_label("At the end of the paid period").check()
    expect(ada.locator("#preview")).not_to_contain_text("-€115.16")
    ada.get_by_role("button", name="Cancel the subscription").click()
    expect(ada.get_by_text("It is canceled.")).to_be_visible()
    ada.get_by_role("link", name="Take back the cancellation").click()
    ada.get_by_role("button", name="Let it go on").click()
    expect(ada.locator(".page-header .badge")).to_have_text("Active")


@pytest.mark.console_errors_expected  # the browser notes the status 422
def test_a_refused_form_takes_the_focus_to_its_summary(ada: Page, live_server: LiveServer, office: Office) -> None:
    ada.goto(live_server.url + "/office/customers/new/")
    ada.get_by_role("button", name="Save").click()
    expect(ada.locator(".error-summary")).to_be_focused()
    ada.locator(".error-summary a").first.click()
    expect(ada.get_by_label("Name", exact=True)).to_be_focused()


def test_everything_works_without_script(browser: Browser, live_server: LiveServer, office: Office) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    try:
        page = context.new_page()
        sign_in(page, live_server.url, office.user().email)
        page.goto(live_server.url + "/office/subscriptions/new/")
        page.get_by_role("searchbox", name="Customer").fill("Donau")
        page.get_by_role("button", name="Search").last.click()
        page.get_by_role("link", name=re.compile("^Donau")).click()
        page.get_by_role("link", name=re.compile("plan-")).click()
        page.get_by_label(re.compile(": quantity")).fill("2")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview .button__sum")).to_have_text("€238.00")
        page.get_by_role("button", name="Start and bill").click()
        expect(page.get_by_role("link", name="TEST-INV-2026-000001")).to_be_visible()
        page.get_by_role("link", name="Show the next three invoices").click()
        expect(page.get_by_text("15 Apr 2026").first).to_be_visible()
    finally:
        context.close()


def test_a_company_is_switched(ada: Page, live_server: LiveServer, office: Office) -> None:
    from core.models import Membership, Role

    other = a_company(today=TODAY, name="Südlicht")
    Membership.objects.create(company=other, user=office.user(), role=Role.objects.get(company=other, name="Viewer"))
    ada.goto(live_server.url + "/office/")
    ada.locator(".switcher > summary").click()
    ada.get_by_role("button", name=re.compile("Südlicht")).click()
    expect(ada.get_by_text("You now work in Südlicht.")).to_be_visible()
    expect(ada.get_by_role("link", name="Start a subscription")).to_have_count(0)
