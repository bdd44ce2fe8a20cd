"""Money to come in the days ahead: open invoices and invoices to come by the day they are due, debits on their way.

The rule that matters: what is known stands apart from what is assumed; the one assumption is what of late invoices came
after all in the past, and its figures are shown.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.db.models import F, Max, OuterRef, Q, Sum
from django.utils.translation import gettext_lazy as _

from billing.models import Allocation, Attempt, CreditNote, Invoice
from core.models import Company
from reporting import coming, findings, in_one
from reporting.owed import open_invoices, summed
from reporting.registry import Spec, register
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table

#: How far back late invoices are looked at, and how long each had to be paid late.
LOOKS_BACK: Final = 365
HAD_DAYS: Final = 90

_OPEN = _("Open on invoices that fall due in the time, by the day they are due; those being collected stand apart.")
_LATE = _("Open on invoices that were due before today.")
_ON_WAY = _("Open on invoices that are being collected just now: debits given to the bank and payments under way.")
_COMING = _(
    "Invoices to come that are payable in the time if they are paid on the day they are due; usage is not in it."
)
_SHARE = _(
    "An assumption: of what was unpaid on the due day of invoices due between %(first)s and %(last)s, the part that"
    " money paid later, up to today. Credit notes since then are left out of both."
)
_EXPECTED = _("An assumption: open and late × the share of late invoices that was paid in the past.")


def build(company: Company, asked: Asked) -> Report:
    """Figures `open`, `late`, `on_the_way`, `coming`, `late_share`, `late_expected`; table `weeks`."""
    turning = in_one.Turning(company, asked)
    today = asked.on
    live = Attempt.objects.filter(company=company, state__in=Attempt.LIVE)
    rows = open_invoices(company, today)
    moving = rows.filter(pk__in=live.values("invoice_id"))
    waiting = rows.exclude(pk__in=live.values("invoice_id"))
    ahead = waiting.filter(payment_due_on__gte=today, payment_due_on__lte=asked.last)
    sums = {
        "open": turning.sums(_by_currency(ahead), today),
        "late": turning.sums(_by_currency(waiting.filter(payment_due_on__lt=today)), today),
        "on_the_way": turning.sums(_by_currency(moving), today),
    }
    later = [
        one for chunk in coming.read(company, asked) for one in chunk
        if one.due_on <= asked.last and turning.wants(one.currency)
    ]  # fmt: skip
    sums["coming"] = turning.sums(_added((one.currency, one.to_pay) for one in later), today)
    shares = _shares(company, today)
    figures: list[Figure] = []
    for currency in sorted({code for found in sums.values() for code in found}):
        figures += _figures(currency, sums, shares, asked, turning)
    weeks = _weeks(ahead, moving, later, turning, asked)
    plots = [
        Plot(_("Money to come by week"), "weeks", ["open", "on_the_way", "coming"], currency=code,
             finding=findings.cash(weeks, code))
        for code in sorted({line.currency for line in weeks.lines})
    ]  # fmt: skip
    return Report(figures, [weeks], plots, warnings=turning.warnings())


def _by_currency(rows: Any) -> dict[str, int]:
    grouped = rows.order_by().values_list("currency").annotate(total=Sum("open_at"))
    return {currency: int(total) for currency, total in grouped}


def _added(pairs: Any) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for currency, minor in pairs:
        found[currency] += minor
    return dict(found)


def _span(today: date) -> tuple[date, date]:
    return today - timedelta(days=LOOKS_BACK), today - timedelta(days=HAD_DAYS)


def _shares(company: Company, today: date) -> dict[str, tuple[int, int]]:
    """By currency: what was unpaid on due days of the past, and what of it money paid later, up to today."""
    first, last = _span(today)
    paid = Allocation.objects.filter(invoice=OuterRef("pk"))
    notes = CreditNote.objects.filter(invoice=OuterRef("pk"), issued_on__lte=today)
    late = Q(allocated_on__gt=OuterRef("payment_due_on"), allocated_on__lte=today)
    rows = Invoice.objects.filter(
        company=company, sequence__isnull=False, payment_due_on__gte=first, payment_due_on__lte=last
    ).annotate(
        in_time=summed(paid.filter(allocated_on__lte=OuterRef("payment_due_on")), "invoice", "amount_minor"),
        given_back=summed(notes, "invoice", "settled_minor"),
        after=summed(paid.filter(late, payment__isnull=False), "invoice", "amount_minor"),
        by_credit=summed(paid.filter(late, credit__isnull=False), "invoice", "amount_minor"),
    )
    rows = rows.annotate(unpaid=F("gross_minor") - F("in_time") - F("given_back") - F("by_credit")).filter(unpaid__gt=0)
    grouped = rows.order_by().values_list("currency").annotate(due=Sum("unpaid"), came=Sum("after"))
    return {currency: (int(due), int(came)) for currency, due, came in grouped}


def share_of(due: int, came: int) -> Decimal | None:
    """In percent to one place; None where nothing was late.

    >>> share_of(20_000, 15_000), share_of(0, 0)
    (Decimal('75.0'), None)
    """
    return (Decimal(came) * 100 / due).quantize(Decimal("0.1"), ROUND_HALF_UP) if due > 0 else None


def _figures(
    currency: str, sums: dict[str, dict[str, int]], shares: dict[str, tuple[int, int]], asked: Asked,
    turning: in_one.Turning,
) -> list[Figure]:  # fmt: skip
    day = {"day": asked.on.isoformat(), "currency": currency}
    wheres = {
        "open": day | {"collected": "no", "due_from": asked.on.isoformat(), "due_to": asked.last.isoformat()},
        "late": day | {"collected": "no", "age": "late"},
        "on_the_way": day | {"collected": "yes"},
    }
    labels = (
        ("open", _("Open, due in the time"), _OPEN), ("on_the_way", _("Being collected"), _ON_WAY),
        ("late", _("Open and late"), _LATE), ("coming", _("Invoices to come, payable in the time"), _COMING),
    )  # fmt: skip
    found = [
        Figure(name, label, Kind.MONEY, sums[name].get(currency, 0), words, currency,
               rows=Rows("open_invoices", wheres[name]) if name in wheres and turning.opens(currency) else None)
        for name, label, words in labels
    ]  # fmt: skip
    if turning.is_one:
        return found
    due, came = shares.get(currency, (0, 0))
    share = share_of(due, came)
    first, last = _span(asked.on)
    late = sums["late"].get(currency, 0)
    expected = None if share is None else int((late * share / 100).quantize(Decimal(1), ROUND_HALF_UP))
    return [
        *found,
        Figure("late_share", _("Assumed: late invoices paid after all"), Kind.PERCENT, share,
               _SHARE % {"first": first.isoformat(), "last": last.isoformat()}, currency),
        Figure("late_expected", _("Assumed: to come of what is late"), Kind.MONEY, expected, _EXPECTED, currency),
    ]  # fmt: skip


def _weeks(ahead: Any, moving: Any, later: list[Any], turning: in_one.Turning, asked: Asked) -> Table:
    """By the week money is due, of debits that of their collection day; the running one begins today."""
    sums: dict[tuple[str, date], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    dues = ahead.order_by().values_list("currency", "payment_due_on").annotate(total=Sum("open_at"))
    found = [("open", currency, day, int(total)) for currency, day, total in dues]
    live = Q(attempts__state__in=Attempt.LIVE)
    on_way = moving.annotate(collect=Max("attempts__collect_on", filter=live))
    on_way = on_way.values_list("currency", "collect", "open_at")
    found += [("on_the_way", currency, day or asked.on, int(total)) for currency, day, total in on_way]
    found += [("coming", one.currency, one.due_on, one.to_pay) for one in later]
    for name, currency, day, minor in found:
        if turning.wants(currency):
            told, turned = turning.turn(currency, minor, asked.on)
            sums[told, max(coming.week_of(day), asked.on)][name] += turned
    columns = (
        Column("week", _("Week from"), Kind.DAY),
        Column("open", _("Open, due"), Kind.MONEY, is_summed=True, definition=_OPEN),
        Column("on_the_way", _("Being collected"), Kind.MONEY, is_summed=True, definition=_ON_WAY),
        Column("coming", _("Invoices to come"), Kind.MONEY, is_summed=True, definition=_COMING),
        Column("total", _("All"), Kind.MONEY, is_summed=True),
    )
    lines = []
    for (currency, week), minors in sorted(sums.items()):
        cells = [minors.get(name, 0) for name in ("open", "on_the_way", "coming")]
        lines.append(Line([week, *cells, sum(cells)], currency))
    return Table("weeks", _("By week"), columns, lines)


register(
    Spec(
        name="cash",
        title=_("Money to come"),
        text=_("What is known to come in the next 90 days by the day it is due, and what is assumed of late invoices."),
        group="payments",
        build=build,
        span="90 days ahead",
    )
)
