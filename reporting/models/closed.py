"""Months of recurring revenue that are closed: sums that no later movement changes, kept so that reports need no scan.

The rule that matters: they are sums of facts and nothing else; taken away and added up anew they say the same.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models import Campaign, Plan, Product
from core.models import CompanyKeyed, CompanyOwned


class ClosedMonth(CompanyOwned):
    """A month whose books are closed and whose revenue is summed up."""

    month = models.DateField(help_text=_("Its first day."))
    closed_at = models.DateTimeField(help_text=_("When it was summed up, by the company's clock."))
    rates = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("Units of each currency for one euro at the month's end, as stored when it was summed up."),
    )
    totals = models.JSONField(
        default=dict, blank=True,
        help_text=_("Change of monthly revenue of everything together, in minor units, by currency and kind."),
    )  # fmt: skip
    touch_id = models.BigIntegerField(
        default=0, help_text=_("The last word on what brought a customer that was known then.")
    )

    class Meta:
        verbose_name = _("closed month")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "month"], name="closed_month_once"),
            models.UniqueConstraint(fields=["company", "id"], name="closed_month_company_key"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ClosedRevenue(CompanyKeyed):
    """Movements of one closed month, summed up under one value of everything they may be divided by."""

    closed = models.ForeignKey(
        ClosedMonth, models.PROTECT, related_name="revenue", db_constraint=False, help_text=_("Which month.")
    )
    month = models.DateField(help_text=_("Its first day."))
    kind = models.CharField(max_length=12, help_text=_("The movements' kind, or moved."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The plan at the time."),
    )  # fmt: skip
    product = models.ForeignKey(
        Product, models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The product at the time."),
    )  # fmt: skip
    country = models.CharField(max_length=2, blank=True, help_text=_("Country of the billing address at the time."))
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The campaign that brought the customers; empty: none is known."),
    )  # fmt: skip
    source = models.CharField(
        max_length=80, blank=True, help_text=_("Where the customers came from; empty: not known.")
    )
    cohort_on = models.DateField(help_text=_("First day of the month of the customers' first movement."))
    amount_minor = models.BigIntegerField(help_text=_("Change of monthly revenue, in minor units."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "month"], name="closed_revenue_by_month")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.kind} {self.amount_minor} {self.currency}"


class ClosedCustomers(CompanyKeyed):
    """Customers who came and went in one closed month, under one value of one dimension; of all, without one."""

    closed = models.ForeignKey(
        ClosedMonth, models.PROTECT, related_name="customers", db_constraint=False, help_text=_("Which month.")
    )
    month = models.DateField(help_text=_("Its first day."))
    currency = models.CharField(
        max_length=3, blank=True, help_text=_("ISO 4217; empty: a customer of several counts once.")
    )
    dimension = models.CharField(max_length=10, blank=True, help_text=_("What is divided by; empty: nothing."))
    value = models.CharField(max_length=80, blank=True, help_text=_("Its value, as facts hold it; empty: none."))
    gained = models.IntegerField(help_text=_("Had nothing before and something at the month's end."))
    returned = models.IntegerField(help_text=_("Had something once, nothing at its start, something at its end."))
    lost = models.IntegerField(help_text=_("Had something at its start and nothing at its end."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "dimension", "month"], name="closed_customers_by_month")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.dimension} {self.value}"
