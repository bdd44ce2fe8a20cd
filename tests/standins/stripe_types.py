"""An object of the stand-in against the SDK's annotations: unknown fields, missing ones, wrong types and words."""

from __future__ import annotations

import sys
import types
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe
from stripe._stripe_object import StripeObject, UntypedStripeObject

OBJECTS: dict[str, type[StripeObject]] = {
    "account": stripe.Account,
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "item": stripe.LineItem,
    "mandate": stripe.Mandate,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


def complaints(body: dict[str, Any]) -> list[str]:
    """What the SDK's class of an object doesn't know or misses in it; empty when all is well."""
    return list(_fields(OBJECTS[body["object"]], body, body["object"]))


def fields_of(cls: type[StripeObject]) -> dict[str, Any]:
    """The fields of a class and their hints, as far as they could be resolved when it was made."""
    hints = cls.__dict__.get("__annotations__", {})
    return {name: hint for name, hint in hints.items() if not name.startswith("_") and name != "OBJECT_NAME"}


def _fields(cls: type[StripeObject], body: dict[str, Any], path: str) -> list[str]:
    hints = fields_of(cls)
    found = [f"{path}.{name}: unknown" for name in body if name not in hints]
    for name, hint in hints.items():
        if name in body:
            found += _value(cls, hint, body[name], f"{path}.{name}")
        elif not _optional(cls, hint):
            found.append(f"{path}.{name}: missing")
    return found


def _resolve(cls: type, hint: Any) -> Any:
    """A hint that is a name, as the thing it names."""
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    if not isinstance(hint, str):
        return hint
    names = vars(sys.modules[cls.__module__]) | vars(cls) | {"Literal": Literal, "Union": Union, "Any": Any}
    try:
        return eval(hint, names)
    except NameError:
        return getattr(stripe, hint, None) or getattr(stripe.checkout, hint, Any)


def _optional(cls: type, hint: Any) -> bool:
    hint = _resolve(cls, hint)
    return hint is Any or type(None) in get_args(hint)


def _value(cls: type, hint: Any, value: Any, path: str) -> list[str]:
    hint = _resolve(cls, hint)
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return []
    if origin in (Union, types.UnionType):
        words = [word for part in inner if get_origin(part) is Literal for word in get_args(part)]
        if words and isinstance(value, str):  # the SDK adds `str` for words to come; we only send known ones
            return [] if value in words else [f"{path}: {value!r} is not one of its words"]
        tries = [_value(cls, part, value, path) for part in inner if part is not type(None) or value is None]
        return min(tries, key=len)
    if origin is Literal:
        return [] if value in inner else [f"{path}: {value!r} is not one of its words"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        return [wrong for i, row in enumerate(value) for wrong in _value(cls, inner[0], row, f"{path}[{i}]")]
    base = origin or hint
    if base is type(None) or base in (int, str, bool, float):
        right = type(value) is base or (base is float and type(value) is int)
        return [] if right else [f"{path}: {value!r} is not {base.__name__}"]
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is not a hash"]
    if base is UntypedStripeObject:
        return [wrong for key, row in value.items() for wrong in _value(cls, inner[0], row, f"{path}.{key}")]
    if base is stripe.ListObject:
        return [wrong for row in value["data"] for wrong in _value(cls, inner[0], row, f"{path}[]")]
    return _fields(base, value, path)
