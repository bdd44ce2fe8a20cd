"""What the fields of customers, addresses and contacts may hold: the checks behind every verb of this room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from stdnum.eu import vat

from core import checks
from core.models import NAME_LENGTH, TermsFrom, User
from core.refusal import Refused
from core.texts import checked
from customers.models import Contact, Customer

METADATA_LENGTH = 20_000
LINE_LENGTH = 100
_TEXTS = {
    "phone": 40,
    "tax_exemption": NAME_LENGTH,
    "po_reference": 80,
    "payment_method": 60,
    "external_id": 120,
    "dunning_group": 40,
}
CUSTOMER_FIELDS = (
    "name",
    "kind",
    "email",
    "language",
    "time_zone",
    "currency",
    "vat_id",
    "vat_state",
    "payment_terms_days",
    "payment_terms_from",
    "metadata",
    "owner",
    *_TEXTS,
)
ADDRESS_FIELDS = ("recipient", "lines", "postal_code", "city", "region", "country")
CONTACT_FIELDS = ("name", "email", "phone", "role", "gets_invoices")


def customer_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored; refuses unknown names and values that can't be."""
    checks.known(values, CUSTOMER_FIELDS)
    kept = dict(values)
    if "name" in kept:
        checked(kept["name"], field="name", limit=NAME_LENGTH, required=True)
    if "kind" in kept:
        checks.choice(kept["kind"], Customer.Kind.values, field="kind")
    if "email" in kept:
        kept["email"] = email(kept["email"])
    for name, check in (
        ("language", checks.language),
        ("time_zone", checks.time_zone),
        ("currency", checks.currency),
    ):
        if kept.get(name, "") != "":
            check(kept[name], field=name)
    if "vat_id" in kept:
        kept["vat_id"] = vat_id(kept["vat_id"])
    if "vat_state" in kept:
        checks.choice(kept["vat_state"], Customer.VatState.values, field="vat_state")
    for name, limit in _TEXTS.items():
        if name in kept:
            checked(kept[name], field=name, limit=limit)
    if kept.get("payment_terms_days") is not None:
        checks.whole(kept["payment_terms_days"], field="payment_terms_days", most=365)
    if kept.get("payment_terms_from"):
        checks.choice(kept["payment_terms_from"], TermsFrom.values, field="payment_terms_from")
    if "metadata" in kept:
        metadata(kept["metadata"])
    if kept.get("owner") is not None and not isinstance(kept["owner"], User):
        raise Refused("not_found", field="owner")
    return kept


def address_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole address; what is not given is empty, only the country is required."""
    checks.known(values, ADDRESS_FIELDS)
    lines = values.get("lines", [])
    if isinstance(lines, str) or len(lines) > 4:
        raise Refused("address.lines", field="lines", limit=LINE_LENGTH)
    return {
        "recipient": checked(values.get("recipient", ""), field="recipient", limit=NAME_LENGTH),
        "lines": [checked(line, field="lines", limit=LINE_LENGTH) for line in lines if line != ""],
        "postal_code": checked(values.get("postal_code", ""), field="postal_code", limit=20),
        "city": checked(values.get("city", ""), field="city", limit=100),
        "region": checked(values.get("region", ""), field="region", limit=10),
        "country": checks.country(values.get("country", "")),
    }


def contact_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """A contact's values as they are stored."""
    checks.known(values, CONTACT_FIELDS)
    kept = dict(values)
    if "name" in kept:
        checked(kept["name"], field="name", limit=NAME_LENGTH, required=True)
    if "email" in kept:
        kept["email"] = email(kept["email"])
    if "phone" in kept:
        checked(kept["phone"], field="phone", limit=40)
    if "role" in kept:
        checks.choice(kept["role"], Contact.Role.values, field="role")
    if "gets_invoices" in kept and not isinstance(kept["gets_invoices"], bool):
        raise Refused("field.choice", field="gets_invoices", value=kept["gets_invoices"], choices="true, false")
    return kept


def email(value: object, *, field: str = "email") -> str:
    """An address or nothing; spaces around it are dropped."""
    text = checked(value, field=field, limit=254).strip()
    if text:
        try:
            validate_email(text)
        except ValidationError:
            raise Refused("customer.email_form", field=field, value=text[:100]) from None
    return text


def vat_id(value: object) -> str:
    """A VAT id without spaces, dots and hyphens. Those of the EU are checked to the last digit (offline)."""
    text = checked(value, field="vat_id", limit=40).upper()
    for mark in (" ", ".", "-", "\u00a0"):
        text = text.replace(mark, "")
    if not text:
        return ""
    plain = text.isascii() and text.isalnum() and len(text) <= 20 and text[:2].isalpha() and len(text) > 3
    if not plain or (is_eu_vat_id(text) and not vat.is_valid(text)):
        raise Refused("customer.vat_id_form", field="vat_id", value=text[:40])
    return text


def is_eu_vat_id(value: str) -> bool:
    """Whether its letters are those of a member state (Greece writes EL) or of Northern Ireland (XI).

    >>> is_eu_vat_id("DE136695976"), is_eu_vat_id("CHE123456788")
    (True, False)
    """
    return value[:2].lower() in vat.MEMBER_STATES or value[:2] == "EL"


def metadata(value: object) -> dict[str, Any]:
    """Keys and values of the user's own, kept exactly; texts that can't be stored are refused."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Refused("customer.metadata_form", field="metadata", limit=METADATA_LENGTH)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise Refused("customer.metadata_form", field="metadata", limit=METADATA_LENGTH) from None
    if len(text) > METADATA_LENGTH:
        raise Refused("customer.metadata_form", field="metadata", limit=METADATA_LENGTH)
    # A NUL is written as an escape in JSON; PostgreSQL refuses it there too.
    checked(text.replace("\\u0000", "\0"), field="metadata", limit=METADATA_LENGTH)
    return dict(value)
