"""Twenty people pay one invoice in the same instant: real threads, real connections, relays beside, one charge.

Counted is what the stand-in provider took for the invoice, not what we know of it.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from ops import processes
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.crowd import a_wallet, at_once, at_provider, charges, in_books, relays
from tests.money.providers import a_card, a_gateway, billed

pytestmark = pytest.mark.django_db(transaction=True)
AT = at_noon(TODAY)
ALL = 20


@pytest.fixture
def shop(providers):
    company = a_company()
    customer = a_customer(company)
    stripe, paypal = a_gateway(company, providers), a_gateway(company, providers, "paypal")
    found = SimpleNamespace(company=company, customer=customer, stripe=stripe, paypal=paypal, providers=providers)
    found.card, found.wallet = a_card(customer, stripe), a_wallet(customer, paypal, providers)
    found.invoice = billed(company, customer)
    found.since = max((row["seq"] for row in providers.control("ledger?limit=10000")["rows"]), default=0)
    return found


def pay(shop, method):
    """As a customer or colleague does who reads the page anew."""
    from billing.models import Gateway, Invoice, PaymentMethod
    from billing.services import collecting

    return collecting.pay_now(
        invoice=Invoice.objects.select_related("company", "customer").get(pk=shop.invoice.pk),
        gateway=Gateway.objects.select_related("company").get(pk=method.gateway_id),
        method=PaymentMethod.objects.get(pk=method.pk), by=BY, at=AT,
    ).pk  # fmt: skip


def settle(shop):
    """Time passes until nothing is to be looked up any more."""
    from datetime import timedelta

    from billing.services import sending
    from core.services import outbox

    for minutes in (2, 10, 30, 120, 600):
        outbox.relay(worker="afterwards")
        sending.look_tick(shop.company, AT + timedelta(minutes=minutes))


def end(shop):
    from billing.models import Attempt, InvoiceBalance, Payment

    balance = InvoiceBalance.objects.get(invoice=shop.invoice)
    live = Attempt.objects.filter(invoice=shop.invoice, state__in=Attempt.LIVE).count()
    payments = list(Payment.objects.filter(customer=shop.customer).order_by("method").values_list("method", flat=True))
    return SimpleNamespace(status=balance.status, live=live, payments=payments, paid=balance.paid_minor)


def test_twenty_pay_now_with_one_card_are_one_charge(shop):
    from billing.models import Attempt

    with relays():
        found = at_once(*[lambda: pay(shop, shop.card)] * ALL)
    settle(shop)
    assert charges(shop.providers)[shop.invoice.ref] == 1
    known = [one for one in found if isinstance(one, int)]
    assert Attempt.objects.filter(invoice=shop.invoice).count() == 1
    assert len(set(known)) == 1
    assert set(found) - set(known) <= {"attempt.nothing_due"}
    assert (end(shop).status, end(shop).live, end(shop).payments) == ("paid", 0, ["card"])


def test_twenty_with_a_card_and_a_wallet_are_one_charge(shop):
    from billing.models import Attempt

    with relays():
        at_once(*[lambda: pay(shop, shop.card), lambda: pay(shop, shop.wallet)] * (ALL // 2))
    settle(shop)
    assert charges(shop.providers)[shop.invoice.ref] == 1
    assert Attempt.objects.filter(invoice=shop.invoice, state="settled").count() == 1
    assert (end(shop).status, end(shop).live, len(end(shop).payments)) == ("paid", 0, 1)
    assert in_books(shop.company) == at_provider(shop.providers, shop.since)


def test_twenty_while_answers_are_late_lost_or_refused_for_now_are_one_charge(shop, monkeypatch):
    from billing.gateways import paypal, stripe

    stripe._wire.cache_clear()  # open connections keep the patience they began with
    monkeypatch.setattr(stripe, "TIMEOUT", (1.0, 0.4))
    monkeypatch.setattr(paypal, "TIMEOUT", (1.0, 0.4))
    takes = {"provider": "stripe", "operation": "payment_intents.create", "quota": 1}, {
        "provider": "paypal", "operation": "orders.create", "quota": 1}  # fmt: skip
    for kind in ("slow", "hang_after", "rate_limited", "error_500_after"):
        shop.invoice = billed(shop.company, shop.customer)
        shop.providers.faults(*[{"kind": kind, "seconds": 0.8, **rule} for rule in takes])
        with relays():
            at_once(*[lambda: pay(shop, shop.card), lambda: pay(shop, shop.wallet)] * (ALL // 2))
            time.sleep(1)  # what is slow or late is over before time is moved on
            processes.wait_until(lambda: charges(shop.providers)[shop.invoice.ref] == 1, 3)
        assert sum(shop.providers.control("faults")["spent"].values()) >= 1
        settle(shop)
        assert (kind, charges(shop.providers)[shop.invoice.ref], end(shop).status) == (kind, 1, "paid")
    assert in_books(shop.company) == at_provider(shop.providers, shop.since)


def test_pay_page_office_tick_and_relay_at_once_are_one_charge(shop):
    from billing.services import collecting, collecting_many
    from portal import paying

    ref, company = shop.invoice.ref, shop.company

    def office():
        rows = collecting_many.carry_out(company=company, act="retry", refs=[ref], by=BY, at=AT)
        return [row.skipped for row in rows]

    def page():
        from billing.models import Gateway, Invoice

        invoice = Invoice.objects.select_related("company", "customer").get(pk=shop.invoice.pk)
        gateway = Gateway.objects.select_related("company").get(pk=shop.stripe.pk)
        return paying.begin(invoice, gateway, None, by=BY, at=AT).state

    with relays():
        at_once(
            *[office] * 5, *[lambda: pay(shop, shop.card)] * 5, *[page] * 5,
            *[lambda: collecting.collect_tick(company, AT)] * 5,
        )  # fmt: skip
    settle(shop)
    assert charges(shop.providers)[ref] <= 1
    # Whoever opened the provider's page last leaves the invoice open until the page is paid or over.
    assert (end(shop).status, charges(shop.providers)[ref], end(shop).live) in [("paid", 1, 0), ("open", 0, 1)]
    assert in_books(company) == at_provider(shop.providers, shop.since)


def test_a_transfer_that_arrives_at_once_loses_nothing(shop):
    from billing.models import CreditBalance, Payment
    from billing.services import payments

    def transfer():
        payments.record(
            company=shop.company, customer=shop.customer, amount_minor=1190, currency="EUR", method="transfer",
            received_on=TODAY, invoice=shop.invoice, by=BY, at=AT,
        )  # fmt: skip

    for _again in range(3):
        shop.invoice = billed(shop.company, shop.customer)
        before = Payment.objects.filter(customer=shop.customer).count()
        with relays():
            at_once(transfer, *[lambda: pay(shop, shop.card)] * 10, *[lambda: pay(shop, shop.wallet)] * 9)
        settle(shop)
        taken = charges(shop.providers)[shop.invoice.ref]
        assert taken <= 1
        assert Payment.objects.filter(customer=shop.customer).count() - before == 1 + taken
        assert end(shop).live == 0
    assert in_books(shop.company).get("EUR", 0) == at_provider(shop.providers, shop.since).get("EUR", 0)
    # What came above the sum is the customer's credit, or has paid its other invoice.
    received = sum(Payment.objects.filter(customer=shop.customer).values_list("amount_minor", flat=True))
    left = sum(CreditBalance.objects.filter(credit__customer=shop.customer).values_list("left_minor", flat=True))
    assert received == 1190 * Payment.objects.filter(customer=shop.customer).count()
    assert left == received - _used(shop)


def _used(shop):
    from billing.models import Allocation

    rows = Allocation.objects.filter(invoice__customer=shop.customer)
    return sum(rows.values_list("amount_minor", flat=True))
