"""Stories of money that take weeks: given back twice over, abandoned half-way, debited over Easter, suspended and back.

Amounts are 10.00 a month and 19 % VAT in Germany unless said; dates and amounts are derived in the text.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from urllib.error import HTTPError

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.crowd import at_provider, charges, in_books
from tests.money.debits import a_creditor, a_debit, make
from tests.money.providers import a_card, a_gateway, billed, running
from tests.money.test_providers_in_trouble import attempt_of, collect, hear, money_of

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)


@pytest.fixture
def alone(tmp_path):
    with running(tmp_path) as found:
        found.control("deliveries", {"mode": "held"})
        yield found


def tick(company, on):
    """The hour's look-ups and the day's dunning."""
    from billing.services import dunning, sending

    company.clock_at = at_noon(on)
    company.save(update_fields=["clock_at"])
    sending.look_tick(company, company.clock_at)
    dunning.dunning_tick(company, company.clock_at)


# Given back, and then taken back by the bank


def paid_and_refunded(company, customer, alone):
    from billing.models import Payment
    from billing.services import crediting, refunding

    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    collect(company)
    crediting.credit_invoice(invoice=invoice, gross_minor=1190, reason="Canceled", by=BY, at=AT)
    payment = Payment.objects.get(customer=customer)
    refund = refunding.give_back(payment=payment, amount_minor=1190, reason="Canceled", by=BY, at=AT)
    assert refunding.send(refund_id=refund.pk, at=AT).status == "settled"
    return gateway, invoice, payment


def test_refunded_and_then_charged_back_the_loss_is_booked_and_nothing_is_given_a_third_time(alone):
    from billing.models import CreditBalance, Payment, Refund, Reversal
    from billing.services import refunding

    company = a_company()
    customer = a_customer(company)
    gateway, invoice, payment = paid_and_refunded(company, customer, alone)
    (charge,) = money_of("charge", invoice, alone)
    case = alone.control("stripe/disputes", {"charge": charge["payment"]})
    hear(gateway, "charge.dispute.funds_withdrawn")
    # 11.90 came, 11.90 went back as a refund and 11.90 again by the bank, which keeps its fee on top.
    assert in_books(company) == at_provider(alone)
    assert Reversal.objects.get(company=company).amount_minor == 1190
    payment = Payment.objects.get(pk=payment.pk)
    assert payment.status == "disputed"
    assert sum(CreditBalance.objects.filter(credit__customer=customer).values_list("left_minor", flat=True)) == 0
    with pytest.raises(Refused, match="payment.not_settled"):
        refunding.give_back(payment=payment, amount_minor=1, reason="Again", by=BY, at=AT)
    # Evidence of the refund wins the case: what the bank took comes back, once.
    alone.control("stripe/disputes/close", {"dispute": case["id"], "won": True})
    for _again in range(2):
        hear(gateway, "charge.dispute.closed")
    assert in_books(company) == at_provider(alone)
    assert Payment.objects.filter(company=company).count() == 2
    assert Refund.objects.filter(company=company).count() == 1


def test_charged_back_before_the_refund_was_sent_it_goes_back_only_once(alone):
    """The customer asks for a refund and at the same time goes to the bank."""
    from billing.models import CreditBalance, Payment, Refund
    from billing.services import crediting, refunding

    company = a_company()
    customer = a_customer(company)
    gateway = a_gateway(company, alone)
    a_card(customer, gateway)
    invoice = billed(company, customer)
    collect(company)
    crediting.credit_invoice(invoice=invoice, gross_minor=1190, reason="Canceled", by=BY, at=AT)
    payment = Payment.objects.get(customer=customer)
    refund = refunding.give_back(payment=payment, amount_minor=1190, reason="Canceled", by=BY, at=AT)
    (charge,) = money_of("charge", invoice, alone)
    alone.control("stripe/disputes", {"charge": charge["payment"]})
    assert refunding.send(refund_id=refund.pk, at=AT).status == "failed"
    hear(gateway)
    refunding.refunds_tick(company, AT + timedelta(days=1))
    assert money_of("refund", invoice, alone) == []
    assert Refund.objects.get(company=company).status == "failed"
    assert in_books(company) == at_provider(alone)
    # What the bank took back is no credit any more: nobody can pay it out by hand.
    assert sum(CreditBalance.objects.filter(credit__customer=customer).values_list("left_minor", flat=True)) == 0


# Abandoned half-way


def test_a_3d_secure_nobody_finishes_ends_after_a_day_and_another_card_pays_once(alone):
    from billing.models import InvoiceBalance
    from billing.services import collecting
    from tests.money.test_pay_page import pay_on

    company = a_company()
    customer = a_customer(company)
    gateway = a_gateway(company, alone)
    a_card(customer, gateway, "pm_card_authenticationRequired")
    invoice = billed(company, customer)
    collect(company)
    first = attempt_of(invoice)
    assert (first.state, first.reason) in [("requires_action", ""), ("requires_action", "authentication_required")]
    tick(company, TODAY + timedelta(days=2))
    assert attempt_of(invoice).state == "canceled"
    assert InvoiceBalance.objects.get(invoice=invoice).open_minor == 1190
    # Who comes back to it late finds it closed at the provider, too.
    with pytest.raises(HTTPError):
        alone.control("stripe/authentication", {"intent": first.external_id, "succeeds": True})
    on = at_noon(TODAY + timedelta(days=2))
    second = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=on)
    pay_on(second.action_url)
    hear(gateway)
    assert attempt_of(invoice).state == "settled"
    assert charges(alone)[invoice.ref] == 1
    assert in_books(company) == at_provider(alone)


@pytest.mark.parametrize("kind", ["stripe", "paypal"])
def test_a_payment_page_left_open_takes_nothing_once_another_way_paid(alone, kind):
    from billing.services import collecting, payments
    from tests.money.test_pay_page import pay_on

    company = a_company()
    customer = a_customer(company)
    gateway = a_gateway(company, alone, kind)
    invoice = billed(company, customer)
    page = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=AT)
    assert page.state == "requires_action"
    tick(company, TODAY + timedelta(days=2))
    assert attempt_of(invoice).state == "canceled"
    payments.record(
        company=company, customer=customer, amount_minor=1190, currency="EUR", method="transfer",
        received_on=TODAY + timedelta(days=2), invoice=invoice, by=BY, at=at_noon(TODAY + timedelta(days=2)),
    )  # fmt: skip
    if kind == "stripe":
        with suppress(HTTPError, AssertionError):
            pay_on(page.action_url)
    else:
        alone.control(f"paypal/orders/{page.external_id}/approve", {"email": customer.email})
    hear(gateway)
    assert charges(alone)[invoice.ref] == 0


# Over Easter


def test_a_debit_over_easter_2027_waits_for_a_day_on_which_banks_work():
    """Good Friday is 26 March 2027, Easter Monday the 29th. Issued on Saturday the 20th, five days of notice end on
    Thursday the 25th; issued on the 21st they end on Good Friday, and Tuesday the 30th is the first day after."""
    from billing.models import Invoice, InvoiceBalance, Payment
    from billing.services import debit_files

    company = a_company(payment_terms_days=0, today=date(2027, 3, 1))
    gateway = a_creditor(company)
    before, over = a_debit(company, gateway, on=date(2027, 3, 20)), a_debit(company, gateway, on=date(2027, 3, 21))
    assert (before.collect_on, over.collect_on) == (date(2027, 3, 25), date(2027, 3, 30))
    # The bank wants the file one of its days ahead, and we give it the day before: Tuesday and Wednesday.
    files = {}
    for count in range(12):
        on = date(2027, 3, 20) + timedelta(days=count)
        for batch in make(company, gateway, on):
            files[batch.collection_on] = (on, batch)
    assert {day: made for day, (made, _batch) in files.items()} == {
        date(2027, 3, 25): date(2027, 3, 23), date(2027, 3, 30): date(2027, 3, 24),
    }  # fmt: skip
    _made, batch = files[date(2027, 3, 30)]
    debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2027, 3, 25)))
    over.refresh_from_db()
    debit_files.settle(attempt=over, on=date(2027, 3, 30), by=BY, at=at_noon(date(2027, 3, 30)))
    assert Payment.objects.get(attempt=over).received_on == date(2027, 3, 30)
    assert Invoice.objects.get(pk=over.invoice_id).payment_due_on == date(2027, 3, 21)
    assert InvoiceBalance.objects.get(pk=over.invoice_id).status == "paid"


# Suspended, and back


def test_a_run_over_suspended_subscriptions_bills_what_each_agreed_and_payment_brings_them_back():
    """Three customers pay 100.00 net a month and not at all in January; dunning suspends them on 11 January.

    `stop`: February is not billed; paid on 10 February, its 19 days of 28 are: 67.86 net, 80.75 gross.
    `continue`: February is billed as ever: 119.00; nothing more on payment.
    `credit`: 21 of 31 January days are given back: 67.74 net, 80.61 gross; then as `stop`.
    """
    from billing import tasks
    from billing.models import CreditNote, Invoice
    from subscriptions.models import Subscription
    from tests.money.dunning import a_policy, bill, pay

    company = a_company(payment_terms_days=0)
    ways = ("stop", "continue", "credit")
    customers = dict(zip(ways, (a_customer(company) for _ in ways), strict=True))
    a_policy(company, (10, "suspend"))
    for way, customer in customers.items():
        bill(company, customer)
        Subscription.objects.filter(customer=customer).update(suspended_billing=way)
    for count in range(12):
        tick(company, TODAY + timedelta(days=count))
    suspended = Subscription.objects.filter(company=company).values_list("state", "suspended_from_on")
    assert set(suspended) == {("suspended", date(2026, 1, 11))}

    def run(on):
        company.clock_at = at_noon(on)
        company.save(update_fields=["clock_at"])
        tasks.run_tick(company, company.clock_at)

    def grosses(way):
        rows = Invoice.objects.filter(customer=customers[way]).order_by("pk")
        return [invoice.balance.gross_minor for invoice in rows]

    for day in (date(2026, 2, 1), date(2026, 2, 1), date(2026, 2, 5)):
        run(day)
    assert {way: grosses(way) for way in ways} == {"stop": [11900], "continue": [11900, 11900], "credit": [11900]}
    notes = CreditNote.objects.filter(company=company).values_list("customer_id", "gross_minor")
    assert list(notes) == [(customers["credit"].pk, 8061)]

    paid_on = date(2026, 2, 10)
    for customer in customers.values():
        for invoice in Invoice.objects.filter(customer=customer, balance__status="open"):
            pay(invoice, paid_on)
    tick(company, paid_on)
    run(paid_on)
    assert set(Subscription.objects.filter(company=company).values_list("state", flat=True)) == {"active"}
    assert {way: grosses(way) for way in ways} == {
        "stop": [11900, 8075], "continue": [11900, 11900], "credit": [11900, 8075],
    }  # fmt: skip
    run(date(2026, 3, 1))
    assert [grosses(way)[-1] for way in ways] == [11900, 11900, 11900]
