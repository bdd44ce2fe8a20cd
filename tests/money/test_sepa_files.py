"""Direct debit files: announced, made in time, read back, each debit in one of them."""

from __future__ import annotations

import threading
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


def test_a_debit_is_collected_when_its_notice_is_over(company, gateway):
    attempt = a_debit(company, gateway)
    assert (attempt.state, attempt.collect_on, attempt.next_look_at) == ("created", DAY, None)


def test_the_file_says_who_how_much_when_and_by_which_mandate(company, gateway):
    from billing.services import debit_files

    attempt = a_debit(company, gateway, "10.00", holder="Jürgen Groß & Söhne")
    (batch,) = make(company, gateway, date(2026, 1, 5))
    text = xml(batch)
    for part in (
        "<MndtId>" + attempt.method.mandates.get().reference + "</MndtId>",
        '<InstdAmt Ccy="EUR">11.90</InstdAmt>',
        "<ReqdColltnDt>2026-01-06</ReqdColltnDt>",
        "<Nm>Juergen Gross + Soehne</Nm>",
        f"<IBAN>{IBANS[0]}</IBAN>",
        f"<Id>{CREDITOR}</Id>",
        "<SeqTp>RCUR</SeqTp>",
        "<Cd>CORE</Cd>",
        "<DtOfSgntr>2026-01-01</DtOfSgntr>",
        "<BICFI>COBADEFFXXX</BICFI>",
        "<StrtNm>Street 1</StrtNm><PstCd>10115</PstCd><TwnNm>Town</TwnNm><Ctry>DE</Ctry>",
        f"<EndToEndId>{attempt.ref[4:]}</EndToEndId>",
        "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08",
    ):
        assert part in text, part
    assert (batch.count, batch.total_minor, batch.state) == (1, 1190, "made")
    assert debit_files.is_whole(batch)


def test_a_file_is_made_a_banking_day_before_the_last_moment_and_not_earlier(company, gateway):
    a_debit(company, gateway)
    assert make(company, gateway, date(2026, 1, 1)) == []
    # Lead 1 and a day to spare: Friday the 2nd, before the weekend.
    assert len(make(company, gateway, date(2026, 1, 2))) == 1


def test_making_files_again_makes_none(company, gateway):
    a_debit(company, gateway)
    assert len(make(company, gateway, date(2026, 1, 5))) == 1
    assert make(company, gateway, date(2026, 1, 5)) == []


def test_two_schemes_and_one_offs_stand_in_files_of_their_own(company, gateway):
    for scheme, is_one_off in (("CORE", False), ("B2B", False), ("CORE", True)):
        a_debit(company, gateway, scheme=scheme, is_one_off=is_one_off)
    made = [(batch.scheme, batch.sequence, batch.count) for batch in make(company, gateway, date(2026, 1, 5))]
    assert made == [("B2B", "RCUR", 1), ("CORE", "OOFF", 1), ("CORE", "RCUR", 1)]


def test_what_was_paid_meanwhile_is_left_out_and_canceled(company, gateway):
    from billing.services import payments

    paid, kept = a_debit(company, gateway), a_debit(company, gateway)
    payments.record(
        company=company, customer=paid.customer, amount_minor=1190, currency="EUR", method="transfer",
        received_on=TODAY, invoice=paid.invoice, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    (batch,) = make(company, gateway, date(2026, 1, 5))
    paid.refresh_from_db()
    kept.refresh_from_db()
    assert (paid.state, kept.batch_id, batch.count) == ("canceled", batch.pk, 1)


def test_what_was_paid_in_part_is_collected_with_the_rest(company, gateway):
    from billing.models import Attempt
    from billing.services import payments

    attempt = a_debit(company, gateway)
    payments.record(
        company=company, customer=attempt.customer, amount_minor=190, currency="EUR", method="transfer",
        received_on=TODAY, invoice=attempt.invoice, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    (batch,) = make(company, gateway, date(2026, 1, 5))
    assert batch.total_minor == 1000
    found = Attempt.objects.filter(invoice=attempt.invoice).order_by("pk").values_list("state", "amount_minor")
    assert list(found) == [("canceled", 1190), ("created", 1000)]


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


def test_given_to_the_bank_its_debits_wait_and_the_mandate_is_used(company, gateway):
    from billing.services import debit_files

    attempt = a_debit(company, gateway)
    (batch,) = make(company, gateway, date(2026, 1, 5))
    at = at_noon(date(2026, 1, 5))
    debit_files.mark_sent(batch=batch, by=BY, at=at)
    again = debit_files.mark_sent(batch=batch, by=BY, at=at_noon(DAY))
    attempt.refresh_from_db()
    assert (attempt.state, again.state, again.sent_at) == ("pending", "sent", at)
    assert attempt.method.mandates.get().last_used_on == DAY


def test_credited_is_settled_and_booked_debit_by_debit(company, gateway):
    from billing.models import InvoiceBalance, Payment
    from billing.services import books, debit_files

    one, two = a_debit(company, gateway), a_debit(company, gateway, "20.00")
    (batch,) = make(company, gateway, date(2026, 1, 5))
    batch = debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2026, 1, 5)))
    assert debit_files.settle_batch(batch=batch, on=DAY, by=BY, at=at_noon(DAY)) == 2
    assert debit_files.settle_batch(batch=batch, on=DAY, by=BY, at=at_noon(DAY)) == 0
    paid = list(Payment.objects.order_by("pk"))
    assert [(row.amount_minor, row.method, row.received_on, row.attempt_id) for row in paid] == [
        (1190, "debit", DAY, one.pk), (2380, "debit", DAY, two.pk),
    ]  # fmt: skip
    entries = {code: amount for _, code, amount in books.entries_of("payment", paid[0].pk)}
    assert entries == {"1200": 1190, "1400": -1190}
    assert set(InvoiceBalance.objects.values_list("status", flat=True)) == {"paid"}


def test_a_file_the_bank_has_not_can_be_canceled_and_its_debits_go_in_the_next(company, gateway):
    from billing.services import debit_files

    attempt = a_debit(company, gateway)
    (batch,) = make(company, gateway, date(2026, 1, 5))
    at = at_noon(date(2026, 1, 5))
    assert debit_files.cancel_batch(batch=batch, by=BY, at=at).state == "canceled"
    (other,) = make(company, gateway, date(2026, 1, 5))
    attempt.refresh_from_db()
    assert (attempt.state, attempt.batch_id, other.message_id != batch.message_id) == ("created", other.pk, True)
    debit_files.mark_sent(batch=other, by=BY, at=at)
    with pytest.raises(Exception, match="debit_batch.move"):
        debit_files.cancel_batch(batch=other, by=BY, at=at)


def test_a_file_with_a_paid_debit_is_not_given_to_the_bank_unless_it_was(company, gateway):
    from billing.services import debit_files, payments

    attempt = a_debit(company, gateway)
    (batch,) = make(company, gateway, date(2026, 1, 5))
    at = at_noon(date(2026, 1, 5))
    payments.record(
        company=company, customer=attempt.customer, amount_minor=1190, currency="EUR", method="transfer",
        received_on=TODAY, invoice=attempt.invoice, by=BY, at=at,
    )  # fmt: skip
    with pytest.raises(Exception, match="debit_batch.stale"):
        debit_files.mark_sent(batch=batch, by=BY, at=at)
    sent = debit_files.mark_sent(batch=batch, is_at_bank=True, by=BY, at=at)
    assert sent.state == "sent"


def test_a_debit_in_a_file_is_not_canceled_by_another_way_to_pay(company, gateway):
    from billing.services import sending

    attempt = a_debit(company, gateway)
    make(company, gateway, date(2026, 1, 5))
    assert sending.cancel(attempt_id=attempt.pk, at=at_noon(DAY)).state == "created"


def test_an_invoice_in_dollars_is_not_debited(company, gateway):
    from tests.factories import a_plan

    customer = a_customer(company, currency="USD")
    a_mandate(customer, gateway)
    from billing.services import acts

    acts.start(company=company, customer=customer, plan=a_plan(company, currency="USD"), start_on=TODAY, on=TODAY,
               by=BY, at=at_noon(TODAY))  # fmt: skip
    assert collect(company) == []


def test_the_same_orders_give_the_same_bytes(company, gateway, monkeypatch):
    from billing.gateways import sepa_files
    from billing.services import debit_files

    attempt = a_debit(company, gateway)
    (entry,) = debit_files._entries(gateway, [attempt.pk])
    parts = {
        "message_id": "DDB1", "made_at": at_noon(TODAY), "creditor": debit_files.creditor_of(gateway), "scheme": "CORE",
        "sequence": "RCUR", "collect_on": DAY, "debits": [entry.debit],
    }  # fmt: skip
    assert sepa_files.debit_file(**parts) == sepa_files.debit_file(**parts)


@pytest.mark.parametrize(
    "name",
    [
        "<script>&\"';--",
        "Ж" * 200,
        "株式会社",
        "🎉🎉",
        "///",
        "A" * 200,
        "O'Brien & Sons\n<b>",
        "ÄÖÜß" * 60,
        "\u202eevil",
        "::",
    ],
)
def test_no_name_or_address_breaks_a_file(company, gateway, name):
    from billing.gateways.sepa_files import Debit, Place, debit_file, read_debits
    from billing.services import debit_files

    debits = [
        Debit("e2e1", 1, "CUS-1-1", TODAY, name, IBANS[0], "", name, Place(name, name, name, "DE")),
        Debit("e2e2", 99_999_999_999, "CUS-1-2", TODAY, "Erika", IBANS[2], "", name, Place(name, name, name, name)),
    ]
    content = debit_file(
        message_id="DDB1", made_at=at_noon(TODAY), creditor=debit_files.creditor_of(gateway), scheme="CORE",
        sequence="RCUR", collect_on=DAY, debits=debits,
    )  # fmt: skip
    assert read_debits(content) == [("e2e1", 1), ("e2e2", 99_999_999_999)]


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


def test_a_test_company_collects_by_itself_through_its_test_bank(company, gateway):
    from billing.services import debits

    attempt = a_debit(company, gateway)
    for day in range(1, 7):
        debits.debits_tick(company, at_noon(date(2026, 1, day)))
    attempt.refresh_from_db()
    assert (attempt.state, attempt.payment.received_on) == ("settled", DAY)


def test_a_live_company_waits_for_its_own_bank():
    from billing.services import debits

    company = a_company(is_live=True, clock_at=None, payment_terms_days=0)
    gateway = a_creditor(company)
    attempt = a_debit(company, gateway)
    for day in range(1, 8):
        debits.debits_tick(company, at_noon(date(2026, 1, day)))
    attempt.refresh_from_db()
    assert (attempt.state, attempt.batch.state) == ("created", "made")
    with pytest.raises(ValueError, match="bank of its own"):
        debits.play_bank(company=company, at=at_noon(DAY))


@pytest.mark.django_db(transaction=True)
def test_two_who_make_files_at_once_put_each_debit_in_one():
    from django.db import connection

    from billing.models import Attempt, DebitBatch

    company = a_company(payment_terms_days=0)
    gateway = a_creditor(company)
    debits = [a_debit(company, gateway) for _ in range(6)]
    gate, failed = threading.Barrier(2), list[BaseException]()

    def work() -> None:
        try:
            gate.wait()
            make(company, gateway, date(2026, 1, 5))
        except BaseException as error:  # noqa: BLE001  the test tells
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    batches = DebitBatch.objects.filter(company=company)
    assert sum(batch.count for batch in batches) == len(debits)
    assert Attempt.objects.filter(batch__isnull=True).count() == 0
    from billing.services import debit_files

    assert all(debit_files.is_whole(batch) for batch in batches)


def test_customer_with_two_invoices_is_debited_for_both(company, gateway):
    customer = a_customer(company)
    a_mandate(customer, gateway)
    billed(company, customer)
    billed(company, customer, "20.00")
    collect(company)
    (batch,) = make(company, gateway, date(2026, 1, 5))
    assert (batch.count, batch.total_minor) == (2, 3570)


def test_a_thousand_debits_stand_in_one_valid_file_that_says_what_the_rows_say(company, gateway):
    from billing.gateways import sepa_files
    from billing.models import Attempt
    from billing.services import debit_files, settling
    from pricing.periods import add_months
    from tests.factories import a_plan, a_subscription

    plan = a_plan(company, amount="10.00")
    customers = [a_customer(company) for _ in range(100)]
    for number, customer in enumerate(customers):
        a_mandate(customer, gateway, IBANS[number % len(IBANS)], holder=f"Kundin № {number} & Töchter <{number}>")
        a_subscription(company, customer, plan)
    for month in range(10):
        on = add_months(TODAY, month)
        settling.settle(
            company=company, customer_ids=[row.pk for row in customers], on=on, at=at_noon(on), by=BY,
            zones=["Europe/Berlin"],
        )  # fmt: skip
    today = date(2026, 10, 5)
    assert len(collect(company, today)) == 1000
    (batch,) = make(company, gateway, date(2026, 10, 9))
    rows = Attempt.objects.filter(company=company).order_by("pk")
    assert sepa_files.read_debits(bytes(batch.file.content)) == [
        (debit_files.end_to_end_id(row), row.amount_minor) for row in rows
    ]
    assert (batch.collection_on, batch.count, batch.total_minor) == (date(2026, 10, 12), 1000, 1_190_000)
    assert debit_files.is_whole(batch)


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


def test_nobody_is_charged_by_transfer_or_in_cash(company):
    from billing.gateways import base, registry
    from billing.models import PaymentMethod
    from billing.services import gateway_accounts

    for kind in ("transfer", "cash"):
        account = gateway_accounts.save(company=company, kind=kind, by=BY, at=at_noon(TODAY))
        with pytest.raises(base.NotSupported):
            registry.of_kind(kind)(account, address="").charge(None)
    customer = a_customer(company)
    PaymentMethod.objects.create(
        company=company, customer=customer, gateway=account, kind="transfer", status="active", is_default=True,
        label="by transfer", created_at=at_noon(TODAY),
    )  # fmt: skip
    billed(company, customer)
    assert collect(company) == []
