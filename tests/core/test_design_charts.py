"""Where bars, lines and axis values stand, and colours made readable."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from core.design.brand import contrast, readable, stylesheet, text_on
from core.design.charts import Series, bar_chart, line_chart, steps


@given(low=st.integers(-(10**12), 10**12), high=st.integers(-(10**12), 10**12))
def test_axis_values_enclose_the_data_and_zero_in_few_even_steps(low: int, high: int) -> None:
    low, high = sorted((low, high))
    marks = steps(Decimal(low), Decimal(high))
    assert marks[0] <= low <= high <= marks[-1]
    assert 0 in marks
    assert 2 <= len(marks) <= 8
    assert len({b - a for a, b in zip(marks, marks[1:], strict=False)}) == 1


def test_bars_stand_on_zero_and_are_as_high_as_their_values() -> None:
    chart = bar_chart(title="t", labels=["a", "b"], series=[Series("s", [50, 100])])
    zero = next(tick.y for tick in chart.ticks if tick.zero)
    small, big = chart.columns[0].bars[0], chart.columns[1].bars[0]
    assert small.y + small.height == pytest.approx(zero)
    assert big.height == pytest.approx(2 * small.height, abs=0.02)
    assert big.y == pytest.approx(chart.top)


def test_series_are_stacked_apart_above_and_below_zero() -> None:
    chart = bar_chart(
        title="t", labels=["a"], series=[Series("x", [30], 1), Series("y", [20], 2), Series("z", [-10], 4)]
    )
    first, second, below = chart.columns[0].bars
    zero = next(tick.y for tick in chart.ticks if tick.zero)
    assert second.y + second.height == pytest.approx(first.y, abs=0.02)
    assert below.y == pytest.approx(zero)


def test_a_chart_of_nothing_but_zeros_is_drawn() -> None:
    chart = bar_chart(title="t", labels=["a"], series=[Series("s", [0])])
    assert chart.columns[0].bars == ()
    assert [tick.text for tick in chart.ticks] == ["0", "1"]


def test_whole_figures_get_a_whole_axis() -> None:
    chart = bar_chart(title="t", labels=["a"], series=[Series("s", [2])])
    assert [tick.text for tick in chart.ticks] == ["0", "1", "2"]


def test_fractions_get_an_axis_of_fractions() -> None:
    chart = bar_chart(title="t", labels=["a"], series=[Series("s", [Decimal("0.8")])])
    assert [tick.text for tick in chart.ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8"]


def test_the_table_holds_every_figure() -> None:
    chart = line_chart(title="t", labels=["a", "b"], series=[Series("s", [1, 2]), Series("u", [3, 4], 2)], value=str)
    assert chart.head == ("s", "u")
    assert chart.rows == (("a", ("1", "3")), ("b", ("2", "4")))


def test_a_line_passes_through_its_values() -> None:
    chart = line_chart(title="t", labels=["a", "b"], series=[Series("s", [0, 100])])
    first, last = (tuple(map(float, spot.split(","))) for spot in chart.paths[0].points.split())
    assert first[1] == pytest.approx(next(tick.y for tick in chart.ticks if tick.zero))
    assert last[1] == pytest.approx(chart.top)
    assert first[0] < last[0]


@pytest.mark.parametrize("values", [[1], [1, 2, 3]])
def test_a_series_of_another_length_is_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match="one entry for each label"):
        bar_chart(title="t", labels=["a", "b"], series=[Series("s", values)])


def test_labels_thin_out_where_they_would_touch() -> None:
    chart = bar_chart(title="t", labels=["Nov 2026"] * 24, series=[Series("s", [1] * 24)])
    shown = [column for column in chart.columns if column.labeled]
    assert 4 <= len(shown) < 24
    assert all(b.center - a.center > 50 for a, b in zip(shown, shown[1:], strict=False))


def test_a_bar_opens_the_list_it_is_made_of() -> None:
    chart = bar_chart(title="Up & up", labels=["a"], series=[Series("New", [5])], urls=["/list?month=a"])
    text = Template('{% part "chart" chart=chart / %}').render(Context({"chart": chart}))
    assert '<a href="/list?month=a" aria-label="a: New 5">' in text
    assert 'aria-label="Up &amp; up"' in text
    assert "style=" not in text


colours = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


@given(accent=colours)
def test_any_accent_is_readable_as_text_and_under_text(accent: str) -> None:
    assert contrast(readable(accent, "#ffffff"), "#ffffff") >= 4.5
    assert contrast(readable(accent, "#181c20"), "#181c20") >= 4.5
    assert contrast(text_on(accent), accent) >= 4.5


@given(accent=colours)
def test_a_link_in_any_accent_is_readable_wherever_it_stands(accent: str) -> None:
    found = re.search(
        r"--accent:light-dark\((#\w+),(#\w+)\).*--accent-soft:light-dark\((#\w+),(#\w+)\)", stylesheet(accent)
    )
    assert found
    day, night, soft_day, soft_night = found.groups()
    assert min(contrast(day, ground) for ground in ("#ffffff", "#f3f4f6", "#eef0f3", soft_day)) >= 4.5
    assert min(contrast(night, ground) for ground in ("#181c20", "#1f2429", "#23292f", soft_night)) >= 4.5


def test_a_readable_accent_is_left_alone() -> None:
    assert readable("#2b4fc4", "#ffffff") == "#2b4fc4"


@pytest.mark.parametrize("bad", ["red", "#fff", "#12345g", "#2b4fc4;}body{display:none", ""])
def test_what_is_no_colour_never_reaches_the_stylesheet(bad: str) -> None:
    with pytest.raises(ValueError, match="not a colour"):
        stylesheet(bad)


def test_the_stylesheet_sets_the_accent_for_both_schemes() -> None:
    css = stylesheet("#ffd400")
    assert "--accent-fill:#ffd400;" in css
    assert "--on-accent:#000000;" in css
    assert css.startswith(":root{--accent:light-dark(#")
