"""Direct debit files: made in time, read back, each debit in one of them."""

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
        "<StrtNm>Street</StrtNm><BldgNb>1</BldgNb><PstCd>10115</PstCd><TwnNm>Town</TwnNm><Ctry>DE</Ctry>",
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
    (entry,) = debit_files.entries_of(gateway, [attempt.pk])
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
    customers = [a_customer(company, email="") for _ in range(100)]
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


def test_a_gateway_switched_off_lets_its_waiting_debits_go(company, gateway):
    from billing.services import debits, gateway_accounts

    filed, waits = a_debit(company, gateway), a_debit(company, gateway, on=date(2026, 1, 2))
    assert make(company, gateway, date(2026, 1, 2))[0].count == 1
    gateway_accounts.save(company=company, gateway=gateway, is_active=False, by=BY, at=at_noon(TODAY))
    debits.debits_tick(company, at_noon(date(2026, 1, 2)))
    waits.refresh_from_db()
    filed.refresh_from_db()
    assert (waits.state, waits.reason, filed.state) == ("canceled", "method_gone", "created")


def test_a_file_nobody_gave_to_the_bank_is_named(company, gateway):
    from billing.services import debit_files

    a_debit(company, gateway)
    (batch,) = make(company, gateway, date(2026, 1, 2))
    assert debit_files.forgotten(company, date(2026, 1, 5)) == []
    assert debit_files.forgotten(company, DAY) == [batch]


def test_asking_for_a_debit_at_the_bank_changes_nothing(company, gateway):
    from billing.services import debit_files, sending

    attempt = a_debit(company, gateway)
    (batch,) = make(company, gateway, date(2026, 1, 2))
    debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2026, 1, 2)))
    assert sending.look_up(attempt_id=attempt.pk, at=at_noon(DAY)).state == "pending"
    assert sending.cancel(attempt_id=attempt.pk, at=at_noon(DAY)).state == "pending"


def test_the_companys_own_account_stands_in_for_the_gateways(company):
    from billing.services import debit_files
    from core.refusal import Refused

    gateway = a_creditor(company, iban="")
    with pytest.raises(Refused, match="account_missing"):
        debit_files.creditor_of(gateway)
    company.iban, company.bic = "DE02 1203 0000 0000 2020 51", "no bic"
    assert debit_files.creditor_of(gateway).iban == "DE02120300000000202051"


def test_three_months_collect_themselves_day_by_day(company, gateway):
    """Monthly 10.00 net from 1 January, notice of 5 days: Tuesday 6 January, Friday 6 February, Friday 6 March."""
    from datetime import timedelta

    from billing.models import Payment
    from billing.services import collecting, debits, settling
    from tests.factories import a_plan, a_subscription

    customer = a_customer(company)
    a_mandate(customer, gateway)
    a_subscription(company, customer, a_plan(company))
    for number in range(68):
        on = TODAY + timedelta(days=number)
        settling.settle(
            company=company, customer_ids=[customer.pk], on=on, at=at_noon(on), by=BY, zones=["Europe/Berlin"]
        )
        collecting.collect_tick(company, at_noon(on))
        debits.debits_tick(company, at_noon(on))
    paid = Payment.objects.order_by("pk").values_list("received_on", "amount_minor", "status")
    assert list(paid) == [
        (date(2026, 1, 6), 1190, "settled"), (date(2026, 2, 6), 1190, "settled"), (date(2026, 3, 6), 1190, "settled"),
    ]  # fmt: skip


def test_killed_in_the_middle_of_a_credit_the_rest_is_credited_the_next_time(company, gateway, monkeypatch):
    from billing.models import Payment
    from billing.services import attempts, debit_files

    for _ in range(3):
        a_debit(company, gateway)
    (batch,) = make(company, gateway, date(2026, 1, 5))
    batch = debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2026, 1, 5)))
    apply, calls = attempts.apply, []

    def dies_at_the_second(**given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return apply(**given)

    monkeypatch.setattr(attempts, "apply", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        debit_files.settle_batch(batch=batch, on=DAY, by=BY, at=at_noon(DAY))
    assert Payment.objects.count() == 1
    assert debit_files.settle_batch(batch=batch, on=DAY, by=BY, at=at_noon(DAY)) == 2
    assert Payment.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_credited_and_returned_from_many_sides_at_once_is_booked_once():
    from django.db import connection

    from billing.models import Payment, Reversal
    from billing.services import debit_files, debit_returns

    company = a_company(payment_terms_days=0)
    gateway = a_creditor(company)
    debits = [a_debit(company, gateway) for _ in range(4)]
    (batch,) = make(company, gateway, date(2026, 1, 5))
    gate, failed = threading.Barrier(4), list[BaseException]()

    def credit() -> None:
        debit_files.settle_batch(batch=batch, on=DAY, by=BY, at=at_noon(DAY))

    def come_back() -> None:
        for attempt in debits[:2]:
            debit_returns.take_return(
                company=company, end_to_end_id=attempt.ref[4:], code="AM04", on=DAY, was_credited=True, by=BY,
                at=at_noon(DAY),
            )  # fmt: skip

    def work(act) -> None:
        try:
            gate.wait()
            act()
        except BaseException as error:  # noqa: BLE001  the test tells
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(act,)) for act in (credit, credit, come_back, come_back)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(Payment.objects.filter(company=company).values_list("status", flat=True)) == [
        "returned", "returned", "settled", "settled",
    ]  # fmt: skip
    assert Reversal.objects.filter(company=company).count() == 2


@pytest.mark.parametrize(
    ("text", "country", "street", "number"),
    [
        ("Straße des 17. Juni 135 a", "DE", "Straße des 17. Juni", "135 a"),
        ("C 4, 12", "DE", "C 4", "12"),
        ("Hauptstr. 5-7", "AT", "Hauptstr.", "5-7"),
        ("Via Roma 12/A", "IT", "Via Roma", "12/A"),
        ("12 bis, rue de la Paix", "FR", "rue de la Paix", "12 bis"),
        ("221B Baker Street", "GB", "Baker Street", "221B"),
        # Not clear, or no house: left as it is.
        ("rue de la Paix 12", "FR", "rue de la Paix 12", ""),
        ("Schlossplatz", "DE", "Schlossplatz", ""),
        ("Postfach 1234", "DE", "Postfach 1234", ""),
        ("17", "DE", "17", ""),
        ("", "DE", "", ""),
    ],
)
def test_street_and_number_stand_apart_where_that_is_clear(text, country, street, number):
    from billing.gateways.sepa_files import street_and_number

    assert street_and_number(text, country) == (street, number)
