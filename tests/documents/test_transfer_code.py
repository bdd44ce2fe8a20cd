"""The code for banking apps: the lines of EPC069-12, and where it stands."""

from __future__ import annotations

import pytest

from billing.documents import transfer_code

GIVEN = {"name": "Hafenlicht Software GmbH", "iban": "DE02 1203 0000 0000 2020 51", "bic": "BYLADEM1001"}


def test_the_lines_stand_in_the_order_of_the_standard():
    text = transfer_code.words(**GIVEN, amount_minor=123456, reference="2026-0001")
    assert text.split("\n") == [
        "BCD", "002", "1", "SCT", "BYLADEM1001", "Hafenlicht Software GmbH", "DE02120300000000202051", "EUR1234.56",
        "", "", "2026-0001",
    ]  # fmt: skip


@pytest.mark.parametrize("amount", [0, -5, 100_000_000_000])
def test_no_code_says_what_no_transfer_can_be(amount):
    assert transfer_code.words(**GIVEN, amount_minor=amount, reference="1") == ""


def test_a_line_break_in_a_name_makes_no_line():
    text = transfer_code.words(name="Ada\nSCT", iban=GIVEN["iban"], amount_minor=1, reference="x\ny")
    assert text.split("\n")[5] == "Ada SCT"
    assert text.split("\n")[10] == "x y"


def test_the_picture_holds_the_words():
    """Drawn anew from the words with the standard's level: the same squares."""
    import segno

    text = transfer_code.words(**GIVEN, amount_minor=1190, reference="2026-0001")
    code = segno.make_qr(text, error="m", boost_error=False, encoding="utf-8")
    assert code.error == "M"
    assert transfer_code.drawn(text) == code.svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    assert "style" not in transfer_code.drawn(text)


@pytest.mark.parametrize("changed", [{"currency": "CHF"}, {"is_test": True}, {"kind": "credit_note"}, {"to_pay": 0}])
def test_only_an_invoice_in_euro_that_waits_for_money_has_one(changed):
    body = {"kind": "invoice", "currency": "EUR", "gross": 1190, "number": "2026-0001"}
    seller = {"legal_name": "Ada", "iban": GIVEN["iban"]}
    assert transfer_code.of_invoice(body, seller) != ""
    assert transfer_code.of_invoice(body | changed, seller) == ""
    assert transfer_code.of_invoice(body, {"legal_name": "Ada", "iban": ""}) == ""
