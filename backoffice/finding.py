"""What a search text finds: names, e-mail addresses, numbers, outside ids, references. Used by lists and the one box.

Everything is looked up within one company, by ways an index knows; a number is read back to its year and sequence.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet

from billing.models import CreditNote, Invoice, Payment
from catalog.models import Plan
from core.models import Company, NumberSeries
from customers.models import Customer
from customers.services import merged
from subscriptions.models import Subscription

LONGEST = 200
#: So many customers of a name are followed to their rows.
FOLLOWED = 500
_LARGEST = 2**63 - 1


def cleaned(q: str) -> str:
    """The text as it is looked for: without what PostgreSQL can't hold, at most 200 characters."""
    return q.strip()[:LONGEST].replace("\0", "")


def _key(q: str, prefix: str) -> int | None:
    """The row behind "CUS-000123", "cus-123" or "123"."""
    digits = q.upper().removeprefix(f"{prefix}-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    return int(digits) if int(digits) <= _LARGEST else None


def _outside(model: Any, q: str) -> Q | None:
    """By outside id; a text that only looks like one finds nothing."""
    if not q.lower().startswith(f"{model.PREFIX}_"):
        return None
    try:
        return Q(public_id=model.public_id_of(q.lower()))
    except ValueError:
        return Q(pk__in=[])


def customers(company: Company, q: str) -> QuerySet[Customer]:
    """Customers whose name or e-mail holds the text, or whose number, VAT id or external id it is."""
    rows, q = Customer.objects.filter(company=company), cleaned(q)
    if not q:
        return rows
    if (by_id := _outside(Customer, q)) is not None:
        return rows.filter(by_id)
    wanted = Q(name__icontains=q) | Q(email__icontains=q) | Q(external_id=q) | Q(vat_id=q.replace(" ", "").upper())
    if (key := _key(q, Customer.PREFIX.upper())) is not None:
        # The number of one that was merged leads to the one that stays.
        stays = rows.filter(pk=key).values_list("merged_into_id", flat=True).first()
        wanted |= Q(pk__in=[key] if stays is None else [key, stays])
    return rows.filter(wanted)


def followed(company: Company, q: str) -> list[int]:
    """Keys of customers the text finds, at most 500, for `of` of the other kinds.

    Asked for first: beside other conditions a question within the question is answered by reading every row.
    """
    return list(customers(company, q).values_list("pk", flat=True)[:FOLLOWED])


def _of(company: Company, q: str, of: list[int] | None) -> Q:
    return Q(customer_id__in=followed(company, q) if of is None else of)


def _called(company: Company, q: str) -> Q:
    """By name: that of its plan, in any language, or its own where it has none."""
    plans = Plan.objects.filter(company=company).values_list("pk", "name")
    called = [pk for pk, names in plans if any(q.casefold() in name.casefold() for name in names.values())]
    return Q(plan_id__in=called) | Q(plan__isnull=True, name__icontains=q)


def subscriptions(company: Company, q: str, of: list[int] | None = None) -> QuerySet[Subscription]:
    """Subscriptions with this number, external id, order reference or name, or of such customers."""
    rows, q = Subscription.objects.filter(company=company), cleaned(q)
    if not q:
        return rows
    if (by_id := _outside(Subscription, q)) is not None:
        return rows.filter(by_id)
    key = _key(q, Subscription.PREFIX.upper())
    if key is not None and q.upper().startswith("SUB-"):
        return rows.filter(pk=key)
    wanted = Q(external_id=q) | Q(po_reference=q) | _called(company, q) | _of(company, q, of)
    return rows.filter(wanted | Q(pk=key) if key is not None else wanted)


def numbered(company: Company, series: str, q: str) -> Q | None:
    """Documents with this printed number, or (digits alone) this number in any year; None for any other text."""
    groups = [int(group) for group in re.findall(r"[0-9]+", q) if len(group) <= 18]
    if not groups or len(groups) > 4:
        return None
    years = NumberSeries.objects.filter(company=company, series=series).values_list("year", flat=True)
    places = Q(pk__in=[])
    for year in years:
        places |= Q(year=year, sequence__in=groups)
    return places if q.isascii() and q.isdigit() else places & Q(number__iexact=q)


def _documents(model: Any, series: str, company: Company, q: str, of: list[int] | None) -> QuerySet[Any]:
    rows, q = model.objects.filter(company=company), cleaned(q)
    if not q:
        return rows
    if (by_id := _outside(model, q)) is not None:
        return rows.filter(by_id)
    wanted = _of(company, q, of)
    if (by_number := numbered(company, series, q)) is not None:
        wanted |= by_number
    return rows.filter(wanted)


def invoices(company: Company, q: str, of: list[int] | None = None) -> QuerySet[Invoice]:
    """Invoices with this number, or of customers the text finds."""
    return _documents(Invoice, "invoice", company, q, of)


def credit_notes(company: Company, q: str, of: list[int] | None = None) -> QuerySet[CreditNote]:
    """Credit notes with this number, or of customers the text finds."""
    return _documents(CreditNote, "credit_note", company, q, of)


def payments(company: Company, q: str, of: list[int] | None = None) -> QuerySet[Payment]:
    """Payments whose reference holds the text, or of customers the text finds."""
    rows, q = Payment.objects.filter(company=company), cleaned(q)
    if not q:
        return rows
    if (by_id := _outside(Payment, q)) is not None:
        return rows.filter(by_id)
    # The index holds no empty ones, and that has to be said.
    return rows.filter(Q(reference__icontains=q) & ~Q(reference="") | _of(company, q, of))


def exact(company: Company, model: Any, q: str) -> Any:
    """The one row of a kind that has exactly this number or outside id, or None; for one merged, the one that stays."""
    row = _exact(company, model, q)
    return merged.standing(row) if isinstance(row, Customer) else row


def _exact(company: Company, model: Any, q: str) -> Any:
    q = cleaned(q)
    by_id = _outside(model, q)
    if by_id is not None:
        return model.objects.filter(by_id, company=company).first()
    if model in (Customer, Subscription):
        key = _key(q, model.PREFIX.upper())
        if key is None or not q.upper().startswith(model.PREFIX.upper()):
            return None
        return model.objects.filter(company=company, pk=key).first()
    if model in (Invoice, CreditNote) and not q.isdigit():
        by_number = numbered(company, "invoice" if model is Invoice else "credit_note", q)
        return None if by_number is None else model.objects.filter(by_number, company=company).first()
    return None
