"""The rows behind a number: where a figure opens, down to documents and events.

The rule that matters: the sum over a source's rows under the figure's conditions is the figure, to the cent; a source
refuses a condition it doesn't know rather than showing more rows than were counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, QuerySet, Sum

from core.models import Company
from core.refusal import Refused
from reporting.shapes import Column, Rows, Value, Words


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of rows a number can be made of.

    `query` answers the rows of a company under conditions (all text; bad values refuse), newest first, with what
    `cells` needs joined; `amount` is the column that is summed, "" where rows (or `counted` values) are counted.
    """

    name: str
    title: Words
    columns: Sequence[Column]
    conditions: frozenset[str]
    query: Callable[[Company, Mapping[str, str]], QuerySet[Any]]
    cells: Callable[[Any], Sequence[Value]]
    amount: str = ""
    currency: str = "currency"
    counted: str = ""


_sources: Final[dict[str, Source]] = {}


def register(source: Source) -> None:
    """Called once per source from `reporting/apps.py`."""
    _sources[source.name] = source


def names() -> list[str]:
    """Every source."""
    return sorted(_sources)


def conditions() -> list[str]:
    """Every condition any source knows."""
    return sorted({name for source in _sources.values() for name in source.conditions})


def source_of(rows: Rows) -> Source:
    """Refuses `report.rows_unknown` for a source or condition that doesn't exist."""
    source = _sources.get(rows.source)
    if source is None or not set(rows.where) <= source.conditions:
        raise Refused("report.rows_unknown")
    return source


def query(company: Company, rows: Rows) -> QuerySet[Any]:
    """The rows themselves, newest first."""
    return source_of(rows).query(company, rows.where)


def currency_of(source: Source, row: Any) -> str:
    """The currency of a row's amounts; `Source.currency` may lead over other rows, as in a query."""
    value = row
    for part in source.currency.split("__"):
        value = value.get(part, "") if isinstance(value, dict) else getattr(value, part, "")
    return str(value or "")


def total(company: Company, rows: Rows) -> int:
    """What the rows add up to: the sum of their amounts in minor units, or how many there are."""
    source = source_of(rows)
    found = source.query(company, rows.where).order_by()
    if source.amount:
        return int(found.aggregate(total=Sum(source.amount))["total"] or 0)
    counted = Count(source.counted, distinct=True) if source.counted else Count("pk")
    return int(found.aggregate(total=counted)["total"])
