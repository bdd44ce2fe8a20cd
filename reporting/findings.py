"""What a chart says, in one sentence: computed from the table it draws, the title above it.

The rule that matters: a sentence is true of the figures or it is not there. Where there is nothing to say (no
figures, two equally large, a month that has only begun), it is "" and the chart keeps the name of what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from core.design import formats
from pricing.periods import month_end
from reporting.shapes import Line, Table, Value
from reporting.words import text_of

ONE_DAY = timedelta(days=1)


def recurring(table: Table, currency: str) -> str:
    """How recurring revenue moved in the last month of the table, up to its last day."""
    lines = _lines(table, currency)
    if not lines:
        return ""
    month, opening, closing = _of(table, lines[-1], "month", "opening", "closing")
    words = {"amount": formats.money(closing, currency), "month": _month(month)}
    if opening <= 0:
        return _("Recurring revenue reached %(amount)s in %(month)s") % words if closing > 0 else ""
    words["share"] = share = formats.percent(Decimal(abs(closing - opening)) / opening)
    if share == formats.percent(0):
        return _("Recurring revenue hardly moved in %(month)s and stands at %(amount)s") % words
    if closing > opening:
        return _("Recurring revenue rose by %(share)s in %(month)s to %(amount)s") % words
    return _("Recurring revenue fell by %(share)s in %(month)s to %(amount)s") % words


def movements(table: Table, currency: str, won: Sequence[str], lost: Sequence[str]) -> str:
    """What the whole time won and lost; what only moved between groups is neither."""
    lines = _lines(table, currency)
    gained = sum(_sum(table, lines, name) for name in won)
    gone = -sum(_sum(table, lines, name) for name in lost)
    if gained <= 0 and gone <= 0:
        return ""
    words = {"won": formats.money(gained, currency), "lost": formats.money(gone, currency)}
    if gained > gone:
        return _("More monthly revenue was gained than lost: %(won)s against %(lost)s") % words
    if gained < gone:
        return _("More monthly revenue was lost than gained: %(lost)s against %(won)s") % words
    return _("As much monthly revenue was gained as lost: %(won)s") % words


def growth(table: Table, currency: str) -> str:
    """The month that brought most."""
    best = _largest(table, _lines(table, currency), "new", "back")
    if best is None:
        return ""
    line, part, whole = best
    words = {
        "month": _month(_of(table, line, "month")[0]), "amount": formats.money(part, currency),
        "total": formats.money(whole, currency),
    }  # fmt: skip
    return _("%(month)s brought in the most: %(amount)s of %(total)s") % words


def campaigns(table: Table, currency: str) -> str:
    """The campaign that brought most; customers without one are no campaign."""
    return _first(
        table, currency, "new", _("%(name)s brought in the most: %(amount)s of %(total)s"), without=_("No campaign")
    )


def lost(table: Table, currency: str) -> str:
    """Where most of the revenue was lost."""
    return _first(table, currency, "lost_revenue", _("The largest loss was on %(name)s: %(amount)s of %(total)s"))


def failed(table: Table, currency: str) -> str:
    """What most of the failed amount failed for."""
    return _first(table, currency, "failed_amount", _("Main reason for failures: %(name)s, %(amount)s of %(total)s"))


def booked(table: Table, currency: str, first: date, last: date) -> str:
    """The last whole month against the whole one before it."""
    lines = {month: line for line in _lines(table, currency) if isinstance(month := line.cells[0], date)}
    whole = [month for month in lines if month >= first and month_end(month) <= last]
    if not whole:
        return ""
    month = max(whole)
    before = (month - ONE_DAY).replace(day=1)
    now = _of(table, lines[month], "revenue")[0]
    words = {"month": _month(month), "amount": formats.money(now, currency), "before": _month(before)}
    was = _of(table, lines[before], "revenue")[0] if before in whole else 0
    if was <= 0:
        return _("%(amount)s was invoiced in %(month)s") % words
    words["share"] = share = formats.percent(Decimal(abs(now - was)) / was)
    if share == formats.percent(0):
        return _("%(amount)s was invoiced in %(month)s, nearly as much as in %(before)s") % words
    if now > was:
        return _("%(amount)s was invoiced in %(month)s, %(share)s more than in %(before)s") % words
    return _("%(amount)s was invoiced in %(month)s, %(share)s less than in %(before)s") % words


def receivables(table: Table, currency: str, in_time: str) -> str:
    """How much of what is open is late; `in_time` names the column of what isn't."""
    lines = _lines(table, currency)
    total, early = _sum(table, lines, "total"), _sum(table, lines, in_time)
    if total <= 0:
        return ""
    words = {
        "late": formats.money(total - early, currency), "total": formats.money(total, currency),
        "share": formats.percent(Decimal(total - early) / total, places=0),
    }  # fmt: skip
    if total == early:
        return _("Nothing is late: all of %(total)s is still within its time") % words
    return _("%(late)s of %(total)s is late, %(share)s") % words


def cash(table: Table, currency: str) -> str:
    """What is to come in all, and the week that brings most of it."""
    return _weeks(
        table, currency, "total", _("%(total)s is to come, most in the week from %(day)s: %(amount)s"),
        _("%(total)s is to come"),
    )  # fmt: skip


def coming(table: Table, currency: str) -> str:
    """What will be invoiced in all, and the week with most of it."""
    return _weeks(
        table, currency, "gross", _("%(total)s will be invoiced, most in the week from %(day)s: %(amount)s"),
        _("%(total)s will be invoiced"),
    )  # fmt: skip


def cohorts(table: Table, currency: str) -> str:
    """The month in which most customers began."""
    best = _largest(table, _lines(table, currency), "m0")
    if best is None:
        return ""
    line, part, whole = best
    words = {
        "month": _month(_of(table, line, "cohort")[0]), "count": formats.number(part), "total": formats.number(whole),
    }  # fmt: skip
    return _("Most customers began in %(month)s: %(count)s of %(total)s") % words


def deferred(table: Table, currency: str) -> str:
    """How much of what is deferred becomes revenue up to the end of the first month ahead."""
    lines = _lines(table, currency)
    total = _sum(table, lines, "released")
    if total <= 0:
        return ""
    month, part = _of(table, lines[0], "month", "released")
    words = {
        "day": formats.day(month_end(month)), "amount": formats.money(part, currency),
        "total": formats.money(total, currency),
    }  # fmt: skip
    return _("%(amount)s of %(total)s becomes revenue by %(day)s") % words


# How a table is read


def _lines(table: Table, currency: str) -> list[Line]:
    return [line for line in table.lines if line.currency == currency]


def _of(table: Table, line: Line, *names: str) -> list[Any]:
    places = [column.name for column in table.columns]
    return [line.cells[places.index(name)] for name in names]


def _sum(table: Table, lines: Sequence[Line], *names: str) -> int:
    return sum(value for line in lines for value in _of(table, line, *names) if isinstance(value, int))


def _largest(table: Table, lines: Sequence[Line], *names: str) -> tuple[Line, int, int] | None:
    """The line with most, how much, and how much in all; None where none stands alone or some are below zero."""
    sums = [_sum(table, [line], *names) for line in lines]
    if len(sums) < 2 or min(sums) < 0 or sums.count(most := max(sums)) > 1:
        return None
    return lines[sums.index(most)], most, sum(sums)


def _first(table: Table, currency: str, name: str, words: str, *, without: str = "") -> str:
    lines = _lines(table, currency)
    best = _largest(table, lines, name)
    if best is None or str(best[0].cells[0]) == without:
        return ""
    line, part, whole = best
    return words % {
        "name": _told(table, line.cells[0]), "amount": formats.money(part, currency),
        "total": formats.money(whole, currency),
    }  # fmt: skip


def _told(table: Table, value: Value) -> str:
    return text_of(table.columns[0].kind, value)


def _weeks(table: Table, currency: str, name: str, most: str, plain: str) -> str:
    lines = _lines(table, currency)
    total = _sum(table, lines, name)
    if total <= 0:
        return ""
    words = {"total": formats.money(total, currency)}
    best = _largest(table, lines, name)
    if best is None:
        return plain % words
    words |= {"day": formats.day(_of(table, best[0], "week")[0]), "amount": formats.money(best[1], currency)}
    return most % words


def _month(value: date) -> str:
    return formats.month(value, style="long")
