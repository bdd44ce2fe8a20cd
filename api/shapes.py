"""What answers look like. A shape is declared once and does two things: it is the schema, and it reads rows.

Declared as a serializer, so that names, limits and `help_text` come from the model; read by a plain compiled function,
because a serializer's own way is several times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar

import orjson
from django.utils.functional import Promise
from rest_framework import serializers

from core.models import Company
from pricing.money import places

Reader = Callable[[Any, "Reading"], Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom rows are read: the company and its day, the language, and which links are followed."""

    company: Company
    at: datetime
    today: date
    language: str
    expand: frozenset[str] = frozenset()


def amount_text(minor: int, currency: str) -> str:
    """An amount in minor units as decimal text.

    >>> amount_text(-1250, "EUR"), amount_text(5, "EUR"), amount_text(700, "JPY")
    ('-12.50', '0.05', '700')
    """
    scale = places(currency)
    if not scale:
        return str(minor)
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    return f"{sign}{whole // 10**scale}.{whole % 10**scale:0{scale}d}"


def number_text(value: Decimal, least: int = 0) -> str:
    """A decimal without an exponent and without idle zeros, with at least so many places.

    >>> number_text(Decimal("10.0000000000"), 2), number_text(Decimal("0.0125")), number_text(Decimal("100"))
    ('10.00', '0.0125', '100')
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    _, _, decimals = text.partition(".")
    if len(decimals) < least:
        text = f"{text if decimals else text + '.'}{'0' * (least - len(decimals))}"
    return text


class Shape(serializers.ModelSerializer):
    """Base of all shapes. Every member is always there; what has no value is null or empty."""

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only, field.required = True, False
        return fields


class PlainShape(serializers.Serializer):
    """A shape without a model behind it."""

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only, field.required = True, False
        return fields


class Computed(serializers.Field):
    """A member found by a function of the row; `schema` says what it is: JSON Schema, a shape, or [a shape]."""

    def __init__(self, schema: Any, read: Reader, **kwargs: Any) -> None:
        self.schema, self.read = schema, read
        kwargs["read_only"] = True
        super().__init__(**kwargs)


class Id(Computed):
    """The row's own outside id, or that of a row it links to (`via`, which may be empty)."""

    def __init__(self, prefix: str, *, via: str = "", **kwargs: Any) -> None:
        if via:
            linked = attrgetter(via)

            def read(row: Any, reading: Reading) -> str | None:
                target = linked(row)
                return target.ref if target is not None else None
        else:

            def read(row: Any, reading: Reading) -> str | None:
                return row.ref

        self.prefix = prefix
        kind = ["string", "null"] if kwargs.get("allow_null") else "string"
        super().__init__({"type": kind, "examples": [f"{prefix}_01h455vb4pex5vsknk084sn02q"]}, read, **kwargs)


class Link(Computed):
    """A row's link: its id, or the whole row where the caller asked to expand it."""

    def __init__(
        self, prefix: str, shape: Callable[[], type[Shape]], *, name: str, via: str = "", **kwargs: Any
    ) -> None:
        linked = attrgetter(via or name)

        def read(row: Any, reading: Reading) -> Any:
            target = linked(row)
            if target is None:
                return None
            return compiled(shape())(target, reading) if name in reading.expand else target.ref

        self.prefix, self.shape = prefix, shape
        super().__init__({}, read, **kwargs)


class Part(Computed):
    """Parts of a row: one (`many=False`) or a list, each in a shape of its own.

    `only_expanded` leaves them out (null) unless the caller asks for them by `name`.
    """

    def __init__(
        self,
        shape: type[serializers.BaseSerializer],
        source_of: Callable[[Any], Any],
        *,
        many: bool = False,
        name: str = "",
        only_expanded: bool = False,
        **kwargs: Any,
    ) -> None:
        def read(row: Any, reading: Reading) -> Any:
            if only_expanded and name not in reading.expand:
                return None
            found, shaped = source_of(row), compiled(shape)
            if many:
                return [shaped(entry, reading) for entry in found]
            return shaped(found, reading) if found is not None else None

        if only_expanded:
            kwargs["allow_null"] = True
        super().__init__([shape] if many else shape, read, **kwargs)


class Sum(Computed):
    """An amount: minor units in `minor`, the currency beside it."""

    SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["119.00"]}

    def __init__(self, minor: str, *, currency: str = "currency", **kwargs: Any) -> None:
        value, unit = attrgetter(minor), attrgetter(currency)
        super().__init__(self.SCHEMA, lambda row, reading: amount_text(value(row), unit(row)), **kwargs)


class UnitAmount(Computed):
    """A price of one unit, with the currency's places at least."""

    def __init__(self, source_name: str = "unit_amount", *, currency: str = "currency", **kwargs: Any) -> None:
        value, unit = attrgetter(source_name), attrgetter(currency)
        super().__init__(Sum.SCHEMA, lambda row, reading: number_text(value(row), places(unit(row))), **kwargs)


class Number(Computed):
    """A decimal number that is no amount: a quantity, a percentage."""

    SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["3"]}

    def __init__(self, source_name: str, **kwargs: Any) -> None:
        value = attrgetter(source_name)
        super().__init__(self.SCHEMA, lambda row, reading: number_text(value(row)), **kwargs)


@cache
def compiled(shape: type[serializers.BaseSerializer]) -> Callable[[Any, Reading], dict[str, Any]]:
    """The function that reads a row in this shape."""
    plain: list[tuple[str, Callable[[Any], Any]]] = []
    computed: list[tuple[str, Reader]] = []
    names: list[str] = []
    for name, field in shape().fields.items():  # type: ignore[attr-defined]
        names.append(name)
        if isinstance(field, Computed):
            computed.append((name, field.read))
        else:
            plain.append((name, attrgetter(field.source or name)))

    def read(row: Any, reading: Reading) -> dict[str, Any]:
        found = dict.fromkeys(names)
        for name, value in plain:
            found[name] = value(row)
        for name, function in computed:
            found[name] = function(row, reading)
        return found

    return read


def dumps(body: Any) -> bytes:
    """JSON as this door writes it: instants in UTC with Z, decimals and lazy words as text."""
    return orjson.dumps(body, default=_text, option=orjson.OPT_UTC_Z)


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(type(value).__name__)
