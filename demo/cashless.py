"""Cards, PayPal and direct debits of the test company: saved on the stand-ins' pages as customers do, then collected.

The rule that matters: without stand-ins nobody has a card here and all pay by transfer; no real provider is ever asked.
"""

from __future__ import annotations

import json
import secrets
from datetime import date, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from django.conf import settings
from django.urls import reverse

from billing.models import Attempt, DebitBatch, Gateway, PaymentMethod
from billing.services import debit_files, debit_returns, gateway_accounts, mandates, payment_methods
from core.models import Company
from customers.models import Customer
from customers.services import customers
from demo.company import BY
from demo.scenes import Stage, scene
from subscriptions.models import Subscription

#: Days before the story's end on which customers begin to pay without a transfer.
FROM = 40
#: Days before it on which two come whose payments fail: late enough that what they owe is still asked for.
LATE = 26
#: How many of the usual customers do, most of them by card.
CUSTOMERS = 28
VISA, DECLINES = "4242424242424242", "4000000000000341"
IBANS = ("DE02120300000000202051", "DE89370400440532013000", "DE75512108001245126199", "DE12500105170648489890")
CREDITOR_ID = "DE98ZZZ09999999999"
SECONDS = 20


def is_on() -> bool:
    """Whether stand-ins of both providers run beside."""
    return all(settings.GATEWAY_ADDRESSES.values())


def has_providers(company: Company) -> bool:
    """Whether the company talks to providers when its clock moves."""
    return is_on() and Gateway.objects.filter(company=company, kind=Gateway.Kind.STRIPE, is_active=True).exists()


@scene(FROM)
def customers_pay_by_themselves(stage: Stage) -> None:
    """The gateways open; customers who paid on time give a card, PayPal or a mandate."""
    if not is_on():
        return
    _open(stage.company, stage.at)
    for place, customer in enumerate(_usual(stage.company)[:CUSTOMERS]):
        match place % 5:
            case 0 | 1 | 3:
                _save_card(customer, VISA, stage.at)
            case 2:
                _sign(customer, IBANS[place % len(IBANS)], stage.at)
            case _:
                _save_wallet(customer, stage.at)


@scene(LATE)
def one_card_will_be_declined(stage: Stage) -> None:
    """It can be saved and is then refused, again and again: dunning takes care of it."""
    if is_on():
        customer = stage.enter("card-declined", "Tischlerei Wackel & Bein GbR", metadata={"pays": "card"})
        _save_card(customer, DECLINES, stage.at)
        stage.start("card-declined", "team-yearly", customer, seats=2)


@scene(LATE)
def one_debit_will_come_back(stage: Stage) -> None:
    if is_on():
        customer = stage.enter("debit-returned", "Dachdeckerei Regenreich OHG", metadata={"pays": "debit"})
        _sign(customer, IBANS[0], stage.at)
        stage.start("debit-returned", "team-yearly", customer, seats=3)


@scene(6)
def the_debit_comes_back(stage: Stage) -> None:
    """For want of money, some days after the bank had credited it."""
    if not is_on():
        return
    rows = Attempt.objects.filter(company=stage.company, customer=stage.customer("debit-returned"), state="settled")
    attempt = rows.first()
    if attempt is not None:
        debit_returns.take_return(
            company=stage.company, end_to_end_id=debit_files.end_to_end_id(attempt), code="AM04", on=stage.day,
            fee_minor=300, external_id="DEMO-RETURN-1", by=BY, at=stage.at,
        )  # fmt: skip


def _open(company: Company, at: datetime) -> None:
    given: dict[str, dict[str, Any]] = {
        Gateway.Kind.STRIPE: {
            "secret": "sk_test_hafenlicht",
            "webhook_id": "we_hafenlicht",
            "webhook_secret": f"whsec_{secrets.token_hex(16)}",
        },
        Gateway.Kind.PAYPAL: {"public_key": "hafenlicht", "secret": "hafenlicht", "webhook_id": "WH-HAFENLICHT"},
        Gateway.Kind.SEPA: {"creditor_id": CREDITOR_ID, "iban": company.iban, "bic": company.bic},
        Gateway.Kind.TRANSFER: {},
        Gateway.Kind.CASH: {},
    }
    for kind, fields in given.items():
        if gateway_accounts.of_kind(company, kind) is None:
            gateway_accounts.save(company=company, kind=kind, by=BY, at=at, **fields)


def _usual(company: Company) -> list[Customer]:
    """Customers in euro with a running subscription by the month who pay on time, as they came."""
    running = Subscription.objects.filter(
        company=company, state=Subscription.State.ACTIVE, currency="EUR", plan__code__in=("team", "home")
    )
    rows = Customer.objects.select_related("company").filter(
        company=company, pk__in=running.values("customer_id"), external_id__startswith="CRM-",
        metadata__pays__in=("prompt", "due"), archived_at__isnull=True,
    )  # fmt: skip
    return list(rows.order_by("pk"))


def _pays_by(customer: Customer, what: str, at: datetime) -> None:
    if customer.metadata.get("pays") != what:
        metadata = {**customer.metadata, "pays": what}
        customers.update_customer(customer=customer, changes={"metadata": metadata}, by=BY, at=at)


def _save_card(customer: Customer, number: str, at: datetime) -> None:
    gateway = gateway_accounts.of_kind(customer.company, Gateway.Kind.STRIPE)
    assert gateway is not None
    method, page = payment_methods.begin_set_up(customer=customer, gateway=gateway, by=BY, at=at)
    expiry = f"{customer.pk % 12 + 1:02} / {at.year % 100 + 2}"
    typed = {"email": customer.email, "number": number, "expiry": expiry, "cvc": "123", "name": customer.name}
    _press(page.url, typed)
    _finish(method, at)
    _pays_by(customer, "card", at)


def _save_wallet(customer: Customer, at: datetime) -> None:
    gateway = gateway_accounts.of_kind(customer.company, Gateway.Kind.PAYPAL)
    assert gateway is not None
    method, page = payment_methods.begin_set_up(customer=customer, gateway=gateway, by=BY, at=at)
    asked = parse_qs(urlsplit(page.url).query)
    typed = {"email": customer.email, "kind": "pays", **{name: values[0] for name, values in asked.items()}}
    _press(page.url.partition("?")[0], typed)
    _finish(method, at)
    _pays_by(customer, "paypal", at)


def _finish(method: PaymentMethod, at: datetime) -> None:
    kept = payment_methods.finish_set_up(method=method, by=BY, at=at)
    if kept.status != PaymentMethod.Status.ACTIVE:
        raise RuntimeError(f"the stand-in saved nothing for {method.customer.name}")


def _sign(customer: Customer, iban: str, at: datetime) -> None:
    gateway = gateway_accounts.of_kind(customer.company, Gateway.Kind.SEPA)
    assert gateway is not None
    mandates.sign(
        customer=customer, gateway=gateway, iban=iban, holder=customer.name, signed_by=customer.name,
        proof={"address": "127.0.0.1", "browser": "Demo"}, by=BY, at=at,
    )  # fmt: skip
    _pays_by(customer, "debit", at)


class _StayHere(HTTPRedirectHandler):
    """Where the page leads back to is of no interest: nobody sits there."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _press(url: str, fields: dict[str, str]) -> None:
    """Fills in a page of the stand-in and presses its button."""
    _ask(Request(url, urlencode(fields).encode()))  # noqa: S310  the stand-in's own address


def _ask(request: Request) -> bytes:
    try:
        with build_opener(_StayHere).open(request, timeout=SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except HTTPError as error:
        if error.code in (302, 303):
            return b""
        raise


def bank_day(company: Company, on: date, at: datetime) -> int:
    """What the bank does that day: takes the files that are ready, credits those whose day has come; how many."""
    if not is_on():
        return 0
    count = 0
    for batch in debit_files.batches_of(company, states=[DebitBatch.State.MADE, DebitBatch.State.SENT]):
        if batch.state == DebitBatch.State.MADE:
            batch = debit_files.mark_sent(batch=batch, by=BY, at=at)
        if batch.collection_on <= on:
            count += debit_files.settle_batch(batch=batch, on=batch.collection_on, by=BY, at=at)
    return count


def listen(company: Company) -> None:
    """Has the stand-ins send their messages to this site."""
    if not has_providers(company):
        return
    for gateway in Gateway.objects.filter(company=company, is_active=True, kind__in=settings.GATEWAY_ADDRESSES):
        told = {
            "provider": gateway.kind,
            "id": gateway.webhook_id,
            "url": settings.SITE_URL + reverse("webhooks-in", args=[gateway.ref]),
            "secret": gateway.webhook_secret or gateway.webhook_id,
        }
        address = f"{settings.GATEWAY_ADDRESSES[gateway.kind]}/_control/endpoints"
        _ask(Request(address, json.dumps(told).encode(), {"Content-Type": "application/json"}))  # noqa: S310
