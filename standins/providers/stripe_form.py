"""Reading Stripe's form bodies: nested keys, numbers, booleans, lists; what is unknown or missing is refused."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from standins.providers.stripe_errors import invalid
from standins.providers.stripe_params import KNOWN
from standins.providers.wire import Refused, Request

PARTS = re.compile(r"\[([^\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """`a[b]=1&c[0]=x&c[1]=y` as {"a": {"b": "1"}, "c": ["x", "y"]}. Values stay text."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = [name.split("[", 1)[0], *PARTS.findall(name)]
        at = tree
        for part, below in zip([head, *rest], rest, strict=False):
            if not isinstance(at.get(part), dict):
                at[part] = {}
            at = at[part]
            if below == "":
                rest[-1] = str(len(at))
        at[rest[-1] if rest else head] = value
    lists: dict[str, Any] = {name: _lists(value) for name, value in tree.items()}
    return lists


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _lists(inner) for name, inner in value.items()}


class Form:
    """The parameters of one request. Reading one of the wrong type is refused as Stripe does."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    @classmethod
    def of(cls, request: Request, operation: str) -> Form:
        """The parameters of a request; refused when one is unknown to the operation."""
        text = request.query if request.method in ("GET", "DELETE") else request.body.decode("utf-8", "replace")
        values = decode(text)
        known = KNOWN.get(operation, frozenset({"expand"}))
        for name in values:
            if name not in known:
                raise Refused(invalid(f"Received unknown parameter: {name}", code="parameter_unknown", param=name))
        return cls(values)

    def has(self, name: str) -> bool:
        """Whether it was sent, even as an empty text."""
        return name in self.values

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text; `default` when it wasn't sent or is empty."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(invalid(f"Invalid string: {value}", param=name))
        return value or default

    def needed(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if value is None:
            raise Refused(invalid(f"Missing required param: {name}.", code="parameter_missing", param=name))
        return value

    def number(self, name: str, default: int | None = None) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"-?\d{1,15}", value):
            message = f"Invalid integer: {value}"
            raise Refused(invalid(message, code="parameter_invalid_integer", param=name))
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean; any other text than true and false is refused."""
        value = self.text(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            raise Refused(invalid(f"Invalid boolean: {value}", param=name))
        return value == "true"

    def choice(self, name: str, among: tuple[str, ...], default: str | None = None) -> str | None:
        """One of some words."""
        value = self.text(name, default)
        if value is not None and value not in among:
            words = ", ".join(among)
            raise Refused(invalid(f"Invalid {name}: must be one of {words}", param=name))
        return value

    def words(self, name: str) -> list[str] | None:
        """A list of texts; None when it wasn't sent."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise Refused(invalid("Invalid array", param=name))
        return [str(word) for word in value]

    def rows(self, name: str) -> list[Form]:
        """A list of hashes; empty when it wasn't sent."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise Refused(invalid("Invalid array", param=name))
        return [Form(row) for row in value]

    def inner(self, name: str) -> Form:
        """A hash; empty when it wasn't sent."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise Refused(invalid("Invalid object", param=name))
        return Form(value)

    def metadata(self, name: str = "metadata", before: dict[str, str] | None = None) -> dict[str, str]:
        """Metadata put over what was there before: an empty value takes a key away, an empty hash all of them.

        Keys up to 40 and values up to 500 characters, 50 keys.
        """
        if self.values.get(name) == "":
            return {}
        result = dict(before or {})
        for key, value in self.inner(name).values.items():
            if len(key) > 40 or not isinstance(value, str) or len(value) > 500:
                raise Refused(invalid("Metadata keys are up to 40, values up to 500 characters.", param=name))
            result[key] = value
        result = {key: value for key, value in result.items() if value}
        if len(result) > 50:
            raise Refused(invalid("You can have up to 50 metadata keys.", param=name))
        return result

    def created(self, name: str = "created") -> dict[str, int]:
        """A filter of instants: `created=N` or `created[gte]=N` and the like."""
        value = self.values.get(name)
        if isinstance(value, str):
            at = self.number(name, 0) or 0
            return {"gte": at, "lte": at}
        inner = self.inner(name)
        return {edge: inner.number(edge) or 0 for edge in ("gt", "gte", "lt", "lte") if inner.has(edge)}


def confirms(request: Request) -> bool:
    """Whether an intent is confirmed by the request that makes it."""
    return b"confirm=true" in request.body.split(b"&")


def currency(form: Form, name: str = "currency") -> str:
    """A currency in lower case."""
    value = form.needed(name).lower()
    if not re.fullmatch(r"[a-z]{3}", value):
        raise Refused(invalid(f"Invalid currency: {value}.", param=name))
    return value
