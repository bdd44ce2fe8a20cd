"""The pay page behind a signed link: what it shows, what a click does, and what nobody finds out."""

from __future__ import annotations

from datetime import timedelta
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from django.core.cache import cache

from tests.factories import BY, TODAY, at_noon
from tests.money.providers import a_card, a_company, a_customer, a_gateway, billed

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    cache.clear()
    return a_company(iban="DE02120300000000202051")


@pytest.fixture
def invoice(company):
    return billed(company, a_customer(company))


def pay_url(invoice, on=TODAY):
    from billing.services import pay_links

    return pay_links.paying_link(invoice, on=on).partition("localhost:8000")[2]


def click(client, invoice, gateway):
    return client.post(pay_url(invoice), {"way": gateway.ref})


class Stay(HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def pay_on(url, **fields):
    """Fills in the provider's page; where it leads back to."""
    typed = {"email": "p@example.com", "number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Ada"}
    try:
        build_opener(Stay).open(Request(url, urlencode(typed | fields).encode()), timeout=20)
    except HTTPError as answer:
        return answer.headers["Location"]
    raise AssertionError("no way back")


def path_of(url):
    return "/" + url.partition("://")[2].partition("/")[2]


def test_it_says_what_is_open_and_how_to_transfer_it(client, invoice):
    shown = client.get(pay_url(invoice))
    page = shown.content.decode()
    assert shown.status_code == 200
    assert invoice.number in page
    assert "€11.90" in page
    assert "DE02 1203 0000 0000 2020 51" in page
    assert "<svg viewBox" in page
    assert shown["Referrer-Policy"] == "same-origin"
    assert "no-store" in shown["Cache-Control"]


def test_a_card_is_paid_with_on_the_providers_page_and_the_way_back_says_so(client, company, invoice, providers):
    from billing.models import Attempt, Payment

    gateway = a_gateway(company, providers)
    answer = click(client, invoice, gateway)
    assert answer.status_code == 302
    on = client.get(answer["Location"]).content.decode()
    attempt = Attempt.objects.get(invoice=invoice)
    assert attempt.state == "requires_action"
    assert attempt.action_url in on.replace("&amp;", "&")
    back = pay_on(attempt.action_url)
    assert "your payment has arrived" in client.get(path_of(back)).content.decode()
    assert Payment.objects.get(attempt=attempt).amount_minor == 1190
    assert providers.moved(invoice=invoice.ref) == [("charge", 1190)]
    assert "This invoice is paid" in client.get(pay_url(invoice)).content.decode()


def test_twenty_clicks_are_one_attempt(client, company, invoice, providers):
    from billing.models import Attempt

    gateway = a_gateway(company, providers)
    places = {click(client, invoice, gateway)["Location"] for _ in range(20)}
    assert len(places) == 1
    assert Attempt.objects.filter(invoice=invoice).count() == 1


def test_leaving_the_page_keeps_the_attempt_and_another_way_takes_its_place(client, company, invoice, providers):
    from billing.models import Attempt
    from billing.services import pay_links

    stripe, paypal = a_gateway(company, providers), a_gateway(company, providers, "paypal")
    click(client, invoice, stripe)
    first = Attempt.objects.get(invoice=invoice)
    left = client.get(f"/pay/back/{pay_links.signed(first)}/left/").content.decode()
    assert "You left the payment page." in left
    first.refresh_from_db()
    assert first.state == "requires_action"
    assert "You began a payment." in client.get(pay_url(invoice)).content.decode()
    click(client, invoice, paypal)
    first.refresh_from_db()
    assert first.state == "canceled"
    second = Attempt.objects.get(invoice=invoice, gateway=paypal)
    assert second.state == "requires_action"
    assert second.action_url.startswith(providers.paypal)


def test_an_old_sum_is_not_asked_for(client, company, invoice, providers):
    """Part of it was transferred while the page was open."""
    from billing.models import Attempt
    from billing.services import payments

    gateway = a_gateway(company, providers)
    click(client, invoice, gateway)
    payments.record(
        company=company, customer=invoice.customer, amount_minor=1000, currency="EUR", method="transfer",
        received_on=TODAY, invoice=invoice, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    click(client, invoice, gateway)
    assert list(Attempt.objects.order_by("pk").values_list("state", "amount_minor")) == [
        ("canceled", 1190),
        ("requires_action", 190),
    ]


@pytest.mark.parametrize("token", ["x", "WyJpbnYiXQ:abc", "a:b:c"])
def test_a_made_up_link_opens_nothing(client, company, token):
    for path in (f"/pay/{token}/", f"/pay/on/{token}/", f"/pay/back/{token}/paid/", f"/pay/methods/{token}/"):
        shown = client.get(path)
        assert (path, shown.status_code) == (path, 404)
        assert "This link is not complete" in shown.content.decode()


def test_an_attempt_is_not_shown_by_its_id_alone(client, company, invoice, providers):
    from billing.models import Attempt

    click(client, invoice, a_gateway(company, providers))
    attempt = Attempt.objects.get(invoice=invoice)
    for what in ("paid", "left"):
        shown = client.get(f"/pay/back/{attempt.ref}/{what}/")
        assert shown.status_code == 404
        assert invoice.number not in shown.content.decode()


def test_an_old_link_says_that_it_is_over(client, invoice):
    old = pay_url(invoice, TODAY - timedelta(days=91))
    shown = client.get(old)
    assert shown.status_code == 410
    assert "Ask for a new one" in shown.content.decode()


def test_guessing_ends_after_a_while(client, company):
    codes = [client.get(f"/pay/guess{number}/").status_code for number in range(62)]
    assert codes[:60] == [404] * 60
    assert codes[60:] == [429, 429]


def test_a_canceled_invoice_asks_for_nothing(client, company, invoice):
    from billing.services import voiding

    voiding.void(invoice=invoice, reason="wrong", by=BY, at=at_noon(TODAY))
    page = client.get(pay_url(invoice)).content.decode()
    assert "This invoice was canceled" in page
    assert "IBAN" not in page


def test_saved_methods_are_shown_only_to_who_signed_in(client, company, invoice, providers):
    card = a_card(invoice.customer, a_gateway(company, providers))
    assert card.label not in client.get(pay_url(invoice)).content.decode()
    assert client.post(pay_url(invoice), {"way": card.ref}).status_code == 422


def test_a_mandate_signed_on_the_pay_page_debits_the_invoice_after_notice(client, company, invoice):
    from billing.models import Attempt, Mandate
    from billing.services import gateway_accounts

    gateway_accounts.save(
        company=company, kind="sepa", creditor_id="DE98ZZZ09999999999", iban=company.iban, by=BY, at=at_noon(TODAY)
    )
    where = pay_url(invoice) + "mandate/"
    assert "authorise" in client.get(where).content.decode()
    wrong = client.post(where, {"scheme": "CORE", "iban": "DE00", "holder": "Ada", "signed_by": "Ada", "agrees": "on"})
    assert wrong.status_code == 422
    given = {"iban": "DE89370400440532013000", "holder": "Ada Lovelace", "signed_by": "Ada Lovelace", "agrees": "on"}
    answer = client.post(where, {"scheme": "CORE", **given}, headers={"user-agent": "Browser 1"})
    mandate = Mandate.objects.get()
    assert mandate.signed_by == "Ada Lovelace"
    assert (mandate.proof["browser"], mandate.proof["address"]) == ("Browser 1", "127.0.0.1")
    attempt = Attempt.objects.get(invoice=invoice)
    assert (attempt.state, attempt.method_id) == ("created", mandate.method_id)
    assert attempt.collect_on is not None
    page = client.get(answer["Location"]).content.decode()
    assert "The direct debit is planned." in page
