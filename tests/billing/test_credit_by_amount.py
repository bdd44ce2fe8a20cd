"""Credit notes by gross amount: exactly the amount asked for, never more than is left, per rate and per line."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.models import CreditNote
from billing.services import books
from billing.services.chain import verify_chain
from billing.services.crediting import credit_invoice, shares_of_gross
from billing.services.noting import Invoiced, InvoicedLine, NoteDoc, NoteLine, note_of
from core.refusal import Refused
from pricing.taxes import TaxGroup, TaxLine
from pricing.totals import document_totals
from tests.billing.test_crediting import an_invoice, credit
from tests.factories import BY, TODAY, a_company

RATES = [Decimal(rate) for rate in ("7", "19", "20", "5.5", "8.1", "0")]


def invoiced(lines: list[tuple[int, Decimal]], tax_behavior: str = "exclusive") -> Invoiced:
    """An issued invoice in memory with these amounts and rates."""
    groups = [TaxGroup("S" if rate else "Z", rate) for _, rate in lines]
    sums = document_totals(
        [TaxLine(amount, group) for (amount, _), group in zip(lines, groups, strict=True)],
        cast("Any", tax_behavior),
        "EUR",
    )
    rows = [
        {"category": row.category, "rate": str(row.rate), "base_minor": row.base_minor, "tax_minor": row.tax_minor}
        for row in sums.rows
    ]
    gross = sums.totals.gross
    invoice = Invoiced(1, uuid.UUID(int=1), "INV-1", TODAY, 1, "EUR", "en", tax_behavior, "", gross, rows, "open",
                       gross, 0, 0)  # fmt: skip
    for number, ((amount, rate), group) in enumerate(zip(lines, groups, strict=True), 1):
        invoice.lines[number] = InvoicedLine(
            number, number, None, None, "", Decimal(1), Decimal(1), None, None, amount, group.category, rate, {}, "",
            0, 0,
        )  # fmt: skip
    return invoice


def note_by(invoice: Invoiced, gross: int) -> NoteDoc:
    amounts, taxes = shares_of_gross(invoice, gross)
    lines = [NoteLine(invoice.lines[id_], amount, None, None, {}) for id_, amount in amounts.items()]
    note = note_of(invoice, cast("Any", None), lines, cause="manual", reason="", taxes=taxes)
    assert note is not None
    return note


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("tax_behavior", ["exclusive", "inclusive"])
def test_every_gross_amount_is_met_exactly(rate: Decimal, tax_behavior: str) -> None:
    whole = invoiced([(2000, rate)], tax_behavior).gross_minor
    for gross in range(1, whole + 1):
        totals = note_by(invoiced([(2000, rate)], tax_behavior), gross).sums.totals
        # The tax is at most a minor unit from the tax on the base.
        assert totals.gross == gross == totals.net + totals.tax
        assert abs(totals.tax - totals.net * rate / 100) <= 1


AMOUNTS = st.lists(st.tuples(st.integers(1, 5000), st.sampled_from(RATES)), min_size=1, max_size=5)


@given(AMOUNTS, st.sampled_from(["exclusive", "inclusive"]), st.data())
def test_notes_by_amount_add_up_to_the_invoice(
    lines: list[tuple[int, Decimal]], mode: str, data: st.DataObject
) -> None:
    invoice = invoiced(lines, mode)
    given_back = 0
    for _ in range(4):
        left = invoice.gross_minor - given_back
        if not left:
            break
        gross = data.draw(st.integers(1, left))
        assert note_by(invoice, gross).sums.totals.gross == gross
        given_back += gross
        for row in invoice.tax_rows:
            base, tax = invoice.left_of((row["category"], Decimal(row["rate"])))
            assert base >= 0 <= tax
            # On net prices no tax is left that no line could give back.
            assert base or not tax or mode == "inclusive"
        assert all(line.left_minor >= 0 for line in invoice.lines.values())
    if given_back < invoice.gross_minor:
        note_by(invoice, invoice.gross_minor - given_back)
    for row in invoice.tax_rows:
        assert invoice.left_of((row["category"], Decimal(row["rate"]))) == (0, 0)
    assert all(line.left_minor == 0 for line in invoice.lines.values())


@given(st.integers(1, 60), st.sampled_from(RATES))
def test_one_minor_unit_after_the_other_empties_an_invoice(amount: int, rate: Decimal) -> None:
    invoice = invoiced([(amount, rate)])
    for _ in range(invoice.gross_minor):
        assert note_by(invoice, 1).sums.totals.gross == 1
    assert invoice.left_of(("S" if rate else "Z", rate)) == (0, 0)
    with pytest.raises(Refused) as refused:
        shares_of_gross(invoice, 1)
    assert refused.value.code == "credit.above_left"


@pytest.mark.django_db
def test_fifteen_euros_at_nineteen_percent_are_fifteen_euros() -> None:
    company = a_company()
    note = credit(an_invoice(company), gross_minor=1500)
    # 15.00 x 19 / 119 = 2.3949 = 2.39 of tax; 12.61 without it, on which the tax would round to 2.40.
    assert (note.net_minor, note.tax_minor, note.gross_minor) == (1261, 239, 1500)
    [row] = note.tax_rows
    assert (row["base_minor"], row["tax_minor"]) == (1261, 239)
    assert verify_chain(company) == []
    assert sum(balance for *_, balance in books.trial_balance(company, date(2026, 12, 31))) == 0


@pytest.mark.django_db
def test_a_last_cent_of_tax_stands_on_a_line_of_nothing() -> None:
    company = a_company()
    # 0.03 bears 0.0057 = 0.01.
    invoice = an_invoice(company, amount="0.03")
    notes = [credit(invoice, gross_minor=1) for _ in range(4)]
    assert [(note.net_minor, note.tax_minor) for note in notes] == [(1, 0), (1, 0), (0, 1), (1, 0)]
    assert [line.amount_minor for line in notes[2].lines.all()] == [0]
    invoice.balance.refresh_from_db()
    assert (invoice.balance.credited_minor, invoice.balance.open_minor, invoice.balance.status) == (4, 0, "paid")
    assert verify_chain(company) == []


@pytest.mark.django_db
def test_more_than_is_left_is_refused() -> None:
    invoice = an_invoice(a_company())
    credit(invoice, gross_minor=11899)
    with pytest.raises(Refused) as refused:
        credit_invoice(invoice=invoice, gross_minor=2, reason="more", at=invoice.created_at, by=BY)
    assert refused.value.code == "credit.above_left"
    assert CreditNote.objects.count() == 1
    assert credit(invoice, gross_minor=1).gross_minor == 1
