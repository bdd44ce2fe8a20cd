"""In what two customers differ, and taking over of one what the other is to have.

The rule that matters: what the one that stays says holds, unless somebody chooses otherwise; what it doesn't say is
taken over. The word on advertising comes with the address it was given for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from core.refusal import Refused
from customers.models import Address, Customer
from customers.services import consents, customers
from customers.services.fields import ADDRESS_FIELDS

_PLAIN: Final = (
    "name", "kind", "email", "phone", "language", "time_zone", "currency", "vat_id", "tax_exemption", "po_reference",
    "payment_method", "dunning_group", "external_id", "owner",
)  # fmt: skip
#: Fields that can be taken over, and what they are called.
FIELDS: Final[Mapping[str, str | Promise]] = {
    **{name: Customer._meta.get_field(name).verbose_name for name in _PLAIN},  # type: ignore[union-attr]
    "payment_terms": _("payment terms"),
    "billing": _("billing address"),
    "delivery": _("delivery address"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A field and what each says, as people read it; `is_taken`: that of the one that goes, unless somebody chooses."""

    name: str
    label: str | Promise
    goes: str
    stays: str
    is_taken: bool


def differences(goes: Customer, stays: Customer) -> list[Difference]:
    """The fields in which the one that goes says something else."""
    mine, theirs = _said(goes), _said(stays)
    return [
        Difference(name, label, mine[name][1], theirs[name][1], theirs[name][0] in _NOTHING)
        for name, label in FIELDS.items()
        if mine[name][0] not in _NOTHING and mine[name][0] != theirs[name][0]
    ]


_NOTHING: Final[tuple[Any, ...]] = ("", None)


def take(goes: Customer, stays: Customer, chosen: Collection[str] | None, *, by: Actor, at: datetime) -> list[str]:
    """Takes the chosen fields over, and keys of further data that the one that stays lacks; the names taken.

    Refuses `merging.field`, and what changing a customer refuses. Both rows are locked.
    """
    if unknown := sorted(set(chosen or ()) - FIELDS.keys()):
        raise Refused("merging.field", field="take", name=unknown[0])
    found = differences(goes, stays)
    names = [one.name for one in found if (one.is_taken if chosen is None else one.name in chosen)]
    changes: dict[str, Any] = {name: getattr(goes, name) for name in names if name in _PLAIN}
    if "payment_terms" in names:
        changes |= {"payment_terms_days": goes.payment_terms_days, "payment_terms_from": goes.payment_terms_from}
    if "vat_id" in names and goes.vat_state != Customer.VatState.PENDING:
        changes["vat_state"] = goes.vat_state
    if "kind" in changes and changes["kind"] == Customer.Kind.PERSON and "vat_id" not in changes:
        changes["vat_id"] = ""
    metadata = {**goes.metadata, **stays.metadata}
    if metadata != stays.metadata:
        changes["metadata"] = metadata
    if "external_id" in names:
        # It is unique: of two rows one alone can have it.
        customers.update_customer(customer=goes, changes={"external_id": ""}, by=by, at=at)
        goes.external_id = ""
    customers.update_customer(customer=stays, changes=changes, by=by, at=at)
    for kind in (Address.Kind.BILLING, Address.Kind.DELIVERY):
        if kind in names and (row := _address(goes, kind)) is not None:
            values = {name: getattr(row, name) for name in ADDRESS_FIELDS}
            customers.set_address(customer=stays, kind=kind, address=values, by=by, at=at)
    if "email" in names:
        _take_consent(goes, stays, by=by, at=at)
    return names


def _take_consent(goes: Customer, stays: Customer, *, by: Actor, at: datetime) -> None:
    """The word on advertising comes with the address it was given for, since when and by what."""
    if goes.marketing_consent_at is None:
        consents.withdraw(holder=stays, by=by, at=at)
        return
    Customer.objects.filter(pk=stays.pk).update(
        marketing_consent_at=goes.marketing_consent_at, marketing_consent_source=goes.marketing_consent_source
    )


def _said(row: Customer) -> dict[str, tuple[Any, str]]:
    """By field: the value as it is compared, and in words."""
    said: dict[str, tuple[Any, str]] = {name: (getattr(row, name), _words(row, name)) for name in _PLAIN}
    terms = None if row.payment_terms_days is None else (row.payment_terms_days, row.payment_terms_from)
    # How an address is written is no difference.
    said["email"] = (row.email.lower(), row.email)
    counted = f" ({row.get_payment_terms_from_display()})" if row.payment_terms_from else ""
    said["payment_terms"] = (terms, "" if terms is None else f"{row.payment_terms_days}{counted}")
    for kind in (Address.Kind.BILLING, Address.Kind.DELIVERY):
        address = _address(row, kind)
        parts = () if address is None else tuple(_plain(getattr(address, name)) for name in ADDRESS_FIELDS)
        said[str(kind)] = (parts or None, ", ".join(part for part in parts if part))
    return said


def _words(row: Customer, name: str) -> str:
    shown = getattr(row, f"get_{name}_display", None)
    value = shown() if shown is not None else getattr(row, name)
    return "" if value is None else str(value)


def _plain(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _address(row: Customer, kind: str) -> Address | None:
    return Address.objects.filter(customer=row, kind=kind, replaced_at__isnull=True).first()
