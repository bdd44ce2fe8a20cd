"""XLSX files: read back by another program's reader, they say what was written."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from core.spreadsheets import Sheet
from core.workbooks import chunks, workbook


def read(*sheets: Sheet, **limits: int) -> Any:
    return load_workbook(io.BytesIO(b"".join(chunks(sheets, **limits))))


def column(*values: Any) -> list[Any]:
    return [row[0].value for row in read(Sheet("List", ["x"], [[value] for value in values]))["List"].rows][1:]


def test_numbers_days_and_instants_are_what_they_are() -> None:
    values = [7, Decimal("-1234.50"), date(2026, 2, 28), datetime(2026, 3, 1, 12, 30, tzinfo=UTC), True, None, ""]
    assert column(*values) == [
        7, -1234.5, datetime.fromisoformat("2026-02-28T00:00"), datetime.fromisoformat("2026-03-01T12:30"), True, None,
        None,
    ]  # fmt: skip


def test_an_amount_shows_its_two_places() -> None:
    (cell,) = next(read(Sheet("List", [], [[Decimal("5.00")]]))["List"].iter_rows(min_row=2))
    assert (cell.value, cell.number_format) == (5, "#,##0.00")


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1", "-1", '=HYPERLINK("x")'])
def test_what_looks_like_a_formula_is_a_text(text: str) -> None:
    (cell,) = next(read(Sheet("List", [], [[text]]))["List"].iter_rows(min_row=2))
    assert (cell.value, cell.data_type) == (text, "s")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"), min_size=1))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert column(text) == [text]


def test_the_head_stands_bold_and_stays_in_sight() -> None:
    page = read(Sheet("List", ["Name"], [["Ada"]]))["List"]
    assert (page["A1"].font.bold, page["A2"].font.bold, page.freeze_panes) == (True, False, "A2")


def test_sheets_of_one_name_are_told_apart_and_odd_names_mended() -> None:
    assert read(Sheet("a/b", [], []), Sheet("A B", [], []), Sheet("", [], [])).sheetnames == ["a b", "A B 2", "1"]


@pytest.mark.parametrize(("count", "sheets"), [(0, [0]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [2, 2, 1])])
def test_a_table_of_more_rows_than_a_sheet_takes_goes_on_in_the_next(count: int, sheets: list[int]) -> None:
    book = read(Sheet("List", ["x"], [[number] for number in range(count)]), most=3)
    assert [page.max_row - 1 for page in book] == sheets
    assert [row[0].value for page in book for row in page.iter_rows(min_row=2)] == list(range(count))


def test_a_table_of_more_bytes_than_a_sheet_takes_goes_on_in_the_next() -> None:
    book = read(Sheet("List", ["x"], [[number] for number in range(1200)]), most_bytes=10)
    assert [page.max_row - 1 for page in book] == [500, 500, 200]
    assert [row[0].value for page in book for row in page.iter_rows(min_row=2)] == list(range(1200))


def test_a_file_without_tables_opens() -> None:
    assert load_workbook(io.BytesIO(workbook([]))).sheetnames == ["1"]


def test_a_long_list_is_never_in_memory_as_a_whole() -> None:
    def rows() -> Iterator[list[Any]]:
        for number in range(30_000):
            yield [number, f"Customer {number * 7919 % 30_000}", Decimal("1.25"), date(2026, 1, 1)]

    tracemalloc.start()
    size = sum(len(chunk) for chunk in chunks([Sheet("List", ["a", "b", "c", "d"], rows())]))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 150_000
    assert peak < 3_000_000
