"""Sandboxes: test companies with a copy of another's catalog and settings, and a clock of their own.

The rule that matters: what is copied is what is for sale and how it is billed, once, at the opening; no customer, no
document, no address of a person ever passes between live and test.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model

from billing.services.companies import open_company
from catalog.models import Campaign, Discount, Meter, OfferCode, Plan, PlanItem, Price, Product, TaxCategory, TaxRate
from core import checks, clock
from core.actors import Actor
from core.ids import new_id
from core.models import Company, User
from core.refusal import Refused
from core.services import trail

Row = TypeVar("Row", bound=Model)

#: Settings a sandbox begins with; texts and numbers of the company, no address of a person.
COPIED = (
    "legal_name", "country", "currency", "language", "time_zone", "address_lines", "postal_code", "city", "website",
    "vat_id", "tax_number", "register_entry", "accent", "tax_currency", "invoice_pattern", "credit_note_pattern",
    "payment_terms_days", "invoice_per_subscription", "issues_zero_invoices", "is_small_business",
    "charges_origin_vat", "invoice_footer", "draft_hours", "rate_change",
    "payment_terms_from",
)  # fmt: skip
#: So many sandboxes of one company stand at a time.
MOST = 50


@transaction.atomic
def open_sandbox(
    *,
    source: Company,
    name: str,
    clock_at: datetime | None = None,
    copies_catalog: bool = True,
    owner: User | None,
    by: Actor,
    at: datetime,
) -> Company:
    """A test company with the source's settings and, unless told otherwise, its catalog and tax rates.

    Its clock starts at `clock_at`, else at the source's now. `owner` becomes an administrator. Refuses
    `sandbox.too_many`, and what `open_company` refuses.
    """
    Company.objects.select_for_update(no_key=True).get(pk=source.pk)
    count = Company.objects.filter(sandbox_of=source).count()
    if count >= MOST:
        raise Refused("sandbox.too_many", most=MOST)
    begins = clock_at or clock.now(source)
    day = clock.day_in(begins, source.time_zone)
    checks.day(day, field="clock_at")
    company = open_company(
        name=name,
        slug=_free_slug(source),
        books_start_on=min(source.books_start_on, day),
        is_live=False,
        clock_at=begins,
        owner=owner,
        by=by,
        at=at,
        **{field: getattr(source, field) for field in COPIED},
    )
    Company.objects.filter(pk=company.pk).update(sandbox_of=source)
    company.sandbox_of = source
    if copies_catalog:
        _copy_catalog(source, company)
    trail.audit(
        company_id=source.pk,
        at=at,
        by=by,
        verb="sandbox.open",
        subject_kind="company",
        subject_id=company.pk,
        facts={"slug": company.slug, "copies_catalog": copies_catalog},
    )
    return company


def _free_slug(source: Company) -> str:
    opening = f"{source.slug[:38]}-sandbox"
    taken = set(Company.objects.filter(slug__startswith=opening).values_list("slug", flat=True))
    return next(slug for number in range(1, len(taken) + 2) if (slug := f"{opening}-{number}") not in taken)


def _copy_catalog(source: Company, company: Company) -> None:
    """Every row of the catalog under new ids, its parents' copies in place of the parents."""
    TaxRate.objects.filter(company=company).delete()
    _copies(TaxRate.objects.filter(company=source), company)
    known = {category.code: category.pk for category in TaxCategory.objects.filter(company=company)}
    own = TaxCategory.objects.filter(company=source)
    categories = {row.pk: known[row.code] for row in own if row.code in known}
    categories |= _copies(own.exclude(code__in=known), company)
    products = _copies(Product.objects.filter(company=source), company, tax_category_id=categories)
    meters = _copies(Meter.objects.filter(company=source), company)
    plans = _copies(Plan.objects.filter(company=source), company)
    items = _copies(
        PlanItem.objects.filter(company=source), company, plan_id=plans, product_id=products, meter_id=meters
    )
    prices = _copies(Price.objects.filter(company=source), company, item_id=items)
    campaigns = _copies(Campaign.objects.filter(company=source), company)
    discounts = _copies(
        Discount.objects.filter(company=source), company, product_id=products, price_id=prices, campaign_id=campaigns
    )
    _copies(OfferCode.objects.filter(company=source), company, {"use_count": 0}, discount_id=discounts)


def _copies(
    rows: Iterable[Row], company: Company, fresh: dict[str, Any] | None = None, **parents: dict[int, int]
) -> dict[int, int]:
    """Writes copies in one statement; the new id of each old one. `parents`: columns with the new ids of parents."""
    before, copies = [], []
    for row in rows:
        values = {
            field.attname: getattr(row, field.attname)
            for field in row._meta.concrete_fields
            if not field.primary_key and not field.generated
        }
        values |= {"company_id": company.pk} | (fresh or {})
        if "public_id" in values:
            values["public_id"] = new_id()
        for column, ids in parents.items():
            values[column] = None if values[column] is None else ids[values[column]]
        before.append(row.pk)
        copies.append(type(row)(**values))
    if not copies:
        return {}
    written = type(copies[0])._default_manager.bulk_create(copies)
    return dict(zip(before, (row.pk for row in written), strict=True))
