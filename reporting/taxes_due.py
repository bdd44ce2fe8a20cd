"""Taxes by country and rate, and what the One-Stop-Shop return of a quarter declares.

The rule that matters: tax is read from issued documents, credit notes in their own period, and its sum is what the
account of taxes says; in the tax currency it is what each document fixed.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import reads_replica
from reporting import dimensions, in_one
from reporting.registry import Spec, register
from reporting.rows_booked import oss_of, tax_entries
from reporting.shapes import Asked, Column, Figure, Kind, Line, Report, Rows, Table

#: Categories of EN 16931 in an accountant's words.
CATEGORIES: Final = {
    "S": _("taxed"), "Z": _("zero rate"), "E": _("exempt"), "AE": _("reverse charge"),
    "K": _("goods to another member state"), "G": _("export"), "O": _("outside the scope"),
}  # fmt: skip
_TAX = _(
    "Tax of invoices less tax of credit notes issued in the time: what the account of taxes says for the same days."
)
_BASE = _("Amounts without tax of invoices less credit notes issued in the time.")
_OSS = _(
    "One-Stop-Shop: supplies to consumers of other member states, taxed there; by the state of consumption and rate, in"
    " the tax currency as each document fixed it. Credit notes reduce the quarter they were issued in."
)


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `tax` and `base` by currency, `oss` in the tax currency; tables `rates` and `oss`."""
    turning = in_one.Turning(company, asked)
    entries = tax_entries(company, asked.first, asked.last)
    if "country" in asked.only:
        entries = entries.filter(**dimensions.columns_of(company, {"country": asked.only["country"]}))
    found: dict[tuple[Any, ...], list[int]] = {}
    keys = ("currency", "country", "region", "category", "rate", "reason")
    grouped = entries.order_by().values_list(*keys).annotate(base=Sum("base_minor"), tax=Sum("tax_minor"))
    for currency, *key, base, tax in grouped:
        if not turning.wants(currency):
            continue
        name, told = turning.turn(currency, int(base), asked.last)
        into = found.setdefault((name, *key), [0, 0])
        into[0] += told
        into[1] += turning.turn(currency, int(tax), asked.last)[1]
    figures = [
        Figure(name, label, Kind.MONEY, sum(sums[place] for key, sums in found.items() if key[0] == currency), words,
               currency, better="", rows=_rows(asked, turning, currency, name))
        for currency in sorted({key[0] for key in found})
        for name, label, words, place in (("tax", _("Tax"), _TAX, 1), ("base", _("Taxed amounts"), _BASE, 0))
    ]  # fmt: skip
    oss = entries.filter(oss_of(company)).order_by().values_list("country", "region", "rate", "told_currency").annotate(
        base=Sum("told_base_minor"), tax=Sum("told_tax_minor"), unknown=Count("pk", filter=Q(told_base_minor=None)),
    )  # fmt: skip
    declared = list(oss)
    if declared:
        tax = sum(int(row[5] or 0) for row in declared)
        figures.append(
            Figure("oss", _("Tax to declare through the One-Stop-Shop"), Kind.MONEY, tax, _OSS, declared[0][3],
                   better="", rows=_oss_rows(asked, "told_tax"))
        )  # fmt: skip
    unknown = sum(row[6] for row in declared)
    warnings = [*turning.warnings()]
    if unknown:
        warnings.append(
            _("For %(count)s amounts in another currency no exchange rate is stored; they are missing below.")
            % {"count": unknown}
        )
    return Report(figures, [_rates(found, asked, turning), _oss_table(declared, asked)], warnings=warnings)


def _rows(asked: Asked, turning: in_one.Turning, currency: str, what: str, **more: str) -> Rows | None:
    if not turning.opens(currency):
        return None
    time = {"first": asked.first.isoformat(), "last": asked.last.isoformat()}
    return Rows("tax_entries", {**time, "sum": what, "currency": currency, **_country(asked), **more})


def _oss_rows(asked: Asked, what: str, **more: str) -> Rows:
    time = {"first": asked.first.isoformat(), "last": asked.last.isoformat()}
    return Rows("tax_entries", {**time, "sum": what, "documents": "oss", **_country(asked), **more})


def _country(asked: Asked) -> dict[str, str]:
    if "country" not in asked.only:
        return {}
    return {"country": "" if asked.only["country"] == dimensions.NONE else asked.only["country"]}


def _rates(found: dict[tuple[Any, ...], list[int]], asked: Asked, turning: in_one.Turning) -> Table:
    columns = (
        Column("country", _("Country"), definition=_("Where the tax is due.")),
        Column("treatment", _("Treatment")),
        Column("rate", _("Rate"), Kind.PERCENT),
        Column("base", _("Without tax"), Kind.MONEY, is_summed=True, definition=_BASE),
        Column("tax", _("Tax"), Kind.MONEY, is_summed=True, definition=_TAX),
    )
    lines = []
    for (currency, country, region, category, rate, reason), (base, tax) in sorted(found.items()):
        key = {"country": country, "region": region, "category": category, "rate": str(rate), "reason": reason}
        rows = {name: _rows(asked, turning, currency, name, **key) for name in ("base", "tax")}
        cells = [_place(country, region), str(CATEGORIES.get(category, category)), rate, base, tax]
        lines.append(Line(cells, currency, {name: one for name, one in rows.items() if one is not None}))
    return Table("rates", _("By country and rate"), columns, lines)


def _oss_table(declared: list[Any], asked: Asked) -> Table:
    columns = (
        Column("state", _("State of consumption")),
        Column("rate", _("Rate"), Kind.PERCENT),
        Column("base", _("Taxable amount"), Kind.MONEY, is_summed=True),
        Column("tax", _("VAT"), Kind.MONEY, is_summed=True),
    )
    lines = []
    for country, region, rate, currency, base, tax, _unknown in sorted(declared, key=lambda row: row[:3]):
        key = {"country": country, "region": region, "rate": str(rate)}
        rows = {"base": _oss_rows(asked, "told_base", **key), "tax": _oss_rows(asked, "told_tax", **key)}
        lines.append(Line([_place(country, region), rate, int(base or 0), int(tax or 0)], currency, rows))
    return Table("oss", _("One-Stop-Shop return"), columns, lines, note=_OSS)


def _place(country: str, region: str) -> str:
    name = dimensions.country_words(country) if country else str(_("without a country"))
    return f"{name} ({region})" if region else name


register(
    Spec(
        name="vat",
        title=_("Taxes by country and rate"),
        text=_("VAT on invoices and credit notes by country and rate, and what the One-Stop-Shop return declares."),
        group="accounting",
        build=build,
        span="quarter",
        dimensions=(("country", _("Country")),),
    )
)
