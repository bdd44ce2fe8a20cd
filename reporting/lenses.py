"""What lost customers are divided by beside the dimensions of revenue: age, reason, who ended it, term, payment method,
further data.

The rule that matters: each is read as it was when the revenue ended, from rows that no longer change, and every value
has words; a reason that somebody wrote in his own words stays his words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, CharField, DateField, Expression, F, Func, OuterRef, Q, Subquery, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.services.dunning_steps import CANCEL_REASON
from core.models import Company
from core.refusal import Refused
from reporting.shapes import Words
from subscriptions.models import Movement, Subscription
from subscriptions.services import end_reasons

#: Ends for want of payment, said by a person or by a step of dunning.
INVOLUNTARY: Final = ("payment", CANCEL_REASON)
#: Months since the first movement: code, the first month that is no longer in it, words.
AGES: Final = (
    ("0", 3, _("Under 3 months")),
    ("3", 6, _("3 to 5 months")),
    ("6", 12, _("6 to 11 months")),
    ("12", 24, _("12 to 23 months")),
    ("24", 36, _("24 to 35 months")),
    ("36", None, _("36 months and more")),
)
WAYS: Final[dict[str, Words]] = {
    "voluntary": _("By the customer or at the end of a term"),
    "involuntary": _("For want of payment"),
}
REASONS: Final[dict[str, Words]] = {
    **end_reasons.WORDS,
    **end_reasons.EXITS,
    CANCEL_REASON: _("invoices not paid (dunning)"),
    "trial_ended": _("trial ended"),
    "import": _("ended before it was taken over"),
    "": _("no reason given"),
}
METHODS_NONE: Final = _("Not known")


@dataclass(frozen=True, slots=True)
class Lens:
    """`value` is the text of each fact; `words` of such texts; `is_of_loss`: only what was lost has one."""

    name: str
    label: Words
    value: Callable[[str], Expression]
    words: Callable[[str], Words]
    is_of_loss: bool = False


class _Months(Func):
    """A day so many months later, as PostgreSQL counts them."""

    template = "(%(expressions)s)"
    arg_joiner = " + "
    output_field = DateField()  # type: ignore[assignment]


def _later(months: int) -> Expression:
    interval = Func(Value(months), function="make_interval", template="make_interval(months => %(expressions)s)")
    return _Months(_began(), interval)


def _began() -> Subquery:
    first = Movement.objects.filter(customer=OuterRef("customer_id")).order_by("booked_on", "id")
    return Subquery(first.values("booked_on")[:1])


def _age(_key: str) -> Expression:
    cases = [When(booked_on__lt=_later(until), then=Value(code)) for code, until, _words in AGES if until is not None]
    return Case(*cases, default=Value(AGES[-1][0]), output_field=CharField())


def _way(_key: str) -> Expression:
    lost = When(Q(reason__in=INVOLUNTARY), then=Value("involuntary"))
    return Case(lost, default=Value("voluntary"), output_field=CharField())


def _contract(_key: str) -> Expression:
    """The minimum term, such as "12 month"; none: "0"."""
    length = Concat(
        Cast("subscription__minimum_count", CharField()), Value(" "), "subscription__minimum_unit",
        output_field=CharField(),
    )  # fmt: skip
    has_none = Q(subscription__minimum_count__isnull=True) | Q(subscription__minimum_count=0)
    return Case(When(has_none, then=Value("0")), default=length, output_field=CharField())


_UNITS: Final = {
    "day": ngettext_lazy("%(count)s day", "%(count)s days", "count"),
    "week": ngettext_lazy("%(count)s week", "%(count)s weeks", "count"),
    "month": ngettext_lazy("%(count)s month", "%(count)s months", "count"),
    "year": ngettext_lazy("%(count)s year", "%(count)s years", "count"),
}


def _term_words(text: str) -> Words:
    if text == "0":
        return _("No minimum term")
    count, _space, unit = text.partition(" ")
    return str(_UNITS[unit] % {"count": int(count)}) if unit in _UNITS and count.isdigit() else text


def _attribute(key: str) -> Expression:
    """A key of the subscription's further data, else of the customer's."""
    return Coalesce(
        KeyTextTransform(key, "subscription__metadata"), KeyTextTransform(key, "customer__metadata"), Value(""),
        output_field=CharField(),
    )  # fmt: skip


def _method(_key: str) -> Expression:
    return Coalesce(F("customer__payment_method"), Value(""), output_field=CharField())


_AGE_WORDS: Final = {code: words for code, _until, words in AGES}
_ALL = (
    Lens("age", _("Age"), _age, lambda text: _AGE_WORDS.get(text, text),
         is_of_loss=True),
    Lens("reason", _("Reason"), lambda key: Coalesce(F("reason"), Value("")),
         lambda text: REASONS.get(text, text), is_of_loss=True),
    Lens("way", _("How it ended"), _way, lambda text: WAYS.get(text, text), is_of_loss=True),
    Lens("contract", _("Minimum term"), _contract, _term_words),
    Lens("method", _("Payment method"), _method, lambda text: text or METHODS_NONE),
    Lens("attribute", _("Further data"), _attribute, lambda text: text or METHODS_NONE),
)  # fmt: skip
BY_NAME: Final[dict[str, Lens]] = {one.name: one for one in _ALL}
CHOICES: Final = tuple((one.name, one.label) for one in _ALL)


def key_of(company: Company, only: Mapping[str, str]) -> str:
    """The key of further data that is asked for: named, else the first there is, else ""."""
    named = only.get("attribute", "").partition("=")[0]
    return named or next(iter(keys(company)), "")


def keys(company: Company) -> list[str]:
    """Keys of further data of the company's subscriptions, in order."""
    found = Subscription.objects.filter(company=company).order_by()
    return sorted(found.annotate(key=Func("metadata", function="jsonb_object_keys")).values_list("key", flat=True)
                  .distinct())  # fmt: skip


def conditions(rows: Any, where: Mapping[str, str]) -> Any:
    """The rows that are kept to the values of lenses which are named."""
    for name, lens in BY_NAME.items():
        if name not in where:
            continue
        key, is_value, value = where[name].partition("=") if name == "attribute" else ("", "=", where[name])
        if not is_value:
            continue
        rows = rows.alias(**{f"seen_{name}": lens.value(key)}).filter(**{f"seen_{name}": value})
    return rows


def text_of(name: str, key: str, value: str) -> str:
    """A value as an address names it."""
    return f"{key}={value}" if name == "attribute" else value


def checked(only: Mapping[str, str]) -> None:
    """Refuses `report.value_unknown` for values that no lens has."""
    closed: dict[str, Iterable[str]] = {"age": [code for code, _until, _words in AGES], "way": WAYS}
    for name, known in closed.items():
        if name in only and only[name] not in known:
            raise Refused("report.value_unknown", value=only[name])
