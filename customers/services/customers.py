"""Customers: create, change, move house, archive. One is made the way many are: in a batch.

An address is never changed: a newer one takes its place, so what was used stays readable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from core import checks
from core.actors import Actor
from core.models import AuditEntry, Company, Event
from core.refusal import Refused
from core.services import trail
from core.texts import sort_key
from customers.models import Address, Contact, Customer
from customers.services import fields, merged, vat_ids
from customers.services.contacts import add_contact, archive_contact, invite_to_portal, update_contact

__all__ = [
    "CustomerSpec",
    "add_contact",
    "archive_contact",
    "archive_customer",
    "check_spec",
    "create_customer",
    "create_many",
    "currency_of",
    "invite_to_portal",
    "language_of",
    "restore_customer",
    "set_address",
    "update_contact",
    "update_customer",
    "zone_of",
]

_PERSONAL = {"name", "email", "phone", "vat_id", "metadata", "payment_method", "tax_exemption"}


@dataclass(frozen=True, slots=True)
class CustomerSpec:
    """A customer to be made. `address` is the billing address, `fields` any of `fields.CUSTOMER_FIELDS`."""

    name: str
    kind: str = "company"
    address: Mapping[str, Any] | None = None
    contacts: Sequence[Mapping[str, Any]] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Checked:
    values: dict[str, Any]
    address: dict[str, Any] | None
    contacts: list[dict[str, Any]]


def create_customer(
    *,
    company: Company,
    name: str,
    kind: str = "company",
    address: Mapping[str, Any] | None = None,
    contacts: Sequence[Mapping[str, Any]] = (),
    by: Actor,
    at: datetime,
    **more: Any,
) -> Customer:
    """A customer with its billing address and people; `more` are any of `fields.CUSTOMER_FIELDS`.

    A VAT id comes in unchecked (`pending`) unless `vat_state` says what a check has said.
    """
    spec = CustomerSpec(name=name, kind=kind, address=address, contacts=contacts, fields=more)
    return create_many(company=company, specs=[spec], by=by, at=at)[0]


def check_spec(spec: CustomerSpec) -> None:
    """Refuses what `create_many` would refuse about this one alone."""
    _check(spec)


def create_many(*, company: Company, specs: Sequence[CustomerSpec], by: Actor, at: datetime) -> list[Customer]:
    """The customers in the order of their specs, in a constant number of statements; all of them or none."""
    parts = [_check(spec) for spec in specs]
    with transaction.atomic():
        rows = [_row(company, part, at) for part in parts]
        _refuse_taken(company, rows)
        try:
            with transaction.atomic():
                customers = Customer.objects.bulk_create(rows)
        except IntegrityError as error:
            if "customer_external_id_unique" in str(error):
                _refuse_taken(company, rows)
            raise
        Address.objects.bulk_create(
            Address(company=company, customer=customer, kind=Address.Kind.BILLING, **part.address)
            for customer, part in zip(customers, parts, strict=True)
            if part.address is not None
        )
        Contact.objects.bulk_create(
            Contact(company=company, customer=customer, **contact)
            for customer, part in zip(customers, parts, strict=True)
            for contact in part.contacts
        )
        AuditEntry.objects.bulk_create(
            AuditEntry(
                company=company,
                at=at,
                actor_kind=by.kind,
                actor_id=by.id,
                actor_label=by.label,
                verb="customer.create",
                subject_kind="customer",
                subject_id=customer.pk,
                customer_id=customer.pk,
                facts={},
            )
            for customer in customers
        )
        Event.objects.bulk_create(
            Event(
                company=company,
                type="customer.created",
                occurred_at=at,
                subject_kind="customer",
                subject_id=customer.pk,
                customer_id=customer.pk,
                data=_event_data(customer),
            )
            for customer in customers
        )
        vat_ids.ask([customer for customer in customers if customer.vat_state == Customer.VatState.PENDING])
    return customers


def update_customer(*, customer: Customer, changes: Mapping[str, Any], by: Actor, at: datetime) -> Customer:
    """Changes named fields; what equals the present value is no change, and no change writes nothing.

    A new VAT id is unchecked again. What is issued already keeps the old words.
    """
    values = fields.customer_values(changes)
    with transaction.atomic():
        customer = Customer.objects.select_for_update(of=("self",)).select_related("company").get(pk=customer.pk)
        merged.refuse(customer)
        if values.get("vat_id", customer.vat_id) != customer.vat_id and "vat_state" not in values:
            values["vat_state"] = _first_vat_state(values["vat_id"])
        changed = sorted(name for name, value in values.items() if getattr(customer, name) != value)
        if not changed:
            return customer
        before = {name: _plain(getattr(customer, name)) for name in changed}
        for name in changed:
            setattr(customer, name, values[name])
        _check_together(customer)
        if "vat_state" in changed:
            known = customer.vat_state in (Customer.VatState.VALID, Customer.VatState.INVALID)
            customer.vat_checked_at = at if known else None
        if "name" in changed:
            customer.sort_key = sort_key(customer.name)
        if "external_id" in changed:
            _refuse_taken(customer.company, [customer])
        customer.save(update_fields=[*changed, "sort_key", "vat_checked_at"])
        after = {name: _plain(getattr(customer, name)) for name in changed}
        trail.audit(
            company_id=customer.company_id,
            at=at,
            by=by,
            verb="customer.update",
            subject_kind="customer",
            subject_id=customer.pk,
            customer_id=customer.pk,
            facts={"fields": changed}
            | {name: [before[name], after[name]] for name in changed if name not in _PERSONAL},
            before={name: before[name] for name in changed if name in _PERSONAL},
            after={name: after[name] for name in changed if name in _PERSONAL},
        )
        _emit(customer, "customer.updated", at, {"fields": changed})
        if "vat_id" in changed and customer.vat_state == Customer.VatState.PENDING:
            vat_ids.ask([customer])
    return customer


def set_address(
    *, customer: Customer, kind: str = "billing", address: Mapping[str, Any], by: Actor, at: datetime
) -> Address:
    """The customer's current address of that kind. The same one again is quietly the same."""
    checks.choice(kind, Address.Kind.values, field="kind")
    values = fields.address_values(address)
    with transaction.atomic():
        customer = Customer.objects.select_for_update().get(pk=customer.pk)
        merged.refuse(customer)
        current = Address.objects.filter(customer=customer, kind=kind, replaced_at__isnull=True).first()
        if current is not None:
            if all(getattr(current, name) == value for name, value in values.items()):
                return current
            current.replaced_at = at
            current.save(update_fields=["replaced_at"])
        new = Address.objects.create(company_id=customer.company_id, customer=customer, kind=kind, **values)
        trail.audit(
            company_id=customer.company_id,
            at=at,
            by=by,
            verb="customer.set_address",
            subject_kind="customer",
            subject_id=customer.pk,
            customer_id=customer.pk,
            facts={"kind": kind, "address": new.pk, "replaced": current.pk if current else None},
        )
        _emit(customer, "customer.updated", at, {"fields": [f"{kind}_address"]})
    return new


def archive_customer(*, customer: Customer, by: Actor, at: datetime) -> Customer:
    """Hides it from lists; what runs goes on and is billed."""
    return _archive(customer, at, by=by, at=at)


def restore_customer(*, customer: Customer, by: Actor, at: datetime) -> Customer:
    """Shows an archived customer again."""
    return _archive(customer, None, by=by, at=at)


def language_of(customer: Customer) -> str:
    """The language it reads: its own, else the company's."""
    return customer.language or customer.company.language


def zone_of(customer: Customer) -> str:
    """The zone its days follow: its own, else the company's."""
    return customer.time_zone or customer.company.time_zone


def currency_of(customer: Customer) -> str:
    """The currency it usually pays in: its own, else the company's."""
    return customer.currency or customer.company.currency


def _archive(customer: Customer, archived_at: datetime | None, *, by: Actor, at: datetime) -> Customer:
    with transaction.atomic():
        customer = Customer.objects.select_for_update().get(pk=customer.pk)
        merged.refuse(customer)
        if (customer.archived_at is None) == (archived_at is None):
            return customer
        customer.archived_at = archived_at
        customer.save(update_fields=["archived_at"])
        verb, past = ("archive", "archived") if archived_at else ("restore", "restored")
        trail.audit(
            company_id=customer.company_id,
            at=at,
            by=by,
            verb=f"customer.{verb}",
            subject_kind="customer",
            subject_id=customer.pk,
            customer_id=customer.pk,
        )
        _emit(customer, f"customer.{past}", at, {})
    return customer


def _check(spec: CustomerSpec) -> _Checked:
    values = fields.customer_values({**spec.fields, "name": spec.name, "kind": spec.kind})
    if values.get("vat_state", Customer.VatState.NONE) == Customer.VatState.NONE:
        values["vat_state"] = _first_vat_state(values.get("vat_id", ""))
    _check_together(Customer(**{name: value for name, value in values.items() if name != "owner"}))
    address = fields.address_values(spec.address) if spec.address is not None else None
    contacts = [fields.contact_values(contact) for contact in spec.contacts]
    for contact in contacts:
        if "name" not in contact:
            raise Refused("text.required", field="name")
    return _Checked(values, address, contacts)


def _row(company: Company, part: _Checked, at: datetime) -> Customer:
    customer = Customer(company=company, created_at=at, sort_key=sort_key(part.values["name"]), **part.values)
    if customer.vat_state in (Customer.VatState.VALID, Customer.VatState.INVALID):
        customer.vat_checked_at = at
    return customer


def _check_together(customer: Customer) -> None:
    if customer.vat_id and customer.kind == Customer.Kind.PERSON:
        raise Refused("customer.person_with_vat_id", field="vat_id")
    if not customer.vat_id and customer.vat_state != Customer.VatState.NONE:
        raise Refused("customer.vat_state_without_id", field="vat_state")


def _first_vat_state(vat_id: str) -> str:
    """Only ids of the EU are ever checked; another country's stays without an answer."""
    return Customer.VatState.PENDING if fields.is_eu_vat_id(vat_id) else Customer.VatState.NONE


def _refuse_taken(company: Company, rows: Sequence[Customer]) -> None:
    wanted: set[str] = set()
    for row in rows:
        if row.external_id:
            if row.external_id in wanted:
                raise Refused("customer.external_id_taken", field="external_id", value=row.external_id)
            wanted.add(row.external_id)
    if not wanted:
        return
    own = [row.pk for row in rows if not row._state.adding]
    taken = (
        Customer.objects.filter(company=company, external_id__in=wanted)
        .exclude(pk__in=own)
        .values_list("external_id", flat=True)
        .first()
    )
    if taken is not None:
        raise Refused("customer.external_id_taken", field="external_id", value=taken)


def _plain(value: Any) -> Any:
    return value.pk if hasattr(value, "pk") else value


def _event_data(customer: Customer) -> dict[str, Any]:
    return {"id": customer.ref, "kind": customer.kind, "external_id": customer.external_id}


def _emit(customer: Customer, type: str, at: datetime, more: Mapping[str, Any]) -> None:
    trail.emit(
        company_id=customer.company_id,
        type=type,
        at=at,
        subject_kind="customer",
        subject_id=customer.pk,
        customer_id=customer.pk,
        data={**_event_data(customer), **more},
    )
