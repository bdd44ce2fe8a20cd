"""In a real browser: a failed payment becomes an alert, the alert a task, and the task is worked off."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.money import a_method, a_try, an_account
from tests.browser.signing import sign_in
from tests.browser.test_office import BEYOND
from tests.factories import BY, a_company, a_customer, a_plan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def office(transactional_db: None) -> Office:
    cache.clear()  # Codes may be asked for three times a minute.
    company = a_company(today=TODAY, address_lines=["Deichstraße 9"], postal_code="20459", city="Hamburg")
    return Office(company, a_plan(company, amount="100.00"), a_customer(company, name="Ærø Windkraft"))


def look(office: Office) -> None:
    from core.services import ticks

    ticks.run_tick(name="crm.alerts", company=office.company, at=office.at)


def test_a_failed_payment_becomes_a_task_that_is_worked_off(
    page: Page, live_server: LiveServer, office: Office
) -> None:
    from crm.models import Alert, Task

    invoice = office.invoice()
    a_try(office, invoice, a_method(office, an_account(office)), "failed", reason="insufficient_funds")
    look(office)
    sign_in(page, live_server.url, office.user("accounting").email)
    page.goto(live_server.url + "/office/")
    page.get_by_role("link", name="New alerts").click()
    row = page.get_by_role("row").filter(has_text="Payment failed")
    expect(row).to_contain_text("€119.00 from Ærø Windkraft")
    row.get_by_role("link", name="Task").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Payment failed: Ærø Windkraft")
    page.get_by_label("Remark").fill("Called; pays on Friday.")
    page.get_by_role("button", name="Add the remark").click()
    expect(page.get_by_text("Called; pays on Friday.")).to_be_visible()
    page.get_by_role("button", name="Done", exact=True).click()
    expect(page.get_by_role("button", name="Open again")).to_be_visible()
    page.goto(live_server.url + "/office/alerts/")
    expect(page.get_by_text("Nothing needs attention")).to_be_visible()
    # Noted is not settled: the alert closes when the money is there.
    assert Alert.objects.get(kind="payment_failed").state == "open"
    pay(office, invoice)
    look(office)
    assert Alert.objects.get(kind="payment_failed").state == "resolved"
    assert Task.objects.get().ending == "person"


def pay(office: Office, invoice: Any) -> None:
    from billing.services import payments

    payments.record(
        company=office.company, customer=invoice.customer, amount_minor=invoice.balance.open_minor,
        currency=invoice.currency, method="transfer", received_on=TODAY, invoice=invoice, by=BY, at=office.at,
    )  # fmt: skip


def pages(office: Office) -> list[str]:
    from crm.models import Task
    from crm.services import alert_rules

    a_try(office, office.invoice(), a_method(office, an_account(office)), "failed", reason="insufficient_funds")
    look(office)
    task = Task.objects.filter(company=office.company).latest("pk")
    rule = alert_rules.of_company(office.company)["big_renewal"]
    return [
        "/office/alerts/", "/office/tasks/?view=all", "/office/tasks/new/", f"/office/tasks/{task.ref}/",
        f"/office/tasks/{task.ref}/assign/", "/office/settings/alert-rules/",
        f"/office/settings/alert-rules/{rule.ref}/edit/", "/office/settings/timetable/",
        f"/office/customers/{office.customer.ref}/",
    ]  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_the_pages_are_accessible_and_as_wide_as_the_window(
    page: Page, live_server: LiveServer, office: Office, scheme: Any, width: int
) -> None:
    sign_in(page, live_server.url, office.user().email)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    for place in pages(office):
        page.goto(live_server.url + place)
        found += [f"{place}: {one['id']}" for one in Axe().run(page).response["violations"]]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{place}: {page.evaluate(BEYOND)}")
    assert found == []
