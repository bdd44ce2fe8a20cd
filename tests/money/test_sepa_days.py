"""When a debit is collected, and how the customer hears of it: on the invoice, else in a mail of its own."""

from __future__ import annotations

from datetime import date

import pytest

from tests.factories import BY, TODAY, at_noon
from tests.money.debits import (
    CREDITOR,
    IBANS,
    a_company,
    a_creditor,
    a_customer,
    a_debit,
    a_mandate,
    billed,
    collect,
    make,
)

pytestmark = pytest.mark.django_db
#: Notice of 5 days after 1 January 2026, a Thursday, is Tuesday the 6th.
DAY = date(2026, 1, 6)


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


@pytest.fixture
def gateway(company):
    return a_creditor(company)


def xml(batch):
    return bytes(batch.file.content).decode()


def test_a_day_that_cannot_be_reached_any_more_is_moved_and_announced_again(company, gateway):
    from customers.models import Message

    attempt = a_debit(company, gateway)
    # Friday: Monday is the first day a file can still reach.
    (batch,) = make(company, gateway, date(2026, 1, 9))
    assert make(company, gateway, date(2026, 1, 9)) == []
    attempt.refresh_from_db()
    assert (attempt.collect_on, batch.collection_on) == (date(2026, 1, 12), date(2026, 1, 12))
    told = Message.objects.get(template="debit_notice", subject_id=attempt.pk)
    assert "on 12 Jan 2026" in told.body


def test_the_invoice_announces_its_debit_and_no_other_mail_does(company, gateway):
    from billing.documents import words
    from billing.documents.content import read
    from billing.documents.figures import Figures
    from customers.models import Message

    attempt = a_debit(company, gateway)
    content = read(attempt.invoice)
    mandate = attempt.method.mandates.get()
    assert content.body["debit"] == {
        "on": "2026-01-06", "reference": mandate.reference, "creditor_id": CREDITOR, "account": "3000",
    }  # fmt: skip
    assert str(attempt.collect_on) == content.body["debit"]["on"]
    assert not Message.objects.filter(template="debit_notice").exists()
    said = words.payment_note(content.body | {"is_test": False}, content.seller, Figures("en", "EUR"))
    assert said == (
        "€11.90 will be collected from your account ending in 3000 on 6 Jan 2026 by direct debit (mandate"
        f" {mandate.reference}, creditor identifier {CREDITOR}). Please don't pay it yourself."
    )


def test_an_invoice_of_a_company_without_debits_says_nothing_of_them(company):
    from billing.documents.content import read

    assert "debit" not in read(billed(company, a_customer(company))).body


def test_an_invoice_that_the_customer_pays_by_another_method_says_nothing_of_its_mandate(company, gateway):
    from billing.documents.content import read
    from billing.models import Invoice, PaymentMethod
    from billing.services import payment_methods, settling
    from tests.factories import a_subscription

    customer = a_customer(company)
    a_mandate(customer, gateway)
    subscription = a_subscription(company, customer)
    other = PaymentMethod.objects.create(
        company=company, customer=customer, gateway=gateway, kind="transfer", status="active", label="other",
        created_at=at_noon(TODAY),
    )  # fmt: skip
    payment_methods.use_for(subscription=subscription, method=other, by=BY, at=at_noon(TODAY))
    settling.settle(
        company=company, customer_ids=[customer.pk], on=TODAY, at=at_noon(TODAY), by=BY, zones=["Europe/Berlin"]
    )
    assert "debit" not in read(Invoice.objects.get(customer=customer)).body


def test_the_invoices_paper_shows_no_account_to_pay_to_when_it_is_debited(company, gateway):
    from billing.documents import layout
    from billing.documents.content import Content, read

    company.iban = "DE02120300000000202051"
    company.save(update_fields=["iban"])
    sheets = []
    for invoice in (billed(company, a_customer(company)), a_debit(company, gateway).invoice):
        found = read(invoice)
        sheets.append(layout.sheet(Content(found.body | {"is_test": False}, found.seller, found.sha256)))
    assert [len(sheet["bank"]) > 0 for sheet in sheets] == [True, False]
    assert [bool(sheet["code"]) for sheet in sheets] == [True, False]
    assert ["by direct debit" in sheet["payment"] for sheet in sheets] == [False, True]


def test_the_notice_names_amount_day_creditor_and_mandate(company, gateway):
    from customers.models import Message

    customer = a_customer(company)
    invoice = billed(company, customer)
    mandate = a_mandate(customer, gateway)
    collect(company)
    message = Message.objects.get(template="debit_notice")
    for part in ("€11.90", "6 Jan 2026", CREDITOR, mandate.reference, "IBAN •••• 3000", invoice.number):
        assert part in message.body + message.subject, part
    assert IBANS[0] not in message.body


def test_easter_the_first_of_may_and_christmas_are_no_collection_days(company, gateway):
    # Good Friday 3 April to Easter Monday 6 April 2026; 1 May is a Friday; 25 December is a Friday.
    for issued, wanted in (
        (date(2026, 3, 29), date(2026, 4, 7)),
        (date(2026, 4, 26), date(2026, 5, 4)),
        (date(2026, 12, 20), date(2026, 12, 28)),
    ):
        assert a_debit(company, gateway, on=issued).collect_on == wanted


def test_over_easter_the_file_is_made_before_it(company, gateway):
    attempt = a_debit(company, gateway, on=date(2026, 3, 29))
    assert attempt.collect_on == date(2026, 4, 7)
    assert make(company, gateway, date(2026, 3, 31)) == []
    (batch,) = make(company, gateway, date(2026, 4, 1))
    assert batch.collection_on == date(2026, 4, 7)


def test_collected_when_due_a_debit_is_announced_ahead():
    company = a_company(payment_terms_days=30)
    company.collect_when = "due"
    company.save(update_fields=["collect_when"])
    gateway = a_creditor(company)
    attempt = a_debit(company, gateway)
    # Due on Saturday 31 January; collected on the Monday after; written, and announced, on the day of issue.
    assert (attempt.created_at, attempt.collect_on) == (at_noon(TODAY), date(2026, 2, 2))


def test_a_mandate_signed_later_gives_the_whole_notice(company, gateway):
    customer = a_customer(company)
    billed(company, customer)
    on = date(2026, 1, 20)
    a_mandate(customer, gateway, on=on)
    # Five days from the 20th end on a Sunday.
    assert collect(company, on)[0].collect_on == date(2026, 1, 26)


def test_who_asks_to_be_debited_now_is_debited_as_soon_as_the_bank_can(company, gateway):
    from billing.services import collecting

    customer = a_customer(company)
    invoice = billed(company, customer)
    on = date(2026, 1, 20)
    method = a_mandate(customer, gateway, on=on).method
    attempt = collecting.pay_now(invoice=invoice, gateway=gateway, method=method, by=BY, at=at_noon(on))
    assert (attempt.state, attempt.collect_on) == ("created", date(2026, 1, 21))


def test_a_live_invoice_prints_its_debit_on_paper():
    import io

    from pypdf import PdfReader

    from billing.documents import rendering

    company = a_company(payment_terms_days=0, is_live=True, clock_at=None, iban="DE02120300000000202051")
    attempt = a_debit(company, a_creditor(company))
    pdf = bytes(rendering.pdf_of(attempt.invoice).content)
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    text = " ".join(text.split())
    assert "will be collected from your account ending in 3000 on 6 Jan 2026 by direct debit" in text
    assert attempt.method.mandates.get().reference in text
    assert CREDITOR in text
    assert "Account holder" not in text
