"""Due invoices are collected with the method on file: once, and nobody's money is lost or taken twice."""

from __future__ import annotations

import pytest

from tests.factories import BY, TODAY, at_noon
from tests.money.providers import a_card, a_company, a_customer, a_gateway, billed

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company()


def collect(company, at=None):
    from billing.services import collecting

    return collecting.collect_tick(company, at or at_noon(TODAY))


def test_an_issued_invoice_is_paid_with_the_card_on_file(company, providers):
    from billing.models import Attempt, InvoiceBalance, Payment

    customer, gateway = a_customer(company), a_gateway(company, providers)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    assert collect(company) == {"attempts": 1, "sent": 1}
    attempt = Attempt.objects.get(invoice=invoice)
    assert (attempt.state, attempt.amount_minor) == ("settled", 1190)
    payment = Payment.objects.get(attempt=attempt)
    assert (payment.amount_minor, payment.method, payment.received_on) == (1190, "card", TODAY)
    assert payment.external_id.startswith("pi_")
    assert InvoiceBalance.objects.get(invoice=invoice).status == "paid"
    assert providers.moved(customer=customer.ref) or providers.moved(invoice=invoice.ref) == [("charge", 1190)]


def test_collecting_again_collects_nothing(company, providers):
    customer, gateway = a_customer(company), a_gateway(company, providers)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    collect(company)
    assert collect(company) == {"attempts": 0, "sent": 0}
    assert providers.moved(invoice=invoice.ref) == [("charge", 1190)]


def test_a_declined_card_leaves_the_invoice_open_with_the_reason(company, providers):
    from billing.models import Attempt, InvoiceBalance

    customer, gateway = a_customer(company), a_gateway(company, providers)
    a_card(customer, gateway, "pm_card_chargeCustomerFail")
    invoice = billed(company, customer)
    collect(company)
    attempt = Attempt.objects.get(invoice=invoice)
    assert (attempt.state, attempt.reason) == ("failed", "generic_decline")
    assert InvoiceBalance.objects.get(invoice=invoice).open_minor == 1190
    assert providers.moved(invoice=invoice.ref) == []


def test_the_fee_is_booked_and_the_rest_waits_at_the_provider(company, providers):
    from billing.models import Payment
    from billing.services import books

    customer, gateway = a_customer(company), a_gateway(company, providers)
    a_card(customer, gateway)
    billed(company, customer)
    collect(company)
    payment = Payment.objects.get(customer=customer)
    assert payment.fee_minor > 0
    found = {code: amount for _, code, amount in books.entries_of("payment", payment.pk)}
    assert found == {"1360": 1190 - payment.fee_minor, "4970": payment.fee_minor, "1400": -1190}


def test_a_time_out_after_the_charge_is_unknown_and_then_settled_once(company, providers, monkeypatch):
    from billing.gateways import stripe as gateway_file
    from billing.models import Attempt
    from billing.services import sending

    monkeypatch.setattr(gateway_file, "TIMEOUT", (5.0, 2.0))
    customer, gateway = a_customer(company), a_gateway(company, providers)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    providers.faults({"kind": "hang_after", "quota": 1, "seconds": 6, "operation": "payment_intents.create"})
    collect(company)
    attempt = Attempt.objects.get(invoice=invoice)
    assert attempt.state == "unknown"
    sending.look_up(attempt_id=attempt.pk, at=at_noon(TODAY))
    attempt.refresh_from_db()
    assert attempt.state == "settled"
    assert providers.moved(invoice=invoice.ref) == [("charge", 1190)]


def test_whoever_pays_twice_finds_one_attempt(company, providers):
    from billing.services import collecting

    customer, gateway = a_customer(company), a_gateway(company, providers)
    invoice = billed(company, customer)
    first = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=at_noon(TODAY))
    second = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=at_noon(TODAY))
    assert first.pk == second.pk
    assert first.state == "requires_action"
    assert first.action_url.startswith(providers.stripe)


def test_a_fee_told_late_is_booked_once(company, providers):
    from billing.models import Attempt, Payment
    from billing.services import attempts, books, sending

    providers.control("stripe/late_balance", {"on": True})
    try:
        customer, gateway = a_customer(company), a_gateway(company, providers)
        a_card(customer, gateway)
        invoice = billed(company, customer)
        collect(company)
    finally:
        providers.control("stripe/late_balance", {"on": False})
    payment = Payment.objects.get(customer=customer)
    assert payment.fee_minor == 0
    providers.control("stripe/late_balance/tell", {})
    answer = sending._asked(sending._read(Attempt.objects.get(invoice=invoice).pk), "look_up")
    for _ in range(2):
        attempts.apply(attempt_id=payment.attempt_id, answer=answer, by=BY, at=at_noon(TODAY))
    payment.refresh_from_db()
    assert payment.fee_minor == answer.fee_minor > 0
    fees = [amount for _, code, amount in books.entries_of("payment", payment.pk) if code == "4970"]
    assert fees == [payment.fee_minor]
