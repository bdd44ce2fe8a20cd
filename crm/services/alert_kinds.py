"""The kinds of alerts: what each means in words, how it is found, and what a new company does about it.

The rule that matters: a kind is a question over state, answered by one statement. An alert is open as long as the
answer names its key; so nothing is missed, nothing is doubled, and what is settled closes by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import CharField, IntegerField, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, JSONObject
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.gateways import reasons
from core.design import formats
from core.ids import encode
from core.models import Company
from core.services import ticks
from crm.models import Alert, AlertRule

Words = str | Promise


@dataclass(frozen=True, slots=True)
class Look:
    """What a kind is asked with: for whom, when, and with which rule."""

    company: Company
    rule: AlertRule
    at: datetime
    today: date


Find = Callable[[Look], "QuerySet[Any, Any]"]


@dataclass(frozen=True, slots=True)
class Usual:
    """What a company's rule says before somebody changes it. `roles` are keys of built-in roles."""

    roles: tuple[str, ...] = ("accounting",)
    days: int | None = None
    hours: int | None = None
    amount_minor: int | None = None
    mail: str = AlertRule.Mail.DAILY
    makes_task: bool = True
    task_days: int = 1
    priority: str = "normal"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of alert. `text` names facts in `%(…)s`; a `slow` one is asked every hour instead of every minute.

    `prefix` turns the fact `public_id` into the outside id of the row it is about. `hint` says what the rule's number
    means.
    """

    name: str
    title: Words
    text: Words
    find: Find
    usual: Usual
    slow: bool = False
    prefix: str = ""
    hint: Words = ""


_kinds: dict[str, Kind] = {}


def source(
    name: str, *, title: Words, text: Words, usual: Usual, slow: bool = False, prefix: str = "", hint: Words = ""
) -> Callable[[Find], Find]:
    """Registers a kind: the function gives the rows as `seen` makes them."""

    def register(find: Find) -> Find:
        _kinds[name] = Kind(name, title, text, find, usual, slow, prefix, hint)
        return find

    return register


def all_kinds() -> list[Kind]:
    return list(_kinds.values())


def of(name: str) -> Kind | None:
    """The kind; None for one this version no longer knows."""
    return _kinds.get(name)


COLUMNS: Final = ("seen_key", "seen_customer", "seen_subscription", "seen_invoice", "seen_facts")


def seen(
    rows: QuerySet[Any],
    *,
    key: str | Combinable,
    customer: str | None = None,
    subscription: str | None = None,
    invoice: str | None = None,
    facts: Mapping[str, str | Combinable] | None = None,
) -> QuerySet[Any, Any]:
    """Rows as `alerting` reads them. The names are columns; `key` tells one cause from another within the kind."""
    nobody = Value(None, output_field=IntegerField())
    columns: dict[str, Any] = {
        "seen_key": Cast(key, CharField()),
        "seen_customer": Cast(customer, IntegerField()) if customer else nobody,
        "seen_subscription": Cast(subscription, IntegerField()) if subscription else nobody,
        "seen_invoice": Cast(invoice, IntegerField()) if invoice else nobody,
        "seen_facts": JSONObject(**(facts or {"none": Value("", output_field=TextField())})),
    }
    found: QuerySet[Any, Any] = rows.order_by().annotate(**columns).values_list(*COLUMNS)
    return found


def facts_of(kind: Kind, found: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as an alert keeps them: without what is empty, with the outside id of the row it is about."""
    facts = {name: value for name, value in found.items() if value not in (None, "", False)}
    public_id = facts.pop("public_id", None)
    if public_id and kind.prefix:
        facts["id"] = encode(kind.prefix, uuid.UUID(str(public_id)))
    why = [name.removeprefix("is_") for name in facts if name.startswith("is_")]
    for reason in why:
        del facts[f"is_{reason}"]
    if why:
        facts["reasons"] = why
    return facts


#: Why a customer may leave, in words.
REASONS: Final[dict[str, Words]] = {
    "unpaid": _("an invoice is overdue"),
    "failed": _("a payment failed"),
    "took_back": _("a cancellation was taken back lately"),
    "paused": _("a subscription is paused"),
    "silent": _("nobody has signed in for a long time"),
    "uses_less": _("usage has fallen by more than half"),
    "broken": _("the bank refused it"),
    "expired": _("it has expired"),
    "expires": _("it expires before the next charge"),
    "no_mandate": _("its mandate has ended"),
    "held": _("it waits for a person"),
    "late": _("it is not done yet"),
    "unbilled": _("subscriptions that were due are not billed"),
    "gone": _("it answered that it is gone"),
    "failing": _("it failed for 72 hours and was switched off"),
    "bounced": _("it came back"),
    "complained": _("it was marked as spam"),
    "blocked": _("the address is blocked"),
}


def reasons_in_words(names: Iterable[str]) -> str:
    return ", ".join(str(REASONS.get(name, name.replace("_", " "))) for name in names)


def title_of(name: str) -> str:
    kind = _kinds.get(name)
    return str(kind.title) if kind is not None else name.replace("_", " ").capitalize()


def in_words(alert: Alert) -> str:
    """What an alert says, in the active language. Reads its customer, subscription and invoice."""
    kind = _kinds.get(alert.kind)
    if kind is None:
        return title_of(alert.kind)
    values: dict[str, Any] = _Gaps()
    facts = alert.facts
    for name, value in facts.items():
        if name.endswith("_minor"):
            values[name.removesuffix("_minor")] = formats.money(int(value), facts.get("currency") or "EUR")
        elif name.endswith("_on"):
            values[name.removesuffix("_on")] = formats.day(date.fromisoformat(str(value)[:10]))
        elif name.endswith("_at"):
            values[name.removesuffix("_at")] = formats.instant(datetime.fromisoformat(str(value)))
        elif name == "reasons":
            values["reasons"] = reasons_in_words(value)
        elif name == "refusal_code":
            values["refusal"] = reasons.words_of(value)
        elif name == "tick":
            tick = ticks.find(value)
            values["tick"] = str(tick.title) if tick is not None and tick.title else value
        else:
            values[name] = value
    if alert.customer is not None:
        values["customer"] = alert.customer.name
    if alert.subscription is not None:
        values["subscription"] = f"{alert.subscription.number} {alert.subscription.name}"
    if alert.invoice is not None:
        values["invoice"] = alert.invoice.number
    return str(kind.text) % values


class _Gaps(dict[str, Any]):
    """What a fact that isn't there reads as."""

    def __missing__(self, key: str) -> str:
        return "–"
