"""Whether the books say what the documents say: postings balance, receivables are what invoices and claims are owed.

The rule that matters: it is read from the rows themselves, in a fixed number of queries, and never repaired here.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum

from billing.models import Account, Claim, InvoiceBalance, Posting
from core.models import Company


@dataclass(frozen=True, slots=True)
class Check:
    """One currency: the sum of all postings (zero), receivables in the books, and what is owed. Minor units."""

    currency: str
    sum_minor: int
    booked_minor: int
    invoices_minor: int
    claims_minor: int

    @property
    def owed_minor(self) -> int:
        return self.invoices_minor + self.claims_minor

    @property
    def is_right(self) -> bool:
        return self.sum_minor == 0 and self.booked_minor == self.owed_minor


def check(company: Company) -> list[Check]:
    """By currency; a company without postings has none."""
    postings = Posting.objects.filter(company=company)
    sums = _by_currency(postings, "amount_minor")
    booked = _by_currency(postings.filter(account__role=Account.Role.RECEIVABLE), "amount_minor")
    open_ = InvoiceBalance.objects.filter(company_id=company.pk, status=InvoiceBalance.Status.OPEN)
    invoices = _by_currency(open_, "open_minor")
    claims = _by_currency(Claim.objects.filter(company=company, status=Claim.Status.OPEN), "amount_minor")
    return [
        Check(code, sums.get(code, 0), booked.get(code, 0), invoices.get(code, 0), claims.get(code, 0))
        for code in sorted(sums.keys() | invoices.keys() | claims.keys())
    ]


def _by_currency(rows: object, column: str) -> dict[str, int]:
    found = rows.order_by().values_list("currency").annotate(total=Sum(column))  # type: ignore[attr-defined]
    return {currency: int(total) for currency, total in found}
