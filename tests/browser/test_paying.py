"""Paying in a real browser: by card, PayPal and mandate; a renewal, a failed payment and the way out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.signing import sign_in
from tests.factories import BY, at_noon
from tests.money.providers import Providers, a_gateway, running
from tests.portal.houses import START, TODAY, House, a_house

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EMAIL = "ada@example.com"


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with running(tmp_path_factory.mktemp("providers")) as found:
        yield found


@pytest.fixture
def house(transactional_db: None, live_server: LiveServer, settings: Any) -> House:
    cache.clear()
    settings.SITE_URL = live_server.url
    company = factories.a_company(today=START, iban="DE02120300000000202051", accent="#ffd400")
    return a_house(company, EMAIL)


@pytest.fixture
def stripe(house: House, providers: Providers) -> Any:
    return a_gateway(house.company, providers)


def pay_link(house: House) -> str:
    from billing.services import pay_links

    return pay_links.paying_link(house.invoice)


def type_card(page: Page, number: str, button: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry (MM / YY)").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_role("button", name=re.compile(button)).click()


def hear_the_provider(gateway: Any) -> None:
    """What the provider's messages would have said: fetched, then applied."""
    from billing.models import GatewayEvent
    from billing.services import incoming

    incoming.fetch_missed(gateway=gateway, at=at_noon(TODAY))
    for event in GatewayEvent.objects.filter(gateway=gateway).order_by("pk"):
        incoming.apply(event=event, at=at_noon(TODAY))


def advance(house: House, days: int) -> None:
    from core.services import ticks

    house.company.refresh_from_db()
    ticks.advance(company=house.company, to=house.company.clock_at + timedelta(days=days))


def picture(page: Page, name: str) -> None:
    """Where TURNUS_PICTURES names a folder: the page in German, wide and narrow, by day and by night."""
    folder = os.environ.get("TURNUS_PICTURES")
    if not folder:
        return
    page.context.add_cookies([{"name": "language", "value": "de", "url": page.url}])
    for width in (1440, 375):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.reload()
            page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
    page.context.add_cookies([{"name": "language", "value": "en", "url": page.url}])
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.reload()


def test_the_first_invoice_is_paid_by_card_and_the_renewal_collects_itself(
    page: Page, live_server: LiveServer, house: House, stripe: Any, providers: Providers
) -> None:
    from billing.models import Invoice, PaymentMethod

    sign_in(page, live_server.url, EMAIL)
    picture(page, "home")
    page.get_by_role("link", name="Pay now").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Invoice {house.invoice.number}")
    picture(page, "pay")
    page.get_by_role("button", name="Pay now: Card").click()
    page.wait_for_url(re.compile(re.escape(providers.stripe)))
    type_card(page, "4242424242424242", "Pay ")
    expect(page.get_by_text("Thank you, your payment has arrived.")).to_be_visible()
    picture(page, "paid")
    hear_the_provider(stripe)
    method = PaymentMethod.objects.get(customer=house.customer)
    assert (method.status, method.is_default) == ("active", True)
    first = house.invoice
    advance(house, 31)
    second = Invoice.objects.filter(customer=house.customer).exclude(pk=first.pk).get()
    assert second.balance.status == "paid"
    assert len(providers.moved(invoice=first.ref)) == len(providers.moved(invoice=second.ref)) == 1
    page.goto(f"{live_server.url}/portal/methods/")
    expect(page.get_by_text(method.label)).to_be_visible()
    page.get_by_role("link", name=f"Remove: {method.label}").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text(f"{method.label} is removed.")).to_be_visible()


def test_a_failed_payment_is_mailed_and_paid_by_the_link_in_the_mail(
    page: Page, live_server: LiveServer, house: House, stripe: Any, providers: Providers
) -> None:
    from customers.models import Message

    sign_in(page, live_server.url, EMAIL)
    page.goto(f"{live_server.url}/portal/methods/")
    page.get_by_role("button", name="Card").click()
    page.wait_for_url(re.compile(re.escape(providers.stripe)))
    type_card(page, "4000000000000341", "Save")
    expect(page.get_by_text("is saved.")).to_be_visible()
    picture(page, "methods")
    advance(house, 20)
    page.goto(f"{live_server.url}/portal/")
    expect(page.get_by_text("could not be collected")).to_be_visible()
    picture(page, "home-failed")
    page.context.clear_cookies()
    mails = Message.objects.filter(customer=house.customer, body__contains="/pay/").order_by("pk")
    found = re.findall(r"https?://\S+/pay/\S+", "\n".join(mail.body for mail in mails))
    assert found, list(Message.objects.values_list("template", flat=True))
    page.goto(found[-1])
    page.get_by_role("button", name="Pay now: Card").click()
    page.wait_for_url(re.compile(re.escape(providers.stripe)))
    type_card(page, "4242424242424242", "Pay ")
    expect(page.get_by_text("Thank you, your payment has arrived.")).to_be_visible()
    assert len(providers.moved(invoice=house.invoice.ref)) == 1


def test_paypal_is_approved_on_its_page(
    page: Page, live_server: LiveServer, house: House, providers: Providers
) -> None:
    a_gateway(house.company, providers, "paypal")
    page.goto(pay_link(house))
    page.get_by_role("button", name="Pay now: PayPal").click()
    page.wait_for_url(re.compile(re.escape(providers.paypal)))
    page.locator("#cancel").click()
    expect(page.get_by_text("You left the payment page.")).to_be_visible()
    picture(page, "left")
    page.get_by_role("link", name="Go on").click()
    page.wait_for_url(re.compile(re.escape(providers.paypal)))
    page.get_by_label("E-mail").fill("payer@example.org")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_text("Thank you, your payment has arrived.")).to_be_visible()
    assert providers.moved(provider="paypal") == [("charge", house.invoice.gross_minor)]


def test_a_mandate_is_signed_and_the_debit_announced(
    page: Page, live_server: LiveServer, house: House, providers: Providers
) -> None:
    from billing.services import gateway_accounts

    gateway_accounts.save(
        company=house.company, kind="sepa", creditor_id="DE98ZZZ09999999999", iban=house.company.iban, by=BY,
        at=at_noon(TODAY),
    )  # fmt: skip
    page.goto(pay_link(house))
    page.get_by_role("link", name="Sign and pay").click()
    picture(page, "mandate")
    page.get_by_label("IBAN").fill("DE89 3704 0044 0532 0130 00")
    page.get_by_label("Account holder").fill("Ada Lovelace")
    page.get_by_label("Signature").fill("Ada Lovelace")
    page.get_by_label("I have read the mandate above and grant it.").check()
    page.get_by_role("button", name="Sign").click()
    expect(page.get_by_text("Thank you. The direct debit is planned.")).to_be_visible()
    picture(page, "debit-planned")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    page: Page, live_server: LiveServer, house: House, stripe: Any, scheme: Any
) -> None:
    from billing.services import gateway_accounts, pay_links
    from tests.money.providers import a_card

    gateway_accounts.save(
        company=house.company, kind="sepa", creditor_id="DE98ZZZ09999999999", iban=house.company.iban, by=BY,
        at=at_noon(TODAY),
    )  # fmt: skip
    card = a_card(house.customer, stripe)
    a_card(house.customer, stripe, "pm_card_mastercard")
    link = pay_links.method_link(house.customer)
    sign_in(page, live_server.url, EMAIL)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    site = live_server.url
    places = [
        f"{site}/portal/", f"{site}/portal/methods/", f"{site}/portal/methods/{card.ref}/remove/",
        f"{site}/portal/methods/mandate/", pay_link(house), f"{pay_link(house)}mandate/", link, f"{link}back/",
    ]  # fmt: skip
    for width in (1440, 320):
        page.set_viewport_size({"width": width, "height": 900})
        for place in places:
            page.goto(place)
            found = Axe().run(page).response["violations"]
            assert [(place, one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
            assert (place, page.evaluate("document.documentElement.scrollWidth")) == (place, width)
