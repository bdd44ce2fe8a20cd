"""Mandates: signed, amended, ended, dead when unused; and what the bank hears of it."""

from __future__ import annotations

from datetime import date

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, at_noon
from tests.money.debits import CREDITOR, IBANS, a_company, a_creditor, a_customer, a_debit, a_mandate, make

pytestmark = pytest.mark.django_db
SAME_BANK = "DE62370400440532013001"


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


@pytest.fixture
def gateway(company):
    return a_creditor(company)


def sent(company, gateway, attempt):
    """The attempt's file, given to the bank."""
    from billing.services import debit_files
    from pricing import banking_days

    on = banking_days.before(attempt.collect_on, 1)
    (batch,) = make(company, gateway, on)
    return debit_files.mark_sent(batch=batch, by=BY, at=at_noon(on))


def test_a_signed_mandate_makes_the_default_method(company, gateway):
    customer = a_customer(company)
    mandate = a_mandate(customer, gateway, "de89 3704 0044 0532 0130 00")
    method = mandate.method
    assert (method.kind, method.status, method.is_default, method.label) == (
        "debit", "active", True, "IBAN •••• 3000",
    )  # fmt: skip
    assert (mandate.iban, mandate.bic, mandate.creditor_id) == (IBANS[0], "COBADEFFXXX", CREDITOR)
    assert (mandate.reference, mandate.signed_on) == (f"{customer.number}-1", TODAY)
    assert mandate.proof == {"address": "192.0.2.1", "at": at_noon(TODAY).isoformat()}


def test_the_account_stands_sealed_and_is_found_by_its_fingerprint(company, gateway):
    from django.db import connection

    from billing.models import Mandate
    from core.sealing import fingerprint

    mandate = a_mandate(a_customer(company), gateway)
    with connection.cursor() as cursor:
        cursor.execute("SELECT iban FROM billing_mandate WHERE id = %s", [mandate.pk])
        assert IBANS[0] not in cursor.fetchone()[0]
    assert Mandate.objects.get(iban_fingerprint=fingerprint(IBANS[0])).pk == mandate.pk


def test_signed_twice_is_signed_once(company, gateway):
    customer = a_customer(company)
    assert a_mandate(customer, gateway).pk == a_mandate(customer, gateway).pk


def test_a_second_account_is_a_second_mandate_and_not_the_default(company, gateway):
    customer = a_customer(company)
    a_mandate(customer, gateway)
    second = a_mandate(customer, gateway, IBANS[1])
    assert (second.reference, second.method.is_default) == (f"{customer.number}-2", False)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iban": "DE89370400440532013001"}, "iban.wrong"),
        ({"iban": "nonsense"}, "iban.wrong"),
        ({"iban": ""}, "iban.wrong"),
        ({"iban": "TR330006100519786457841326"}, "iban.not_sepa"),
        ({"iban": "CH9300762011623852957"}, "bic.missing"),
        ({"bic": "NOBIC"}, "bic.wrong"),
        ({"holder": "🎉"}, "mandate.holder"),
        ({"signed_by": " "}, "mandate.signature"),
        ({"scheme": "COR1"}, "field.choice"),
    ],
)
def test_what_a_bank_would_refuse_is_refused_when_typed(company, gateway, changes, code):
    with pytest.raises(Refused) as refused:
        a_mandate(a_customer(company), gateway, **changes)
    assert refused.value.code == code


def test_a_consumer_signs_no_business_mandate(company, gateway):
    with pytest.raises(Refused) as refused:
        a_mandate(a_customer(company, kind="person"), gateway, scheme="B2B")
    assert refused.value.code == "mandate.b2b_person"


def test_an_account_beyond_the_eea_goes_with_bic_and_address(company, gateway):
    attempt = a_debit(company, gateway, iban="CH9300762011623852957", bic="UBSWCHZH80A")
    (batch,) = make(company, gateway, date(2026, 1, 5))
    text = bytes(batch.file.content).decode()
    assert "<BICFI>UBSWCHZH80A</BICFI>" in text
    assert "<TwnNm>Town</TwnNm>" in text
    assert attempt.method.label == "IBAN •••• 2957"


def test_the_words_are_in_the_customers_language_and_of_the_scheme(company, gateway):
    from billing.services import mandates

    customer = a_customer(company)
    core, b2b = (mandates.words_of(customer, gateway, scheme) for scheme in ("CORE", "B2B"))
    assert "within 8 weeks" in core
    assert "Nordlicht GmbH" in core
    assert CREDITOR in core
    assert "not entitled to a refund" in b2b
    assert "8 weeks" not in b2b


def test_a_paper_mandate_keeps_its_scan_and_the_day_of_its_signature(company, gateway):
    from billing.services import mandates
    from core.services import files

    paper = files.store(company_id=company.pk, name="mandate.pdf", media_type="application/pdf", content=b"%PDF-1.7")
    given = {
        "customer": a_customer(company), "gateway": gateway, "iban": IBANS[0], "holder": "Erika", "signed_by": "Erika",
        "paper": paper, "by": BY, "at": at_noon(TODAY),
    }  # fmt: skip
    mandate = mandates.record_paper(**given, signed_on=date(2025, 12, 1))
    assert (mandate.signed_on, mandate.paper_id) == (date(2025, 12, 1), paper.pk)
    with pytest.raises(Refused) as refused:
        mandates.record_paper(**given, signed_on=date(2026, 1, 2))
    assert refused.value.code == "mandate.signed_later"


def test_a_creditor_id_whose_check_digits_do_not_hold_is_refused(company):
    with pytest.raises(Refused) as refused:
        a_creditor(company, creditor_id="DE97ZZZ09999999999")
    assert refused.value.code == "gateway.creditor_id_wrong"


@pytest.mark.parametrize(
    ("iban", "told"),
    [
        (SAME_BANK, f"<OrgnlDbtrAcct><Id><IBAN>{IBANS[0]}</IBAN></Id></OrgnlDbtrAcct>"),
        (IBANS[1], "<OrgnlDbtrAcct><Id><Othr><Id>SMNDA</Id></Othr></Id></OrgnlDbtrAcct>"),
    ],
)
def test_another_account_is_told_with_the_next_debit_alone(company, gateway, iban, told):
    from billing.services import mandates
    from tests.money.debits import billed, collect

    first = a_debit(company, gateway)
    sent(company, gateway, first)
    mandate = first.method.mandates.get()
    new = mandates.amend(mandate=mandate, iban=iban, by=BY, at=at_noon(date(2026, 1, 7)))
    mandate.refresh_from_db()
    assert (new.reference, new.amends_id, new.is_amendment_told) == (mandate.reference, mandate.pk, False)
    assert (mandate.ended_on, new.ended_on, new.method_id) == (date(2026, 1, 7), None, mandate.method_id)
    texts = []
    for day in (date(2026, 1, 8), date(2026, 1, 20)):
        billed(company, first.customer, on=day)
        texts.append(bytes(sent(company, gateway, collect(company, day)[-1]).file.content).decode())
    assert "<AmdmntInd>true</AmdmntInd>" in texts[0]
    assert told in texts[0]
    assert "AmdmntInd" not in texts[1]
    assert f"<IBAN>{iban}</IBAN>" in texts[1]


def test_what_no_bank_ever_heard_of_needs_no_amendment(company, gateway):
    from billing.services import mandates

    attempt = a_debit(company, gateway)
    mandates.amend(mandate=attempt.method.mandates.get(), iban=IBANS[1], by=BY, at=at_noon(TODAY))
    (batch,) = make(company, gateway, date(2026, 1, 5))
    text = bytes(batch.file.content).decode()
    assert "AmdmntInd" not in text
    assert IBANS[1] in text


def test_another_creditor_id_is_told_with_the_next_debit(company, gateway):
    from billing.services import gateway_accounts
    from tests.money.debits import billed, collect

    first = a_debit(company, gateway)
    sent(company, gateway, first)
    other = "NL50ZZZ123456780001"
    from pricing import sepa_rules

    digits = next(f"{number:02}" for number in range(100) if sepa_rules.is_creditor_id(f"NL{number:02}{other[4:]}"))
    other = f"NL{digits}{other[4:]}"
    gateway = gateway_accounts.save(
        company=company, gateway=gateway, creditor_id=other, by=BY, at=at_noon(date(2026, 1, 7))
    )
    billed(company, first.customer, on=date(2026, 1, 8))
    text = bytes(sent(company, gateway, collect(company, date(2026, 1, 8))[-1]).file.content).decode()
    assert f"<OrgnlCdtrSchmeId><Id><PrvtId><Othr><Id>{CREDITOR}</Id>" in text
    assert text.count(other) == 2


def test_amending_a_broken_account_makes_the_method_usable_again(company, gateway):
    from billing.models import PaymentMethod
    from billing.services import mandates

    mandate = a_mandate(a_customer(company), gateway)
    PaymentMethod.objects.filter(pk=mandate.method_id).update(status="broken", reason="account_closed")
    mandate.refresh_from_db()
    new = mandates.amend(mandate=mandate, iban=IBANS[1], by=BY, at=at_noon(TODAY))
    assert (new.method.status, new.method.label) == ("active", "IBAN •••• 5030")


def test_an_ended_mandate_is_not_amended_and_its_waiting_debits_are_canceled(company, gateway):
    from billing.services import mandates

    attempt = a_debit(company, gateway)
    mandate = attempt.method.mandates.get()
    mandates.end(mandate=mandate, by=BY, at=at_noon(TODAY))
    mandates.end(mandate=mandate, by=BY, at=at_noon(TODAY))
    attempt.refresh_from_db()
    attempt.method.refresh_from_db()
    assert (attempt.state, attempt.method.status) == ("canceled", "broken")
    with pytest.raises(Refused) as refused:
        mandates.amend(mandate=mandate, iban=IBANS[1], by=BY, at=at_noon(TODAY))
    assert refused.value.code == "mandate.ended"


def test_unused_for_36_months_a_mandate_is_dead(company, gateway):
    from billing.services import debits

    mandate = a_mandate(a_customer(company), gateway)
    debits.debits_tick(company, at_noon(date(2028, 12, 31)))
    mandate.refresh_from_db()
    assert mandate.ended_on is None
    debits.debits_tick(company, at_noon(date(2029, 1, 1)))
    mandate.refresh_from_db()
    mandate.method.refresh_from_db()
    assert (mandate.ended_on, mandate.method.status) == (date(2029, 1, 1), "expired")


def test_the_36_months_begin_anew_with_each_debit(company, gateway):
    from billing.services import mandates

    attempt = a_debit(company, gateway)
    sent(company, gateway, attempt)
    mandates.end_unused(company=company, at=at_noon(date(2029, 1, 5)))
    mandate = attempt.method.mandates.get()
    assert mandate.ended_on is None
    mandates.end_unused(company=company, at=at_noon(date(2029, 1, 6)))
    mandate.refresh_from_db()
    assert mandate.ended_on == date(2029, 1, 6)


def test_a_mandate_for_one_debit_is_used_up_by_it(company, gateway):
    attempt = a_debit(company, gateway, is_one_off=True)
    batch = sent(company, gateway, attempt)
    attempt.method.refresh_from_db()
    assert (batch.sequence, attempt.method.status) == ("OOFF", "expired")
    assert attempt.method.mandates.get().ended_on == date(2026, 1, 5)
