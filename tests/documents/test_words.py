"""The sentences of the law: in the document's language, from the rows in force on its date."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.documents import law, words
from billing.documents.figures import Figures

from .papers import SELLER, a_line, a_paper

EN = Figures("en", "EUR")


def notes_of(category: str, reason: str = "", *, country: str = "DE", **row) -> list[str]:
    line = a_line(1, tax_category=category, tax_rate="0")
    paper = a_paper([line])
    paper.body["tax_rows"][0].update(category=category, reason=reason, **row)
    return words.tax_notes(paper.body, {**SELLER, "country": country}, "en")


@pytest.mark.parametrize(
    ("country", "statutory"),
    [
        ("DE", "Steuerschuldnerschaft des Leistungsempfängers"), ("FR", "Autoliquidation"),
        ("IT", "Inversione contabile"), ("ES", "Inversión del sujeto pasivo"),
    ],
)  # fmt: skip
def test_reverse_charge_is_said_in_both_languages(country: str, statutory: str) -> None:
    [note] = notes_of("AE", "reverse_charge", country=country)
    assert note == (
        f"Reverse charge / {statutory}: VAT is due from the recipient (Art. 44 and 196, Directive 2006/112/EC)."
    )


def test_a_seller_elsewhere_says_reverse_charge_alone() -> None:
    [note] = notes_of("AE", "reverse_charge", country="NL")
    assert note.startswith("Reverse charge: ")


@pytest.mark.parametrize(
    ("country", "paragraph"), [("DE", "§ 19 UStG"), ("FR", "art. 293 B du CGI"), ("IT", "Legge n. 190/2014")]
)
def test_small_businesses_name_their_paragraph(country: str, paragraph: str) -> None:
    statutory, translated = notes_of("E", "small_business", country=country)
    assert paragraph in statutory
    assert translated == "No VAT is charged under the seller's small-business scheme."


def test_an_exemption_prints_the_customers_reason() -> None:
    assert notes_of("E", "customer_exempt", text="NATO forces, Art. 67") == ["Exempt from VAT: NATO forces, Art. 67"]


def test_other_zero_rates_say_why() -> None:
    assert "Art. 138" in notes_of("K")[0]
    assert "Art. 146" in notes_of("G")[0]
    assert "place of supply" in notes_of("O")[0]


def test_taxed_lines_need_no_note() -> None:
    assert notes_of("S", "domestic") == []


def test_a_seller_without_vat_says_nothing_of_tax() -> None:
    assert notes_of("O", "outside_scope", country="US") == []
    paper = a_paper([a_line(1, tax_category="O", tax_rate="0")])
    assert not words.shows_tax(paper.body, {**SELLER, "country": "US"})


def test_french_business_invoices_print_penalty_compensation_and_discount() -> None:
    paper = a_paper()
    interest, discount = words.late_notes(paper.body, {**SELLER, "country": "FR"}, EN)
    assert "plus 10 percentage points" in interest
    assert "€40.00" in interest
    assert discount == "No discount for early payment. / Pas d'escompte pour paiement anticipé."


def test_german_consumers_are_warned_of_default() -> None:
    paper = a_paper(buyer={"kind": "person"})
    [note] = words.late_notes(paper.body, SELLER, EN)
    assert "at the latest 30 days after" in note


def test_german_businesses_are_not_warned() -> None:
    assert words.late_notes(a_paper().body, SELLER, EN) == []


def test_credit_notes_say_nothing_of_late_payment() -> None:
    assert words.late_notes(a_paper(kind="credit_note").body, {**SELLER, "country": "FR"}, EN) == []


def test_a_document_is_judged_by_the_rows_of_its_own_date() -> None:
    assert law.late_payment("FR", date(2012, 12, 31)) is None
    rule = law.late_payment("FR", date(2013, 1, 1))
    assert rule is not None
    assert (rule.points, rule.compensation) == ("10", "40")


def test_a_line_without_period_dates_the_supply() -> None:
    lines = [a_line(1), a_line(2, period_start=None, period_end=None)]
    assert words.supply_note(a_paper(lines).body, SELLER) == (
        "Where no period is stated, the date of supply is the invoice date."
    )
    assert words.supply_note(a_paper().body, SELLER) == ""


def test_nothing_to_pay_says_why() -> None:
    body = a_paper(credit_used=1190, to_pay=0).body
    assert words.payment_note(body, SELLER, EN) == "Nothing is left to pay: your account credit covered this invoice."
    assert words.bank_facts(body, SELLER) == []


def test_an_invoice_in_euro_names_its_creditor_reference() -> None:
    from pricing import remittance

    def said(**changes: Any) -> str:
        facts = words.bank_facts({**a_paper().body, **changes}, SELLER)
        return {fact.label: fact.value for fact in facts}.get("Creditor reference", "")

    assert said(number="5390-0754-7034") == "RF18 5390 0754 7034"
    assert remittance.creditor_references(said(number="RE-2026-00012")) == ["RE202600012"]
    assert said(number="RE-2026-00012", currency="CHF") == ""
    assert said(number="A" * 22) == ""


def test_the_closing_words_fall_back_to_a_language_there_is() -> None:
    seller = {**SELLER, "footer": {"de": "Danke!", "fr": "Merci !"}}
    assert words.footer_text(seller, "fr") == "Merci !"
    assert words.footer_text(seller, "es") == "Danke!"
    assert words.footer_text(SELLER, "es") == ""
