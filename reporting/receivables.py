"""What is owed at the end of a day, by age and customer, and how long customers take to pay.

The rule that matters: it is read from history, so that last month's report says today what it said then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from billing.models import CreditNote, Invoice
from core.ids import encode
from core.models import Company
from core.replica import reads_replica
from customers.models import Customer
from reporting import findings, in_one
from reporting.owed import AGES, open_claims, open_invoices
from reporting.registry import Spec, register
from reporting.rows_money import customer_of
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table

#: Days of billing that days sales outstanding are measured against.
DSO_DAYS: Final = 90
#: Customers listed by name, those who owe most.
LISTED: Final = 500

_OPEN = _(
    "What customers still owed on issued invoices at the end of the day, tax included: the total of each invoice less"
    " what money, account credit and credit notes had settled by then and less what had been given up as lost. Fees"
    " and interest for late payment are not in it."
)
_LATE = _("The part of it whose due day had passed before the day of the report.")
_CLAIMS = _("Fees and interest claimed for late payment that were neither paid nor waived at the end of the day.")
_DSO = _(
    "Days sales outstanding: open invoices × %(days)s ÷ what was billed in the %(days)s days up to and with the day"
    " (invoices less credit notes, tax included). Nothing billed: no figure."
)


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Open invoices at the end of `asked.last`. Figures `open`, `late`, `claims`, `dso`; tables `ages`, `customers`."""
    day = asked.last
    rows = open_invoices(company, day)
    if "customer" in asked.only:
        rows = rows.filter(customer__public_id=customer_of(asked.only["customer"]))
    turning = in_one.Turning(company, asked)
    sums = rows.order_by().values_list("currency", "age").annotate(total=Sum("open_at"))
    by_age = turning.nested(in_one.grouped(sums), day)
    claimed = open_claims(company, day).order_by().values_list("currency").annotate(total=Sum("open_at"))
    claims = turning.sums(dict(claimed), day)
    billed = turning.sums(billed_gross(company, day - timedelta(days=DSO_DAYS - 1), day), day)
    whose = by_age.keys() if asked.only else by_age.keys() | claims.keys() | {code for code in billed if billed[code]}
    figures = [
        figure
        for currency in sorted(whose)
        for figure in _figures(
            currency, by_age.get(currency, {}), billed.get(currency, 0), claims.get(currency, 0), asked, turning
        )
    ]
    lines = [
        _line(currency, currency, by_age.get(currency, {}), _where(asked, turning, currency))
        for currency in sorted(whose)
    ]
    ages = Table("ages", _("By age"), _columns(Column("currency", _("Currency"))), lines)
    plots = [
        Plot(_("Open invoices by age"), "ages", list(AGES), currency=line.currency,
             finding=findings.receivables(ages, line.currency, next(iter(AGES))))
        for line in lines
    ]  # fmt: skip
    customers = _customers(rows.filter(currency=turning.alone) if turning.alone else rows, asked, turning)
    return Report(figures, [ages, customers], plots, warnings=turning.warnings())


def billed_gross(company: Company, first: date, last: date) -> dict[str, int]:
    """Invoices less credit notes issued in the time, tax included, by currency."""
    found: dict[str, int] = defaultdict(int)
    for model, sign in ((Invoice, 1), (CreditNote, -1)):
        rows = model.objects.filter(company=company, sequence__isnull=False, issued_on__gte=first, issued_on__lte=last)
        for currency, total in rows.order_by().values_list("currency").annotate(total=Sum("gross_minor")):
            found[currency] += sign * int(total)
    return dict(found)


def days_outstanding(open_minor: int, billed_minor: int) -> Decimal | None:
    """Days sales outstanding to one place; None where nothing was billed.

    >>> days_outstanding(50_000, 150_000)
    Decimal('30.0')
    """
    if billed_minor <= 0:
        return None
    return (Decimal(open_minor) * DSO_DAYS / billed_minor).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _where(asked: Asked, turning: in_one.Turning, currency: str) -> dict[str, str] | None:
    """The conditions of rows behind amounts in a currency; None where they would not add up to them."""
    return {"day": asked.last.isoformat(), "currency": currency, **asked.only} if turning.opens(currency) else None


def _rows(where: dict[str, str] | None, source: str = "open_invoices", **more: str) -> Rows | None:
    return None if where is None else Rows(source, where | more)


def _figures(
    currency: str, ages: Mapping[str, int], billed: int, claims: int, asked: Asked, turning: in_one.Turning
) -> list[Figure]:
    total, where = sum(ages.values()), _where(asked, turning, currency)
    money = {"kind": Kind.MONEY, "currency": currency, "better": "down"}
    found = [
        Figure("open", _("Open invoices"), value=total, definition=_OPEN, rows=_rows(where), **money),
        Figure("late", _("Late"), value=total - ages.get("not_due", 0), definition=_LATE,
               rows=_rows(where, age="late"), **money),
    ]  # fmt: skip
    if asked.only:
        return found
    days = days_outstanding(total, billed)
    return [
        *found,
        Figure("dso", _("Days sales outstanding"), Kind.DAYS, days, _DSO % {"days": DSO_DAYS}, currency, better="down"),
        Figure("claims", _("Fees and interest open"), value=claims, definition=_CLAIMS,
               rows=_rows(where, "open_claims"), **money),
    ]  # fmt: skip


def _columns(first: Column) -> tuple[Column, ...]:
    ages = (Column(key, words, Kind.MONEY, is_summed=True) for key, (words, _most) in AGES.items())
    return (first, *ages, Column("total", _("Open"), Kind.MONEY, is_summed=True))


def _line(first: Any, currency: str, ages: Mapping[str, int], where: dict[str, str] | None) -> Line:
    rows = {} if where is None else {key: Rows("open_invoices", {**where, "age": key}) for key in AGES}
    if where is not None:
        rows["total"] = Rows("open_invoices", where)
    return Line([first, *(ages.get(key, 0) for key in AGES), sum(ages.values())], currency, rows)


def _customers(rows: Any, asked: Asked, turning: in_one.Turning) -> Table:
    """Those who owe most first: two statements, whatever their number."""
    top = rows.order_by().values_list("customer_id").annotate(total=Sum("open_at")).order_by("-total", "customer_id")
    chosen = [customer_id for customer_id, _total in top[: LISTED + 1]]
    is_cut = len(chosen) > LISTED
    detail = rows.filter(customer_id__in=chosen[:LISTED]).order_by()
    groups = detail.values_list("customer__public_id", "customer__name", "currency", "age")
    found: dict[tuple[Any, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for public_id, name, currency, age, total in groups.annotate(total=Sum("open_at")):
        found[public_id, name][currency][age] = int(total)
    lines = []
    for (public_id, name), by_currency in found.items():
        for currency, ages in turning.nested(by_currency, asked.last).items():
            where = _where(asked, turning, currency)
            if where is not None:
                where["customer"] = encode(Customer.PREFIX, public_id)
            lines.append(_line(name, currency, ages, where))
    lines.sort(key=lambda line: (line.currency, -line.cells[-1], line.cells[0]))
    note = _("The %(count)s customers who owe most are listed.") % {"count": LISTED} if is_cut else ""
    return Table("customers", _("By customer"), _columns(Column("customer", _("Customer"))), lines, note=note)


register(
    Spec(
        name="receivables",
        title=_("Receivables"),
        text=_("What customers owed at the end of a day, by age and by customer, and how long they take to pay."),
        group="payments",
        build=build,
        span="day",
        dimensions=(("customer", _("Customer")),),
    )
)
