"""Bank lines find what they pay: at once where it is certain, as a suggestion where it isn't, never too much."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pricing import remittance
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.bank import ERIKA, MAX, Booking, camt053, entry, lines_of, read_in
from tests.money.debits import a_creditor, a_mandate
from tests.money.providers import billed

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company()


def open_of(invoice):
    from billing.models import InvoiceBalance

    return InvoiceBalance.objects.get(invoice=invoice).open_minor


def come(company, *bookings, on=TODAY, number="1"):
    """One statement with a booking each; their lines."""
    before = {line.pk for line in lines_of(company)}
    read_in(company, camt053(*(entry(one) for one in bookings), number=number, on=on), on=on, name=f"{number}.xml")
    return [line for line in lines_of(company) if line.pk not in before]


def kinds(line):
    return [(one["kind"], one["percent"]) for one in line.suggestions]


def said(line):
    return [code for code, _params in line.suggestions[0]["reasons"]]


@pytest.mark.parametrize("write", [
    lambda number: f"Rechnung {number}",
    lambda number: f"rg.nr. {number.lower()} vielen dank",
    lambda number: " ".join(number),
    lambda number: number.replace("-", " "),
    lambda number: number.replace("-", ""),
    lambda number: number.removeprefix("TEST-"),
    lambda number: f"KD 4711 {number} / 2026",
])  # fmt: skip
def test_a_number_with_its_amount_pays_its_invoice_at_once(company, write):
    invoice = billed(company, a_customer(company))
    [line] = come(company, Booking("11.90", write(invoice.number)))
    assert (line.state, line.invoice_id, line.customer_id) == ("matched", invoice.pk, invoice.customer_id)
    assert open_of(invoice) == 0
    assert (line.payment.amount_minor, line.payment.method, line.payment.received_on) == (1190, "transfer", TODAY)


def test_a_longer_number_is_another_number(company):
    invoice = billed(company, a_customer(company))
    [line] = come(company, Booking("11.90", invoice.number + "7", name="Somebody"))
    assert line.state != "matched"
    assert open_of(invoice) == 1190


def test_several_numbers_in_one_text_pay_them_all_and_nothing_else(company):
    customer = a_customer(company)
    old, first, second = (billed(company, customer, amount) for amount in ("10.00", "20.00", "30.00"))
    [line] = come(company, Booking("59.50", f"{first.number}, {second.number}"))
    assert line.state == "matched"
    assert [open_of(one) for one in (old, first, second)] == [1190, 0, 0]


def test_the_creditor_reference_of_an_invoice_pays_it(company):
    invoice = billed(company, a_customer(company))
    reference = remittance.creditor_reference(invoice.number)
    [line] = come(company, Booking("11.90", creditor_reference=reference))
    assert (line.state, line.invoice_id) == ("matched", invoice.pk)
    assert said(line)[0] == "creditor_reference"


def test_less_with_the_customers_name_is_a_part_payment(company):
    customer = a_customer(company, name="Muster & Söhne GmbH")
    invoice = billed(company, customer)
    [line] = come(company, Booking("5.00", invoice.number, name="MUSTER UND SOEHNE"))
    assert line.state == "matched"
    assert open_of(invoice) == 690


def test_more_with_the_customers_name_becomes_credit(company):
    from billing.services import payments

    customer = a_customer(company, name="Muster GmbH")
    invoice = billed(company, customer)
    [line] = come(company, Booking("20.00", invoice.number, name="Muster"))
    assert line.state == "matched"
    assert open_of(invoice) == 0
    assert payments.balance_of(customer)["EUR"].credit_minor == 810


def test_another_amount_from_a_stranger_is_only_suggested(company):
    invoice = billed(company, a_customer(company))
    [line] = come(company, Booking("5.00", invoice.number, name="Somebody Else"))
    assert (line.state, kinds(line)[0]) == ("suggested", ("invoices", 80))
    assert open_of(invoice) == 1190


def test_an_invoice_paid_twice_is_not_paid_into_credit_by_itself(company):
    invoice = billed(company, a_customer(company))
    first, second = come(company, Booking("11.90", invoice.number), Booking("11.90", invoice.number))
    assert (first.state, second.state) == ("matched", "suggested")
    assert kinds(second)[0] == ("customer", 70)
    assert "paid" in said(second)


def test_an_account_that_paid_before_names_its_customer(company):
    customer = a_customer(company)
    billed(company, customer, "10.00")
    first = billed(company, customer, "20.00", on=TODAY)
    come(company, Booking("23.80", first.number, name="Erika"))
    third = billed(company, customer, "40.00")
    [line] = come(company, Booking("47.60", "vielen dank", name="Erika"), number="2")
    assert (line.state, line.customer_id, line.invoice_id) == ("matched", customer.pk, third.pk)
    assert open_of(third) == 0
    assert said(line) == ["iban", "amount"]


def test_an_account_of_a_mandate_pays_the_oldest_due(company):
    customer = a_customer(company)
    a_mandate(customer, a_creditor(company), ERIKA)
    old = billed(company, customer, "10.00")
    new = billed(company, customer, "20.00", on=TODAY + timedelta(days=1))
    [line] = come(company, Booking("15.00", "abschlag", name="?"), on=TODAY + timedelta(days=1))
    assert (line.state, line.customer_id) == ("matched", customer.pk)
    assert said(line) == ["mandate", "oldest"]
    assert (open_of(old), open_of(new)) == (0, 2070)


def test_an_account_that_paid_for_two_customers_is_not_certain(company):
    one, other = a_customer(company), a_customer(company)
    first, second = billed(company, one), billed(company, other, "20.00")
    come(company, Booking("11.90", first.number), Booking("23.80", second.number))
    third = billed(company, one, "30.00")
    [line] = come(company, Booking("35.70", "danke", name="Agency"), number="2")
    assert (line.state, kinds(line)[0]) == ("suggested", ("invoices", 75))
    assert open_of(third) == 3570


def test_whoever_names_another_customers_invoice_is_looked_at(company):
    customer = a_customer(company)
    a_mandate(customer, a_creditor(company), ERIKA)
    mine, theirs = billed(company, customer), billed(company, a_customer(company), "20.00")
    [line] = come(company, Booking("11.90", theirs.number, name="Erika"))
    assert (line.state, open_of(mine), open_of(theirs)) == ("suggested", 1190, 2380)
    [line] = come(company, Booking("23.80", theirs.number, name="Erika"), number="2")
    assert (line.state, line.invoice_id, open_of(theirs)) == ("matched", theirs.pk, 0)


def test_the_sum_of_open_invoices_of_a_known_account_pays_these(company):
    customer = a_customer(company)
    a_mandate(customer, a_creditor(company), ERIKA)
    first, second, third = (billed(company, customer, amount) for amount in ("10.00", "20.00", "35.00"))
    [line] = come(company, Booking("65.45", "zwei rechnungen"))
    assert line.state == "matched"
    assert [open_of(one) for one in (first, second, third)] == [1190, 0, 0]


def test_name_and_amount_are_only_suggested_and_confirmed_by_a_person(company):
    from billing.services import bank_lines

    customer = a_customer(company, name="Seltenheit AG")
    invoice = billed(company, customer, "12.34")
    [line] = come(company, Booking("14.68", "danke", name="SELTENHEIT"))
    assert (line.state, kinds(line)[0]) == ("suggested", ("invoices", 90))
    for _ in range(2):
        line = bank_lines.confirm(line=line, suggestion=line.suggestions[0], by=BY, at=at_noon(TODAY))
    assert (line.state, open_of(invoice)) == ("matched", 0)
    assert invoice.allocations.count() == 1


def test_an_amount_that_many_invoices_have_says_nothing(company):
    for _ in range(2):
        billed(company, a_customer(company))
    [line] = come(company, Booking("11.90", "danke", name="Nobody"))
    assert (line.state, line.suggestions) == ("open", [])


def test_what_was_recorded_by_hand_is_linked_and_not_booked_again(company):
    from billing.models import Payment
    from billing.services import bank_lines, payments

    invoice = billed(company, a_customer(company))
    payment = payments.record(
        company=company, customer=None, invoice=invoice, amount_minor=1190, currency="EUR", method="transfer",
        received_on=TODAY, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    [line] = come(company, Booking("11.90", invoice.number, name=invoice.customer.name))
    assert Payment.objects.filter(company=company).count() == 1
    # The invoice is paid, so the customer isn't certain: a person says that it is the same money.
    assert (line.state, kinds(line)[0]) == ("suggested", ("payment", 85))
    line = bank_lines.confirm(line=line, suggestion=line.suggestions[0], by=BY, at=at_noon(TODAY))
    assert (line.state, line.payment_id) == ("matched", payment.pk)
    assert Payment.objects.filter(company=company).count() == 1


def test_the_words_of_every_reason_can_be_said(company):
    from billing.services import matching

    invoice = billed(company, a_customer(company))
    [line] = come(company, Booking("11.90", invoice.number))
    [suggestion] = [matching.of_json(kept) for kept in line.suggestions]
    assert matching.words(suggestion)[0] == f"names {invoice.number}"


@pytest.mark.parametrize("count", [10, 60])
def test_lines_are_judged_in_few_queries_whatever_their_number(company, count, django_assert_max_num_queries):
    from billing.services import matching

    customers = [a_customer(company) for _ in range(3)]
    invoices = [billed(company, customer) for customer in customers]
    bookings = [
        Booking("11.90" if n % 2 else f"{n}.00", invoices[n % 3].number if n % 5 else f"danke {n}", iban=MAX)
        for n in range(1, count + 1)
    ]  # fmt: skip
    come(company, *bookings)
    lines = lines_of(company)
    with django_assert_max_num_queries(14):
        found = matching.suggest(company, lines)
    assert len(found) > count / 2
