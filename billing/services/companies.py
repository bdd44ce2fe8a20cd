"""Opening a company: the row, its roles, its taxes, its books. After it, everything else can begin."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import override

from billing.services import books, dunning_policies
from catalog.services import taxes
from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company, Membership, Role, User
from core.refusal import Refused
from core.rights import ROLES
from core.services import trail
from core.texts import checked

#: Further columns that may be given when a company is opened.
FIELDS = frozenset(
    {
        "address_lines", "postal_code", "city", "email", "phone", "website", "vat_id", "tax_number", "register_entry",
        "iban", "bic", "bank_name", "accent", "tax_currency", "invoice_pattern", "credit_note_pattern",
        "payment_terms_days", "invoice_per_subscription", "issues_zero_invoices", "is_small_business",
        "charges_origin_vat", "invoice_footer", "mails_start_on", "draft_hours", "rate_change", "payment_terms_from",
    }
)  # fmt: skip


def open_company(
    *,
    name: str,
    slug: str,
    legal_name: str,
    country: str,
    currency: str,
    language: str,
    time_zone: str,
    books_start_on: date,
    is_live: bool = True,
    clock_at: datetime | None = None,
    owner: User | None,
    by: Actor,
    at: datetime,
    **fields: Any,
) -> Company:
    """A company that can sell: with its roles, tax categories and rates, chart of accounts and chain head.

    `owner` becomes an administrator. `clock_at` starts the own clock of a test company. `fields`: any of `FIELDS`.
    """
    checks.known(fields, FIELDS)
    if is_live and clock_at is not None:
        raise Refused("company.clock_is_real", field="clock_at")
    company = Company(
        name=checked(name, field="name", limit=NAME_LENGTH, required=True),
        slug=checked(slug, field="slug", limit=50, required=True),
        legal_name=checked(legal_name, field="legal_name", limit=NAME_LENGTH, required=True),
        country=checks.country(country),
        currency=checks.currency(currency),
        language=checks.language(language),
        time_zone=checks.time_zone(time_zone),
        books_start_on=books_start_on,
        is_live=is_live,
        clock_at=clock_at,
        **{"tax_currency": currency, **fields},
    )
    try:
        company.clean_fields(exclude=["logo"])
    except ValidationError as error:
        field, words = next(iter(error.message_dict.items()))
        raise Refused("company.field", field=field, detail=words[0]) from error
    with transaction.atomic():
        try:
            with transaction.atomic():
                company.save(force_insert=True)
        except IntegrityError as error:
            if "slug" in str(error):
                raise Refused("company.slug_taken", field="slug", value=slug) from error
            raise
        roles = _write_roles(company)
        if owner is not None:
            Membership.objects.create(company=company, user=owner, role=roles["admin"])
        taxes.seed(company=company, by=by, at=at)
        with override(company.language):
            books.ensure_accounts(company)
            dunning_policies.ensure_defaults(company=company, at=at)
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="company.open",
            subject_kind="company",
            subject_id=company.pk,
            facts={"slug": slug, "live": is_live, "country": country, "currency": currency},
        )
        trail.emit(
            company_id=company.pk,
            type="company.opened",
            at=at,
            subject_kind="company",
            subject_id=company.pk,
            data={"id": company.ref, "slug": slug, "live": is_live},
        )
    return company


def _write_roles(company: Company) -> dict[str, Role]:
    """The usual roles, named in the company's language."""
    with override(company.language):
        return {
            key: Role.objects.create(company=company, name=str(name), rights=sorted(rights))
            for key, (name, rights) in ROLES.items()
        }
