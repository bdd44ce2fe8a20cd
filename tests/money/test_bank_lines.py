"""What people do with bank lines: confirm, choose, set aside, take back; and what debits, refunds and payouts do."""

from __future__ import annotations

from datetime import date

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.bank import ERIKA, MAX, Booking, camt053, entry, lines_of, read_in
from tests.money.debits import a_creditor, a_debit, a_mandate, make
from tests.money.providers import billed

pytestmark = pytest.mark.django_db
FILED, DAY = date(2026, 1, 5), date(2026, 1, 6)


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


def come(company, *bookings, on=TODAY, number="1"):
    before = {line.pk for line in lines_of(company)}
    read_in(company, camt053(*(entry(one) for one in bookings), number=number, on=on), on=on, name=f"{number}.xml")
    return [line for line in lines_of(company) if line.pk not in before]


def open_of(invoice):
    from billing.models import InvoiceBalance

    return InvoiceBalance.objects.get(invoice=invoice).open_minor


def cash(company, on=DAY):
    """The balance of the bank account in the books."""
    from billing.services import books

    return sum(amount for code, _, _, amount in books.trial_balance(company, on) if code == "1200")


def do(verb, line, on=TODAY, **given):
    from billing.services import bank_lines

    return getattr(bank_lines, verb)(line=line, by=BY, at=at_noon(on), **given)


def refused(verb, line, **given):
    with pytest.raises(Refused) as found:
        do(verb, line, **given)
    return found.value.code


@pytest.mark.parametrize("has_gateway", [True, False])
def test_taken_back_and_confirmed_again_is_as_before(company, has_gateway):
    from billing.models import Payment
    from billing.services import bank_lines, gateway_accounts

    if has_gateway:
        gateway_accounts.save(company=company, kind="transfer", name="Bank", by=BY, at=at_noon(TODAY))
    invoice = billed(company, a_customer(company))
    [line] = come(company, Booking("11.90", invoice.number))
    assert (line.payment.external_id == line.fingerprint) is has_gateway
    line = do("undo", line, reason="another Erika")
    assert (line.state, line.payment_id, line.invoice_id, open_of(invoice)) == ("suggested", None, None, 1190)
    assert cash(company) == 0
    bank_lines.bank_tick(company, at_noon(TODAY))
    line.refresh_from_db()
    assert line.state == "suggested"
    line = do("confirm", line, suggestion=line.suggestions[0])
    assert (line.state, open_of(invoice), cash(company)) == ("matched", 0, 1190)
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["canceled", "settled"]


def test_money_of_somebody_unknown_is_a_payment_only_when_a_person_says_so(company):
    from billing.models import Payment, PaymentBalance
    from billing.services import payments

    [line] = come(company, Booking("7.00", "?"))
    assert (line.state, Payment.objects.count(), cash(company)) == ("open", 0, 0)
    line = do("choose", line, is_unknown=True)
    assert (line.state, line.customer_id, cash(company)) == ("matched", None, 700)
    assert PaymentBalance.objects.get(payment=line.payment).left_minor == 700
    invoice = billed(company, a_customer(company))
    payments.allocate(payment=line.payment, invoice=invoice, by=BY, at=at_noon(TODAY))
    assert open_of(invoice) == 490


def test_a_person_chooses_the_invoices_and_the_rest_stays_open(company):
    customer = a_customer(company)
    old, new = billed(company, customer), billed(company, customer, "20.00")
    [line] = come(company, Booking("23.80", "?", name="?"))
    line = do("choose", line, invoices=[new])
    assert (line.state, line.customer_id, open_of(old), open_of(new)) == ("matched", customer.pk, 1190, 0)
    assert do("choose", line, invoices=[new]).payment_id == line.payment_id
    assert refused("choose", line, invoices=[old]) == "bank_line.settled"


def test_a_choice_that_does_not_fit_is_refused_and_changes_nothing(company):
    from billing.models import Payment

    first, second = billed(company, a_customer(company)), billed(company, a_customer(company))
    [line, out] = come(company, Booking("5.00", "?"), Booking("-5.00", "?", name="Landlord"))
    assert refused("choose", line, invoices=[first, second]) == "payment.other_customer"
    assert refused("choose", line) == "bank_line.choice"
    assert refused("choose", line, is_fee=True, is_unknown=True) == "bank_line.choice"
    assert refused("choose", out, invoices=[first]) == "bank_line.direction"
    assert refused("confirm", line, suggestion={"kind": "unknown", "percent": 100}) == "bank_line.choice"
    assert refused("set_aside", line, reason=" ") == "reason.missing"
    assert (Payment.objects.count(), {one.state for one in lines_of(company)}) == (0, {"open"})


def test_a_line_set_aside_books_nothing_until_it_is_taken_back(company):
    [line] = come(company, Booking("-950.00", "Miete", name="Landlord"))
    line = do("set_aside", line, reason="rent")
    assert (line.state, line.note, cash(company)) == ("ignored", "rent", 0)
    assert refused("choose", line, is_fee=True) == "bank_line.settled"
    assert do("undo", line, reason="wrong").state == "open"


def test_a_fee_is_booked_and_taken_back(company):
    from billing.services import books

    [line] = come(company, Booking("-4.50", "Kontofuehrung", name="", iban=""))
    assert line.suggestions[0]["kind"] == "fee"
    line = do("confirm", line, suggestion=line.suggestions[0])
    assert {code: amount for _, code, amount in books.entries_of("bank_line", line.pk)} == {"1200": -450, "4970": 450}
    do("undo", line, reason="no")
    assert cash(company) == 0


def test_a_payout_of_a_provider_moves_its_money_to_the_account(company):
    from billing.services import books, gateway_accounts

    gateway = gateway_accounts.save(
        company=company, kind="stripe", name="Stripe", secret="sk_test_x", by=BY, at=at_noon(TODAY)
    )
    [line] = come(company, Booking("100.00", "STRIPE PAYOUT 1", name="Stripe Technology Europe"))
    assert [(one["kind"], one["id"]) for one in line.suggestions] == [("payout", gateway.pk)]
    line = do("confirm", line, suggestion=line.suggestions[0])
    assert {code: amount for _, code, amount in books.entries_of("bank_line", line.pk)} == {
        "1200": 10000,
        "1360": -10000,
    }


def test_a_fee_kept_of_a_payout_is_booked_beside_it_and_the_provider_is_cleared(company):
    from billing.services import books, gateway_accounts

    gateway_accounts.save(company=company, kind="stripe", name="Stripe", secret="sk_test_x", by=BY, at=at_noon(TODAY))
    [line] = come(company, Booking("99.20", "STRIPE PAYOUT 1", name="Stripe Technology Europe", fee="0.80"))
    line = do("confirm", line, suggestion=line.suggestions[0])
    assert {code: amount for _, code, amount in books.entries_of("bank_line", line.pk)} == {
        "1200": 9920, "4970": 80, "1360": -10000,
    }  # fmt: skip
    do("undo", line, reason="no")
    assert [balance for *_, balance in books.trial_balance(company, TODAY) if balance] == []


def a_refund(company, customer, amount=500):
    from billing.services import account_credit, payments

    payments.record(company=company, customer=customer, amount_minor=amount, currency="EUR", method="cash",
                    received_on=TODAY, by=BY, at=at_noon(TODAY))  # fmt: skip
    return account_credit.refund_credit(customer=customer, currency="EUR", amount_minor=amount, reason="moved away",
                                        by=BY, at=at_noon(TODAY))  # fmt: skip


def test_a_refund_named_by_its_id_is_paid_out(company):
    refund = a_refund(company, a_customer(company))
    [line] = come(company, Booking("-5.00", "Erstattung", end_to_end=refund.ref.partition("_")[2]))
    refund.refresh_from_db()
    assert (line.state, line.refund_id, refund.status, refund.paid_on) == ("matched", refund.pk, "settled", TODAY)
    assert cash(company) == 0
    assert refused("undo", line, reason="no") == "bank_line.final"


def test_a_refund_to_a_known_account_is_paid_out_and_only_once(company):
    customer = a_customer(company)
    a_mandate(customer, a_creditor(company), MAX)
    refund = a_refund(company, customer)
    first, second = come(company, Booking("-5.00", "a", iban=MAX), Booking("-5.00", "b", iban=MAX))
    refund.refresh_from_db()
    assert (first.refund_id, first.state, second.state, refund.status) == (refund.pk, "matched", "open", "settled")


def test_a_refund_of_the_same_amount_to_a_stranger_is_only_suggested(company):
    refund = a_refund(company, a_customer(company))
    [line] = come(company, Booking("-5.00", "?", name="Landlord"))
    refund.refresh_from_db()
    assert (line.state, line.suggestions[0]["percent"], refund.status) == ("suggested", 50, "pending")


def test_a_file_of_refunds_booked_in_one_sum_pays_them_all(company):
    from billing.models import Refund
    from billing.services import payouts

    company.iban = "DE02120300000000202051"
    company.save(update_fields=["iban"])
    gateway, refunds = a_creditor(company), []
    for iban, amount in ((MAX, 500), (ERIKA, 700)):
        customer = a_customer(company)
        a_mandate(customer, gateway, iban)
        refunds.append(a_refund(company, customer, amount))
    file = payouts.payout_file(company=company, refunds=refunds, on=TODAY, by=BY, at=at_noon(TODAY))
    first, second = (Booking("-12.00", text, name="", iban="") for text in (file.name.removesuffix(".xml"), "Sammler"))
    lines = come(company, first, second)
    assert [line.state for line in lines] == ["matched", "open"]
    assert set(Refund.objects.values_list("status", "paid_on")) == {("settled", TODAY)}
    assert refused("choose", lines[1], refund=refunds[0]) == "bank_line.amount"


# Direct debits: credited in one sum, some come back.


@pytest.fixture
def debits(company):
    """Three debits of 11.90, 23.80 and 35.70 in one file that the bank has."""
    from billing.services import debit_files

    gateway = a_creditor(company)
    found = [a_debit(company, gateway, amount) for amount in ("10.00", "20.00", "30.00")]
    [batch] = make(company, gateway, FILED)
    debit_files.mark_sent(batch=batch, by=BY, at=at_noon(FILED))
    for attempt in found:
        attempt.refresh_from_db()
    return found


def states(debits):
    for attempt in debits:
        attempt.refresh_from_db()
    return [attempt.state for attempt in debits]


def a_return(attempt, code="AM04", fee="3.00", amount=None):
    from decimal import Decimal

    total = Decimal(attempt.amount_minor) / 100 + Decimal(fee or 0)
    return Booking(f"-{amount or total}", on=DAY, code=code, fee=fee, end_to_end=attempt.ref.partition("_")[2])


def test_a_file_credited_in_one_sum_settles_its_debits(company, debits):
    batch = debits[0].batch
    [line] = come(company, Booking("71.40", batch.message_id, on=DAY, name="", iban=""), on=DAY)
    assert (line.state, line.suggestions[0]["kind"]) == ("matched", "batch")
    assert states(debits) == ["settled", "settled", "settled"]
    assert (cash(company), [open_of(one.invoice) for one in debits]) == (7140, [0, 0, 0])


def test_returns_of_a_statement_take_the_money_back_with_their_fees(company, debits):
    from billing.models import Payment, Reversal

    credit = entry(Booking("71.40", debits[0].batch.message_id, on=DAY, name="", iban=""))
    back = entry(a_return(debits[0]), a_return(debits[1], "MD06"), reference="R1")
    data = camt053(credit, back, on=DAY)
    result = read_in(company, data, on=DAY)
    assert (result.new, result.problems, dict(result.ended)) == (3, [], {"matched": 3})
    assert [open_of(one.invoice) for one in debits] == [1190, 2380, 0]
    found = Reversal.objects.order_by("pk").values_list("amount_minor", "fee_minor", "reason")
    assert list(found) == [(1190, 300, "insufficient_funds"), (2380, 300, "refused_by_customer")]
    assert cash(company) == 7140 - 1490 - 2680
    assert sum(line.amount_minor for line in lines_of(company)) == cash(company)
    assert Payment.objects.filter(status="returned").count() == 2
    again = read_in(company, data, on=DAY)
    assert (again.new, again.known, Reversal.objects.count(), cash(company)) == (0, 3, 2, 2970)


def test_a_return_told_before_the_credit_ends_the_same(company, debits):
    read_in(company, camt053(entry(a_return(debits[0])), on=DAY), on=DAY)
    credit = entry(Booking("71.40", debits[0].batch.message_id, on=DAY, name="", iban=""))
    read_in(company, camt053(credit, on=DAY, number="2"), on=DAY, name="2.xml")
    assert {line.state for line in lines_of(company)} == {"matched"}
    assert [open_of(one.invoice) for one in debits] == [1190, 0, 0]
    assert cash(company) == 7140 - 1490


def test_a_return_that_is_told_by_two_files_takes_the_money_once(company, debits):
    from billing.models import Reversal

    batch = Booking("71.40", debits[0].batch.message_id, on=DAY, name="", iban="")
    read_in(company, camt053(entry(batch), entry(a_return(debits[0]), reference="R1"), on=DAY), on=DAY)
    other = camt053(entry(a_return(debits[0]), reference="other"), on=DAY, kind="054")
    read_in(company, other, on=DAY, name="054.xml")
    assert Reversal.objects.count() == 1
    assert [line.state for line in lines_of(company)] == ["matched", "matched", "suggested"]


def test_a_return_without_an_id_is_found_by_its_mandate_and_amount(company, debits):
    from billing.models import Mandate
    from tests.money.bank import replace

    mandate = Mandate.objects.get(method=debits[1].method)
    back = replace(a_return(debits[1]), end_to_end="NOTPROVIDED", mandate=mandate.reference)
    come(company, Booking("71.40", debits[0].batch.message_id, on=DAY, name="", iban=""), back, on=DAY)
    assert [open_of(one.invoice) for one in debits] == [0, 2380, 0]


def test_a_single_debit_credited_by_its_id_is_settled(company, debits):
    [line] = come(company, Booking("23.80", on=DAY, end_to_end=debits[1].ref.partition("_")[2], iban=ERIKA), on=DAY)
    assert (line.state, line.payment.attempt_id) == ("matched", debits[1].pk)
    assert states(debits) == ["pending", "settled", "pending"]


def test_another_amount_than_the_files_is_left_to_a_person(company, debits):
    [line] = come(company, Booking("70.00", debits[0].batch.message_id, on=DAY), on=DAY)
    assert (line.state, line.suggestions[0]["percent"]) == ("suggested", 60)
    assert refused("confirm", line, suggestion=line.suggestions[0], on=DAY) == "bank_line.amount"
    assert "settled" not in states(debits)
