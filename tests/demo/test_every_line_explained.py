"""Every line of every document of the demo says why it costs what it costs, in every language, with its figures.

Whether words are translated is seen by printing the same figures among English words: a sentence that stays the same
was left in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
LANGUAGES = ("en", "de", "fr", "it", "es")
#: What no reader should see: placeholders, names of fields and refusals, Python.
RAW = re.compile(r"%\(|%[sdr]\b|[{}<>]|\b(None|True|False|Decimal|Fraction|nan)\b|[a-z]_[a-z]|\b[a-z]+\.[a-z]{2,}\b")
#: Letters that are no currency: "EUR", "US$".
WORDS = re.compile(r"(?!\b[A-Z]{2,3}\b)\b[^\W\d_]{2,}")


class Explained(NamedTuple):
    """A line: what it is called in messages, its facts, its currency."""

    name: str
    facts: dict[str, Any]
    currency: str


@pytest.fixture(scope="module")
def lines(story) -> list[Explained]:
    """Every line of invoices, drafts and credit notes."""
    from billing.documents.explaining import facts_of
    from billing.models import CreditNoteLine, InvoiceLine

    invoiced = InvoiceLine.objects.filter(company=story.company).select_related("invoice")
    credited = CreditNoteLine.objects.filter(credit_note__company=story.company).select_related("credit_note")
    found = [
        Explained(f"{line.invoice.number} {line.position} {line.kind}", facts_of(line), line.invoice.currency)
        for line in invoiced
    ]
    return found + [
        Explained(f"{line.credit_note.number} {line.position}", facts_of(line), line.credit_note.currency)
        for line in credited
    ]


def expected(facts: dict[str, Any], currency: str, language: str) -> Iterator[str]:
    """The figures that an explanation of these facts owes its reader, as that language prints them."""
    from billing.documents.figures import Figures

    figures, calculation = Figures(language, currency), facts["calculation"]
    yield from _price(calculation, figures)
    yield from _days(calculation, facts, figures)
    for row in calculation.get("discounts", ()):
        yield figures.money(-row["taken_minor"])
        if row.get("percent") is not None:
            yield figures.rate(str(row["percent"]))
    for row in (*calculation.get("allowances", ()), *calculation.get("credit_back", ())):
        yield figures.money(row["amount_minor"])
    if "pack" in calculation:
        yield figures.money(calculation["pack"]["amount_minor"])
    if calculation["tax"]["category"] == "S":
        yield figures.rate(str(calculation["tax"]["rate"]))
    if calculation.get("price_version") is not None:
        yield str(calculation["price_version"])
    if calculation.get("service_on"):
        yield figures.day(calculation["service_on"])


def _price(calculation: dict[str, Any], figures: Any) -> Iterator[str]:
    usage = calculation.get("usage")
    if usage is not None:
        yield figures.quantity(f"{usage['quantity']}")
        yield figures.quantity(f"{usage['events']}")
        if usage.get("deducted_minor") is not None:
            yield figures.money(usage["cost_minor"])
            yield figures.money(usage["deducted_minor"])
    if "minimum_minor" in calculation:
        yield figures.price(str(calculation["minimum"]))
        yield figures.money(calculation["counted_minor"])
        yield figures.money(calculation["minimum_minor"] - calculation["counted_minor"])
    elif "steps" in calculation:
        for row in calculation["steps"]:
            if row["step"] not in ("free_units", "free_events", "free_value"):
                yield figures.quantity(str(row["quantity"]))
    elif usage is None and calculation.get("unit_amount") is not None:
        yield figures.unit_amount(str(calculation["unit_amount"]))
        if calculation.get("model") != "flat" and "quantity_before" not in calculation:
            yield figures.quantity(str(calculation["quantity"]))


def _days(calculation: dict[str, Any], facts: dict[str, Any], figures: Any) -> Iterator[str]:
    is_credit = calculation.get("of_minor") is not None
    if is_credit:
        yield figures.money(calculation["of_minor"])
        if calculation["of_minor"] != facts["amount"]:
            yield figures.money(facts["amount"])
    share = str(calculation.get("share", "1"))
    if share not in ("1", "1/1") and not is_credit and "usage" not in calculation:
        yield str(calculation["days"])
        yield str(calculation["full_days"])


def in_english(facts: dict[str, Any], currency: str, language: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sentences in English words with the figures of another language."""
    from django.utils import translation

    from billing.documents import explaining

    with monkeypatch.context() as patched, translation.override("en"):
        patched.setattr(explaining, "override", lambda language: nullcontext())
        return [one.text for one in explaining.sentences(facts, language, currency)]


def test_there_are_lines_of_every_kind(lines):
    kinds = {line.name.rpartition(" ")[2] for line in lines}
    assert {"base", "added", "usage", "interim", "late", "minimum", "one_off"} <= kinds
    steps = {row["step"] for line in lines for row in line.facts["calculation"].get("steps", ())}
    assert {"tier_units", "rate", "fee"} <= steps
    said = set().union(*(line.facts["calculation"] for line in lines))
    assert {"discounts", "allowances", "pack", "of_minor", "service_on", "price_version"} <= said
    assert {line.currency for line in lines} == {"EUR", "CHF", "USD"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_is_explained_with_its_figures(lines, language):
    from billing.documents.explaining import sentences

    wrong = []
    for line in lines:
        told = sentences(line.facts, language, line.currency)
        text = "\n".join(one.text for one in told)
        if not {one.step for one in told} - {"tax", "version"}:
            wrong.append((line.name, "only its tax is explained", text))
        if [one.step for one in told].count("tax") != 1:
            wrong.append((line.name, "its tax is not explained", text))
        if missing := [one for one in expected(line.facts, line.currency, language) if one not in text]:
            wrong.append((line.name, f"missing {missing}", text))
        if RAW.search(text):
            wrong.append((line.name, RAW.search(text), text))
    assert not wrong, wrong[:10]


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_sentence_is_in_the_readers_language(lines, language, monkeypatch):
    from billing.documents.explaining import sentences

    left = {}
    for line in lines:
        told = [one.text for one in sentences(line.facts, language, line.currency)]
        english = in_english(line.facts, line.currency, language, monkeypatch)
        assert len(told) == len(english)
        for ours, theirs in zip(told, english, strict=True):
            if ours == theirs and WORDS.search(ours):
                left.setdefault(re.sub(r"\d+", "0", ours), line.name)
    assert not left, "\n".join(f"{text} ({name})" for text, name in left.items())
