"""Files and mappings as they come: read exactly, or refused as a whole with the place that is wrong."""

from __future__ import annotations

import io
from datetime import date, time
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from openpyxl import Workbook

from core.refusal import Refused
from customers.models import Customer
from subscriptions.models import Import, SlotTerms, Subscription
from subscriptions.services import importing
from subscriptions.services.importing import mapping as mappings
from subscriptions.services.importing.reading import LONGEST_CELL, read

from .importing import MAPPING, an_american_company, take


def rows(content, **more):
    return [row.cells and list(row.cells.values()) for row in read(content, **more).rows]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"a;b\r\n1;2\r\n",
        b"a\tb\n1\t2",
        b"a|b\n1|2\n\n\n",
        b"\xef\xbb\xbfa,b\n1,2\n",
        b'"a","b"\n"1","2"\n',
        b"a,b,\n1,2,\n",
    ],
)
def test_any_dialect_is_read(content):
    table = read(content)
    assert (table.columns, rows(content)) == (["a", "b"], [["1", "2"]])


def test_a_separator_inside_quotes_does_not_decide():
    assert read(b'"a;b;c;d",e\n1,2\n').columns == ["a;b;c;d", "e"]


def test_line_numbers_count_lines_of_the_file():
    table = read(b'a,b\n"x\ny",1\n\nz,2\n')
    assert [(row.number, row.cells["a"]) for row in table.rows] == [(2, "x\ny"), (5, "z")]


def test_a_line_with_too_many_or_few_fields_is_told_apart(db):
    outcome = take(an_american_company(), "1,Ann,2026-01-01", "2,Bob,2026-01-01,5,6", "3,Eva,2026-01-01,5")
    assert [(p.line, p.code) for p in outcome.problems] == [(2, "import.cells"), (3, "import.cells")]
    assert outcome.done == 1


@pytest.mark.parametrize(
    ("content", "code", "params"),
    [
        (b"", "import.empty", {}),
        (b"a,b\n1,\xff\n", "import.encoding", {"line": 2}),
        ("a,b\n1,2\n".encode("utf-16"), "import.encoding", {"line": 1}),
        (b"a,a\n1,2\n", "import.heading_twice", {"name": "a"}),
        (b"a,,b\n1,2,3\n", "import.heading_empty", {"position": 2}),
        (b'a,b\n"1,2\n', "import.csv", {"line": 2, "reason": "unexpected end of data"}),
        (b"\xd0\xcf\x11\xe0rest", "import.old_workbook", {}),
        (b"PK\x03\x04rest", "import.workbook", {}),
        (b"a,b\n1," + b"x" * 10_000_000 + b"\n", "import.cell_too_long", {"line": 2, "limit": LONGEST_CELL}),
    ],
)
def test_a_file_that_can_not_be_read_is_refused_whole(content, code, params):
    with pytest.raises(Refused) as refused:
        read(content)
    assert (refused.value.code, refused.value.params) == (code, params)
    assert refused.value.message


def workbook(*lines, sheet="List"):
    book = Workbook()
    book.active.title = sheet
    for line in lines:
        book.active.append(line)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_workbook_reads_as_the_same_texts():
    book = Workbook()
    for line in (
        ["a", "b", "c", "d", "e"],
        [42.3, date(2026, 1, 31), True, "text", None],
        [7, time(9, 30), 0.1 + 0.2, "x\ty", "\\N"],
    ):
        book.active.append(line)
    # A text that looks like a formula, as somebody writes it with an apostrophe in front.
    book.active["D2"].value, book.active["D2"].data_type = "=1+1", "s"
    buffer = io.BytesIO()
    book.save(buffer)
    assert rows(buffer.getvalue()) == [
        ["42.3", "2026-01-31", "TRUE", "=1+1", ""],
        ["7", "09:30:00", "0.3", "x\ty", "\\N"],
    ]


def test_a_spreadsheets_error_is_refused_on_its_line(db):
    content = workbook(["id", "name", "start", "price"], ["1", "#N/A", "2026-01-01", "5"])
    outcome = take(an_american_company(), content=content)
    assert [(p.line, p.field, p.code) for p in outcome.problems] == [(2, "customer.name", "import.cell_error")]


def test_a_named_sheet_is_read_or_refused():
    content = workbook(["a"], ["1"], sheet="Kunden")
    assert rows(content, sheet="Kunden") == [["1"]]
    with pytest.raises(Refused) as refused:
        read(content, sheet="List")
    assert refused.value.params == {"name": "List", "sheets": "Kunden"}


def test_a_workbook_is_imported_like_a_list(db):
    content = workbook(["id", "name", "start", "price"], [1, "Ann", date(2026, 1, 1), 12.5])
    outcome = take(an_american_company(), content=content)
    assert (outcome.done, Subscription.objects.get().external_id) == (1, "1")
    assert SlotTerms.objects.get().unit_amount == Decimal("12.5")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        (("name = \"name\"", "nane = \"name\""), "import.mapping_key", "customer.nane"),
        (("external_id = \"id\"\nname", "name"), "import.mapping_missing", "customer.external_id"),
        (("start = \"start\"", ""), "import.mapping_missing", "subscription.start"),
        (("price = \"price\"", "price = 5"), "import.mapping_source", "items.1.price"),
        (("price = \"price\"", "price = { column = \"a\", value = \"b\" }"), "import.mapping_source", "items.1.price"),
        (("price = \"price\"", "price = { colum = \"a\" }"), "import.mapping_key", "items.1.price.colum"),
        (("start = \"start\"", "start = \"start\"\nend = { when = { column = \"x\" } }"), "import.mapping_condition",
         "subscription.end.when"),
        (("start = \"start\"", "start = \"start\"\nhistory = \"yes\""), "import.mapping_kind", "subscription.history"),
        (("start = \"start\"", "start = \"start\"\nhistory = true\nbilled_through = \"p\""),
         "import.history_and_billed_through", "subscription.billed_through"),
        (("start = \"start\"", "start = \"start\"\nrules = { color = \"x\" }"), "import.mapping_key",
         "subscription.rules.color"),
        (("[customer]", "[file]\ndates = \"%d.%m.%y\"\n[customer]"), "import.mapping_dates", "file.dates"),
        (("[customer]", "[file]\ndelimiter = \";;\"\n[customer]"), "import.mapping_delimiter", "file.delimiter"),
        (("[[products]]", "[[produkte]]"), "import.mapping_key", "produkte"),
    ],
)  # fmt: skip
def test_a_mapping_that_makes_no_sense_names_the_key(change, code, field):
    text = MAPPING.replace(*change)
    assert text != MAPPING
    with pytest.raises(Refused) as refused:
        mappings.parse(importing.from_toml(text))
    assert (refused.value.code, refused.value.field) == (code, field)
    assert refused.value.message


def test_broken_toml_says_where():
    with pytest.raises(Refused, match="end of document"):
        importing.from_toml("[customer")


def test_a_column_the_file_does_not_have_is_refused_before_anything_is_written(db):
    with pytest.raises(Refused) as refused:
        take(an_american_company(), "1,Ann,2026-01-01", heading="id,name,start")
    assert (refused.value.code, refused.value.field) == ("import.column_missing", "items.1.price")
    assert (Import.objects.count(), Customer.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (('tax_category = "exempt"', 'tax_category = "luxury"'), "import.category_missing"),
        (('code = "net"', 'code = "n e t"'), "catalog.code_form"),
        (('name = "Internet"', 'name = { de = "Netz" }'), "catalog.text_missing"),
    ],
)
def test_a_catalog_that_can_not_be_made_is_refused_before_anything_is_written(db, change, code):
    with pytest.raises(Refused) as refused:
        take(an_american_company(), "1,Ann,2026-01-01,5", mapping=MAPPING.replace(*change))
    assert refused.value.code == code
    assert refused.value.field.startswith("products.1")
    assert Import.objects.count() == 0


def test_the_command_imports_checks_and_takes_back(db, tmp_path, capsys):
    an_american_company(slug="telco")
    (tmp_path / "list.csv").write_text("id,name,start,price,colour\n1,Ann,2026-01-01,5,red\n")
    (tmp_path / "map.toml").write_text(MAPPING)
    words = [str(tmp_path / "list.csv"), "--mapping", str(tmp_path / "map.toml"), "--on", "2026-11-01"]
    call_command("import_subscriptions", *words, "--dry-run")
    assert "Dry run: nothing was changed." in capsys.readouterr().out
    assert Import.objects.count() == 0
    call_command("import_subscriptions", *words, "--company", "telco")
    said = capsys.readouterr().out
    assert "Columns not read: colour" in said
    assert "MRR:            5.00 USD" in said
    call_command("undo_import", Import.objects.get().ref)
    assert Import.objects.get().state == "undone"


def test_the_command_ends_with_an_error_when_lines_were_refused(db, tmp_path, capsys):
    an_american_company()
    (tmp_path / "list.csv").write_text("id,name,start,price\n1,Ann,2026-02-31,5\n")
    (tmp_path / "map.toml").write_text(MAPPING)
    words = [str(tmp_path / "list.csv"), "--mapping", str(tmp_path / "map.toml"), "--on", "2026-11-01"]
    with pytest.raises(SystemExit) as ended:
        call_command("import_subscriptions", *words)
    assert ended.value.code == 1
    assert "line 2: subscription.start [start]: 2026-02-31 is a day that does not exist." in capsys.readouterr().out


def test_the_command_refuses_a_mapping_in_words(db, tmp_path):
    an_american_company()
    (tmp_path / "list.csv").write_text("id\n1\n")
    (tmp_path / "map.toml").write_text("[customer]\nid = 'x'\n")
    words = [str(tmp_path / "list.csv"), "--mapping", str(tmp_path / "map.toml"), "--on", "2026-11-01"]
    with pytest.raises(CommandError, match=r"customer\.id: The mapping has a key nobody knows"):
        call_command("import_subscriptions", *words)
