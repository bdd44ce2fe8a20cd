"""Money in at the office in a real browser: accessible, and as wide as the window."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.money import a_batch, a_case, a_claim, a_message, a_method, a_statement, a_try, an_account
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.factories import a_company, a_customer, a_plan, at_noon

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


def pages(office: Office) -> list[str]:
    from billing.models import BankLine

    gateway, invoice = an_account(office), office.invoice()
    method = a_method(office, gateway)
    failed = a_try(office, invoice, method, "failed", reason="insufficient_funds")
    unknown = a_try(office, invoice, method)
    office.company.clock_at = at_noon(TODAY + timedelta(days=40))
    office.company.save(update_fields=["clock_at"])
    case = a_case(office, opened_at=office.company.clock_at)
    a_claim(case, invoice)
    statement, batch, message = a_statement(office), a_batch(office, gateway), a_message(gateway)
    return [
        "/office/payments/",
        "/office/payments/?view=received",
        f"/office/attempts/{failed.ref}/",
        f"/office/attempts/{unknown.ref}/",
        f"/office/attempts/{unknown.ref}/close/",
        f"/office/invoices/{invoice.ref}/",
        f"/office/invoices/{invoice.ref}/collect/",
        f"/office/customers/{office.customer.ref}/?tab=payments",
        "/office/recovery/",
        "/office/recovery/?view=list",
        f"/office/recovery/{case.ref}/",
        f"/office/recovery/{case.ref}/promise/",
        "/office/bank/",
        "/office/bank/?view=statements",
        f"/office/bank-statements/{statement.ref}/",
        f"/office/bank-lines/{BankLine.objects.get().ref}/",
        "/office/bank/new/",
        "/office/debit-files/",
        f"/office/debit-files/{batch.ref}/",
        "/office/ledger/",
        "/office/ledger/?view=accounts",
        "/office/settings/gateways/",
        f"/office/settings/gateways/{gateway.ref}/",
        f"/office/settings/gateways/{gateway.ref}/edit/",
        "/office/settings/gateway-messages/",
        f"/office/settings/gateway-messages/{message.pk}/",
        "/office/settings/dunning/",
        f"/office/settings/dunning/{case.policy.ref}/",
        f"/office/settings/dunning/{case.policy.ref}/edit/",
        "/office/settings/interest-rates/",
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


def test_no_page_scrolls_sideways(ada: Page, live_server: LiveServer, office: Office) -> None:
    places, wide = pages(office), []
    for width in (320, 1024):
        ada.set_viewport_size({"width": width, "height": 900})
        for place in places:
            ada.goto(live_server.url + place)
            if ada.evaluate("document.documentElement.scrollWidth") > width:
                wide.append((width, place, ada.evaluate(BEYOND)))
    assert wide == []


def test_a_form_on_its_way_asks_for_no_preview(ada: Page, live_server: LiveServer, office: Office) -> None:
    """Its answer would speak of what has just been done: the invoice is paid, nothing can be recorded."""
    previews = []

    def slowly(route: Route) -> None:
        if "hx-request" in route.request.headers:
            previews.append(route.request.url)
        elif route.request.method == "POST":
            ada.wait_for_timeout(1500)
        route.continue_()

    ada.goto(f"{live_server.url}/office/payments/new/?invoice={office.invoice().ref}")
    ada.route("**/office/payments/new/**", slowly)
    ada.get_by_label("Reference").fill("RF18 5390 0754 7034")
    ada.locator("#preview [name=step][value=do]").click()
    expect(ada.get_by_text("The payment is recorded.")).to_be_visible()
    assert previews == []
