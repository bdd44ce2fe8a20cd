"""Amounts of several currencies told in the company's own, at the stored rates of the European Central Bank.

The rule that matters: each amount is turned once, at the last rate on or before its day, rounded half up; where none of
the ten days up to it is stored, the currency stands apart and a warning names it. The end of a closed month keeps the
rates it was closed with: a rate that is corrected later moves no closed figure, and a warning shows both.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from billing.models import ExchangeRate
from core.design import formats
from core.models import Company
from pricing.money import places, round_half_up
from pricing.periods import month_end
from reporting.models import ClosedMonth
from reporting.shapes import IN_ONE, Asked

EURO: Final = "EUR"
#: Over weekends and holidays the rate of the last banking day holds.
STALE: Final = timedelta(days=10)
ONE_DAY: Final = timedelta(days=1)


class Turning:
    """How a report's amounts are told: each currency by itself, one alone, or all in the company's."""

    def __init__(self, company: Company, asked: Asked) -> None:
        self.into = company.currency
        self.is_one = asked.currency == IN_ONE
        self.alone = "" if self.is_one else asked.currency
        self._asked = asked
        self._rates: dict[str, list[tuple[date, Decimal]]] | None = None
        self._missing: set[tuple[str, date]] = set()
        self._company = company
        self._closed: dict[date, dict[str, Decimal]] = {}
        self._corrected: set[tuple[date, str, Decimal, Decimal]] = set()

    def wants(self, currency: str) -> bool:
        """Whether amounts of that currency are asked for at all."""
        return not self.alone or currency == self.alone

    def opens(self, currency: str) -> bool:
        """Whether rows behind an amount of that currency add up to it: not once several became one."""
        return not self.is_one or currency != self.into

    def turn(self, currency: str, minor: int, day: date) -> tuple[str, int]:
        """The currency it is told in, and the amount in its minor units."""
        if not self.is_one or currency == self.into:
            return currency, minor
        ours, theirs = self._rate(self.into, day), self._rate(currency, day)
        if ours is None or theirs is None:
            self._missing.add((currency if theirs is None else self.into, day))
            return currency, minor
        whole = Decimal(minor).scaleb(-places(currency)) * ours / theirs
        return self.into, round_half_up(whole.scaleb(places(self.into)))

    def sums(self, found: Mapping[str, int], day: date) -> dict[str, int]:
        """Amounts by currency, as they are told; those not asked for left out."""
        told: dict[str, int] = defaultdict(int)
        for currency, minor in found.items():
            if self.wants(currency):
                name, turned = self.turn(currency, int(minor), day)
                told[name] += turned
        return dict(told)

    def nested(self, found: Mapping[str, Mapping[Any, int]], day: date) -> dict[str, dict[Any, int]]:
        """The same where each currency has an amount a key."""
        told: dict[str, dict[Any, int]] = defaultdict(dict)
        for currency, amounts in found.items():
            if not self.wants(currency):
                continue
            for key, minor in amounts.items():
                name, turned = self.turn(currency, int(minor), day)
                told[name][key] = told[name].get(key, 0) + turned
        return dict(told)

    def warnings(self) -> list[str]:
        """Which rates are missing, by currency and day; and which were corrected after their month was closed."""
        words = _("No exchange rate of %(currency)s is stored for %(day)s; its amounts stand apart.")
        kept = _(
            "The rate of %(currency)s for %(day)s is %(now)s now; the month was closed with %(then)s, and its figures"
            " keep that."
        )
        return [
            *(words % {"currency": currency, "day": formats.day(day)} for currency, day in sorted(self._missing)),
            *(
                kept % {"currency": currency, "day": formats.day(day), "then": _plain(then), "now": _plain(now)}
                for day, currency, then, now in sorted(self._corrected)
            ),
        ]

    def _rate(self, currency: str, day: date) -> Decimal | None:
        """Units of a currency for one euro."""
        if currency == EURO:
            return Decimal(1)
        if self._rates is None:
            self._rates = self._read()
        now, then = self._stored(currency, day), self._closed.get(day, {}).get(currency)
        if then is None:
            return now
        if now is not None and now != then:
            self._corrected.add((day, currency, then, now))
        return then

    def _stored(self, currency: str, day: date) -> Decimal | None:
        """As the table says it now."""
        days = self._rates.get(currency, []) if self._rates else []
        place = bisect_right(days, day, key=lambda row: row[0])
        if not place or day - days[place - 1][0] > STALE:
            return None
        return days[place - 1][1]

    def _read(self) -> dict[str, list[tuple[date, Decimal]]]:
        """All rates of the days asked for in one query, those of closed months in another."""
        first = min(self._asked.first, self._asked.on, self._asked.last)
        last = max(self._asked.last, self._asked.on)
        closed = ClosedMonth.objects.filter(
            company=self._company, month__gte=_month(_month(first) - ONE_DAY), month__lte=last
        )
        self._closed = {
            month_end(month): {currency: Decimal(rate) for currency, rate in rates.items()}
            for month, rates in closed.values_list("month", "rates")
        }
        rows = ExchangeRate.objects.filter(day__gte=_month(first) - STALE, day__lte=last).order_by("currency", "day")
        found: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for currency, day, rate in rows.values_list("currency", "day", "rate"):
            found[currency].append((day, rate))
        return found


def rate_day(month: date, asked: Asked) -> date:
    """The day whose rate turns a month's amounts: its last, or the last asked for in the running one."""
    return min(month_end(month), max(asked.on, month))


def grouped(rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[Any, int]]:
    """(currency, key, amount) as amounts by currency and key."""
    found: dict[str, dict[Any, int]] = defaultdict(dict)
    for currency, key, minor in rows:
        found[currency][key] = found[currency].get(key, 0) + int(minor)
    return dict(found)


def _month(day: date) -> date:
    return day.replace(day=1)


def _plain(rate: Decimal) -> str:
    return formats.number(rate.normalize())
