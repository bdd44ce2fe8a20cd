"""A lead from web form to paid subscription, in browsers: nothing is typed twice, nothing is done but by pages.

The plan costs 100.00 a month and 5.00 for support, which is an option, and 50.00 once. With support and 19 % tax the
first invoice is (100 + 5 + 50) x 1.19 = 184.45, the next (100 + 5) x 1.19 = 124.95.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.signing import sign_in
from tests.browser.walking import Pictures, relay
from tests.factories import BY, at_noon
from tests.money.providers import Providers, a_gateway, running

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
START = date(2026, 3, 2)
STAFF, READER = "ada@nordlicht.example", "greta@windpark.example"


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with running(tmp_path_factory.mktemp("providers")) as found:
        yield found


@pytest.fixture
def company(transactional_db: None, live_server: LiveServer, settings: Any, providers: Providers) -> Any:
    from catalog.services.discounts import create_campaign
    from catalog.services.plans import PlanItemSpec, PriceSpec, create_plan
    from core.models import User

    cache.clear()
    settings.SITE_URL = live_server.url
    made = factories.a_company(
        today=START, owner=User.objects.create_user(STAFF, name="Ada"), address_lines=["Deichstraße 9"], city="Hamburg",
        postal_code="20459", vat_id="DE136695976", payment_terms_days=0,
    )  # fmt: skip

    def item(name: str, amount: str, **more: Any) -> PlanItemSpec:
        price = PriceSpec(currency="EUR", unit_amount=Decimal(amount), valid_from=date(2015, 1, 1))
        return PlanItemSpec(product=factories.a_product(made, code=name.lower(), name={"en": name}), prices=[price],
                            **more)  # fmt: skip

    items = [item("Team", "100.00"), item("Support", "5.00", is_optional=True), item("Setup", "50.00", kind="one_off")]
    common: dict[str, Any] = {"company": made, "by": BY, "at": at_noon(START)}
    create_plan(code="team", name={"en": "Team"}, items=items, status="on_sale", rules={}, **common)
    create_campaign(code="spring", name="Spring", **common)
    a_gateway(made, providers)
    return made


@pytest.fixture
def office(browser: Browser, browser_context_options: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(**browser_context_options)
    yield context.new_page()
    context.close()


def mailed_link(template: str, address: str) -> str:
    """The address in the newest mail of that kind to that person, as the relay has sent it."""
    relay()
    bodies = [str(one.body) for one in mail.outbox if one.to == [address]]
    found = [re.search(rf"https?://\S+{template}\S+", body) for body in bodies]
    links = [one[0] for one in found if one is not None]
    assert links, bodies
    return links[-1]


def open_the_form(office: Page, site: str) -> None:
    sign_in(office, site, STAFF)
    office.goto(f"{site}/office/leads/form/")
    office.get_by_label("Open", exact=True).check()
    office.get_by_role("button", name="Save").click()
    expect(office.get_by_text("The form is saved.")).to_be_visible()


def get_in_touch(page: Page, site: str, slug: str) -> None:
    page.goto(f"{site}/portal/{slug}/contact/?campaign=spring")
    page.get_by_label("Your name").fill("Greta Holm")
    page.get_by_label("Company").fill("Windpark Nord GmbH")
    page.get_by_role("textbox", name="E-mail").fill(READER)
    page.get_by_label("How can we help?").fill("We are 12 people.")
    assert not Axe().run(page).response["violations"]
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")


def convert(office: Page, site: str) -> None:
    """From the board: the lead is moved on without a drag, then made a customer."""
    office.goto(f"{site}/office/leads/")
    assert not Axe().run(office).response["violations"]
    office.get_by_label("Move Windpark Nord GmbH to").select_option(label="Qualified")
    office.get_by_role("button", name="Move", exact=True).click()
    expect(office.get_by_text("Windpark Nord GmbH stands in Qualified.")).to_be_visible()
    office.get_by_role("link", name="Windpark Nord GmbH", exact=True).first.click()
    assert not Axe().run(office).response["violations"]
    office.get_by_role("link", name="Make a customer of it").click()
    office.get_by_label("Street").fill("Hafen 1")
    office.get_by_label("Town").fill("Kiel")
    office.get_by_role("button", name="Save").click()
    expect(office.get_by_text("The lead is a customer now.")).to_be_visible()


def write_and_send(office: Page) -> None:
    office.get_by_role("link", name="Write a quote").click()
    office.get_by_role("button", name="Go on").click()
    expect(office.get_by_label("Recipient")).to_have_value("Windpark Nord GmbH")
    expect(office.get_by_label("Town")).to_have_value("Kiel")
    office.get_by_label("Introduction").fill("Welcome aboard.")
    office.get_by_role("button", name="Save").click()
    expect(office.locator("main")).to_contain_text("€178.50")
    assert not Axe().run(office).response["violations"]
    office.get_by_role("link", name="Send", exact=True).click()
    expect(office.locator("#preview")).to_contain_text(READER)
    office.get_by_role("button", name="Send the quote").click()
    expect(office.get_by_text("The quote is sent.")).to_be_visible()


def accept(page: Page, pictures: Pictures) -> None:
    """Looks at the option by ticking it, signs; the sums are those of the page."""
    expect(page.locator("#sums")).to_contain_text("€178.50")
    assert not Axe().run(page).response["violations"]
    pictures.take(page, "quote")
    page.get_by_label("Support").check()
    page.get_by_role("button", name="Show the sums anew").click()
    expect(page.locator("#sums")).to_contain_text("€184.45")
    expect(page.locator("#sums")).to_contain_text("€124.95")
    page.get_by_label("Your name, as your signature").fill("Greta Holm")
    page.get_by_label("I have read the quote").check()
    page.get_by_role("button", name="Accept with obligation to pay").click()
    expect(page.get_by_text("This quote is accepted. Thank you!")).to_be_visible()


def pay_by_card(page: Page, providers: Providers) -> None:
    page.get_by_role("link", name="Pay the first invoice").click()
    page.get_by_role("button", name="Pay now: Card").click()
    page.wait_for_url(re.compile(re.escape(providers.stripe)))
    page.get_by_label("Card number").fill("4242424242424242")
    page.get_by_label("Expiry (MM / YY)").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name").fill("Greta Holm")
    page.get_by_role("button", name=re.compile("Pay ")).click()
    expect(page.get_by_text("Thank you, your payment has arrived.")).to_be_visible()


def test_a_lead_of_the_web_form_becomes_a_paid_subscription(
    page: Page, office: Page, live_server: LiveServer, company: Any, providers: Providers
) -> None:
    from crm.models import Lead, Quote, Task
    from subscriptions.models import FirstTouch

    site, pictures = live_server.url, Pictures("lead")
    open_the_form(office, site)
    get_in_touch(page, site, company.slug)
    lead = Lead.objects.get(company=company)
    assert (lead.tasks.get().state, lead.campaign.code if lead.campaign else "") == (Task.State.OPEN, "spring")
    convert(office, site)
    pictures.take(office, "lead")
    write_and_send(office)
    pictures.take(office, "sent")
    page.goto(mailed_link("/q/", READER))
    accept(page, pictures)
    pay_by_card(page, providers)
    quote = Quote.objects.get(company=company)
    assert quote.invoice is not None and quote.customer is not None and quote.subscription is not None
    assert (quote.invoice.gross_minor, quote.invoice.balance.status) == (18445, "paid")
    assert sum(quote.subscription.slots.values_list("mrr_minor", flat=True)) == 10500
    assert FirstTouch.objects.get(customer=quote.customer).campaign == lead.campaign
    lead.refresh_from_db()
    assert lead.stage.kind == "won"
    office.reload()
    expect(office.get_by_text("Greta Holm", exact=True).first).to_be_visible()
    pictures.take(office, "accepted")
    office.goto(f"{site}/office/leads/")
    pictures.take(office, "board")


def test_the_page_of_a_quote_works_without_a_script_and_on_a_phone(
    browser: Browser, browser_context_options: dict[str, Any], live_server: LiveServer, company: Any
) -> None:
    from catalog.models import Plan
    from crm.services import leads, quote_links, quote_sending, quotes

    done: dict[str, Any] = {"by": BY, "at": at_noon(START)}
    lead = leads.create(company=company, name="Greta", email=READER, country="DE", **done)
    quote = quotes.create(company=company, plan=Plan.objects.get(company=company), lead=lead, **done)
    quote_sending.send(quote=quote, **done)
    options = {**browser_context_options, "java_script_enabled": False, "viewport": {"width": 375, "height": 800}}
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(quote_links.link_of(quote))
    page.get_by_label("Support").check()
    page.get_by_role("button", name="Show the sums anew").click()
    expect(page.locator("#sums")).to_contain_text("€184.45")
    page.get_by_label("Your name, as your signature").fill("Greta Holm")
    page.get_by_label("I have read the quote").check()
    page.get_by_role("button", name="Accept with obligation to pay").click()
    expect(page.get_by_text("This quote is accepted. Thank you!")).to_be_visible()
    context.close()
    quote.refresh_from_db()
    assert quote.invoice is not None and quote.invoice.gross_minor == 18445


def test_on_a_phone_nothing_of_selling_is_cut_off(page: Page, live_server: LiveServer, company: Any) -> None:
    from catalog.models import Plan
    from crm.services import lead_capture, leads, quote_links, quote_sending, quotes

    done: dict[str, Any] = {"by": BY, "at": at_noon(START)}
    lead_capture.save(company=company, is_active=True, **done)
    lead = leads.create(
        company=company, name="Greta", organization="Windpark Nord Betriebsgesellschaft mbH", email=READER,
        country="DE", value_minor=14900, **done,
    )  # fmt: skip
    quote = quotes.create(company=company, plan=Plan.objects.get(company=company), lead=lead, **done)
    quote_sending.send(quote=quote, **done)
    sign_in(page, live_server.url, STAFF)
    page.set_viewport_size({"width": 375, "height": 800})
    addresses = [
        quote_links.link_of(quote), f"{live_server.url}/portal/{company.slug}/contact/",
        *(f"{live_server.url}/office/{path}" for path in (
            "leads/", "leads/?view=list", f"leads/{lead.ref}/", "leads/stages/", "leads/form/", "leads/new/", "quotes/",
            f"quotes/{quote.ref}/",
        )),
    ]  # fmt: skip
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, address
