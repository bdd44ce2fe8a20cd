"""The main job from end to end in a real browser: sell, bill, send, take the money, let the customer leave."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.signing import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TODAY = factories.date(2026, 3, 15)
STAFF, BUYER = "ada@nordlicht.example", "greta@windkraft.example"


@pytest.fixture
def company(transactional_db: None) -> Iterator[object]:
    """A test company with one plan on sale: 100.00 a month, paid in advance, to be left at the end of a period."""
    from core.models import User

    cache.clear()  # Codes may be asked for three times a minute.
    made = factories.a_company(
        today=TODAY, owner=User.objects.create_user(STAFF, name="Ada"), address_lines=["Deichstraße 9"], city="Hamburg",
        postal_code="20459", vat_id="DE136695976", iban="DE02120300000000202051",
    )  # fmt: skip
    factories.a_plan(made, amount="100.00", code="team", name={"en": "Team"})
    yield made


def newest_job() -> None:
    """Does what a worker would: the newest job."""
    from core.models import Job
    from core.services import jobs

    jobs.work(Job.objects.latest("pk").pk)


def relay() -> None:
    from core.services import outbox

    while outbox.relay(worker="test").done:
        pass


def test_from_the_first_customer_to_the_last_day(
    page: Page, browser: Browser, live_server: LiveServer, company
) -> None:  # type: ignore[no-untyped-def]
    sign_in(page, live_server.url, STAFF)
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")

    # A customer, and somebody there who may sign in.
    page.get_by_role("link", name="Customers", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Customers")
    page.wait_for_load_state()
    page.keyboard.press("n")
    page.get_by_label("Name", exact=True).fill("Windkraft Ærø ApS")
    page.get_by_label("E-mail").fill("post@windkraft.example")
    page.get_by_label("Street").fill("Vestergade 12")
    page.get_by_label("Town").fill("Hamburg")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Windkraft Ærø ApS")
    page.get_by_role("link", name="Contacts").click()
    page.get_by_role("link", name="Add a contact").first.click()
    page.get_by_label("Name", exact=True).fill("Greta Holm")
    page.get_by_label("E-mail").fill(BUYER)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Invite to the portal").click()
    expect(page.get_by_text(f"A mail with the way in is on its way to {BUYER}.")).to_be_visible()

    # A subscription: the preview shows the sum, changes while one types, and the button bears it.
    page.get_by_role("link", name="Start a subscription").click()
    page.get_by_role("link", name=re.compile("^Team")).click()
    expect(page.locator("#preview .button__sum")).to_have_text("€119.00")
    page.get_by_label(re.compile(": quantity")).fill("3")
    page.get_by_label(re.compile(": quantity")).blur()
    expect(page.locator("#preview .button__sum")).to_have_text("€357.00")
    page.get_by_role("button", name="Start and bill").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Team")
    expect(page.locator("#upcoming")).to_contain_text("15 Apr 2026")

    # A month later: a dry run, then the run.
    factories.set_clock(company, factories.date(2026, 4, 15))
    page.get_by_role("link", name="Billing runs").click()
    page.get_by_role("link", name="Start a billing run").first.click()
    page.get_by_role("button", name="Dry run").click()
    newest_job()
    expect(page.get_by_text("This was a dry run; nothing was changed.")).to_be_visible()
    page.get_by_role("button", name="Bill now €357.00").click()
    expect(page.get_by_text("The run goes on in the background.")).to_be_visible()
    newest_job()
    page.get_by_role("link", name="Open the run").click()
    expect(page.get_by_text("€357.00")).to_be_visible()

    # The invoice: mailed with its PDF, opened, paid.
    relay()
    mailed = [one for one in mail.outbox if one.attachments]
    assert [one.to for one in mailed] == [["post@windkraft.example"]] * 2
    page.get_by_role("link", name="Invoices", exact=True).click()
    page.get_by_role("link", name="TEST-INV-2026-000002").click()
    expect(page.locator(".paper")).to_contain_text("€357.00")
    page.locator(".page-header .menu > summary").click()
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download the PDF").click()
    assert loading.value.suggested_filename == "TEST-INV-2026-000002.pdf"
    saved = loading.value.path().read_bytes()
    assert saved.startswith(b"%PDF")
    assert mailed[1].attachments[0][1] == saved
    page.get_by_role("link", name="Record a payment").first.click()
    expect(page.locator("#preview .button__sum")).to_have_text("€357.00")
    page.get_by_label("Reference").fill("RF18 5390 0754 7034")
    page.get_by_role("button", name="Record €357.00").click()
    expect(page.get_by_text("The payment is recorded.")).to_be_visible()
    expect(page.locator(".page-header .badge")).to_have_text("Paid")

    # The customer, in the portal: sees it and leaves in two steps, with a receipt.
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    try:
        door = context.new_page()
        sign_in(door, live_server.url, BUYER)
        door.get_by_role("link", name="Cancel contract", exact=True).click()
        door.get_by_role("button", name="Continue").click()
        door.get_by_role("button", name="Cancel now").click()
        expect(door.locator(".paper")).to_contain_text("Last day of service: 14 May 2026")
    finally:
        context.close()

    # Staff see who did it.
    page.get_by_role("link", name="Subscriptions", exact=True).click()
    page.get_by_role("link", name=re.compile("^SUB-")).click()
    expect(page.get_by_text("It is canceled.")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("Greta Holm")
