"""Collecting, giving back and testing a connection from the office and the API, against the stand-in providers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.backoffice.conftest import Office
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon
from tests.money.providers import a_card, a_gateway, billed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(providers: Any) -> Any:
    company = a_company(today=TODAY)
    customer = a_customer(company)
    gateway = a_gateway(company, providers)
    office = Office(company, a_plan(company), customer)
    return SimpleNamespace(company=company, customer=customer, gateway=gateway, client=office.client())


def test_an_invoice_is_collected_now_once_and_given_back(shop: Any, providers: Any) -> None:
    from billing.models import Attempt, Payment, Refund
    from billing.services import crediting

    method, invoice = a_card(shop.customer, shop.gateway), billed(shop.company, shop.customer)
    before = len(providers.moved())
    for _again in range(2):
        shop.client.post(reverse("backoffice:invoice-collect", args=[invoice.ref]), {"method": str(method.public_id)})
    attempt = Attempt.objects.get(invoice=invoice)
    payment = Payment.objects.get(attempt=attempt)
    assert (attempt.state, payment.amount_minor) == ("settled", 1190)
    assert providers.moved()[before:] == [("charge", 1190)]
    crediting.credit_invoice(invoice=invoice, gross_minor=1190, reason="Goodwill", by=BY, at=at_noon(TODAY))
    address, sent = reverse("backoffice:payment-refund", args=[payment.ref]), {"amount": "11.90", "reason": "Asked"}
    sent["way"] = "gateway"
    token = shop.client.post(address, sent).context["shown"].token
    shop.client.post(address, sent | {"step": "do", "preview_token": token})
    refund = Refund.objects.get()
    assert (refund.status, refund.gateway_id, refund.payment_id) == ("settled", shop.gateway.pk, payment.pk)


def test_the_api_collects_once_under_one_key(shop: Any) -> None:
    from billing.models import Attempt
    from core.services import keys

    a_card(shop.customer, shop.gateway)
    invoice = billed(shop.company, shop.customer)
    text = keys.issue_key(company=shop.company, name="t", scopes=["*"], by=BY, at=at_noon(TODAY))[1]
    headers = {"Authorization": f"Bearer {text}", "Idempotency-Key": "one"}
    answers = [
        Client().post(f"/api/v1/invoices/{invoice.ref}/pay", {}, content_type="application/json", headers=headers)
        for _again in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["state"] == "settled"
    assert answers[0].content == answers[1].content
    assert Attempt.objects.filter(invoice=invoice).count() == 1


def test_a_connection_is_tested_and_a_wrong_key_found(shop: Any, providers: Any) -> None:
    from django.contrib.messages import get_messages

    address = reverse("backoffice:gateway-test", args=[shop.gateway.ref])
    (said,) = get_messages(shop.client.post(address).wsgi_request)
    assert str(said) == "Stripe works."
    shop.gateway.address = "http://127.0.0.1:9"
    shop.gateway.save(update_fields=["address"])
    words = [str(message) for message in get_messages(shop.client.post(address).wsgi_request)]
    assert "doesn't answer as it should" in words[-1]
