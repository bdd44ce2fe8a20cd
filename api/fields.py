"""What bodies are read with. Strict on purpose: a value has one form, and what isn't known is refused.

These check form only; whether a value makes sense is for the verbs.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.problems import Fault, Problem, pointer, words
from core.ids import BadId
from core.models import Company
from pricing.money import BadAmount, Money, is_currency, parse_amount, places

_DATE = re.compile(r"(?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT = re.compile(
    r"(?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
AMOUNT_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"
REF_LETTERS = "[0-9a-hjkmnp-tv-z]{26}"
#: Beyond this no column holds it: numeric(20, 10).
_LARGEST = Decimal(10) ** 10


def parse_date(text: object) -> date | None:
    """A date written YYYY-MM-DD, or None.

    >>> parse_date("2026-02-28"), parse_date("2026-02-30"), parse_date("20260228")
    (datetime.date(2026, 2, 28), None, None)
    """
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_instant(text: object) -> datetime | None:
    """An instant written as RFC 3339 says, with an offset; None otherwise.

    >>> parse_instant("2026-01-31T12:00:00Z"), parse_instant("2026-01-31T12:00:00")
    (datetime.datetime(2026, 1, 31, 12, 0, tzinfo=datetime.timezone.utc), None)
    """
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class Refusing(serializers.Field):
    """A field that says no with a code of this door's register."""

    default_error_messages: ClassVar[dict[str, Any]] = {}

    def refuse(self, code: str, **params: object) -> None:
        raise serializers.ValidationError(words(code, **params), code=code)


@extend_schema_field({"type": "string"})
class Text(Refusing, serializers.CharField):
    """Text kept exactly as it was sent; a number is no text."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


@extend_schema_field({"type": "string", "format": "date"})
class Day(Refusing):
    """A calendar date."""

    def to_internal_value(self, data: Any) -> date:
        found = parse_date(data)
        if found is None:
            self.refuse("date_form")
        return found  # type: ignore[return-value]


@extend_schema_field({"type": "string", "format": "date-time"})
class Instant(Refusing):
    """An instant with its offset from UTC; one without is refused, never guessed."""

    def to_internal_value(self, data: Any) -> datetime:
        found = parse_instant(data)
        if found is None:
            self.refuse("instant_form")
        return found  # type: ignore[return-value]


class Whole(Refusing, serializers.IntegerField):
    """A JSON integer, not a text and not a boolean."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(data)


class Yes(Refusing, serializers.BooleanField):
    """true or false, nothing that merely looks like it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return bool(data)


class Choice(Refusing, serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=str(data)[:80])
        return str(super().to_internal_value(data))


@extend_schema_field({"type": "string", "pattern": AMOUNT_PATTERN, "examples": ["12.50"]})
class Amount(Refusing):
    """A decimal number written as text; `allow_negative` is off. Which places fit, the currency decides."""

    def __init__(self, *, allow_negative: bool = False, **kwargs: Any) -> None:
        self.allow_negative = allow_negative
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            value = parse_amount(data)
        except BadAmount:
            self.refuse("amount_form")
        if abs(value) >= _LARGEST or -int(value.as_tuple().exponent) > 10:
            self.refuse("amount_range")
        if value < 0 and not self.allow_negative:
            self.refuse("amount_negative")
        return value


@extend_schema_field({"type": "string", "pattern": AMOUNT_PATTERN, "examples": ["3"]})
class Quantity(Amount):
    """A number of units, as text like amounts; a JSON integer does as well."""

    def to_internal_value(self, data: Any) -> Decimal:
        if type(data) is int:
            data = str(data)
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]})
class Currency(Refusing):
    """An ISO 4217 code that can be billed."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not is_currency(data):
            self.refuse("currency.unknown", value=str(data)[:20])
        return str(data)


@extend_schema_field({"type": "string", "pattern": "^([A-Z]{3})?$", "examples": ["EUR"]})
class UsualCurrency(Currency):
    """An ISO 4217 code, or empty where something else decides."""

    def to_internal_value(self, data: Any) -> str:
        return "" if data == "" else super().to_internal_value(data)


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "string"}, "examples": [{"en": "Seat", "de": "Platz"}]}
)
class Texts(Refusing):
    """Texts by language."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        languages = {code for code, _name in settings.LANGUAGES}
        if not isinstance(data, Mapping) or not all(
            name in languages and isinstance(text, str) for name, text in data.items()
        ):
            self.refuse("texts_form")
        return dict(data)


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        "maxProperties": 50,
        "examples": [{"crm": "4711"}],
    }
)
class Metadata(Refusing):
    """Keys and values of the caller's own."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping) or len(data) > 50:
            self.refuse("metadata_form")
        kept: dict[str, Any] = {}
        for name, value in data.items():
            if isinstance(value, Decimal):
                value = float(value)  # metadata is kept as JSON; nothing is calculated with it
            fits = (
                value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 500)
            )
            if not fits or not 0 < len(name) <= 60:
                self.refuse("metadata_form")
            kept[name] = value
        return kept


@extend_schema_field({"type": "object"})
class Plain(Refusing):
    """A JSON object as it is. What is in it, a verb checks."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.refuse("object_form")
        return {name: _plain(value) for name, value in data.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)  # kept as JSON; amounts are texts
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


@extend_schema_field({"type": "string", "contentEncoding": "base64"})
class Bytes(Refusing):
    """A file's bytes in base64."""

    def to_internal_value(self, data: Any) -> bytes:
        try:
            return base64.b64decode(data.encode("ascii"), validate=True)
        except (AttributeError, UnicodeEncodeError, binascii.Error):
            self.refuse("base64_form")
            raise


class Ref(Refusing):
    """The outside id of a row of the same company; becomes the row."""

    def __init__(self, model: type[models.Model], **kwargs: Any) -> None:
        self.model = model
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        company: Company = self.context["company"]
        model: Any = self.model
        try:
            if isinstance(data, str):
                return model.by_ref(model.objects.filter(company=company), data)
        except (BadId, model.DoesNotExist):
            pass
        self.refuse("invalid_ref")
        return None


class Refs(serializers.ListField):
    """Outside ids of rows of the same company, read in one go; become the rows, each once, as they were named."""

    def __init__(self, model: type[models.Model], **kwargs: Any) -> None:
        self.model = model
        super().__init__(child=Ref(model), **kwargs)

    def run_child_validation(self, data: Any) -> list[Any]:
        company: Company = self.context["company"]
        model: Any = self.model
        ids: list[Any] = []
        for ref in data:
            try:
                ids.append(model.public_id_of(ref) if isinstance(ref, str) else None)
            except BadId:
                ids.append(None)
        rows = {row.public_id: row for row in model.objects.filter(company=company, public_id__in=set(ids) - {None})}
        bad = {index: [_no_ref()] for index, one in enumerate(ids) if one not in rows}
        if bad:
            raise serializers.ValidationError(bad)
        return [rows[one] for one in dict.fromkeys(ids)]


def _no_ref() -> serializers.ErrorDetail:
    return serializers.ErrorDetail(words("invalid_ref"), "invalid_ref")


@extend_schema_field({"type": "string"})
class Coded(Refusing):
    """The code of a row of the same company; becomes the row."""

    def __init__(self, model: type[models.Model], **kwargs: Any) -> None:
        self.model = model
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        company: Company = self.context["company"]
        found = None
        if isinstance(data, str):
            found = self.model._default_manager.filter(company=company, code=data[:200]).first()
        if found is None:
            self.refuse("invalid_ref")
        return found


class Body(serializers.Serializer):
    """A request's body: a member that isn't declared is refused, so that a slip of the pen is heard of."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                detail = {name: [serializers.ErrorDetail(words("unknown_field"), "unknown_field")] for name in unknown}
                raise serializers.ValidationError(detail)
        return dict(super().to_internal_value(data))


class ModelBody(Body, serializers.ModelSerializer):
    """A body whose fields are a model's columns: their limits, choices and `help_text` come from there."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Text,
        models.TextField: Text,
        models.DateField: Day,
        models.IntegerField: Whole,
        models.SmallIntegerField: Whole,
        models.PositiveIntegerField: Whole,
        models.PositiveSmallIntegerField: Whole,
        models.BooleanField: Yes,
    }
    serializer_choice_field = Choice

    def get_validators(self) -> list[Any]:
        """None: what must be unique is the verbs' and the database's business."""
        return []

    def get_unique_together_validators(self) -> list[Any]:
        return []

    def get_unique_for_date_validators(self) -> list[Any]:
        return []


def minor_of(amount: Decimal, currency: str, *, field: str = "amount") -> int:
    """Minor units of an amount; 422 on the field when it is finer than the currency."""
    try:
        return Money.of(amount, currency).minor
    except BadAmount:
        code, params = "amount_places", {"places": places(currency)}
        fault = Fault(pointer(*field.split(".")), code, words(code, **params))
        raise Problem(422, "invalid_input", faults=[fault]) from None
