"""What a report is asked, from the words of an address: the same for pages, programs and mails.

The rule that matters: a saved question names spans such as "last month" and means another one each month; only days
that somebody typed stay those days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.refusal import Refused
from pricing.money import is_currency
from reporting.registry import Spec, span_of
from reporting.shapes import IN_ONE, Asked

#: Spans in words; the first stands for the report's own, the last for days that are given.
SPANS: Final[dict[str, Any]] = {
    "": pgettext_lazy("time of a report", "The usual"),
    "this_month": _("This month"),
    "last_month": _("Last month"),
    "this_quarter": _("This quarter"),
    "last_quarter": _("Last quarter"),
    "this_year": _("This year"),
    "last_year": _("Last year"),
    "12_months": _("12 months"),
    "24_months": _("24 months"),
    "36_months": _("36 months"),
    "days": _("From day to day"),
}
COMPARED: Final[dict[str, Any]] = {
    "": pgettext_lazy("comparison of a report", "With nothing"),
    "before": _("With the same time before"),
    "year": _("With a year earlier"),
}
#: Words of an address that every report understands; what else it takes are its dimensions.
WORDS: Final = frozenset({"on", "span", "first", "last", "currency", "by", "compare"})
LONGEST: Final = 3660


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)


def _months(on: date, *, step: int, back: int) -> tuple[date, date]:
    """The span of `step` months that holds `on`, or `back` spans before it."""
    number = on.year * 12 + on.month - 1
    first = number - number % step - back * step
    return _month(first), _month(first + step) - timedelta(days=1)


_SPAN_DAYS: Final[dict[str, Callable[[date], tuple[date, date]]]] = {
    "this_month": lambda on: (_months(on, step=1, back=0)[0], on),
    "last_month": lambda on: _months(on, step=1, back=1),
    "this_quarter": lambda on: (_months(on, step=3, back=0)[0], on),
    "last_quarter": lambda on: _months(on, step=3, back=1),
    "this_year": lambda on: (_months(on, step=12, back=0)[0], on),
    "last_year": lambda on: _months(on, step=12, back=1),
    "12_months": lambda on: (_month(on.year * 12 + on.month - 12), on),
    "24_months": lambda on: (_month(on.year * 12 + on.month - 24), on),
    "36_months": lambda on: (_month(on.year * 12 + on.month - 36), on),
}


def days_of(span: str, on: date) -> tuple[date, date]:
    """First and last day of a named span as seen on a day; both count.

    >>> [str(day) for day in days_of("last_quarter", date(2026, 2, 10))]
    ['2025-10-01', '2025-12-31']
    >>> [str(day) for day in days_of("12_months", date(2026, 2, 10))]
    ['2025-03-01', '2026-02-10']
    """
    return _SPAN_DAYS[span](on)


def asked_of(spec: Spec, query: Mapping[str, str], *, today: date) -> Asked:
    """What the words of an address ask of a report on a day.

    Refuses `report.word_unknown`, `report.word_wrong`, `report.days_reversed` and `report.too_long`; each names the
    word, and nothing is asked that wasn't said.
    """
    dimensions = {name for name, _words in spec.dimensions}
    for word in query:
        if word not in WORDS and word not in dimensions:
            raise Refused("report.word_unknown", field=word, name=word)
    on = _day(query, "on") or today
    first, last = _span(spec, query, on)
    currency = query.get("currency", "")
    if currency and currency != IN_ONE and (not is_currency(currency) or not spec.has_currency):
        raise _wrong("currency", currency)
    by = query.get("by", "")
    if by and by not in dimensions:
        raise _wrong("by", by)
    compare = query.get("compare", "")
    if compare not in COMPARED or (compare and not spec.can_compare):
        raise _wrong("compare", compare)
    only = {name: query[name] for name in dimensions if query.get(name)}
    return Asked(on=on, first=first, last=last, currency=currency, by=by, compare=compare, only=only)


def _span(spec: Spec, query: Mapping[str, str], on: date) -> tuple[date, date]:
    span = query.get("span", "")
    if span not in SPANS:
        raise _wrong("span", span)
    first, last = days_of(span, on) if span in _SPAN_DAYS else span_of(spec, on)
    if span in ("", "days"):
        first, last = _day(query, "first") or first, _day(query, "last") or last
    if last < first:
        raise Refused("report.days_reversed", field="last", first=first, last=last)
    if (last - first).days > LONGEST:
        raise Refused("report.too_long", field="first")
    return first, last


def _day(query: Mapping[str, str], word: str) -> date | None:
    text = query.get(word, "")
    if not text:
        return None
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year <= 9000:
        raise _wrong(word, text)
    return found


def _wrong(word: str, value: str) -> Refused:
    return Refused("report.word_wrong", field=word, name=word, value=value[:40])
