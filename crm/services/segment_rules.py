"""The rules of a segment, read and checked: groups of conditions, each of a known field with a value of its kind.

The rule that matters: what comes in is checked against the table of fields and kept in one form; anything else is
refused with the condition it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from core import checks, countries
from core.ids import BadId
from core.models import Addressed, Company
from core.refusal import Refused
from core.texts import checked as checked_text
from crm.services.segment_fields import BARE_OPS, DAYS_OPS, FIELDS, SegmentField
from pricing.errors import PricingError
from pricing.money import Money

Match = Literal["all", "any"]
MOST_CONDITIONS, MOST_GROUPS, MOST_VALUES, MOST_DAYS, WORDS_MOST = 30, 8, 50, 3650, 200
FIELD: Final = "rules"


@dataclass(frozen=True, slots=True)
class Condition:
    """`value` is as it is kept: names, outside ids, a number, a day in ISO form, an amount with its currency."""

    field: SegmentField
    op: str
    value: Any
    negated: bool = False

    def kept(self) -> dict[str, Any]:
        """As it is kept."""
        row = {"field": self.field.name, "op": self.op, "value": self.value}
        return row | {"negated": True} if self.negated else row


@dataclass(frozen=True, slots=True)
class Group:
    """All or any of its conditions; negated: the opposite of that."""

    match: Match
    conditions: tuple[Condition, ...]
    negated: bool = False

    def kept(self) -> dict[str, Any]:
        """As it is kept."""
        row = {"match": self.match, "conditions": [one.kept() for one in self.conditions]}
        return row | {"negated": True} if self.negated else row


@dataclass(frozen=True, slots=True)
class Rules:
    """All or any of the conditions and groups; without any: every customer."""

    match: Match = "all"
    conditions: tuple[Condition, ...] = ()
    groups: tuple[Group, ...] = ()

    def every(self) -> Iterator[Condition]:
        """The conditions at the top, then those of each group."""
        yield from self.conditions
        for group in self.groups:
            yield from group.conditions

    def kept(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "match": self.match,
            "conditions": [one.kept() for one in self.conditions],
            "groups": [group.kept() for group in self.groups],
        }


def read(kept: Mapping[str, Any]) -> Rules:
    """Rules as they were kept by `checked`."""
    return Rules(
        kept.get("match", "all"),
        tuple(_kept(row) for row in kept.get("conditions", ())),
        tuple(
            Group(row["match"], tuple(_kept(one) for one in row["conditions"]), row.get("negated", False))
            for row in kept.get("groups", ())
        ),
    )


def _kept(row: Mapping[str, Any]) -> Condition:
    return Condition(FIELDS[row["field"]], row["op"], row["value"], row.get("negated", False))


def checked(company: Company, given: object) -> Rules:
    """Rules as somebody gives them. Refuses `segment.form`, `segment.field`, `segment.operator`, `segment.value`,
    `segment.many`; archived plans and the like are allowed, what is of another company is not found.
    """
    top = _mapping(given, {"match", "conditions", "groups"})
    groups = _list(top.get("groups", []))
    rules = Rules(
        _match(top),
        tuple(_condition(company, one) for one in _list(top.get("conditions", []))),
        tuple(_group(company, one) for one in groups),
    )
    if len(groups) > MOST_GROUPS or sum(1 for _one in rules.every()) > MOST_CONDITIONS:
        raise Refused("segment.many", field=FIELD, conditions=MOST_CONDITIONS, groups=MOST_GROUPS)
    _check_refs(company, rules)
    return rules


def _group(company: Company, given: object) -> Group:
    row = _mapping(given, {"match", "conditions", "negated"})
    conditions = tuple(_condition(company, one) for one in _list(row.get("conditions", [])))
    if not conditions:
        raise Refused("segment.empty_group", field=FIELD)
    return Group(_match(row), conditions, _bool(row.get("negated", False)))


def _condition(company: Company, given: object) -> Condition:
    row = _mapping(given, {"field", "op", "value", "negated"})
    field = FIELDS.get(str(row.get("field")))
    if field is None:
        raise Refused("segment.field", field=FIELD, name=str(row.get("field"))[:60])
    op = row.get("op") or next(iter(field.operators))
    if op not in field.operators:
        raise Refused("segment.operator", field=FIELD, name=field.label, op=str(op)[:20])
    try:
        value = _value(company, field, str(op), row.get("value"))
    except (ValueError, TypeError, KeyError, InvalidOperation, PricingError):
        raise Refused("segment.value", field=FIELD, name=field.label) from None
    except Refused as refused:
        if refused.code.startswith("segment."):
            raise
        raise Refused("segment.value", field=FIELD, name=field.label) from refused
    return Condition(field, str(op), value, _bool(row.get("negated", False)))


def _value(company: Company, field: SegmentField, op: str, given: Any) -> Any:
    """The value in the form it is kept in; ValueError and the like where it is none of the field's kind."""
    match field.kind:
        case "choice":
            return _names(field, given)
        case "ref":
            return _refs(field, given)
        case "yes":
            return _bool(given)
        case "number":
            return checks.whole(given, field=FIELD, most=1_000_000)
        case "money":
            return _money(company, given)
        case "date":
            return _day(op, given)
        case "text":
            return None if op in BARE_OPS else checked_text(given, field=FIELD, limit=WORDS_MOST, required=True)
        case "entry":
            row = _mapping(given, {"key", "value"})
            key = checked_text(row["key"], field=FIELD, limit=WORDS_MOST, required=True)
            if op == "set":
                return {"key": key}
            return {"key": key, "value": checked_text(row["value"], field=FIELD, limit=WORDS_MOST, required=True)}
        case "usage":
            row = _mapping(given, {"meter", "days", "quantity"})
            quantity = checks.decimal(Decimal(str(row["quantity"])), field=FIELD, most=10**18, places=6)
            return {
                "meter": _refs(field, [row["meter"]])[0],
                "days": checks.whole(row["days"], field=FIELD, least=1, most=MOST_DAYS),
                "quantity": f"{quantity:f}",
            }


def _names(field: SegmentField, given: Any) -> list[str]:
    options = countries.codes() if field.name == "country" else field.choices
    names = list(dict.fromkeys(given if isinstance(given, list) else [given]))
    if not names or len(names) > MOST_VALUES or any(not isinstance(one, str) or one not in options for one in names):
        raise ValueError
    return names


def _refs(field: SegmentField, given: Any) -> list[str]:
    model: Any = field.model
    refs = list(dict.fromkeys(given if isinstance(given, list) else [given]))
    if not refs or len(refs) > MOST_VALUES:
        raise ValueError
    try:
        for ref in refs:
            model.public_id_of(ref)
    except BadId:
        raise ValueError from None
    return refs


def _money(company: Company, given: Any) -> dict[str, str]:
    row = _mapping(given, {"amount", "currency"})
    currency = checks.currency(row.get("currency") or company.currency)
    money = Money.of(checks.decimal(Decimal(str(row["amount"])), field=FIELD, most=10**13, places=4), currency)
    checks.minor(money.minor, field=FIELD)
    return {"amount": f"{money.amount:f}", "currency": currency}


def _day(op: str, given: Any) -> int | str | None:
    if op in BARE_OPS:
        return None
    if op in DAYS_OPS:
        return checks.whole(given, field=FIELD, most=MOST_DAYS)
    day = given if isinstance(given, date) else date.fromisoformat(given)
    return checks.day(day, field=FIELD).isoformat()


def rows_of(company: Company, rules: Rules) -> dict[str, Addressed]:
    """The rows that conditions name, by outside id: one query for each kind of row that is named."""
    wanted: dict[Any, set[str]] = {}
    for one in rules.every():
        if one.field.model is not None:
            refs = [one.value["meter"]] if one.field.kind == "usage" else one.value
            wanted.setdefault(one.field.model, set()).update(refs)
    found: dict[str, Addressed] = {}
    for model, refs in wanted.items():
        rows = model._default_manager.filter(company=company, public_id__in=[model.public_id_of(ref) for ref in refs])
        found |= {row.ref: row for row in rows}
    return found


def _check_refs(company: Company, rules: Rules) -> None:
    found = rows_of(company, rules)
    for one in rules.every():
        if one.field.model is not None:
            for ref in [one.value["meter"]] if one.field.kind == "usage" else one.value:
                if ref not in found:
                    raise Refused("segment.value", field=FIELD, name=one.field.label)


def _match(row: Mapping[str, Any]) -> Match:
    match row.get("match", "all"):
        case "all":
            return "all"
        case "any":
            return "any"
    raise Refused("segment.form", field=FIELD)


def _bool(given: object) -> bool:
    if not isinstance(given, bool):
        raise Refused("segment.form", field=FIELD)
    return given


def _mapping(given: object, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not set(given) <= names:
        raise Refused("segment.form", field=FIELD)
    return given


def _list(given: object) -> list[Any]:
    if not isinstance(given, list) or len(given) > MOST_CONDITIONS:
        raise Refused("segment.form", field=FIELD)
    return given
