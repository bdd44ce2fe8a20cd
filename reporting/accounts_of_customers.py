"""Balances of customers: what each owed at the start of a time, what moved it, what it was at its end.

The rule that matters: opening and moves make the closing, and all closings together are what the accounts of
receivables and of customers' credit say.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any, Final

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.ids import encode
from core.models import Company
from core.replica import reads_replica
from customers.models import Customer
from reporting import in_one
from reporting.registry import Spec, register
from reporting.rows_ledger import MOVES, STANDING, move_of, postings
from reporting.rows_money import customer_of
from reporting.shapes import Asked, Column, Figure, Kind, Line, Report, Rows, Table

#: Customers listed by name, those with most at stake.
LISTED: Final = 1000
_WORDS: Final = {
    "invoices": (_("Invoices"), _("Invoices issued in the time, tax included.")),
    "credit_notes": (_("Credit notes"), _("Credit notes issued in the time, tax included.")),
    "payments": (_("Payments"), _("Money received, less what was taken back.")),
    "refunds": (_("Refunds"), _("Money paid out, less refunds that came back.")),
    "losses": (_("Given up"), _("Invoices written off in the time.")),
    "claims": (_("Fees and interest"), _("Claims for late payment, less those waived.")),
}
_OPENING = _(
    "Owed on invoices and claims less account credit, before the first day. Below zero: the customer's credit."
)
_CLOSING = _("Owed on invoices and claims less account credit, at the end of the last day.")


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `opening`, `closing` by currency; table `customers`: opening, moves, closing of each."""
    turning = in_one.Turning(company, asked)
    opening: dict[tuple[int, str], int] = defaultdict(int)
    moves: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = postings(company, None, asked.last).filter(account__role__in=STANDING, customer_id__isnull=False)
    if "customer" in asked.only:
        public_id = customer_of(asked.only["customer"])
        rows = rows.filter(customer_id__in=Customer.objects.filter(company=company, public_id=public_id).values("pk"))
    old = rows.filter(booked_on__lt=asked.first).order_by().values_list("customer_id", "currency")
    for customer_id, currency, total in old.annotate(total=Sum("amount_minor")):
        if total and turning.wants(currency):
            told, minor = turning.turn(currency, int(total), asked.first - timedelta(days=1))
            opening[customer_id, told] += minor
    new = rows.filter(booked_on__gte=asked.first).annotate(move=move_of()).order_by()
    for customer_id, currency, move, total in new.values_list("customer_id", "currency", "move").annotate(
        total=Sum("amount_minor")
    ):
        if total and turning.wants(currency):
            told, minor = turning.turn(currency, int(total), asked.last)
            moves[customer_id, told][move] += minor
    keys = opening.keys() | moves.keys()
    figures: list[Figure] = []
    for currency in sorted({key[1] for key in keys}):
        first = sum(minor for key, minor in opening.items() if key[1] == currency)
        last = first + sum(sum(found.values()) for key, found in moves.items() if key[1] == currency)
        figures += _figures(currency, first, last, asked, turning)
    table = _table(keys, opening, moves, asked, turning)
    return Report(figures, [table], warnings=turning.warnings())


def _where(asked: Asked, turning: in_one.Turning, currency: str, *, is_before: bool = False) -> dict[str, str] | None:
    if not turning.opens(currency):
        return None
    last = asked.first - timedelta(days=1) if is_before else asked.last
    return {"last": last.isoformat(), "currency": currency, "standing": "yes", **asked.only}


def _figures(currency: str, first: int, last: int, asked: Asked, turning: in_one.Turning) -> list[Figure]:
    told = []
    for name, label, minor, words in (
        ("opening", _("Balances before"), first, _OPENING), ("closing", _("Balances at the end"), last, _CLOSING)
    ):  # fmt: skip
        where = _where(asked, turning, currency, is_before=name == "opening")
        rows = None if where is None else Rows("postings", where)
        told.append(Figure(name, label, Kind.MONEY, minor, words, currency, better="", rows=rows))
    return told


def _table(keys: Any, opening: Any, moves: Any, asked: Asked, turning: in_one.Turning) -> Table:
    def weight(key: tuple[int, str]) -> tuple[int, Any]:
        return -max(abs(opening.get(key, 0)), *(abs(one) for one in moves.get(key, {"": 0}).values())), key

    chosen = sorted(keys, key=weight)[:LISTED]
    names = {
        row.pk: (row.name, encode(Customer.PREFIX, row.public_id))
        for row in Customer.objects.filter(pk__in={customer_id for customer_id, _currency in chosen})
    }
    lines = []
    for key in chosen:
        customer_id, currency = key
        name, ref = names[customer_id]
        told = {move: moves.get(key, {}).get(move, 0) for move in MOVES}
        cells = [name, opening.get(key, 0), *told.values(), opening.get(key, 0) + sum(told.values())]
        lines.append(Line(cells, currency, _opened(asked, turning, currency, ref)))
    lines.sort(key=lambda line: (line.currency, -abs(line.cells[-1]), str(line.cells[0])))
    columns = (
        Column("customer", _("Customer")),
        Column("opening", pgettext_lazy("balance", "Opening"), Kind.MONEY, is_summed=True, definition=_OPENING),
        *(Column(name, label, Kind.MONEY, is_summed=True, definition=words) for name, (label, words) in _WORDS.items()),
        Column("closing", pgettext_lazy("balance", "Closing"), Kind.MONEY, is_summed=True, definition=_CLOSING),
    )
    note = _("The %(count)s customers with most at stake are listed.") % {"count": LISTED} if len(keys) > LISTED else ""
    return Table("customers", _("By customer"), columns, lines, note=note)


def _opened(asked: Asked, turning: in_one.Turning, currency: str, ref: str) -> dict[str, Rows]:
    where = _where(asked, turning, currency)
    before = _where(asked, turning, currency, is_before=True)
    if where is None or before is None:
        return {}
    rows = {
        "opening": Rows("postings", before | {"customer": ref}),
        "closing": Rows("postings", where | {"customer": ref}),
    }
    for move in MOVES:
        rows[move] = Rows("postings", where | {"first": asked.first.isoformat(), "customer": ref, "move": move})
    return rows


register(
    Spec(
        name="balances",
        title=_("Balances of customers"),
        text=_("What each customer owed before, what was billed and paid, and what is owed at the end."),
        group="accounting",
        build=build,
        span="month",
        dimensions=(("customer", _("Customer")),),
    )
)
