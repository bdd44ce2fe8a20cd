"""Who acts and when, and short ways to rows."""

from __future__ import annotations

from datetime import UTC, datetime

from catalog.models import TaxCategory
from core.actors import Actor
from core.models import Company

BY = Actor.system("tests")
AT = datetime(2026, 3, 15, 10, 0, tzinfo=UTC)


def company_category(company: Company, code: str) -> TaxCategory:
    return TaxCategory.objects.get(company=company, code=code)
