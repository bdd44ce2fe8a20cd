"""A segment in words: "All of: billing interval is yearly; next renewal is within the next 60 days".

The rule that matters: what is said is made of the same rules that are asked; what they name and is archived is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from babel import Locale
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from catalog.models import Plan
from catalog.services.texts import in_language
from core.design import formats
from core.design.formats import locale_of
from core.models import Company
from crm.services import segment_rules
from crm.services.segment_rules import Condition, Group, Rules
from pricing.money import Money


def explanation(company: Company, rules: Rules, rows: Mapping[str, Any] | None = None) -> str:
    """The rules in the active language, in one sentence."""
    rows = segment_rules.rows_of(company, rules) if rows is None else rows
    parts = [words_of(one, company, rows) for one in rules.conditions]
    parts += [_group(group, company, rows) for group in rules.groups]
    if not parts:
        return _("Every customer.")
    text = _listed(parts)
    if len(parts) == 1:
        return _("%(first)s.") % {"first": text[:1].upper() + text[1:]}
    if rules.match == "all":
        return _("All of: %(parts)s.") % {"parts": text}
    return _("Any of: %(parts)s.") % {"parts": text}


def _listed(parts: Iterable[str]) -> str:
    """Conditions one after the other, as the active language parts them (French writes a space before a semicolon)."""
    return pgettext("between conditions", "; ").join(parts)


def archived(company: Company, rules: Rules, rows: Mapping[str, Any] | None = None) -> list[str]:
    """What the rules name and is archived or retired, each in words: a segment that may never fill again."""
    rows = segment_rules.rows_of(company, rules) if rows is None else rows
    found = []
    for ref in dict.fromkeys(_refs(rules)):
        row: Any = rows.get(ref)
        if row is None:
            found.append(_("Something that a condition names is not there any more."))
        elif row.status == Plan.Status.RETIRED if isinstance(row, Plan) else row.archived_at is not None:
            kind = str(row._meta.verbose_name)
            found.append(_("%(kind)s %(name)s is archived.") % {"kind": kind, "name": _name(row, company)})
    return found


def _refs(rules: Rules) -> Iterable[str]:
    for one in rules.every():
        if one.field.model is not None:
            yield from [one.value["meter"]] if one.field.kind == "usage" else one.value


def _group(group: Group, company: Company, rows: Mapping[str, Any]) -> str:
    parts = {"parts": _listed(words_of(one, company, rows) for one in group.conditions)}
    if group.negated:
        return (_("not all of (%(parts)s)") if group.match == "all" else _("none of (%(parts)s)")) % parts
    return (_("all of (%(parts)s)") if group.match == "all" else _("any of (%(parts)s)")) % parts


def words_of(one: Condition, company: Company, rows: Mapping[str, Any]) -> str:
    """One condition, such as "billing interval is yearly"."""
    words = _plain(one, company, rows)
    if not one.negated:
        return words
    if one.field.is_of_subscription:
        return _("no subscription where %(condition)s") % {"condition": words}
    return _("not: %(condition)s") % {"condition": words}


def _plain(one: Condition, company: Company, rows: Mapping[str, Any]) -> str:
    said: dict[str, Any] = {"field": str(one.field.label)}
    match one.field.kind:
        case "choice" | "ref":
            said["values"] = _or([_value_words(one, value, company, rows) for value in one.value])
            return (_("%(field)s is %(values)s") if one.op == "in" else _("%(field)s is not %(values)s")) % said
        case "yes":
            return (_("%(field)s: yes") if one.value else _("%(field)s: no")) % said
        case "number":
            return _compared(one.op, said | {"value": one.value})
        case "money":
            money = Money.of(Decimal(one.value["amount"]), one.value["currency"])
            amount = formats.money(money.minor, one.value["currency"], language=get_language() or "en")
            return _compared(one.op, said | {"value": amount})
        case "date":
            return _days(one, said)
        case "text":
            return _text(one.op, said | {"value": one.value})
        case "entry":
            said["field"] = _("%(field)s, entry “%(key)s”") % {**said, "key": one.value["key"]}
            return _text(one.op, said | {"value": one.value.get("value")})
        case "usage":
            meter: Any = rows.get(one.value["meter"])
            said |= {"meter": _name(meter, company) if meter else "?", "days": one.value["days"]}
            said["field"] = _("usage of %(meter)s in the last %(days)s days") % said
            return _compared(one.op, said | {"value": one.value["quantity"]})


def _compared(op: str, said: Mapping[str, Any]) -> str:
    words = {
        "at_least": _("%(field)s is at least %(value)s"),
        "at_most": _("%(field)s is at most %(value)s"),
        "is": _("%(field)s is exactly %(value)s"),
    }
    return words[op] % said


def _text(op: str, said: Mapping[str, Any]) -> str:
    words = {
        "is": _("%(field)s is “%(value)s”"),
        "contains": _("%(field)s contains “%(value)s”"),
        "begins": _("%(field)s begins with “%(value)s”"),
        "empty": _("%(field)s is empty"),
        "set": _("%(field)s is known"),
    }
    return words[op] % said


def _days(one: Condition, said: Mapping[str, Any]) -> str:
    if one.op == "set":
        return _("%(field)s is known") % said
    if one.op == "empty":
        return _("%(field)s is not known") % said
    if one.op in ("from", "before"):
        day = formats.day(date.fromisoformat(one.value), language=get_language() or "en")
        words = _("%(field)s: on %(day)s or later") if one.op == "from" else _("%(field)s: before %(day)s")
        return words % {**said, "day": day}
    count = int(one.value)
    words = {
        "in_next": ngettext(
            "%(field)s: within the next %(days)s day", "%(field)s: within the next %(days)s days", count
        ),
        "in_last": ngettext(
            "%(field)s: within the last %(days)s day", "%(field)s: within the last %(days)s days", count
        ),
        "longer_ago": ngettext(
            "%(field)s: more than %(days)s day ago", "%(field)s: more than %(days)s days ago", count
        ),
    }[one.op]
    return words % {**said, "days": count}


def _value_words(one: Condition, value: str, company: Company, rows: Mapping[str, Any]) -> str:
    if one.field.kind == "ref":
        row = rows.get(value)
        return _name(row, company) if row is not None else "?"
    if one.field.name == "country":
        return str(Locale.parse(locale_of(get_language()).language).territories.get(value, value))
    return str(one.field.choices.get(value, value))


def _name(row: Any, company: Company) -> str:
    """What staff know the row by."""
    if isinstance(row.name, dict):
        return in_language(row.name, get_language() or "", company.language) or str(row.code)
    return str(row.name)


def _or(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return _("%(first)s or %(last)s") % {"first": pgettext("between values", ", ").join(words[:-1]), "last": words[-1]}
