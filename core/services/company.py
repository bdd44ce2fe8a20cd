"""Changing a company's settings: typed columns, checked as the model says. Live or test, country and books stay."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from core import checks
from core.actors import Actor
from core.models import Company, StoredFile
from core.refusal import Refused
from core.services import files, trail
from core.texts import checked

#: What may be changed after a company was opened.
FIELDS = (
    "name", "legal_name", "address_lines", "postal_code", "city", "email", "phone", "website", "vat_id", "tax_number",
    "register_entry", "iban", "bic", "bank_name", "accent", "currency", "tax_currency", "language", "time_zone",
    "books_closed_on", "mails_start_on", "invoice_pattern", "credit_note_pattern", "payment_terms_days",
    "invoice_per_subscription", "issues_zero_invoices", "is_small_business", "charges_origin_vat", "invoice_footer",
    "draft_hours", "rate_change", "payment_terms_from", "collect_when", "mail_name", "mail_address", "mail_reply_to",
    "mails_have_html",
)  # fmt: skip
LOGO_BYTES = 1024 * 1024
#: How the content of a logo begins, and what it then is.
_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def update_company(*, company: Company, changes: Mapping[str, Any], by: Actor, at: datetime) -> Company:
    """Changes named settings; issued documents keep what they say. No change writes nothing.

    Refuses a pattern of numbers that would repeat (`company.pattern`), books that open again
    (`company.books_reopen`) and what a column can't hold (`company.setting`).
    """
    checks.known(changes, FIELDS)
    for name in ("currency", "tax_currency"):
        if name in changes:
            checks.currency(changes[name], field=name)
    if "language" in changes:
        checks.language(changes["language"])
    if "time_zone" in changes:
        checks.time_zone(changes["time_zone"])
    for name in ("invoice_pattern", "credit_note_pattern"):
        if name in changes:
            check_pattern(changes[name], field=name)
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=company.pk)
        closed = changes.get("books_closed_on", company.books_closed_on)
        if company.books_closed_on is not None and (closed is None or closed < company.books_closed_on):
            raise Refused("company.books_reopen", field="books_closed_on", day=company.books_closed_on)
        before = {name: getattr(company, name) for name in changes}
        changed = sorted(name for name, value in changes.items() if before[name] != value)
        if not changed:
            return company
        for name in changed:
            if isinstance(changes[name], str):
                checked(changes[name], field=name, limit=2000)
            setattr(company, name, changes[name])
        try:
            company.clean_fields(exclude=[field.name for field in Company._meta.fields if field.name not in changed])
        except ValidationError as error:
            field, words = next(iter(error.message_dict.items()))
            raise Refused("company.setting", field=field, detail=words[0]) from error
        company.save(update_fields=changed)
        facts = {name: [_plain(before[name]), _plain(getattr(company, name))] for name in changed}
        _tell(company, by=by, at=at, facts=facts)
    return company


def set_logo(*, company: Company, name: str, content: bytes, by: Actor, at: datetime) -> StoredFile:
    """Keeps the picture and shows it from now on; refuses what is no PNG, JPEG or SVG (`company.logo`)."""
    media_type = next((kind for start, kind in _KINDS if content.startswith(start)), "")
    if not media_type and b"<svg" in content[:1000] and b"\0" not in content:
        media_type = "image/svg+xml"
    if not media_type or len(content) > LOGO_BYTES:
        raise Refused("company.logo", field="logo")
    with transaction.atomic():
        stored = files.store(
            company_id=company.pk, name=name or "logo", media_type=media_type, content=content, is_public=True
        )
        company = Company.objects.select_for_update().get(pk=company.pk)
        if company.logo_id != stored.pk:
            company.logo = stored
            company.save(update_fields=["logo"])
            _tell(company, by=by, at=at, facts={"logo": stored.sha256})
    return stored


def check_pattern(pattern: str, *, field: str) -> None:
    """A pattern of document numbers names the year and the number, once each, and nothing else."""
    try:
        one, two, later = (
            pattern.format(year=year, number=number) for year, number in ((2026, 1), (2026, 2), (2027, 1))
        )
    except (KeyError, IndexError, ValueError, AttributeError):
        raise Refused("company.pattern", field=field) from None
    if len({one, two, later}) != 3 or len(pattern.format(year=2026, number=10**9)) > 35:
        raise Refused("company.pattern", field=field)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _tell(company: Company, *, by: Actor, at: datetime, facts: Mapping[str, Any]) -> None:
    trail.audit(
        company_id=company.pk,
        at=at,
        by=by,
        verb="company.update",
        subject_kind="company",
        subject_id=company.pk,
        facts=facts,
    )
    trail.emit(
        company_id=company.pk,
        type="company.updated",
        at=at,
        subject_kind="company",
        subject_id=company.pk,
        data={"id": company.ref, "fields": sorted(facts)},
    )
