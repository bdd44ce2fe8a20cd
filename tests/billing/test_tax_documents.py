"""Taxes on documents: each branch in five languages, changes of rate, tax currency, VAT ids nobody has checked."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.documents import content, explaining, rendering
from billing.models import BilledDays, ExchangeRate, Invoice, InvoiceLine
from billing.services import crediting, drafting, exchange, reference_rates, vat_waits
from billing.services.settling import Settlement, settle
from catalog.models import TaxCategory
from core.models import AuditEntry, Company, Event
from core.refusal import Refused
from customers.models import Customer
from customers.services import vat_ids
from customers.services.vies import Answer
from subscriptions.models import Subscription
from tests.documents.papers import pages_of
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db


def bill(company: Company, on: date = TODAY) -> Settlement:
    ids = list(Subscription.objects.filter(company=company).values_list("customer_id", flat=True).distinct())
    return settle(company=company, customer_ids=ids, on=on, at=set_clock(company, on), by=BY)


def billed(company: Company, customer: Customer, *, category: str = "standard-electronic", on: date = TODAY) -> Invoice:
    plan = a_plan(company, amount="100.00", product=a_product(company, category=category))
    a_subscription(company, customer, plan, on=on)
    [invoice_id] = bill(company, on).invoice_ids
    return Invoice.objects.get(pk=invoice_id)


def paper(invoice: Invoice) -> str:
    """Everything the PDF says, on one line."""
    return " ".join("".join(pages_of(bytes(rendering.pdf_of(invoice).content))).split())


BUSINESS = {"country": "FR", "vat_id": "FR40303265045", "vat_state": "valid"}
BRANCHES: dict[str, tuple[dict[str, Any], dict[str, Any], str, tuple[str, str, int]]] = {
    "AE": ({}, BUSINESS, "standard-electronic", ("AE", "reverse_charge", 10000)),
    "K": ({}, BUSINESS, "standard-goods", ("K", "intra_community", 10000)),
    "G": ({}, {"country": "US"}, "standard-goods", ("G", "export", 10000)),
    "O": ({}, {"country": "US"}, "standard-general", ("O", "outside_scope", 10000)),
    "E": ({}, {"tax_exemption": "§ 4 Nr. 21 UStG"}, "standard-electronic", ("E", "exempt", 10000)),
    "small": ({"is_small_business": True}, {}, "standard-electronic", ("E", "small_business", 10000)),
}
WORDS = {
    "AE": {
        "en": "Reverse charge / Steuerschuldnerschaft des Leistungsempfängers: VAT is due from the recipient",
        "de": "Steuerschuldnerschaft des Leistungsempfängers",
        "fr": "Autoliquidation",
        "it": "Inversione contabile",
        "es": "Inversión del sujeto pasivo",
    },
    "K": {
        "en": "Intra-Community supply, exempt from VAT (Art. 138",
        "de": "Steuerfreie innergemeinschaftliche Lieferung (Art. 138",
        "fr": "Livraison intracommunautaire, exonérée de TVA (art. 138",
        "it": "Cessione intracomunitaria, non imponibile IVA (art. 138",
        "es": "Entrega intracomunitaria exenta de IVA (art. 138",
    },
    "G": {
        "en": "Export, exempt from VAT (Art. 146",
        "de": "Steuerfreie Ausfuhrlieferung (Art. 146",
        "fr": "Exportation, exonérée de TVA (art. 146",
        "it": "Esportazione, non imponibile IVA (art. 146",
        "es": "Exportación exenta de IVA (art. 146",
    },
    "O": {
        "en": "Not subject to VAT",
        "de": "Nicht steuerbar",
        "fr": "Non soumis à la TVA",
        "it": "Operazione non soggetta a IVA",
        "es": "Operación no sujeta a IVA",
    },
    "E": {
        "en": "Exempt from VAT: § 4 Nr. 21 UStG",
        "de": "Steuerfrei: § 4 Nr. 21 UStG",
        "fr": "Exonéré de TVA : § 4 Nr. 21 UStG",
        "it": "Esente da IVA: § 4 Nr. 21 UStG",
        "es": "Exento de IVA: § 4 Nr. 21 UStG",
    },
    "small": {
        "en": "No VAT is charged under the seller's small-business scheme.",
        "de": "Kleinunternehmer gemäß § 19 UStG",
        "fr": "le vendeur relève du régime de franchise",
        "it": "il venditore aderisce al regime di franchigia",
        "es": "régimen especial de pequeñas empresas",
    },
}


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
@pytest.mark.parametrize("branch", list(BRANCHES))
def test_a_document_without_tax_says_why_in_its_language(branch: str, language: str) -> None:
    settings, buyer, category, expected = BRANCHES[branch]
    company = a_company(vat_id="DE136695976", **settings)
    invoice = billed(company, a_customer(company, language=language, **buyer), category=category)
    [row] = invoice.tax_rows
    assert (row["category"], row["reason"], invoice.gross_minor, invoice.tax_minor) == (*expected, 0)
    text = paper(invoice)
    assert WORDS[branch][language] in text
    if branch in ("AE", "K"):
        assert "DE136695976" in text
        assert "FR40303265045" in text


def test_category_o_stands_alone_on_its_document() -> None:
    """Electronic services to a private person in the United States lie outside; goods are exported."""
    company = a_company()
    customer = a_customer(company, country="US", kind="person")
    for category in ("standard-electronic", "standard-goods"):
        plan = a_plan(company, product=a_product(company, category=category))
        a_subscription(company, customer, plan)
    outcome = bill(company)
    groups = [[row["category"] for row in one.tax_rows] for one in Invoice.objects.filter(pk__in=outcome.invoice_ids)]
    assert sorted(groups) == [["G"], ["O"]]


def test_a_business_on_the_canaries_is_outside_whatever_its_vat_id_says() -> None:
    company = a_company()
    address = {"lines": ["Calle 1"], "postal_code": "35001", "city": "Las Palmas", "country": "ES"}
    customer = a_customer(company, address=address, vat_id="ESA13585625", vat_state="valid")
    [row] = billed(company, customer).tax_rows
    assert (row["category"], row["reason"]) == ("O", "special_territory")


# The change of 1 July 2020 (19 to 16 percent). 20 June to 20 July are 30 days: 11 in June, 19 in July.
CHANGE = date(2020, 6, 20)


def over_the_change(rate_change: str, amount: str = "30.00") -> list[InvoiceLine]:
    company = a_company(today=CHANGE, rate_change=rate_change)
    a_subscription(company, plan=a_plan(company, amount=amount), on=CHANGE)
    [invoice_id] = bill(company, CHANGE).invoice_ids
    return list(InvoiceLine.objects.filter(invoice_id=invoice_id).select_related("invoice").order_by("position"))


@pytest.mark.parametrize(("rate_change", "rate", "tax"), [("end_of_period", "16", 480), ("tax_point", "19", 570)])
def test_a_period_takes_one_rate(rate_change: str, rate: str, tax: int) -> None:
    [line] = over_the_change(rate_change)
    assert (line.tax_rate, line.invoice.tax_minor, line.amount_minor) == (Decimal(rate), tax, 3000)


def test_split_cuts_the_line_at_the_day_each_part_with_its_rate() -> None:
    first, second = over_the_change("split")
    assert (first.period_start, first.period_end, first.amount_minor, first.tax_rate) == (
        CHANGE, date(2020, 7, 1), 1100, Decimal(19),
    )  # fmt: skip
    assert (second.period_start, second.period_end, second.amount_minor, second.tax_rate) == (
        date(2020, 7, 1), date(2020, 7, 20), 1900, Decimal(16),
    )  # fmt: skip
    # 11.00 x 19% = 2.09; 19.00 x 16% = 3.04
    assert (first.invoice.net_minor, first.invoice.tax_minor) == (3000, 513)
    days = BilledDays.objects.filter(line__in=[first, second]).order_by("days")
    assert [(row.line_id, row.days.lower, row.days.upper) for row in days] == [
        (first.pk, CHANGE, date(2020, 7, 1)),
        (second.pk, date(2020, 7, 1), date(2020, 7, 20)),
    ]


@pytest.mark.parametrize(("amount", "parts"), [("10.00", [367, 633]), ("0.05", [2, 3]), ("99.99", [3666, 6333])])
def test_the_parts_of_a_split_line_add_up_to_the_whole(amount: str, parts: list[int]) -> None:
    """10.00 x 11/30 = 3.6666.., 6.3333..; 0.05: 1.8333.. and 3.1666.. cents; 99.99: 36.663 and 63.327."""
    assert [line.amount_minor for line in over_the_change("split", amount)] == parts


def test_a_split_line_explains_its_part() -> None:
    first, _ = over_the_change("split")
    said = explaining.explain(first, "en")
    assert "The tax rate changes within these days: 11 of 30 bear this rate, €11.00 of €30.00." in said


def test_a_split_line_is_one_line_to_the_forecast() -> None:
    company = a_company(today=CHANGE, rate_change="split")
    a_subscription(company, plan=a_plan(company, amount="30.00"), on=CHANGE)
    assert bill(company, CHANGE).lines == 1


def test_each_part_is_given_back_at_its_own_rate() -> None:
    lines = over_the_change("split")
    note = crediting.credit_invoice(
        invoice=lines[0].invoice, lines={lines[1].pk: 1900}, reason="Not supplied", by=BY, at=at_noon(CHANGE)
    )
    assert (note.net_minor, note.tax_minor) == (1900, 304)


def euro_rate(day: date, rate: str, currency: str = "USD") -> None:
    ExchangeRate.objects.create(day=day, currency=currency, rate=Decimal(rate), source="test")


def in_dollars(company: Company, on: date = TODAY, amount: str = "100.00") -> Settlement:
    a_subscription(company, plan=a_plan(company, amount=amount, currency="USD"), currency="USD", on=on)
    return bill(company, on)


def test_tax_is_fixed_in_the_tax_currency_at_the_last_rate_before_the_day() -> None:
    """19.00 USD / 1.0850 = 17.5115.. EUR; the rate of 31 December holds on New Year's Day."""
    company = a_company()
    euro_rate(date(2025, 12, 30), "1.1000")
    euro_rate(date(2025, 12, 31), "1.0850")
    euro_rate(date(2026, 1, 2), "1.2000")
    invoice = Invoice.objects.get(pk=in_dollars(company).invoice_ids[0])
    assert (invoice.currency, invoice.tax_minor) == ("USD", 1900)
    assert (invoice.tax_currency_minor, invoice.tax_currency_rate) == (1751, Decimal("1.0850"))
    assert content.read(invoice).body["tax_currency"] == {
        "currency": "EUR", "rate": "1.085", "tax": 1751, "on": "2026-01-01",
    }  # fmt: skip
    assert "VAT in EUR (1 EUR = 1.085 USD, 1 Jan 2026) €17.51" in paper(invoice)


def test_a_document_in_the_tax_currency_says_nothing_of_it() -> None:
    company = a_company()
    euro_rate(date(2025, 12, 31), "1.0850")
    invoice = billed(company, a_customer(company))
    assert (invoice.tax_currency_minor, invoice.tax_currency_rate) == (None, None)
    assert "tax_currency" not in content.read(invoice).body


def test_a_tax_currency_other_than_the_euro_is_crossed() -> None:
    """1 CHF = 1.0850 / 0.9300 = 1.1666666667 USD; 19.00 / 1.1666666667 = 16.2857 CHF."""
    company = a_company(tax_currency="CHF")
    euro_rate(TODAY, "1.0850")
    euro_rate(TODAY, "0.9300", "CHF")
    invoice = Invoice.objects.get(pk=in_dollars(company).invoice_ids[0])
    assert (invoice.tax_currency_minor, invoice.tax_currency_rate) == (1629, Decimal("1.1666666667"))


def test_without_a_rate_the_subscription_is_parked_and_told_what_to_do() -> None:
    company = a_company()
    euro_rate(date(2026, 1, 2), "1.0850")
    outcome = in_dollars(company)
    [(_, code, words)] = outcome.parked
    assert (outcome.invoice_ids, code) == ([], "tax.no_exchange_rate")
    assert "USD" in words
    assert "2026-01-01" in words
    assert "Load the reference rates" in words


def test_a_document_without_tax_needs_no_rate() -> None:
    company = a_company()
    a_subscription(
        company, a_customer(company, **BUSINESS), a_plan(company, currency="USD"), currency="USD"
    )  # fmt: skip
    [invoice_id] = bill(company).invoice_ids
    assert Invoice.objects.get(pk=invoice_id).tax_currency_minor is None


def test_a_draft_by_hand_takes_the_rate_of_its_day() -> None:
    company = a_company()
    euro_rate(TODAY, "1.2500")
    line = drafting.DraftLine(description="Work", unit_amount=Decimal(100), tax_category=TaxCategory.objects.get(
        company=company, code="standard-general"))  # fmt: skip
    draft = drafting.create_draft(
        company=company, customer=a_customer(company), currency="USD", lines=[line], by=BY, at=at_noon(TODAY)
    )
    issued = drafting.issue(invoice=draft, by=BY, at=at_noon(TODAY))
    assert (issued.tax_minor, issued.tax_currency_minor) == (1900, 1520)


@pytest.mark.parametrize(
    ("minor", "currency", "rate", "tax_currency", "expected"),
    [
        (1900, "USD", "1.0850", "EUR", 1751),
        (1900, "JPY", "160.25", "EUR", 1186),
        (1900, "KWD", "0.3300", "EUR", 576),
        (1900, "EUR", "0.0062402496", "JPY", 3045),
        (1, "USD", "2", "EUR", 1),
    ],
)
def test_minor_units_of_both_currencies_count(
    minor: int, currency: str, rate: str, tax_currency: str, expected: int
) -> None:
    """1.900 KWD / 0.33 = 5.7576 EUR; 1900 JPY / 160.25 = 11.8565 EUR; half a cent rounds up."""
    assert exchange.in_tax_currency(minor, currency, Decimal(rate), tax_currency) == expected


CSV = b"Date,USD,JPY,CYP,\n2026-01-02,1.0850,160.25,N/A,\n2025-12-31,1.0840,N/A,N/A,\n"
XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
  xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<Cube><Cube time="2026-01-02"><Cube currency="USD" rate="1.0850"/><Cube currency="JPY" rate="160.25"/></Cube>
<Cube time="2025-12-31"><Cube currency="USD" rate="1.0840"/></Cube></Cube></gesmes:Envelope>"""
DAILY = b"Date, USD, JPY, \n02 January 2026, 1.0850, 160.25, \n"


@pytest.mark.parametrize(("file", "read"), [(CSV, 3), (XML, 3), (DAILY, 2)])
def test_the_files_of_the_ecb_are_read(file: bytes, read: int) -> None:
    assert reference_rates.load(file) == (read, read, date(2026, 1, 2))
    assert ExchangeRate.objects.get(currency="JPY").rate == Decimal("160.25")


def test_a_stored_rate_is_never_changed() -> None:
    euro_rate(date(2026, 1, 2), "9")
    assert reference_rates.load(CSV).added == 2
    assert ExchangeRate.objects.get(currency="USD", day=date(2026, 1, 2)).rate == Decimal(9)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"a,b\n1,2\n", "exchange_rates.form"),
        (b"<html>", "exchange_rates.form"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "exchange_rates.form"),
        (b"Date,USD\n2026-01-02,-1\n", "exchange_rates.form"),
        (b"Date,USD\n2026-13-02,1\n", "exchange_rates.form"),
        (b"Date,USD\n", "exchange_rates.empty"),
        (b"\xff\xfe", "exchange_rates.form"),
    ],
)
def test_another_file_is_refused(file: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        reference_rates.load(file)
    assert refused.value.code == code


PENDING = {"country": "FR", "vat_id": "FR40303265045"}


def waiting() -> tuple[Company, Customer, Invoice]:
    company = a_company()
    customer = a_customer(company, **PENDING)
    a_subscription(company, customer, a_plan(company, amount="100.00"))
    outcome = bill(company)
    assert outcome.invoice_ids == []
    return company, customer, Invoice.objects.get(company=company)


def test_a_document_waits_for_the_answer_about_a_vat_id() -> None:
    _, _, draft = waiting()
    assert (draft.waits_for, draft.number, draft.tax_minor) == ("vat_check", "", 2000)
    assert draft.issue_after_at == at_noon(TODAY) + timedelta(hours=72)


@pytest.mark.parametrize(("is_valid", "category", "tax"), [(True, "AE", 0), (False, "S", 2000)])
def test_it_is_issued_as_soon_as_the_answer_is_there(is_valid: bool, category: str, tax: int) -> None:
    company, customer, draft = waiting()
    at = at_noon(TODAY) + timedelta(hours=2)
    assert vat_waits.issue_answered(company, at) == {}
    vat_ids.keep(customer=customer, vat_id=customer.vat_id, answer=Answer(is_valid, "", "", ""), at=at)
    assert vat_waits.issue_answered(company, at) == {"answered": 1, "unchecked": 0}
    issued = Invoice.objects.get(company=company)
    assert (issued.public_id, issued.tax_rows[0]["category"], issued.tax_minor) == (draft.public_id, category, tax)
    assert not Event.objects.filter(type="invoice.vat_unchecked").exists()


def test_without_an_answer_it_is_issued_after_72_hours_as_for_a_consumer_and_staff_are_told() -> None:
    company, _, _ = waiting()
    assert vat_waits.issue_answered(company, at_noon(TODAY) + timedelta(hours=71, minutes=59)) == {}
    assert vat_waits.issue_answered(company, at_noon(TODAY) + timedelta(hours=72)) == {"answered": 0, "unchecked": 1}
    issued = Invoice.objects.get(company=company)
    assert (issued.number != "", issued.tax_rows[0]["reason"], issued.tax_minor) == (True, "destination", 2000)
    event = Event.objects.get(company=company, type="invoice.vat_unchecked")
    assert event.data["number"] == issued.number
    assert AuditEntry.objects.filter(company=company, verb="invoice.issue_unchecked").count() == 1


@pytest.mark.parametrize(("age", "waits"), [(89, False), (90, True)])
def test_an_answer_counts_while_it_is_under_ninety_days_old(age: int, waits: bool) -> None:
    company = a_company()
    customer = a_customer(company, **PENDING)
    long_ago = at_noon(TODAY) - timedelta(days=age)
    vat_ids.keep(customer=customer, vat_id=customer.vat_id, answer=Answer(True, "", "", ""), at=long_ago)
    Customer.objects.filter(pk=customer.pk).update(vat_state="pending")
    a_subscription(company, customer, a_plan(company, amount="100.00"))
    outcome = bill(company)
    assert len(outcome.invoice_ids) == (not waits)
    if not waits:
        assert Invoice.objects.get().tax_rows[0]["category"] == "AE"


def test_a_pending_vat_id_that_decides_nothing_waits_for_nothing() -> None:
    company = a_company()
    customer = a_customer(company, vat_id="DE136695976")
    assert customer.vat_state == "pending"
    assert billed(company, customer).tax_minor == 1900


def test_a_credit_note_says_its_tax_at_the_rate_of_its_invoice() -> None:
    """19.00 USD are 17.51 EUR. Of 100.00 USD 33.33 go back: 6.33 USD = 5.8341 EUR; then 33.34: 6.33 again; the note
    that takes the rest takes 17.51 - 5.83 - 5.83 = 5.85."""
    company = a_company()
    euro_rate(date(2025, 12, 31), "1.0850")
    euro_rate(date(2026, 1, 2), "1.2000")
    invoice = Invoice.objects.get(pk=in_dollars(company).invoice_ids[0])
    [line] = invoice.lines.all()
    at = set_clock(company, date(2026, 1, 5))
    first, second = (
        crediting.credit_invoice(invoice=invoice, lines={line.pk: minor}, reason="Not supplied", by=BY, at=at)
        for minor in (3333, 3334)
    )
    rest = crediting.credit_invoice(invoice=invoice, reason="Not supplied", by=BY, at=at)
    assert [(note.tax_minor, note.tax_currency_minor) for note in (first, second, rest)] == [
        (633, 583), (633, 583), (634, 585),
    ]  # fmt: skip
    assert first.tax_currency_rate == Decimal("1.0850")
    assert content.read(first).body["tax_currency"] == {
        "currency": "EUR", "rate": "1.085", "tax": 583, "on": "2026-01-01",
    }  # fmt: skip
    assert "VAT in EUR (1 EUR = 1.085 USD, 1 Jan 2026)" in paper(first)


def test_a_credit_note_in_the_tax_currency_says_nothing_of_it() -> None:
    company = a_company()
    invoice = billed(company, a_customer(company))
    note = crediting.credit_invoice(invoice=invoice, reason="Not supplied", by=BY, at=at_noon(TODAY))
    assert (note.tax_currency_minor, note.tax_currency_rate) == (None, None)
    assert "tax_currency" not in content.read(note).body
