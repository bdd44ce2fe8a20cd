"""The facts of an audit row for a reader: names in words, days, instants and amounts by locale.

The rule that matters: what has no words is shown as it was written, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from backoffice import histories, subjects
from backoffice.export_words import WORDS
from core.design import formats
from core.models import AuditEntry
from customers.services.titles import reason_of

#: Names beside those of exported lists and of subscriptions' histories.
MORE: Final[Mapping[str, str | Promise]] = {
    "active": _("Active"),
    "address": _("Address"),
    "allocated_minor": _("Allocated"),
    "amount_minor": _("Amount"),
    "answer": _("Answer"),
    "attempts": _("Tries"),
    "booked_on": _("Booked on"),
    "campaign": _("Campaign"),
    "chart": _("Chart of accounts"),
    "collection_on": _("Collection day"),
    "count": _("Number of rows"),
    "credit_note": _("Credit note"),
    "credit_notes": _("Credit notes"),
    "creditor": _("Creditor"),
    "customers": _("Customers"),
    "days": _("Days"),
    "deliveries": _("Deliveries"),
    "description": _("Description"),
    "discount": _("Discount"),
    "ending": _("End"),
    "fee_minor": _("Fee"),
    "fields": _("Changed"),
    "figure": _("Figure"),
    "file": _("File"),
    "gateway": _("Gateway"),
    "gross_minor": _("Total"),
    "hours": _("Hours"),
    "import": _("Import"),
    "invoices": _("Invoices"),
    "is_active": _("Active"),
    "item": _("Position"),
    "law": _("Law"),
    "lines": _("Lines"),
    "link": _("Link"),
    "list": _("List"),
    "logo": _("Logo"),
    "mandate": _("Mandate"),
    "message": pgettext_lazy("mail", "Message"),
    "month": _("Month"),
    "mrr_after": _("Recurring revenue after"),
    "mrr_before": _("Recurring revenue before"),
    "mrr_minor": _("Recurring revenue"),
    "net_minor": _("Net"),
    "occasion": _("Occasion"),
    "offer": _("Offer"),
    "open_minor": _("Open"),
    "overdue_minor": _("Overdue"),
    "override": _("Overrides a minimum term"),
    "paid_on": _("Paid on"),
    "payment": _("Payment"),
    "payments": _("Payments"),
    "price": _("Price"),
    "priority": _("Priority"),
    "problems": _("Problems"),
    "product": _("Product"),
    "promised_on": _("Promised for"),
    "quantity": _("Quantity"),
    "rate": _("Rate"),
    "rates": _("Tax rates"),
    "recipients": _("Recipients"),
    "refund": _("Refund"),
    "replaces": _("Replaces"),
    "report": _("Report"),
    "rights": _("Rights"),
    "role": _("Role"),
    "rows": _("Rows"),
    "rules": _("Rules"),
    "scheme": _("Scheme"),
    "scopes": _("Scopes"),
    "segment": _("Segment"),
    "service_on": _("Service day"),
    "settled_minor": _("Settled"),
    "signed_on": _("Signed on"),
    "since": _("Since"),
    "since_on": _("Since"),
    "steps": _("Steps"),
    "subscription": _("Subscription"),
    "subscriptions": _("Subscriptions"),
    "tax_minor": _("Tax"),
    "team": _("Team"),
    "term_ends_on": _("Term ends"),
    "title": _("Title"),
    "total": _("Total"),
    "total_minor": _("Total"),
    "types": _("Events"),
    "unit_amount": _("Unit price"),
    "until_on": _("Until"),
    "why": _("Why"),
}
#: Who acted, in words.
ACTORS: Final[Mapping[str, str | Promise]] = {
    "user": _("colleague"),
    "contact": _("contact"),
    "key": _("API key"),
    "rule": _("rule"),
    "run": _("billing run"),
    "system": _("by itself"),
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})")


class Told(NamedTuple):
    """One fact; `known` if its name is in words."""

    name: str
    value: str
    known: bool


def of(row: AuditEntry) -> list[Told]:
    """The facts of the row, in the order they were written; a currency that its amounts show already is left out."""
    currency = row.facts.get("currency")
    with_money = isinstance(currency, str) and any(_is_amount(name, value) for name, value in row.facts.items())
    told = []
    for name, value in row.facts.items():
        if name == "currency" and with_money:
            continue
        words = _name(row.subject_kind, name)
        if words is None:
            told.append(Told(name, str(value), False))
        else:
            told.append(Told(words, _value(row, name, value, currency if with_money else ""), True))
    return told


def _is_amount(name: str, value: Any) -> bool:
    return name.endswith("_minor") and type(value) is int


def _name(kind: str, name: str) -> str | None:
    if name in histories.FACTS:
        return str(histories.FACTS[name][0])
    words = MORE.get(name) or WORDS.get(name)
    if words is None:
        words = getattr(subjects.field_of(kind, name), "verbose_name", None)
    # A field without words of its own is called by its name, in no language.
    return capfirst(str(words)) if isinstance(words, Promise) else None


def _value(row: AuditEntry, name: str, value: Any, currency: str) -> str:
    if name == "fields" and isinstance(value, list):
        return ", ".join(_name(row.subject_kind, str(one)) or str(one) for one in value)
    if currency and _is_amount(name, value):
        return formats.money(value, currency)
    # What a change writes under the name of a field is its value before and after.
    is_change = name == "rights" or name in (row.facts.get("fields") or ())
    if isinstance(value, list) and value and (is_change or not any(isinstance(one, list | dict) for one in value)):
        parts = [
            _value(row, "", one, "") if isinstance(one, list) else _one(row.subject_kind, name, one) for one in value
        ]
        return (" → " if is_change and len(value) == 2 else ", ").join(parts)
    return _one(row.subject_kind, name, value)


def _one(kind: str, name: str, value: Any) -> str:
    if value in (None, "", []):
        return "–"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if not isinstance(value, str):
        return str(value)
    if _DAY.fullmatch(value) or _INSTANT.fullmatch(value):
        return _when(value)
    if kind == "subscription" and name in histories.CHOSEN:
        return histories.FACTS[name][1](value)
    choices = dict(getattr(subjects.field_of(kind, name), "flatchoices", None) or ())
    if value in choices:
        return str(choices[value])
    return reason_of(value) if name in ("reason", "detail") else value


def _when(value: str) -> str:
    try:
        if len(value) == 10:
            return formats.day(date.fromisoformat(value))
        return formats.instant(datetime.fromisoformat(value))
    except ValueError:
        return value
