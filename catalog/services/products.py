"""Products and services: create, change, archive. What was sold is never deleted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from catalog.models import Plan, Product, TaxCategory
from catalog.services.texts import checked_texts
from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked

_CODE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
CODE_LENGTH = 60
TEXT_LENGTH = 20_000
_FIELDS = (
    "code",
    "kind",
    "name",
    "description",
    "unit_name",
    "tax_category",
    "revenue_account",
    "external_id",
)


def checked_code(code: object, *, limit: int = CODE_LENGTH) -> str:
    """A short name of letters, digits, hyphens and underscores."""
    if not isinstance(code, str) or len(code) > limit or not _CODE.fullmatch(code):
        raise Refused("catalog.code_form", field="code", limit=limit)
    return code


def create_product(
    *,
    company: Company,
    code: str,
    name: Mapping[str, str],
    tax_category: TaxCategory,
    kind: str = "service",
    description: Mapping[str, str] | None = None,
    unit_name: Mapping[str, str] | None = None,
    revenue_account: str = "",
    external_id: str = "",
    by: Actor,
    at: datetime,
) -> Product:
    """A product that can be sold; texts by language. Refuses a taken code or external id."""
    values = _checked(
        company,
        {
            "code": code,
            "kind": kind,
            "name": name,
            "description": description or {},
            "unit_name": unit_name or {},
            "tax_category": tax_category,
            "revenue_account": revenue_account,
            "external_id": external_id,
        },
    )
    product = Product(company=company, **values)
    with transaction.atomic():
        save_new(product)
        _tell(product, "created", by=by, at=at, facts={"code": product.code})
    return product


def update_product(*, product: Product, changes: Mapping[str, Any], by: Actor, at: datetime) -> Product:
    """Changes named fields; what equals the present value is no change, and no change writes nothing."""
    checks.known(changes, _FIELDS)
    with transaction.atomic():
        product = Product.objects.select_for_update().select_related("company").get(pk=product.pk)
        values = _checked(product.company, changes)
        changed = sorted(name for name, value in values.items() if getattr(product, name) != value)
        if not changed:
            return product
        for name in changed:
            setattr(product, name, values[name])
        save_changed(product, changed)
        _tell(product, "updated", by=by, at=at, facts={"fields": changed})
    return product


def archive_product(*, product: Product, by: Actor, at: datetime) -> Product:
    """Hides it from new sales. Refuses while a plan on sale holds it; running subscriptions keep it."""
    with transaction.atomic():
        product = Product.objects.select_for_update().get(pk=product.pk)
        if product.archived_at is not None:
            return product
        plans = (
            Plan.objects.filter(status=Plan.Status.ON_SALE, items__product=product, items__archived_at__isnull=True)
            .order_by("code")
            .values_list("code", flat=True)
        )
        if codes := list(plans.distinct()[:5]):
            raise Refused("product.on_sale", code=product.code, plans=", ".join(codes))
        product.archived_at = at
        product.save(update_fields=["archived_at"])
        _tell(product, "archived", by=by, at=at, facts={})
    return product


def restore_product(*, product: Product, by: Actor, at: datetime) -> Product:
    """Offers an archived product again."""
    with transaction.atomic():
        product = Product.objects.select_for_update().get(pk=product.pk)
        if product.archived_at is None:
            return product
        product.archived_at = None
        product.save(update_fields=["archived_at"])
        _tell(product, "restored", by=by, at=at, facts={})
    return product


def save_new(row: Product | Plan) -> None:
    """Inserts a row with a code and an external id, or says which of them is taken."""
    rows = type(row)._default_manager.filter(company_id=row.company_id)
    if rows.filter(code=row.code).exists():
        raise Refused("catalog.code_taken", field="code", value=row.code)
    if row.external_id and rows.filter(external_id=row.external_id).exists():
        raise Refused("catalog.external_id_taken", field="external_id", value=row.external_id)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise _taken(row, error) from None


def save_changed(row: Product | Plan, fields: list[str]) -> None:
    """Saves the named fields, or says which of code and external id is taken."""
    try:
        with transaction.atomic():
            row.save(update_fields=fields)
    except IntegrityError as error:
        raise _taken(row, error) from None


def _taken(row: Product | Plan, error: IntegrityError) -> Exception:
    if "external_id" in str(error):
        return Refused("catalog.external_id_taken", field="external_id", value=row.external_id)
    if "code_unique" in str(error):
        return Refused("catalog.code_taken", field="code", value=row.code)
    return error


def _checked(company: Company, values: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(values)
    if "code" in kept:
        checked_code(kept["code"])
    if "kind" in kept:
        checks.choice(kept["kind"], Product.Kind.values, field="kind")
    for field, limit, required in (
        ("name", NAME_LENGTH, True),
        ("description", TEXT_LENGTH, False),
        ("unit_name", 60, False),
    ):
        if field in kept:
            kept[field] = checked_texts(kept[field], company=company, field=field, limit=limit, required=required)
    if "tax_category" in kept:
        category = kept["tax_category"]
        if not isinstance(category, TaxCategory) or category.company_id != company.pk:
            raise Refused("product.category_unknown", field="tax_category")
    if "revenue_account" in kept:
        checked(kept["revenue_account"], field="revenue_account", limit=20)
    if "external_id" in kept:
        checked(kept["external_id"], field="external_id", limit=120)
    return kept


def _tell(product: Product, what: str, *, by: Actor, at: datetime, facts: Mapping[str, Any]) -> None:
    verbs = {"created": "create", "updated": "update", "archived": "archive", "restored": "restore"}
    trail.audit(
        company_id=product.company_id,
        at=at,
        by=by,
        verb=f"product.{verbs[what]}",
        subject_kind="product",
        subject_id=product.pk,
        facts=facts,
    )
    trail.emit(
        company_id=product.company_id,
        type=f"product.{what}",
        at=at,
        subject_kind="product",
        subject_id=product.pk,
        data={"id": product.ref, "code": product.code, **facts},
    )
