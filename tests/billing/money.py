"""What tests of money end with: an unbroken chain, books that balance, days billed once."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.models import Company


def sound(company: Company, on: date | None = None) -> dict[str, int]:
    """Checks chain, books and days up to that day (the company's today); balances by account code, debit above zero."""
    from billing.services import books, tiling
    from billing.services.chain import verify_chain
    from core import clock

    assert verify_chain(company) == []
    rows = books.trial_balance(company, date(2030, 1, 1))
    assert sum(balance for *_, balance in rows) == 0
    assert tiling.check(company, on or clock.today(company)) == []
    return {code: balance for code, _, _, balance in rows if balance}


def left(credit: Any) -> int:
    """What is left of a credit, in minor units."""
    credit.balance.refresh_from_db()
    return int(credit.balance.left_minor)
