"""Bank files are read as the banks mean them, and hostile ones refused."""

from __future__ import annotations

from datetime import date

import pytest

from tests.money.bank import ERIKA, FILES, MAX, OWN, Booking, camt053, entry

DAY = date(2026, 1, 2)


def read(data, **more):
    from billing import bank_formats

    return bank_formats.read(data, **more)


def the_lines(data, **more):
    return [line for statement in read(data, **more)[1] for line in statement.lines]


@pytest.mark.parametrize("version", ["02", "08"])
def test_a_credit_of_camt_names_who_paid_and_what_for(version):
    data = camt053(entry(Booking("11.90", "Rechnung 1", reference="B1"), version=version), version=version)
    kind, [statement] = read(data)
    [line] = statement.lines
    assert kind == "camt.053"
    assert (statement.account, statement.number, statement.opening_minor, statement.closing_minor) == (
        OWN,
        "1",
        0,
        1190,
    )
    assert (line.amount_minor, line.currency, line.name, line.iban) == (1190, "EUR", "Erika Muster", ERIKA)
    assert (line.text, line.end_to_end_id, line.bank_reference) == ("Rechnung 1", "", "B1")


@pytest.mark.parametrize("version", ["02", "08"])
def test_a_batch_of_returns_is_a_line_for_each_with_code_fee_and_mandate(version):
    back = [
        Booking("-14.90", name="Erika", end_to_end="E1", mandate="M1", code="AM04", fee="3.00"),
        Booking("-26.80", name="Max", iban=MAX, end_to_end="E2", mandate="M2", code="MD06", fee="3.00"),
    ]
    data = camt053(entry(*back, version=version, reference="B9"), version=version, kind="054")
    kind, [statement] = read(data)
    assert kind == "camt.054"
    assert [
        (line.amount_minor, line.fee_minor, line.return_code, line.mandate_reference) for line in statement.lines
    ] == [
        (-1490, 300, "AM04", "M1"),
        (-2680, 300, "MD06", "M2"),
    ]
    assert [(line.name, line.iban, line.end_to_end_id) for line in statement.lines] == [
        ("Erika", ERIKA, "E1"),
        ("Max", MAX, "E2"),
    ]
    assert [line.bank_reference for line in statement.lines] == ["B9/1", "B9/2"]


def test_a_notification_as_german_banks_write_it_has_original_amounts_and_shared_charges():
    kind, [statement] = read((FILES / "camt054_returns.xml").read_bytes())
    first, second = statement.lines
    assert (kind, statement.number, first.booked_on, first.value_on) == (
        "camt.054", "2", date(2026, 1, 6), date(2026, 1, 5),
    )  # fmt: skip
    assert (first.amount_minor, first.fee_minor, first.return_code, first.name) == (-1490, 300, "AM04", "Erika Muster")
    assert (first.end_to_end_id, first.text) == ("01kdxample0000000000000001", "INV-2026-000001 Nordlicht")
    assert (second.amount_minor, second.fee_minor, second.return_code, second.iban) == (-2680, 300, "MD06", MAX)
    assert [line.bank_reference for line in statement.lines] == ["RUECK4711/1", "RUECK4711/2"]


def test_an_entry_that_is_only_pending_is_no_booking():
    _, [statement] = read(camt053(entry(Booking("5.00"), status="PDNG"), entry(Booking("7.00")), closing="7.00"))
    assert [line.amount_minor for line in statement.lines] == [700]


def test_an_entry_without_details_is_one_line():
    [line] = the_lines(camt053(entry(Booking("5.00"), Booking("6.00"), details=False, reference="B3")))
    assert (line.amount_minor, line.bank_reference) == (1100, "B3")


def test_a_bad_entry_is_reported_and_stops_no_other():
    bad = entry(Booking("5.00")).replace("2026-01-01", "2026-13-01")
    _, [statement] = read(camt053(bad, entry(Booking("7.00"))))
    assert [line.amount_minor for line in statement.lines] == [700]
    assert [(problem.code, problem.params) for problem in statement.problems] == [
        ("bank.line_day", {"value": "2026-13-01"})
    ]


def test_a_structured_creditor_reference_stands_in_the_text():
    [line] = the_lines(camt053(entry(Booking("5.00", "Danke", creditor_reference="RF18539007547034"))))
    assert line.text == "RF18539007547034 Danke"


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>&lol2;</BkToCstmrStmt></Document>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>&x;</BkToCstmrStmt></Document>"""
GOOD = camt053(entry(Booking("5.00", "Grüße")))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (LAUGHS, "bank.doctype"),
        (EXTERNAL, "bank.doctype"),
        (b"x" * 50_000_001, "bank.too_large"),
        (GOOD.replace(b"<Acct>", b"<a>" * 300 + b"</a>" * 300 + b"<Acct>"), "bank.broken"),
        (GOOD.replace(b"<Acct>", b"<a>" * 100_000), "bank.broken"),
        (GOOD.decode().encode("latin-1"), "bank.not_utf8"),
        (GOOD.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"), "bank.not_utf8"),
        (GOOD.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "bank.not_utf8"),
        (LAUGHS.decode().encode("utf-16"), "bank.not_utf8"),
        (GOOD[: len(GOOD) // 2], "bank.broken"),
        (GOOD[:-12], "bank.broken"),
        (GOOD.replace(b"camt.053", b"pain.001"), "bank.unknown"),
        (b"<html><body>Not found</body></html>", "bank.unknown"),
        (b"", "bank.empty"),
        (b"   \n", "bank.empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "bank.unknown"),
        (b"just some words, nothing else", "bank.unknown"),
        (b"a;b;c\n1;2;3\n", "bank.columns"),
        (b";" * 1_000_000, "bank.broken"),
        (b'a;b;c\n"' + b"x;" * 500_000, "bank.broken"),
        (b"Datum;Betrag;Waehrung\n" + b"1.1.26;1,00;EUR\n" * 200_001, "bank.too_many"),
        (b":20:X\n:25:A\n" * 5_001, "bank.too_many"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)  # fmt: skip
def test_a_hostile_or_broken_file_is_refused(data, code):
    from core.refusal import Refused

    with pytest.raises(Refused) as refused:
        read(data)
    assert refused.value.code == code


def test_mt940_has_the_keywords_of_german_banks():
    kind, [statement] = read((FILES / "mt940_german.sta").read_bytes())
    assert kind == "mt940"
    assert (statement.account, statement.number, statement.currency) == (OWN, "00005/001", "EUR")
    assert (statement.opening_minor, statement.closing_minor) == (100000, 99200)
    credit, back, fee = statement.lines
    assert (credit.booked_on, credit.amount_minor, credit.end_to_end_id) == (DAY, 1190, "RG-ERIKA-1")
    assert (credit.text, credit.iban, credit.name) == (
        "Rechnung TEST-RE-2026-0001 vom 1.1.",
        ERIKA,
        "ERIKA MUSTER MANN",
    )
    assert credit.bank_reference == "B1234"
    assert (back.amount_minor, back.fee_minor, back.return_code, back.mandate_reference) == (-1490, 300, "AM04", "M-1")
    assert back.end_to_end_id == "01KDXAMPLE0000000000000000"
    assert (fee.amount_minor, fee.text) == (-500, "Kontofuehrung")


def test_what_cannot_be_read_is_not_written_into_the_log(caplog):
    data = b":20:X\n:25:DE02120300000000202051\n:60F:C260101EUR0,\n:61:Erika Muster " + b"x" * 10_000 + b"\n"
    _, [statement] = read(data)
    assert [problem.code for problem in statement.problems] == ["bank.line_unreadable"]
    assert caplog.text == ""


def test_marks_of_reversals_in_mt940_turn_the_direction():
    text = ":20:X\n:25:DE02120300000000202051\n:28C:1\n:60F:C260101EUR0,\n"
    text += ":61:260102RC5,00NTRFNONREF\n:86:a\n:61:260102RD7,00NTRFNONREF\n:86:b\n"
    text += ":61:2601XXC7,00\n:86:bad\n:62F:C260102EUR2,\n-\n"
    _, [statement] = read(text.encode())
    assert [line.amount_minor for line in statement.lines] == [-500, 700]
    assert [problem.code for problem in statement.problems] == ["bank.line_unreadable"]


def test_a_file_with_two_mt940_statements_has_two():
    one = (FILES / "mt940_german.sta").read_bytes()
    _, found = read(one + one.replace(b"00005/001", b"00006/001"))
    assert [(statement.number, len(statement.lines)) for statement in found] == [("00005/001", 3), ("00006/001", 3)]


def test_a_sparkasse_csv_in_windows_letters_reports_its_bad_row():
    kind, [statement] = read((FILES / "sparkasse.csv").read_bytes())
    assert kind == "csv"
    first, fee = statement.lines
    assert (first.booked_on, first.amount_minor, first.name) == (DAY, 101190, "Müller & Söhne")
    assert (first.text, first.iban, fee.amount_minor) == ("Rechnung RE-2026-0001", ERIKA, -450)
    assert [(problem.place, problem.code) for problem in statement.problems] == [("3", "bank.line_day")]


def test_a_dkb_csv_has_its_headings_below_other_lines():
    first, rent = the_lines((FILES / "dkb.csv").read_bytes(), currency="EUR")
    assert (first.booked_on, first.amount_minor, first.text) == (date(2026, 1, 5), 2380, "RE-2026-0002")
    assert rent.amount_minor == -150000


def test_an_american_csv_has_the_month_first_and_points():
    first, charges = the_lines((FILES / "wise.csv").read_bytes())
    assert (first.booked_on, first.amount_minor, first.currency) == (date(2026, 1, 13), 125000, "USD")
    assert (first.text, first.bank_reference) == ("INV 7", "T-1")
    assert (charges.booked_on, charges.amount_minor) == (DAY, -350)


def test_a_french_csv_has_columns_for_each_direction():
    first, charges = the_lines((FILES / "debit_credit.csv").read_bytes(), currency="EUR")
    assert (first.booked_on, first.amount_minor, charges.amount_minor) == (date(2026, 1, 13), 119000, -1250)


def test_a_person_names_the_columns_that_are_not_known():
    data = b"Wann;Wieviel;Wozu\n02.01.2026;-1.234;Miete\n02.01.2026;5,00;RE 1\n"
    rent, paid = the_lines(data, columns={"booked_on": "Wann", "amount": "2", "text": "Wozu"}, currency="EUR")
    assert (rent.amount_minor, rent.text, paid.amount_minor) == (-123400, "Miete", 500)
