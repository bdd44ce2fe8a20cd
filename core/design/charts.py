"""Charts as numbers: where each bar, line and label stands. The SVG is drawn by `parts/chart.html`.

Pure: values in, geometry out. The title says the finding; the words and amounts come ready from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil
from typing import Literal

WIDTH, HEIGHT = 640, 240
TOP, BOTTOM, RIGHT = 12, 34, 4
TONES = 6


@dataclass(frozen=True, slots=True)
class Series:
    """One named row of values, as many as there are labels. `tone` is 1 to 6 (the CSS series colours)."""

    name: str
    values: Sequence[int | Decimal]
    tone: int = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle in user units, with what a person reads of it."""

    x: float
    y: float
    width: float
    height: float
    tone: int
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """Everything above one label: its bars, its label, its link, and the strip a pointer hits."""

    label: str
    center: float
    left: float
    width: float
    bars: tuple[Bar, ...]
    url: str
    text: str
    labeled: bool  # there is room for the label
    minor: bool  # there is none on a phone, where the type is nearly twice as large


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    text: str
    zero: bool


@dataclass(frozen=True, slots=True)
class Path:
    """One line: `points` for <polyline>, `area` for the tint under it, and its last point."""

    points: str
    area: str
    tone: int
    last_x: float
    last_y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What `parts/chart.html` draws. `head` and `rows` are the same figures as a table."""

    kind: Literal["bars", "lines"]
    title: str
    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    legend: tuple[Series, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    left: float
    paths: tuple[Path, ...] = field(default=())
    about: str = ""
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def right(self) -> int:
        return self.width - RIGHT

    @property
    def plot_height(self) -> int:
        return self.height - TOP - BOTTOM

    @property
    def top(self) -> int:
        return TOP

    @property
    def label_y(self) -> int:
        return self.height - 8


def steps(low: Decimal, high: Decimal, *, about: int = 4, whole: bool = False) -> list[Decimal]:
    """Round axis values that enclose `low` to `high` and zero: 1, 2, 2.5 or 5 times a power of ten apart.

    `whole` keeps them integers, for counts and minor units.

    >>> [int(step) for step in steps(Decimal(0), Decimal(870))]
    [0, 250, 500, 750, 1000]
    >>> [int(step) for step in steps(Decimal(-40), Decimal(95))]
    [-50, 0, 50, 100]
    """
    low, high = min(low, Decimal(0)), max(high, Decimal(0))
    if low == high:
        return [Decimal(0), Decimal(1)]
    rough = (high - low) / about
    power = Decimal(10) ** rough.adjusted()
    size = next(
        power * factor
        for factor in (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
        if power * factor >= rough
    )
    if whole:
        size = size.to_integral_value(rounding=ROUND_CEILING)
    first = (low / size).to_integral_value(rounding=ROUND_FLOOR)
    last = (high / size).to_integral_value(rounding=ROUND_CEILING)
    return [size * index for index in range(int(first), int(last) + 1)]


def _frame(
    lows: Sequence[Decimal], highs: Sequence[Decimal], axis: Callable[[Decimal], str], *, whole: bool
) -> tuple[float, tuple[Tick, ...], Callable[[Decimal], float]]:
    marks = steps(min(lows, default=Decimal(0)), max(highs, default=Decimal(0)), whole=whole)
    low, span = marks[0], marks[-1] - marks[0]

    def at(value: Decimal) -> float:
        return round(float(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / span)), 2)

    ticks = tuple(Tick(at(mark), axis(mark), mark == 0) for mark in marks)
    left = 10 + 7.2 * max(len(tick.text) for tick in ticks)
    return left, ticks, at


def _check(labels: Sequence[str], series: Sequence[Series], urls: Sequence[str]) -> None:
    if not labels or not series:
        raise ValueError("a chart needs labels and at least one series")
    if any(len(one.values) != len(labels) for one in series) or (urls and len(urls) != len(labels)):
        raise ValueError("every series and the links need one entry for each label")
    if any(not 1 <= one.tone <= TONES for one in series):
        raise ValueError(f"tones go from 1 to {TONES}")


def _whole(series: Sequence[Series]) -> bool:
    return all(isinstance(amount, int) for one in series for amount in one.values)


def _spacing(labels: Sequence[str], band: float) -> tuple[int, int]:
    """Every how many columns a label fits: on a wide page, and on a phone (a multiple of the first)."""
    needed = 6.2 * max(len(label) for label in labels) + 10
    near = max(1, ceil(needed / band))
    return near, near * max(1, ceil(needed * 1.75 / (band * near)))


def _table(
    labels: Sequence[str], series: Sequence[Series], value: Callable[[Decimal], str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (label, tuple(value(Decimal(one.values[index])) for one in series)) for index, label in enumerate(labels)
    )


def bar_chart(
    *,
    title: str,
    about: str = "",
    labels: Sequence[str],
    series: Sequence[Series],
    value: Callable[[Decimal], str] = str,
    axis: Callable[[Decimal], str] | None = None,
    urls: Sequence[str] = (),
) -> Chart:
    """Bars over `labels`, several series stacked, negative values below zero.

    `title` says the finding, `about` below it names what is drawn. `value` writes a figure in full, `axis` one of
    the axis; `urls`, one a label, make a bar open the list it is made of. Raises `ValueError` when the lengths differ.
    """
    _check(labels, series, urls)
    ups = [sum((max(Decimal(one.values[i]), Decimal(0)) for one in series), Decimal(0)) for i in range(len(labels))]
    downs = [sum((min(Decimal(one.values[i]), Decimal(0)) for one in series), Decimal(0)) for i in range(len(labels))]
    left, ticks, at = _frame(downs, ups, axis or value, whole=_whole(series))
    band = (WIDTH - RIGHT - left) / len(labels)
    width = min(band * 0.68, 44)
    near, far = _spacing(labels, band)
    columns = []
    for index, label in enumerate(labels):
        x = left + band * index
        bars, up, down = [], Decimal(0), Decimal(0)
        for one in series:
            amount = Decimal(one.values[index])
            if amount == 0:
                continue
            start = up if amount > 0 else down
            end = start + amount
            top, bottom = sorted((at(start), at(end)))
            bars.append(
                Bar(round(x + (band - width) / 2, 2), top, round(width, 2), round(bottom - top, 2), one.tone,
                    f"{one.name}: {value(amount)}")
            )  # fmt: skip
            up, down = (end, down) if amount > 0 else (up, end)
        words = ", ".join(f"{one.name} {value(Decimal(one.values[index]))}" for one in series)
        columns.append(
            Column(label, round(x + band / 2, 2), round(x, 2), round(band, 2), tuple(bars),
                   urls[index] if urls else "", f"{label}: {words}", index % near == 0, bool(index % far))
        )  # fmt: skip
    return Chart(
        "bars", title, tuple(columns), ticks, tuple(series), tuple(one.name for one in series),
        _table(labels, series, value), round(left, 2), about=about,
    )  # fmt: skip


def line_chart(
    *,
    title: str,
    about: str = "",
    labels: Sequence[str],
    series: Sequence[Series],
    value: Callable[[Decimal], str] = str,
    axis: Callable[[Decimal], str] | None = None,
    urls: Sequence[str] = (),
) -> Chart:
    """Lines over `labels`, one a series, on an axis that includes zero; parameters as in `bar_chart`."""
    _check(labels, series, urls)
    figures = [Decimal(amount) for one in series for amount in one.values]
    left, ticks, at = _frame([min(figures)], [max(figures)], axis or value, whole=_whole(series))
    band = (WIDTH - RIGHT - left) / len(labels)
    near, far = _spacing(labels, band)
    centers = [round(left + band * (index + 0.5), 2) for index in range(len(labels))]
    paths = []
    for one in series:
        spots = [(x, at(Decimal(amount))) for x, amount in zip(centers, one.values, strict=True)]
        points = " ".join(f"{x},{y}" for x, y in spots)
        base = at(Decimal(0))
        area = f"{spots[0][0]},{base} {points} {spots[-1][0]},{base}" if len(series) == 1 else ""
        paths.append(Path(points, area, one.tone, *spots[-1]))
    columns = []
    for index, label in enumerate(labels):
        words = ", ".join(f"{one.name} {value(Decimal(one.values[index]))}" for one in series)
        columns.append(
            Column(label, centers[index], round(left + band * index, 2), round(band, 2), (),
                   urls[index] if urls else "", f"{label}: {words}", index % near == 0, bool(index % far))
        )  # fmt: skip
    return Chart(
        "lines", title, tuple(columns), ticks, tuple(series), tuple(one.name for one in series),
        _table(labels, series, value), round(left, 2), tuple(paths), about,
    )  # fmt: skip
