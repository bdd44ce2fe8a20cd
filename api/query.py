"""Query parameters: filters with operators, cursor paging, links to expand. What isn't known is refused.

A cursor is the id of the last row seen: pages stay right while rows are added, and a link can be read by people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from api.fields import REF_LETTERS, parse_date
from api.problems import Problem
from core.ids import BadId
from core.models import Company

DEFAULT_LIMIT, MOST = 50, 100
_NAME = re.compile(r"([a-z_]+)(?:\[([a-z]+)\])?", re.ASCII)
_INSTANT = re.compile(
    r"(?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
RANGE = ("gte", "gt", "lte", "lt")
_MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: `name` outside, `path` in the ORM, a kind of value, and how it is asked for.

    `build`, where given, turns operator and value into a condition itself. With `is_value` it filters nothing: the
    view gets the value.
    """

    name: str
    kind: str  # ref, text, choice, day, instant, yes; whole for values
    path: str = ""
    choices: tuple[str, ...] = ()
    model: type[Model] | None = None
    help: str = ""
    is_value: bool = False
    most: int = 0
    build: Callable[[str, Any], Q] | None = None

    @property
    def operators(self) -> tuple[str, ...]:
        if self.is_value:
            return ("",)
        match self.kind:
            case "day":
                return ("", *RANGE)
            case "instant":
                return RANGE
            case "ref" | "choice" | "text":
                return ("", "in")
        return ("",)

    def read(self, text: str, parameter: str, company: Company) -> Any:
        """The value in `text`, or a problem that names the parameter."""
        if "\x00" in text or not text:
            raise Problem.parameter(parameter, reason="empty or with a NUL character.")
        match self.kind:
            case "day":
                day = parse_date(text)
                if day is None:
                    raise Problem.parameter(parameter, "date_form")
                return day
            case "instant":
                return _instant(text, parameter)
            case "whole":
                if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or not 1 <= int(text) <= self.most:
                    raise Problem.parameter(parameter, "number.range", value=text[:20], least=1, most=self.most)
                return int(text)
            case "choice":
                if text not in self.choices:
                    raise Problem.parameter(parameter, "field.choice", value=text[:80], choices=", ".join(self.choices))
                return text
            case "yes":
                if text not in ("true", "false"):
                    raise Problem.parameter(parameter, "field.choice", value=text[:80], choices="true, false")
                return text == "true"
            case "ref":
                model: Any = self.model
                try:
                    return model.by_ref(model.objects.filter(company=company), text).pk
                except (BadId, model.DoesNotExist):
                    raise Problem.parameter(parameter, "invalid_ref") from None
        if len(text) > 320:
            raise Problem.parameter(parameter, reason="longer than 320 characters.")
        return text

    def condition(self, operator: str, text: str, company: Company) -> Q:
        parameter = f"{self.name}[{operator}]" if operator else self.name
        value: Any
        if operator == "in":
            parts = text.split(",")
            if len(parts) > _MOST_VALUES:
                raise Problem.parameter(parameter, reason=f"more than {_MOST_VALUES} values.")
            value = [self.read(part, parameter, company) for part in parts]
        else:
            value = self.read(text, parameter, company)
        if self.build is not None:
            return self.build(operator, value)
        path = self.path or self.name
        return Q(**{f"{path}__{operator}" if operator else path: value})

    def schema(self, operator: str) -> dict[str, Any]:
        """JSON Schema of the parameter."""
        if operator == "in":
            return {"type": "string", "examples": [",".join(self.choices[:2]) or "a,b"]}
        match self.kind:
            case "day":
                return {"type": "string", "format": "date"}
            case "instant":
                return {"type": "string", "format": "date-time"}
            case "choice":
                return {"type": "string", "enum": list(self.choices)}
            case "whole":
                return {"type": "integer", "minimum": 1, "maximum": self.most}
            case "yes":
                return {"type": "boolean"}
            case "ref":
                model: Any = self.model
                return {"type": "string", "pattern": f"^{model.PREFIX}_{REF_LETTERS}$"}
        return {"type": "string", "maxLength": 320}


def _instant(text: str, parameter: str) -> datetime:
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Problem.parameter(parameter, reason="write instants as 2026-01-31T12:00:00Z.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks for, read and checked."""

    conditions: tuple[Q, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    limit: int = DEFAULT_LIMIT
    after: str | None = None
    expand: frozenset[str] = frozenset()


def read_query(
    given: QueryDict, *, filters: Sequence[Filter], paged: bool, expandable: Sequence[str], company: Company
) -> Asked:
    """Reads the query string; a parameter that isn't known, or is given twice, is a problem."""
    by_name = {entry.name: entry for entry in filters}
    conditions, values = [], {}
    limit, after, expand = DEFAULT_LIMIT, None, frozenset[str]()
    for parameter, texts in given.lists():
        if len(texts) > 1:
            raise Problem.parameter(parameter[:80], reason="it is given twice.")
        text = texts[0]
        match = _NAME.fullmatch(parameter)
        name, operator = (match.group(1), match.group(2) or "") if match else ("", "")
        if paged and parameter == "limit":
            if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not 1 <= int(text) <= MOST:
                raise Problem.parameter("limit", "number.range", value=text[:20], least=1, most=MOST)
            limit = int(text)
        elif paged and parameter == "after":
            after = text
        elif expandable and parameter == "expand":
            expand = frozenset(text.split(","))
            for wanted in expand - set(expandable):
                raise Problem.parameter("expand", "field.choice", value=wanted[:80], choices=", ".join(expandable))
        elif name in by_name and operator in by_name[name].operators:
            entry = by_name[name]
            if entry.is_value:
                values[name] = entry.read(text, parameter, company)
            else:
                conditions.append(entry.condition(operator, text, company))
        else:
            raise Problem.parameter(parameter[:80], "unknown_parameter")
    return Asked(tuple(conditions), values, limit, after, expand)


@dataclass(frozen=True, slots=True)
class Order:
    """Newest first, by `column` and then by id: the order of an index, so that any page costs the same."""

    column: str = "id"

    def page(self, rows: QuerySet[Any], asked: Asked) -> tuple[list[Any], bool]:
        """The rows of the page, and whether more follow."""
        # Looked up before filters: the row that was seen last may have left them meanwhile.
        beyond = self._beyond(rows, asked.after) if asked.after is not None else Q()
        for condition in asked.conditions:
            rows = rows.filter(condition)
        rows = rows.filter(beyond)
        order = ("-id",) if self.column == "id" else (f"-{self.column}", "-id")
        found = list(rows.order_by(*order)[: asked.limit + 1])
        return found[: asked.limit], len(found) > asked.limit

    def token(self, row: Any) -> str:
        """What `next` says for a row."""
        return str(row.ref)

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        """The row that `after` names."""
        model: Any = rows.model
        try:
            return rows.filter(public_id=model.public_id_of(after))
        except BadId:
            raise Problem.parameter("after", "invalid_ref") from None

    def _beyond(self, rows: QuerySet[Any], after: str) -> Q:
        last = self.seen(rows, after).values_list(self.column, "id").first()
        if last is None:
            raise Problem.parameter("after", "invalid_ref")
        column, last_id = last
        if self.column == "id":
            return Q(id__lt=last_id)
        # Spelled so that the first half is an index range and the second a filter in it.
        return Q(**{f"{self.column}__lte": column}) & (Q(**{f"{self.column}__lt": column}) | Q(id__lt=last_id))


class ByPlace(Order):
    """Pages of rows that have no id of their own: the place in the list names them."""

    def token(self, row: Any) -> str:
        return f"{row.pk:x}"

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        try:
            return rows.filter(pk=int(after[:15], 16))
        except ValueError:
            raise Problem.parameter("after", "invalid_ref") from None


def archived(operator: str, value: bool) -> Q:
    """Rows that were hidden, or the others: for rows that carry `archived_at`."""
    return Q(archived_at__isnull=not value)
