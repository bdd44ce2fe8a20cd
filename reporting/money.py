"""The reports of money: imported once, so that each registers itself and its rows."""

from __future__ import annotations

from reporting import (
    accounts_of_customers,
    booked_revenue,
    bridge,
    cash,
    coming,
    journal,
    payments,
    receivables,
    revenue_recognition,
    rows_bridge,
    rows_money,
    taxes_due,
)

__all__ = [
    "accounts_of_customers",
    "booked_revenue",
    "bridge",
    "cash",
    "coming",
    "journal",
    "payments",
    "receivables",
    "revenue_recognition",
    "rows_bridge",
    "rows_money",
    "taxes_due",
]
