"""The mapping: which column says what. Written in TOML, kept as JSON with the import.

The rule that matters: a key nobody knows is refused, never ignored; so is a column the file does not have.
The format is described for people in docs/how-to/import-subscriptions.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from catalog.services.rules import FIELDS as RULES
from core.refusal import Refused

_ADDRESS = ("recipient", "postal_code", "city", "region", "country")
_CUSTOMER = (
    "external_id",
    "name",
    "kind",
    "email",
    "phone",
    "language",
    "time_zone",
    "currency",
    "vat_id",
    "tax_exemption",
    "payment_terms_days",
    "po_reference",
    "payment_method",
)
_CONTACT = ("name", "email", "phone")
_SUBSCRIPTION = ("external_id", "name", "currency", "po_reference", "billed_through")
_ITEM = ("product", "price", "quantity")
_SOURCE = {"column", "value", "values", "default", "prefix"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a text comes from: a column or a constant, looked up in a table of values if there is one."""

    path: str
    column: str = ""
    value: str = ""
    values: Mapping[str, str] | None = None
    default: str | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """True when the column holds one of the texts."""

    path: str
    column: str
    texts: tuple[str, ...]

    def holds(self, cells: Mapping[str, str]) -> bool:
        return cells[self.column] in self.texts


@dataclass(frozen=True, slots=True)
class Start:
    """A date column, or how many months before the day of the import."""

    date: Source | None = None
    months_before: Source | None = None


@dataclass(frozen=True, slots=True)
class End:
    """A date column, or a condition: who meets it had the day before the import as the last day of service."""

    date: Source | None = None
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """The minimum term: a count of units, and what follows a term that is not zero."""

    count: Source
    unit: str
    renewal: str


@dataclass(frozen=True, slots=True)
class Item:
    """A position: product, price, quantity (each may come from the plan), and when a line has it at all."""

    path: str
    sources: Mapping[str, Source]
    only_if: Condition | None
    model: str
    billed: str
    is_prorated: bool | None


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """A mapping that has been read and makes sense."""

    customer: Mapping[str, Source]
    address: Mapping[str, Source]
    address_lines: tuple[Source, ...]
    contact: Mapping[str, Source]
    customer_metadata: Mapping[str, Source]
    plan: Source | None
    items: tuple[Item, ...]
    subscription: Mapping[str, Source]
    start: Start
    end: End
    term: Term | None
    rules: Mapping[str, Source]
    metadata: Mapping[str, Source]
    tax_behavior: str
    history: bool
    delimiter: str
    sheet: str
    dates: str
    decimal_comma: bool
    products: tuple[Mapping[str, Any], ...] = ()
    plans: tuple[Mapping[str, Any], ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def check_columns(self, present: Iterable[str]) -> list[str]:
        """Refuses a mapped column the file doesn't have; returns the columns nobody reads."""
        there = list(present)
        for path, column in self.columns.items():
            if column not in there:
                raise Refused("import.column_missing", field=path, column=column, columns=", ".join(there)[:500])
        used = set(self.columns.values())
        return [column for column in there if column not in used]


def from_toml(text: str) -> dict[str, Any]:
    """The mapping as plain values. Numbers with a point stay the texts they are written as."""
    try:
        read = tomllib.loads(text, parse_float=str)
    except tomllib.TOMLDecodeError as error:
        raise Refused("import.mapping_toml", reason=str(error)) from None
    plain: dict[str, Any] = _plain(read)
    return plain


def parse(raw: Mapping[str, Any]) -> ImportMapping:
    """The mapping from its plain values, or a refusal that names the key (`field`) at fault."""
    reader = _Reader()
    sections = ("file", "customer", "products", "plans", "plan", "items", "subscription")
    reader.known(raw, sections, "")
    file = reader.table(raw, "file", "")
    reader.known(file, ("delimiter", "sheet", "dates", "decimal"), "file")
    customer = reader.table(raw, "customer", "", required=True)
    reader.known(customer, (*_CUSTOMER, "address", "contact", "metadata"), "customer")
    for name in ("external_id", "name"):
        if name not in customer:
            raise Refused("import.mapping_missing", field=f"customer.{name}", path=f"customer.{name}")
    address = reader.table(customer, "address", "customer")
    reader.known(address, (*_ADDRESS, "lines"), "customer.address")
    if address and "country" not in address:
        raise Refused("import.mapping_missing", field="customer.address.country", path="customer.address.country")
    contact = reader.table(customer, "contact", "customer")
    reader.known(contact, _CONTACT, "customer.contact")
    subscription = reader.table(raw, "subscription", "", required=True)
    keys = ("start", "end", "term", "rules", "metadata", "tax_behavior", "history")
    reader.known(subscription, (*_SUBSCRIPTION, *keys), "subscription")
    rules = reader.table(subscription, "rules", "subscription")
    reader.known(rules, RULES, "subscription.rules")
    plan = reader.table(raw, "plan", "")
    reader.known(plan, ("code",), "plan")
    history = reader.flag(subscription, "history", "subscription", False)
    if history and "billed_through" in subscription:
        raise Refused("import.history_and_billed_through", field="subscription.billed_through")
    items = raw.get("items", [])
    if not isinstance(items, list):
        raise Refused("import.mapping_kind", field="items", path="items")
    read_items = tuple(reader.item(item, f"items.{n}") for n, item in enumerate(items, start=1))
    if not plan and not read_items:
        raise Refused("import.mapping_missing", field="items", path="items")
    return ImportMapping(
        customer=reader.sources(customer, _CUSTOMER, "customer"),
        address=reader.sources(address, _ADDRESS, "customer.address"),
        address_lines=reader.lines(address),
        contact=reader.sources(contact, _CONTACT, "customer.contact"),
        customer_metadata=reader.metadata(customer, "customer"),
        plan=reader.source(plan["code"], "plan.code") if "code" in plan else None,
        items=read_items,
        subscription=reader.sources(subscription, _SUBSCRIPTION, "subscription"),
        start=reader.start(subscription),
        end=reader.end(subscription),
        term=reader.term(subscription),
        rules=reader.sources(rules, RULES, "subscription.rules"),
        metadata=reader.metadata(subscription, "subscription"),
        tax_behavior=reader.choice(subscription, "tax_behavior", "subscription", ("", "exclusive", "inclusive")),
        history=history,
        delimiter=reader.delimiter(file),
        sheet=reader.text(file, "sheet", "file"),
        dates=reader.date_format(file),
        decimal_comma=reader.choice(file, "decimal", "file", (".", ",")) == ",",
        products=reader.definitions(raw, "products", _PRODUCT),
        plans=reader.definitions(raw, "plans", _PLAN),
        columns=reader.columns,
    )


_PRODUCT = ("code", "name", "kind", "tax_category", "description", "unit_name", "revenue_account")
_PLAN = ("code", "name", "description", "terms_text", "rules", "items")


class _Reader:
    """Walks the plain values and remembers which columns they name."""

    def __init__(self) -> None:
        self.columns: dict[str, str] = {}

    def known(self, table: Mapping[str, Any], names: Iterable[str], path: str) -> None:
        allowed = set(names)
        for key in table:
            if key not in allowed:
                where = f"{path}.{key}" if path else key
                raise Refused("import.mapping_key", field=where, path=where, choices=", ".join(sorted(allowed)))

    def table(self, parent: Mapping[str, Any], name: str, path: str, *, required: bool = False) -> Mapping[str, Any]:
        where = f"{path}.{name}" if path else name
        if name not in parent:
            if required:
                raise Refused("import.mapping_missing", field=where, path=where)
            return {}
        found = parent[name]
        if not isinstance(found, Mapping):
            raise Refused("import.mapping_kind", field=where, path=where)
        return found

    def text(self, table: Mapping[str, Any], name: str, path: str, default: str = "") -> str:
        found = table.get(name, default)
        if not isinstance(found, str):
            raise Refused("import.mapping_kind", field=f"{path}.{name}", path=f"{path}.{name}")
        return found

    def flag(self, table: Mapping[str, Any], name: str, path: str, default: bool) -> bool:
        found = table.get(name, default)
        if not isinstance(found, bool):
            raise Refused("import.mapping_kind", field=f"{path}.{name}", path=f"{path}.{name}")
        return found

    def choice(self, table: Mapping[str, Any], name: str, path: str, choices: tuple[str, ...]) -> str:
        found = self.text(table, name, path, choices[0])
        if found not in choices:
            raise Refused(
                "field.choice",
                field=f"{path}.{name}",
                value=found[:60],
                choices=", ".join(choice for choice in choices if choice),
            )
        return found

    def delimiter(self, file: Mapping[str, Any]) -> str:
        found = self.text(file, "delimiter", "file")
        if found and (len(found) != 1 or found in '"\r\n\0'):
            raise Refused("import.mapping_delimiter", field="file.delimiter")
        return found

    def date_format(self, file: Mapping[str, Any]) -> str:
        """`iso` as an empty text, else a format with one %Y, %m and %d each."""
        found = self.text(file, "dates", "file", "iso")
        if found == "iso":
            return ""
        marks = [found[i + 1] for i in range(len(found) - 1) if found[i] == "%"]
        if sorted(marks) != ["Y", "d", "m"] or not found.isascii():
            raise Refused("import.mapping_dates", field="file.dates", value=found[:40])
        return found

    def source(self, raw: Any, path: str) -> Source:
        if isinstance(raw, str):
            raw = {"column": raw}
        if not isinstance(raw, Mapping):
            raise Refused("import.mapping_source", field=path, path=path)
        self.known(raw, _SOURCE, path)
        if ("column" in raw) == ("value" in raw):
            raise Refused("import.mapping_source", field=path, path=path)
        values = raw.get("values")
        if values is not None and not isinstance(values, Mapping):
            raise Refused("import.mapping_kind", field=f"{path}.values", path=f"{path}.values")
        column = self.text(raw, "column", path)
        if "column" in raw:
            self.columns[path] = column
        return Source(
            path=path,
            column=column,
            value=_word(raw.get("value", ""), f"{path}.value"),
            values=None
            if values is None
            else {key: _word(value, f"{path}.values.{key}") for key, value in values.items()},
            default=_word(raw["default"], f"{path}.default") if "default" in raw else None,
            prefix=self.text(raw, "prefix", path),
        )

    def sources(self, table: Mapping[str, Any], names: Iterable[str], path: str) -> dict[str, Source]:
        return {name: self.source(table[name], f"{path}.{name}") for name in names if name in table}

    def lines(self, address: Mapping[str, Any]) -> tuple[Source, ...]:
        found = address.get("lines", [])
        if not isinstance(found, list) or len(found) > 4:
            raise Refused("import.mapping_kind", field="customer.address.lines", path="customer.address.lines")
        return tuple(self.source(raw, f"customer.address.lines.{n}") for n, raw in enumerate(found, start=1))

    def metadata(self, table: Mapping[str, Any], path: str) -> dict[str, Source]:
        found = self.table(table, "metadata", path)
        return {key: self.source(raw, f"{path}.metadata.{key}") for key, raw in found.items()}

    def condition(self, raw: Any, path: str) -> Condition:
        if not isinstance(raw, Mapping) or set(raw) != {"column", "is"}:
            raise Refused("import.mapping_condition", field=path, path=path)
        texts = raw["is"] if isinstance(raw["is"], list) else [raw["is"]]
        column = self.text(raw, "column", path)
        self.columns[path] = column
        return Condition(path, column, tuple(_word(text, path) for text in texts))

    def start(self, subscription: Mapping[str, Any]) -> Start:
        path = "subscription.start"
        if "start" not in subscription:
            raise Refused("import.mapping_missing", field=path, path=path)
        raw = subscription["start"]
        if isinstance(raw, Mapping) and set(raw) == {"months_before"}:
            return Start(months_before=self.source(raw["months_before"], f"{path}.months_before"))
        return Start(date=self.source(raw, path))

    def end(self, subscription: Mapping[str, Any]) -> End:
        path = "subscription.end"
        if "end" not in subscription:
            return End()
        raw = subscription["end"]
        if isinstance(raw, Mapping) and set(raw) == {"when"}:
            return End(when=self.condition(raw["when"], f"{path}.when"))
        return End(date=self.source(raw, path))

    def term(self, subscription: Mapping[str, Any]) -> Term | None:
        path = "subscription.term"
        if "term" not in subscription:
            return None
        raw = self.table(subscription, "term", "subscription")
        own = {key: value for key, value in raw.items() if key not in ("unit", "renewal")}
        return Term(
            count=self.source(own, path),
            unit=self.choice(raw, "unit", path, ("month", "day", "week", "year")),
            renewal=self.choice(raw, "renewal", path, ("renew", "evergreen", "expire", "ask")),
        )

    def item(self, raw: Any, path: str) -> Item:
        if not isinstance(raw, Mapping):
            raise Refused("import.mapping_kind", field=path, path=path)
        self.known(raw, (*_ITEM, "only_if", "model", "billed", "prorated"), path)
        return Item(
            path=path,
            sources=self.sources(raw, _ITEM, path),
            only_if=self.condition(raw["only_if"], f"{path}.only_if") if "only_if" in raw else None,
            model=self.choice(raw, "model", path, ("", "per_unit", "flat")),
            billed=self.choice(raw, "billed", path, ("", "advance", "arrears")),
            is_prorated=self.flag(raw, "prorated", path, True) if "prorated" in raw else None,
        )

    def definitions(self, raw: Mapping[str, Any], name: str, keys: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
        found = raw.get(name, [])
        if not isinstance(found, list):
            raise Refused("import.mapping_kind", field=name, path=name)
        for n, definition in enumerate(found, start=1):
            path = f"{name}.{n}"
            if not isinstance(definition, Mapping):
                raise Refused("import.mapping_kind", field=path, path=path)
            self.known(definition, keys, path)
            for key in ("code", "name"):
                if key not in definition:
                    raise Refused("import.mapping_missing", field=f"{path}.{key}", path=f"{path}.{key}")
        return tuple(found)


def _word(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise Refused("import.mapping_kind", field=path, path=path)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    return value


def named(sources: Mapping[str, Source]) -> Iterator[tuple[str, Source]]:
    """Name and source of each, in a fixed order."""
    return iter(sorted(sources.items()))
