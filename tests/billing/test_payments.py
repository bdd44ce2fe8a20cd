"""Money in: what it pays, what is left of it, and how it goes back."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db

FEBRUARY = date(2026, 2, 1)


def bill(company, customer, on=TODAY):
    from billing.models import Invoice
    from billing.services.settling import settle

    settlement = settle(company=company, customer_ids=[customer.pk], on=on, at=at_noon(on), by=BY)
    return list(Invoice.objects.filter(pk__in=settlement.invoice_ids).order_by("pk"))


def an_invoice(company, customer=None, amount="100.00", on=TODAY):
    """An issued invoice of `amount` plus 19 percent, due 14 days after `on`."""
    customer = customer or a_customer(company)
    a_subscription(company, customer, a_plan(company, amount=amount), on=on)
    return bill(company, customer, on)[0]


def pay(company, amount_minor, on=TODAY, **more):
    from billing.services import payments

    values = {"customer": None, "currency": "EUR", "method": "transfer", "received_on": on}
    return payments.record(company=company, amount_minor=amount_minor, **(values | more), by=BY, at=at_noon(on))


def balance(invoice):
    from billing.models import InvoiceBalance

    return InvoiceBalance.objects.get(invoice=invoice)


def books_of(company):
    from billing.services.books import trial_balance

    return {code: minor for code, _, _, minor in trial_balance(company, date(2099, 1, 1)) if minor}


def refused(call, code):
    from core.refusal import Refused

    with pytest.raises(Refused) as raised:
        call()
    assert raised.value.code == code
    return raised.value


def told(subject_kind, subject_id):
    from core.models import Event

    rows = Event.objects.filter(subject_kind=subject_kind, subject_id=subject_id).order_by("id")
    return list(rows.values_list("type", flat=True))


def test_a_payment_pays_its_invoice_and_the_books_follow():
    company = a_company()
    invoice = an_invoice(company)  # 100.00 + 19.00
    payment = pay(company, 11900, invoice=invoice)
    held = balance(invoice)
    assert (held.status, held.paid_minor, held.open_minor, held.closed_on) == ("paid", 11900, 0, TODAY)
    assert payment.customer_id == invoice.customer_id
    assert books_of(company) == {"1200": 11900, "8400": -10000, "1776": -1900}
    assert told("invoice", invoice.pk) == ["invoice.issued", "invoice.paid"]
    assert told("payment", payment.pk) == ["payment.recorded"]


def test_a_part_leaves_the_rest_open():
    company = a_company()
    invoice = an_invoice(company)
    pay(company, 5000, invoice=invoice)
    held = balance(invoice)
    assert (held.status, held.open_minor) == ("open", 6900)


def test_the_oldest_due_is_paid_first():
    company = a_company()
    customer = a_customer(company)
    first, second = an_invoice(company, customer), an_invoice(company, customer, on=FEBRUARY)
    pay(company, 12000, FEBRUARY, customer=customer)
    assert (balance(first).paid_minor, balance(second).paid_minor) == (11900, 100)


def test_the_named_invoice_is_paid_before_older_ones():
    company = a_company()
    customer = a_customer(company)
    first, second = an_invoice(company, customer), an_invoice(company, customer, on=FEBRUARY)
    pay(company, 1690, FEBRUARY, customer=customer, invoice=second)
    assert (balance(first).paid_minor, balance(second).paid_minor) == (0, 1690)


def test_an_overpayment_becomes_account_credit():
    from billing.services.payments import balance_of

    company = a_company()
    invoice = an_invoice(company)
    pay(company, 12000, invoice=invoice)
    customer = invoice.customer
    assert customer.credits.get().amount_minor == 100
    assert balance_of(customer, on=TODAY)["EUR"].credit_minor == 100
    assert books_of(company)["1710"] == -100


def test_money_of_an_unknown_payer_is_kept_unallocated():
    company = a_company()
    payment = pay(company, 5000)
    assert (payment.customer_id, payment.balance.left_minor) == (None, 5000)
    assert books_of(company) == {"1200": 5000, "1590": -5000}


def test_unallocated_money_finds_its_payer():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    payment = pay(company, 12000)
    payments.allocate(payment=payment, invoice=invoice, by=BY, at=at_noon(TODAY))
    assert balance(invoice).status == "paid"
    payment.refresh_from_db()
    assert payment.customer_id == invoice.customer_id
    assert books_of(company) == {"1200": 12000, "8400": -10000, "1776": -1900, "1710": -100}


def test_an_exact_allocation_leaves_the_rest_unallocated():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    payment = pay(company, 12000)
    payments.allocate(payment=payment, invoice=invoice, amount_minor=4000, by=BY, at=at_noon(TODAY))
    payment.balance.refresh_from_db()
    assert (payment.balance.allocated_minor, payment.balance.left_minor) == (4000, 8000)
    assert balance(invoice).open_minor == 7900


def test_no_more_than_is_open_can_be_allocated():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    payment = pay(company, 20000)
    refusal = refused(
        lambda: payments.allocate(payment=payment, invoice=invoice, amount_minor=11901, by=BY, at=at_noon(TODAY)),
        "payment.more_than_open",
    )
    assert refusal.params["open"] == "€119.00"


def test_no_more_than_is_left_can_be_allocated():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    payment = pay(company, 3000)
    refused(
        lambda: payments.allocate(payment=payment, invoice=invoice, amount_minor=3001, by=BY, at=at_noon(TODAY)),
        "payment.more_than_left",
    )


def test_nothing_and_less_are_refused():
    company = a_company()
    for amount in (0, -5):
        refused(lambda amount=amount: pay(company, amount), "payment.amount")


def test_money_of_tomorrow_is_refused():
    company = a_company()
    refused(lambda: pay(company, 100, received_on=date(2026, 1, 2)), "payment.received_range")


def test_another_currency_is_refused():
    company = a_company()
    invoice = an_invoice(company)
    refused(lambda: pay(company, 100, currency="USD", invoice=invoice), "payment.currency")


def test_another_customers_invoice_is_refused():
    company = a_company()
    invoice = an_invoice(company)
    refused(lambda: pay(company, 100, customer=a_customer(company), invoice=invoice), "payment.other_customer")


def test_an_invoice_of_another_company_is_refused():
    invoice = an_invoice(a_company())
    refused(lambda: pay(a_company(), 100, invoice=invoice), "not_found")


def test_money_for_closed_books_is_booked_on_the_first_open_day():
    from billing.models import Posting

    company = a_company()
    invoice = an_invoice(company)
    company.books_closed_on = date(2026, 1, 31)
    company.save()
    payment = pay(company, 11900, date(2026, 2, 5), received_on=date(2026, 1, 20), invoice=invoice)
    days = set(Posting.objects.filter(cause_kind="payment", cause_id=payment.pk).values_list("booked_on", flat=True))
    assert days == {FEBRUARY}


def test_a_returned_payment_opens_the_invoice_again():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    payment = pay(company, 12000, invoice=invoice)
    payments.take_back(payment=payment, reason="no funds", by=BY, at=at_noon(TODAY))
    held = balance(invoice)
    assert (held.status, held.paid_minor, held.open_minor, held.closed_on) == ("open", 0, 11900, None)
    payment.refresh_from_db()
    assert (payment.status, payment.balance.allocated_minor, payment.balance.refunded_minor) == ("returned", 0, 12000)
    assert books_of(company) == {"1400": 11900, "8400": -10000, "1776": -1900}
    assert told("invoice", invoice.pk)[-1] == "invoice.reopened"


def test_taking_back_twice_changes_nothing():
    from billing.services import payments

    company = a_company()
    payment = pay(company, 11900, invoice=an_invoice(company))
    for _ in range(2):
        payments.take_back(payment=payment, reason="mistake", status="canceled", by=BY, at=at_noon(TODAY))
    assert told("payment", payment.pk) == ["payment.recorded", "payment.canceled"]


def test_a_returned_payment_takes_back_what_its_credit_paid():
    from billing.services import payments

    company = a_company()
    customer = a_customer(company)
    payment = pay(company, 20000, customer=customer)  # all of it account credit
    invoice = an_invoice(company, customer)  # 119.00, paid from credit when issued
    assert balance(invoice).status == "paid"
    payments.take_back(payment=payment, reason="returned", by=BY, at=at_noon(TODAY))
    held = balance(invoice)
    assert (held.status, held.credit_used_minor, held.open_minor) == ("open", 0, 11900)
    assert books_of(company) == {"1400": 11900, "8400": -10000, "1776": -1900}


def test_a_payment_whose_credit_was_paid_out_stays():
    from billing.services import payments

    company = a_company()
    customer = a_customer(company)
    payment = pay(company, 5000, customer=customer)
    payments.refund_credit(
        customer=customer, currency="EUR", amount_minor=1000, reason="asked", by=BY, at=at_noon(TODAY)
    )
    refused(
        lambda: payments.take_back(payment=payment, reason="returned", by=BY, at=at_noon(TODAY)),
        "payment.refunded_already",
    )


def test_an_unallocated_payment_can_go_back():
    from billing.services import payments

    company = a_company()
    payments.take_back(payment=pay(company, 5000), reason="not ours", by=BY, at=at_noon(TODAY))
    assert books_of(company) == {}


def test_credit_pays_the_oldest_open_invoice():
    from billing.services import payments

    company = a_company()
    customer = a_customer(company)
    invoice = an_invoice(company, customer)
    first = pay(company, 11900, invoice=invoice)
    pay(company, 5000, customer=customer)  # nothing open: credit
    payments.take_back(payment=first, reason="returned", by=BY, at=at_noon(TODAY))
    used = payments.apply_credit(customer=customer, currency="EUR", by=BY, at=at_noon(TODAY))
    held = balance(invoice)
    assert (used, held.credit_used_minor, held.open_minor) == (5000, 5000, 6900)
    assert payments.apply_credit(customer=customer, currency="EUR", by=BY, at=at_noon(TODAY)) == 0


def test_writing_off_books_the_loss_and_later_money_recovers_it():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    payments.write_off(invoice=invoice, reason="insolvent", by=BY, at=at_noon(TODAY))
    held = balance(invoice)
    assert (held.status, held.written_off_minor, held.open_minor) == ("uncollectible", 11900, 0)
    assert books_of(company) == {"2400": 11900, "8400": -10000, "1776": -1900}
    pay(company, 1900, invoice=invoice)
    assert (balance(invoice).status, balance(invoice).written_off_minor) == ("uncollectible", 10000)
    pay(company, 10000, invoice=invoice)
    assert (balance(invoice).status, balance(invoice).paid_minor) == ("paid", 11900)
    assert books_of(company) == {"1200": 11900, "8400": -10000, "1776": -1900}


def test_a_paid_invoice_can_not_be_written_off():
    from billing.services import payments

    company = a_company()
    invoice = an_invoice(company)
    pay(company, 11900, invoice=invoice)
    refused(lambda: payments.write_off(invoice=invoice, reason="x", by=BY, at=at_noon(TODAY)), "invoice.move")


def test_a_refund_takes_credit_at_once_and_cash_when_paid():
    from billing.services import payments

    company = a_company()
    customer = a_customer(company)
    pay(company, 5000, customer=customer)
    refund = payments.refund_credit(
        customer=customer, currency="EUR", amount_minor=2000, reason="asked", by=BY, at=at_noon(TODAY)
    )
    assert (refund.status, payments.balance_of(customer, on=TODAY)["EUR"].credit_minor) == ("pending", 3000)
    assert books_of(company) == {"1200": 5000, "1710": -5000}
    for _ in range(2):
        refund = payments.settle_refund(refund=refund, paid_on=TODAY, reference="T1", by=BY, at=at_noon(TODAY))
    assert (refund.status, refund.paid_on) == ("settled", TODAY)
    assert books_of(company) == {"1200": 3000, "1710": -3000}


def test_a_canceled_refund_gives_the_credit_back():
    from billing.services import payments

    company = a_company()
    customer = a_customer(company)
    pay(company, 1000, customer=customer)
    pay(company, 1000, customer=customer)
    refund = payments.refund_credit(
        customer=customer, currency="EUR", amount_minor=1500, reason="asked", by=BY, at=at_noon(TODAY)
    )
    payments.cancel_refund(refund=refund, reason="mistake", by=BY, at=at_noon(TODAY))
    assert payments.balance_of(customer, on=TODAY)["EUR"].credit_minor == 2000
    refused(lambda: payments.settle_refund(refund=refund, paid_on=TODAY, by=BY, at=at_noon(TODAY)), "refund.move")


def test_no_more_credit_than_there_is_goes_out():
    from billing.services import payments

    company = a_company()
    customer = a_customer(company)
    pay(company, 1000, customer=customer)
    refused(
        lambda: payments.refund_credit(
            customer=customer, currency="EUR", amount_minor=1001, reason="asked", by=BY, at=at_noon(TODAY)
        ),
        "credit.too_little",
    )


def test_a_balance_knows_what_is_overdue():
    from billing.services.payments import balance_of

    company = a_company()
    invoice = an_invoice(company)  # due on 15 January
    before = balance_of(invoice.customer, on=date(2026, 1, 15))["EUR"]
    after = balance_of(invoice.customer, on=date(2026, 1, 16))["EUR"]
    assert (before.open_minor, before.overdue_minor) == (11900, 0)
    assert (after.open_minor, after.overdue_minor) == (11900, 11900)


def test_the_database_refuses_to_overdraw_a_payment():
    from django.db import IntegrityError

    payment = pay(a_company(), 100)
    payment.balance.allocated_minor = 101
    with pytest.raises(IntegrityError, match="payment_balance_not_overdrawn"):
        payment.balance.save(update_fields=["allocated_minor"])


@pytest.mark.django_db(transaction=True)
def test_ten_payments_at_once_never_overpay_an_invoice():
    from django.db import connection
    from django.db.models import Sum

    from billing.models import Allocation, CreditBalance

    company = a_company()
    invoice = an_invoice(company)  # 119.00
    begin = threading.Barrier(10)
    failures = []

    def one():
        try:
            begin.wait(30)
            pay(company, 3000, invoice=invoice)
        except Exception as error:  # noqa: BLE001  the test names it
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert (balance(invoice).status, balance(invoice).paid_minor) == ("paid", 11900)
    assert Allocation.objects.filter(invoice=invoice).aggregate(sum=Sum("amount_minor"))["sum"] == 11900
    credit = CreditBalance.objects.filter(credit__customer=invoice.customer).aggregate(sum=Sum("left_minor"))["sum"]
    assert credit == 30000 - 11900


def test_a_payment_returned_after_its_invoice_was_voided_leaves_nothing_owed_either_way():
    from billing.services import payments, voiding

    company = a_company()
    invoice = an_invoice(company)
    payment = pay(company, 11900, invoice=invoice)
    voiding.void(invoice=invoice, days="free", reason="wrong customer", at=at_noon(TODAY), by=BY)
    assert payments.balance_of(invoice.customer, on=TODAY)["EUR"].credit_minor == 11900
    payments.take_back(payment=payment, reason="returned", by=BY, at=at_noon(TODAY))
    held = balance(invoice)
    assert (held.status, held.paid_minor, held.credit_used_minor, held.open_minor) == ("void", 0, 11900, 0)
    assert payments.balance_of(invoice.customer, on=TODAY) == {}
    assert books_of(company) == {}
