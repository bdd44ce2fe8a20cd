"""What must not lose money or take it twice when providers answer late, twice, wrongly or in another order."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from core import clock
from tests.factories import BY, TODAY, at_noon
from tests.money.crowd import a_wallet, at_provider, charges, in_books, rows_of
from tests.money.providers import a_card, a_company, a_customer, a_gateway, billed, running

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)


@pytest.fixture
def alone(tmp_path):
    """A stand-in in which nothing else ever happened: all it tells is this test's."""
    with running(tmp_path) as found:
        found.control("deliveries", {"mode": "held"})
        yield found


@pytest.fixture
def company():
    return a_company()


@pytest.fixture
def customer(company):
    return a_customer(company)


def attempt_of(invoice):
    from billing.models import Attempt

    return Attempt.objects.filter(invoice=invoice).latest("pk")


def collect(company, at=AT):
    from billing.services import collecting

    collecting.collect_tick(company, at)


def look(company, **later):
    from billing.services import sending

    return sending.look_tick(company, AT + timedelta(**later))


def hear(gateway, *types):
    """Fetches what the provider said, and applies messages of these types, in this order; all others afterwards."""
    from billing.models import GatewayEvent
    from billing.services import incoming

    incoming.fetch_missed(gateway=gateway, at=AT)
    rows = list(GatewayEvent.objects.filter(gateway=gateway, state="waiting").order_by("pk"))
    for row in sorted(rows, key=lambda row: types.index(row.type) if row.type in types else len(types)):
        incoming.apply(event=row, at=AT)


def money_of(kind, invoice, providers):
    return [row for row in rows_of(providers) if row["kind"] == kind and row["invoice"] == invoice.ref]


# The customer agreed, and asking for the money went wrong


@pytest.mark.parametrize("kind", ["error_500_before", "rate_limited", "reset_before", "error_500_after", "malformed"])
def test_what_the_customer_agreed_to_is_asked_for_again_until_it_is_taken(company, customer, providers, kind):
    from billing.services import collecting, sending

    gateway = a_gateway(company, providers, "paypal")
    invoice = billed(company, customer)
    attempt = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=AT)
    providers.control(f"paypal/orders/{attempt.external_id}/approve", {"email": customer.email})
    providers.faults({"kind": kind, "operation": "orders.capture", "quota": 1})
    sending.look_up(attempt_id=attempt.pk, at=AT)
    assert providers.control("faults")["spent"][kind] == 1
    assert attempt_of(invoice).state == "unknown"
    look(company, minutes=2)
    assert attempt_of(invoice).state == "settled"
    assert charges(providers)[invoice.ref] == 1


@pytest.mark.parametrize("kind", ["stripe", "paypal"])
def test_what_a_transfer_paid_meanwhile_is_not_taken_from_the_page_left_open(company, customer, alone, kind):
    from contextlib import suppress
    from urllib.error import HTTPError

    from billing.services import collecting, payments
    from tests.money.test_pay_page import pay_on

    gateway = a_gateway(company, alone, kind)
    invoice = billed(company, customer)
    page = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=AT)
    if kind == "paypal":
        alone.control(f"paypal/orders/{page.external_id}/approve", {"email": customer.email})
    payments.record(
        company=company, customer=customer, amount_minor=1190, currency="EUR", method="transfer", received_on=TODAY,
        invoice=invoice, by=BY, at=AT,
    )  # fmt: skip
    if kind == "stripe":
        look(company)
        with suppress(HTTPError, AssertionError):
            pay_on(page.action_url)
    hear(gateway)
    look(company)
    assert (attempt_of(invoice).state, charges(alone)[invoice.ref]) == ("canceled", 0)


def test_who_changes_an_address_between_two_tries_can_still_pay(company, customer, alone):
    from billing.services import collecting, sending

    gateway = a_gateway(company, alone)
    invoice = billed(company, customer)
    first = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=AT)
    sending.cancel(attempt_id=first.pk, at=AT)
    type(customer).objects.filter(pk=customer.pk).update(email="new@example.com")
    invoice.customer.refresh_from_db()
    second = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=AT)
    assert (second.state, bool(second.action_url)) == ("requires_action", True)


# Money back before the money


def test_a_dispute_told_before_its_payment_is_taken_all_the_same(company, customer, alone):
    from billing.models import Payment, Reversal

    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    alone.faults({"kind": "reset_after", "operation": "payment_intents.create", "quota": 1})
    collect(company)
    (charge,) = money_of("charge", invoice, alone)
    alone.control("stripe/disputes", {"charge": charge["payment"]})
    hear(gateway, "charge.dispute.created", "charge.dispute.funds_withdrawn")
    assert Payment.objects.get(customer=customer).status == "disputed"
    assert Reversal.objects.get(company=company).amount_minor == 1190
    assert in_books(company) == at_provider(alone)


def test_a_refund_told_before_its_payment_is_taken_all_the_same(company, customer, alone):
    import stripe

    from billing.models import Payment

    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    alone.faults({"kind": "reset_after", "operation": "payment_intents.create", "quota": 1})
    collect(company)
    (charge,) = money_of("charge", invoice, alone)
    client = stripe.StripeClient(gateway.secret, base_addresses={"api": gateway.address})
    client.v1.refunds.create({"charge": charge["payment"]})
    hear(gateway, "refund.created", "charge.refunded")
    assert Payment.objects.get(customer=customer).status == "refunded"
    assert in_books(company) == at_provider(alone)


def test_at_paypal_a_reversal_told_before_its_payment_is_taken_all_the_same(company, customer, alone):
    from billing.models import Payment

    gateway = a_gateway(company, alone, "paypal")
    a_wallet(customer, gateway, alone)
    invoice = billed(company, customer)
    alone.faults({"kind": "reset_after", "operation": "orders.create", "quota": 1})
    collect(company)
    (charge,) = money_of("charge", invoice, alone)
    alone.control(f"paypal/captures/{charge['payment']}/reverse", {"amount": "11.90"})
    hear(gateway, "PAYMENT.CAPTURE.REVERSED", "PAYMENT.CAPTURE.REFUNDED")
    assert Payment.objects.get(customer=customer).amount_minor == 1190
    assert in_books(company) == at_provider(alone)


def test_money_of_nobody_that_is_refunded_over_there_is_gone_here_too(company, alone):
    import stripe

    from billing.models import Payment

    gateway = a_gateway(company, alone)
    client = stripe.StripeClient(gateway.secret, base_addresses={"api": gateway.address})
    someone = client.v1.customers.create({"name": "Nobody we know"})
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": someone.id})
    taken = client.v1.payment_intents.create(
        {"amount": 700, "currency": "eur", "customer": someone.id, "payment_method": card.id, "confirm": True,
         "off_session": True, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )  # fmt: skip
    hear(gateway)
    assert Payment.objects.get(company=company).customer_id is None
    client.v1.refunds.create({"payment_intent": taken.id})
    hear(gateway)
    assert in_books(company) == at_provider(alone)


# A refund that was paid out, and then came back


def test_a_refund_that_comes_back_after_it_was_paid_out_is_credit_again(company, customer, alone):
    from billing.models import CreditBalance, Refund
    from billing.services import crediting, refunding

    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    collect(company)
    crediting.credit_invoice(invoice=invoice, gross_minor=1190, reason="Goodwill", by=BY, at=AT)
    from billing.models import Payment

    payment = Payment.objects.get(customer=customer)
    refund = refunding.give_back(payment=payment, amount_minor=1190, reason="Asked", by=BY, at=AT)
    refund = refunding.send(refund_id=refund.pk, at=AT)
    assert refund.status == "settled"
    alone.control("stripe/refunds/settle", {"refund": refund.external_id, "fails": True})
    for _twice in range(2):
        hear(gateway)
    refund = Refund.objects.get(pk=refund.pk)
    assert refund.status == "failed"
    assert [row.left_minor for row in CreditBalance.objects.filter(credit__customer=customer)] == [1190]
    assert in_books(company) == at_provider(alone)


def test_what_the_bank_took_of_a_payment_cannot_be_refunded_as_well(company, customer, alone):
    from billing.models import Payment
    from billing.services import crediting, refunding
    from core.refusal import Refused

    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    collect(company)
    (charge,) = money_of("charge", invoice, alone)
    case = alone.control("stripe/disputes", {"charge": charge["payment"], "amount": 700})
    hear(gateway)
    crediting.credit_invoice(invoice=invoice, gross_minor=1190, reason="Goodwill", by=BY, at=AT)
    payment = Payment.objects.get(customer=customer)
    assert (payment.status, refunding.returned(payment)) == ("settled", 700)
    with pytest.raises(Refused, match="refund.above_payment"):
        refunding.give_back(payment=payment, amount_minor=491, reason="Asked", by=BY, at=AT)
    # Won, it is money of its own that the provider knows no charge of: it goes out by hand.
    alone.control("stripe/disputes/close", {"dispute": case["id"], "won": True})
    hear(gateway)
    won = Payment.objects.get(customer=customer, external_id__endswith=":won")
    assert (won.amount_minor, refunding.can_go_back(won), refunding.can_go_back(payment)) == (700, False, True)
    assert in_books(company) == at_provider(alone)


# Sent again


def test_what_was_paid_otherwise_before_it_could_be_sent_again_is_not_charged(company, customer, providers):
    from billing.services import payments

    gateway = a_gateway(company, providers)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    providers.faults({"kind": "rate_limited", "operation": "payment_intents.create", "quota": 1})
    collect(company)
    assert attempt_of(invoice).state == "created"
    payments.record(
        company=company, customer=customer, amount_minor=1190, currency="EUR", method="transfer", received_on=TODAY,
        invoice=invoice, by=BY, at=AT,
    )  # fmt: skip
    look(company, minutes=10)
    assert (attempt_of(invoice).state, charges(providers)[invoice.ref]) == ("canceled", 0)


def test_an_order_that_paypal_calls_paid_already_is_looked_up_not_failed(company, customer, providers):
    """Its key was forgotten over there; the order's own number is not."""
    from billing.gateways import paypal

    gateway = a_gateway(company, providers, "paypal")
    a_wallet(customer, gateway, providers)
    invoice = billed(company, customer)
    providers.faults({"kind": "reset_after", "operation": "orders.create", "quota": 1})
    collect(company)
    attempt = attempt_of(invoice)
    assert attempt.state == "unknown"
    from billing.services import gateway_accounts, sending

    connection = gateway_accounts.connect(gateway)
    key_forgotten = sending.order_of(sending._read(attempt.pk))
    sent = connection._post
    connection._post = lambda path, body, key: sent(path, body, f"{key}-again")
    assert isinstance(connection, paypal.PayPalGateway)
    assert connection.charge(key_forgotten).outcome == "unknown"
    assert charges(providers)[invoice.ref] == 1


def test_a_word_that_comes_while_it_waits_to_be_sent_again_counts(company, customer, providers):
    """The look-up was faster than the charge: the provider knew nothing yet."""
    from billing.gateways.base import Answer, Outcome
    from billing.services import attempts

    gateway = a_gateway(company, providers)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    providers.faults({"kind": "reset_after", "operation": "payment_intents.create", "quota": 1})
    collect(company)
    attempt = attempt_of(invoice)
    attempts.apply(attempt_id=attempt.pk, answer=Answer(Outcome.ABSENT), by=BY, at=AT)
    assert attempt_of(invoice).state == "created"
    hear(gateway)
    assert attempt_of(invoice).state == "settled"
    assert charges(providers)[invoice.ref] == 1


def test_a_refund_the_provider_never_heard_of_ends_when_its_key_is_too_old_to_send(company, customer, alone):
    from billing.gateways.base import Answer, Outcome
    from billing.models import CreditBalance, Payment, Refund
    from billing.services import crediting, refunding

    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    collect(company)
    crediting.credit_invoice(invoice=invoice, gross_minor=1190, reason="Goodwill", by=BY, at=AT)
    payment = Payment.objects.get(customer=customer)
    alone.faults({"kind": "reset_before", "operation": "refunds.create", "quota": 9})
    refund = refunding.give_back(payment=payment, amount_minor=1190, reason="Asked", by=BY, at=AT)
    refund = refunding.send(refund_id=refund.pk, at=AT)
    assert refund.status in ("unknown", "pending")
    absent = Answer(Outcome.ABSENT)
    assert refunding.follow(refund_id=refund.pk, answer=absent, by=BY, at=AT).status == "pending"
    Refund.objects.filter(pk=refund.pk).update(first_sent_at=clock.machine_now() - timedelta(hours=24))
    assert refunding.follow(refund_id=refund.pk, answer=absent, by=BY, at=AT).status == "failed"
    assert [row.left_minor for row in CreditBalance.objects.filter(credit__customer=customer)] == [1190]
    assert in_books(company) == at_provider(alone)


# Forged


@pytest.mark.parametrize("kind", ["error_500_before", "unavailable", "reset_before", "rate_limited", "malformed"])
def test_a_message_that_cannot_be_checked_just_now_is_to_come_again(client, company, providers, kind):
    from billing.models import GatewayEvent

    gateway = a_gateway(company, providers, "paypal")
    providers.faults({"kind": kind, "operation": "webhooks.verify", "quota": 1})
    names = ("auth-algo", "cert-url", "transmission-id", "transmission-sig")
    sent = clock.machine_now().isoformat()
    headers = {f"paypal-{name}": "x" for name in names} | {"paypal-transmission-time": sent}
    where, body = f"/webhooks/{gateway.ref}/", json.dumps({"id": "WH-1", "event_type": "X"}).encode()
    assert client.post(where, body, content_type="application/json", headers=headers).status_code == 503
    assert client.post(where, body, content_type="application/json", headers=headers).status_code == 400
    assert not GatewayEvent.objects.exists()


@pytest.mark.parametrize("header", ["2026-01-01T00:00:00", "", "never", "9999-99-99T00:00:00Z"])
@pytest.mark.parametrize("body", [b"{}", b"[]", b"1", b"\xff\xfe{\x00}\x00", json.dumps({"id": 1}).encode()])
def test_a_forged_message_of_any_shape_is_refused_and_not_kept(client, company, providers, body, header):
    from billing.models import GatewayEvent

    gateway = a_gateway(company, providers, "paypal")
    names = ("auth-algo", "cert-url", "transmission-id", "transmission-sig")
    headers = {f"paypal-{name}": "x" for name in names} | {"paypal-transmission-time": header}
    where = f"/webhooks/{gateway.ref}/"
    assert client.post(where, body, content_type="application/json", headers=headers).status_code == 400
    assert not GatewayEvent.objects.exists()


def test_a_lost_dispute_at_paypal_is_taken_once_and_a_reversal_of_a_part_for_what_it_is(company, customer, alone):
    from billing.models import Reversal

    gateway = a_gateway(company, alone, "paypal")
    a_wallet(customer, gateway, alone)
    first, second = billed(company, customer), billed(company, customer)
    collect(company)
    (lost,), (part,) = money_of("charge", first, alone), money_of("charge", second, alone)
    case = alone.control("paypal/disputes", {"capture": lost["payment"]})
    alone.control(f"paypal/disputes/{case['dispute_id']}/resolve", {"winner": "buyer"})
    alone.control(f"paypal/captures/{part['payment']}/reverse", {"amount": "5.00"})
    hear(gateway, "PAYMENT.CAPTURE.REVERSED")
    assert sorted(Reversal.objects.values_list("amount_minor", flat=True)) == [500, 1190]
    assert in_books(company) == at_provider(alone)
