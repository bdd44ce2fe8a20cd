"""The builder of a segment's rules: blocks of conditions as form fields, which work without script as with it.

The rule that matters: what is typed is turned into rules and back, and never judged here: `segment_rules` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from backoffice.forms.fields import country_choices, currency_choices, fields_of, number_of
from catalog.services.texts import in_language
from core.models import Company
from crm.models import Segment
from crm.services.segment_fields import BARE_OPS, DAYS_OPS, FIELDS, GROUPS, SegmentField
from crm.services.segment_rules import MOST_CONDITIONS, MOST_GROUPS, Rules

#: Rows a condition can choose from.
MOST_ROWS = 500


class SegmentNameForm(forms.Form):
    """What a segment is called."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Segment, ("name", "note")))


@dataclass(slots=True)
class Line:
    """One condition as it stands in the form; everything is text."""

    name: str = ""
    op: str = ""
    negated: bool = False
    values: list[str] = field(default_factory=list)
    key: str = ""
    days: str = ""
    currency: str = ""
    place: str = ""
    error: str = ""
    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def field(self) -> SegmentField | None:
        return FIELDS.get(self.name)

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def kind(self) -> str:
        """Which inputs it has."""
        if self.field is None or (self.op in BARE_OPS and self.field.kind != "entry"):
            return ""
        if self.field.kind == "date":
            return "days" if self.op in DAYS_OPS else "day"
        if self.field.kind == "entry":
            return "key" if self.op in BARE_OPS else "entry"
        return self.field.kind

    @property
    def groups(self) -> list[tuple[str, list[tuple[str, str, bool]]]]:
        """Every field by what it is about, and whether it is the chosen one."""
        return [
            (str(words), [(one.name, str(one.label), one.name == self.name) for one in FIELDS.values()
                          if one.about == about])
            for about, words in GROUPS.items()
        ]  # fmt: skip

    @property
    def operators(self) -> list[tuple[str, str, bool]]:
        if self.field is None:
            return []
        return [(name, str(words), name == self.op) for name, words in self.field.operators.items()]

    @property
    def currencies(self) -> list[tuple[str, bool]]:
        return [(code, code == self.currency) for code, _name in currency_choices()]

    def settle(self, company: Company) -> None:
        """Puts what fits the field in place of what was left over from another one."""
        if self.field is None:
            return
        if self.op not in self.field.operators:
            self.op, self.values = next(iter(self.field.operators)), []
        self.currency = self.currency or company.currency
        if self.field.name == "country":
            self.rows = [(code, str(words), code in self.values) for code, words in country_choices()]
        elif self.field.model is not None:
            self.rows = _rows(company, self.field.model, set(self.values))
        else:
            self.rows = [(name, str(words), name in self.values) for name, words in self.field.choices.items()]

    def given(self) -> dict[str, Any]:
        """The condition as `segment_rules.checked` takes it; ValueError or ValidationError without a fitting value."""
        assert self.field is not None
        if self.kind in ("choice", "ref", "usage") and not self.values or self.kind == "text" and not self.value:
            raise ValueError
        row: dict[str, Any] = {"field": self.name, "op": self.op, "negated": self.negated}
        match self.kind:
            case "choice" | "ref":
                value: Any = self.values
            case "yes":
                value = self.value != "no"
            case "number" | "days":
                value = int(self.value)
            case "money":
                value = {"amount": str(number_of(self.value)), "currency": self.currency}
            case "key":
                value = {"key": self.key}
            case "entry":
                value = {"key": self.key, "value": self.value}
            case "usage":
                quantity: Decimal = number_of(self.key)
                value = {"meter": self.value, "days": int(self.days), "quantity": str(quantity)}
            case "":
                value = None
            case _:
                value = self.value
        return row | {"value": value}


@dataclass(slots=True)
class Block:
    """Conditions of which all or any have to hold; the first block is the rules' own."""

    match: str = "all"
    negated: bool = False
    lines: list[Line] = field(default_factory=list)
    place: int = 0


class Draft:
    """The rules as they stand in the form."""

    def __init__(self, company: Company, blocks: list[Block]) -> None:
        self.company, self.blocks = company, blocks or [Block()]
        for place, block in enumerate(self.blocks):
            block.place = place
            for number, line in enumerate(block.lines):
                line.place = f"b{place}-c{number}"
                line.settle(company)

    @classmethod
    def empty(cls, company: Company) -> Draft:
        """One condition that waits to be chosen."""
        return cls(company, [Block(lines=[Line()])])

    @classmethod
    def of(cls, company: Company, rules: Rules) -> Draft:
        """The form of saved rules."""
        blocks = [Block(rules.match, lines=[_line(one.kept()) for one in rules.conditions])]
        blocks += [
            Block(group.match, group.negated, [_line(one.kept()) for one in group.conditions]) for group in rules.groups
        ]
        return cls(company, blocks)

    @classmethod
    def typed(cls, company: Company, data: QueryDict) -> Draft:
        """The form as it was sent, with what its button asked for done: `add:0`, `remove:0:1`, `group`, `ungroup:1`."""
        blocks = []
        for place in range(MOST_GROUPS + 1):
            if f"b{place}-match" not in data:
                break
            block = Block(data[f"b{place}-match"], f"b{place}-negated" in data)
            for number in range(MOST_CONDITIONS):
                name = f"b{place}-c{number}"
                if f"{name}-field" not in data:
                    break
                block.lines.append(Line(
                    name=data[f"{name}-field"], op=data.get(f"{name}-op", ""), negated=f"{name}-negated" in data,
                    values=data.getlist(f"{name}-value"), key=data.get(f"{name}-key", ""),
                    days=data.get(f"{name}-days", ""), currency=data.get(f"{name}-currency", ""),
                ))  # fmt: skip
            blocks.append(block)
        _do(blocks or [Block()], data.get("do", ""))
        return cls(company, blocks)

    @property
    def is_complete(self) -> bool:
        """Whether every condition has its field, and what it needs."""
        try:
            self.rules()
        except (ValueError, forms.ValidationError):
            return False
        return True

    def rules(self) -> dict[str, Any]:
        """The rules as `segment_rules.checked` takes them; conditions without a field are left out."""
        top, *groups = [
            {"match": block.match, "conditions": [line.given() for line in block.lines if line.field is not None]}
            | ({"negated": block.negated} if block.place else {})
            for block in self.blocks
        ]
        return {**top, "groups": [group for group in groups if group["conditions"]]}

    def mark(self) -> list[str]:
        """Says beside each condition whether its value is missing or can't be read; what was said."""
        said = []
        for block in self.blocks:
            for line in block.lines:
                try:
                    if line.field is not None:
                        line.given()
                except (ValueError, forms.ValidationError):
                    line.error = _("Choose a value.") if line.rows else _("Enter a value that fits.")
                    said.append(line.error)
        return said


def _do(blocks: list[Block], asked: str) -> None:
    verb, *numbers = asked.split(":")
    places = [int(number) for number in numbers if number.isdigit()]
    if verb == "group":
        blocks.append(Block(match="any", lines=[Line()]))
    elif places and places[0] < len(blocks):
        block = blocks[places[0]]
        if verb == "add":
            block.lines.append(Line())
        elif verb == "ungroup" and places[0]:
            blocks.remove(block)
        elif verb == "remove" and len(places) == 2 and places[1] < len(block.lines):
            block.lines.pop(places[1])


def _line(kept: Mapping[str, Any]) -> Line:
    value, line = kept["value"], Line(kept["field"], kept["op"], kept.get("negated", False))
    match value:
        case None:
            pass
        case bool():
            line.values = ["yes" if value else "no"]
        case list():
            line.values = list(value)
        case {"amount": amount, "currency": currency}:
            line.values, line.currency = [amount], currency
        case {"meter": meter, "days": days, "quantity": quantity}:
            line.values, line.days, line.key = [meter], str(days), quantity
        case {"key": key, **more}:
            line.key, line.values = key, [more["value"]] if "value" in more else []
        case _:
            line.values = [str(value)]
    return line


def _rows(company: Company, model: Any, chosen: set[str]) -> list[tuple[str, str, bool]]:
    """What can be chosen; archived rows only where they were chosen before."""
    found = []
    for row in model._default_manager.filter(company=company).order_by("-pk")[:MOST_ROWS]:
        is_old = row.status == "retired" if hasattr(row, "status") else row.archived_at is not None
        if is_old and row.ref not in chosen:
            continue
        name = in_language(row.name, "", company.language) if isinstance(row.name, dict) else row.name
        words = _("%(name)s (archived)") % {"name": name or row.code} if is_old else str(name or row.code)
        found.append((row.ref, words, row.ref in chosen))
    return found


def with_segments(form: forms.Form, company: Company) -> None:
    """Lets a list's filters name a segment."""
    rows = Segment.objects.filter(company=company, archived_at__isnull=True).order_by("name")
    choices = [("", "–"), *((row.ref, row.name) for row in rows)]
    form.fields["segment"] = forms.ChoiceField(label=_("Segment"), required=False, choices=choices)
