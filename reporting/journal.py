"""The journal summed up: every account with its opening, debits, credits and closing in the time.

The rule that matters: debits are credits in each currency, and the closings of all accounts add up to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from django.db.models import Q, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.books import account_words
from core.models import Company
from core.replica import reads_replica
from reporting import in_one
from reporting.registry import Spec, register
from reporting.rows_ledger import postings
from reporting.shapes import Asked, Column, Figure, Kind, Line, Report, Rows, Table

_ACCOUNT = ("account__role", "account__code", "account__name")
_DEBITS = _("All debits of the time. They are as much as the credits, in each currency.")
_CREDITS = _("All credits of the time, without their sign.")
_OPENING = _("The account's balance before the first day: debits less credits; below zero: on the credit side.")
_CLOSING = _("The account's balance at the end of the last day: opening, plus debits, less credits.")


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `debits`, `credits`; tables `accounts` (the time whole) and `months` (each account month by month)."""
    turning = in_one.Turning(company, asked)
    before = _sums(postings(company, None, asked.first - timedelta(days=1)), turning, asked.first)
    months: dict[tuple[str, str, str], dict[date, tuple[int, int]]] = defaultdict(dict)
    rows = postings(company, asked.first, asked.last).annotate(month=TruncMonth("booked_on")).order_by()
    grouped = rows.values_list("currency", *_ACCOUNT, "month").annotate(
        debit=Sum("amount_minor", filter=Q(amount_minor__gt=0)),
        credit=Sum("amount_minor", filter=Q(amount_minor__lt=0)),
    )  # fmt: skip
    for currency, role, code, given, month, debit, credit in grouped:
        if turning.wants(currency):
            name = account_words(role, code, given)
            day = in_one.rate_day(month, asked)
            told, up = turning.turn(currency, int(debit or 0), day)
            down = turning.turn(currency, -int(credit or 0), day)[1]
            was = months[told, code, name].get(month, (0, 0))
            months[told, code, name][month] = (was[0] + up, was[1] + down)
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (currency, _code, _name), by_month in months.items():
        totals[currency][0] += sum(pair[0] for pair in by_month.values())
        totals[currency][1] += sum(pair[1] for pair in by_month.values())
    opens = _Opens(asked, turning)
    figures = [
        Figure(name, label, Kind.MONEY, totals[currency][place], words, currency, better="",
               rows=opens.of(currency, asked.first, asked.last, side=side))
        for currency in sorted(totals)
        for name, label, words, place, side in (
            ("debits", pgettext_lazy("bookkeeping", "Debits"), _DEBITS, 0, "debit"),
            ("credits", pgettext_lazy("bookkeeping", "Credits"), _CREDITS, 1, "credit"),
        )
    ]  # fmt: skip
    return Report(figures, [_accounts(before, months, opens), _by_month(before, months, opens)],
                  warnings=turning.warnings())  # fmt: skip


def _sums(rows: Any, turning: in_one.Turning, day: date) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    grouped = rows.order_by().values_list("currency", *_ACCOUNT).annotate(total=Sum("amount_minor"))
    for currency, role, code, given, total in grouped:
        if turning.wants(currency):
            told, minor = turning.turn(currency, int(total), day)
            found[told, code, account_words(role, code, given)] += minor
    return found


class _Opens:
    """The postings behind this report's numbers."""

    def __init__(self, asked: Asked, turning: in_one.Turning) -> None:
        self.asked, self.turning = asked, turning

    def of(self, currency: str, first: date | None, last: date, **more: str) -> Rows | None:
        if not self.turning.opens(currency):
            return None
        since = {} if first is None else {"first": first.isoformat()}
        return Rows("postings", {**since, "last": last.isoformat(), "currency": currency, **more})


_SUMS = (
    Column("opening", pgettext_lazy("balance", "Opening"), Kind.MONEY, definition=_OPENING),
    Column("debit", pgettext_lazy("bookkeeping", "Debit"), Kind.MONEY, is_summed=True),
    Column("credit", pgettext_lazy("bookkeeping", "Credit"), Kind.MONEY, is_summed=True),
    Column("closing", pgettext_lazy("balance", "Closing"), Kind.MONEY, definition=_CLOSING),
)


def _cells(
    opens: _Opens, currency: str, code: str, opening: int, pair: tuple[int, int], first: date, last: date
) -> tuple[list[int], dict[str, Rows]]:
    debit, credit = pair
    rows = {
        "opening": opens.of(currency, None, first - timedelta(days=1), account=code),
        "debit": opens.of(currency, first, last, account=code, side="debit"),
        "credit": opens.of(currency, first, last, account=code, side="credit"),
        "closing": opens.of(currency, None, last, account=code),
    }
    return [opening, debit, credit, opening + debit - credit], {name: one for name, one in rows.items() if one}


def _accounts(before: dict[tuple[str, str, str], int], months: Any, opens: _Opens) -> Table:
    asked, lines = opens.asked, []
    for key in sorted(before.keys() | months.keys()):
        currency, code, name = key
        moved = months.get(key, {}).values()
        pair = (sum(one[0] for one in moved), sum(one[1] for one in moved))
        cells, rows = _cells(opens, currency, code, before.get(key, 0), pair, asked.first, asked.last)
        if any(cells):
            lines.append(Line([f"{code} {name}", *cells], currency, rows))
    return Table("accounts", _("By account"), (Column("account", _("Account")), *_SUMS), lines)


def _by_month(before: dict[tuple[str, str, str], int], months: Any, opens: _Opens) -> Table:
    lines = []
    for key, by_month in sorted(months.items()):
        currency, code, name = key
        balance = before.get(key, 0)
        for month, pair in sorted(by_month.items()):
            first = max(month, opens.asked.first)
            last = min(in_one.rate_day(month, Asked(on=date.max, first=month, last=month)), opens.asked.last)
            cells, rows = _cells(opens, currency, code, balance, pair, first, last)
            balance = cells[-1]
            lines.append(Line([month, f"{code} {name}", *cells], currency, rows))
    columns = (Column("month", _("Month"), Kind.MONTH), Column("account", _("Account")), *_SUMS)
    return Table("months", _("By account and month"), columns, lines)


register(
    Spec(
        name="journal",
        title=_("Journal by account"),
        text=_("Every account with opening, debits, credits and closing, whole and month by month."),
        group="accounting",
        build=build,
        span="month",
    )
)
