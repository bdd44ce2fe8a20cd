"""Recurring revenue as facts: each movement with everything it may be divided by, as it was on the day it counts for.

The rule that matters: it is a view over history. Where a position passes from one plan, product or country to another,
two facts of the kind `moved` take its revenue along, so that opening + facts = closing for each of them.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models import Campaign, Plan, Product
from core.models import CompanyKeyed
from customers.models import Customer
from subscriptions.models import Slot, Subscription


class RevenueFact(CompanyKeyed):
    """One movement, or one side of a transfer of revenue between plans, products or countries."""

    #: The kind of a transfer; the two sides of one add up to nothing.
    MOVED = "moved"

    id = models.BigIntegerField(primary_key=True, help_text=_("The movement's; below zero for a transfer."))
    customer = models.ForeignKey(
        Customer, models.DO_NOTHING, related_name="+", db_constraint=False, help_text=_("Whose revenue.")
    )
    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, related_name="+", db_constraint=False, help_text=_("Which subscription.")
    )
    slot = models.ForeignKey(
        Slot, models.DO_NOTHING, related_name="+", db_constraint=False, help_text=_("Which position.")
    )
    kind = models.CharField(max_length=12, help_text=_("The movement's kind, or moved."))
    cause = models.CharField(max_length=40, help_text=_("Verb that caused it."))
    reason = models.CharField(max_length=40, help_text=_("Reason code, if one was given."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Change of monthly revenue, in minor units."))
    effective_on = models.DateField(help_text=_("First day the new amount holds."))
    booked_on = models.DateField(help_text=_("Day it counts for."))
    plan = models.ForeignKey(
        Plan, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("The plan on that day.")
    )
    product = models.ForeignKey(
        Product, models.DO_NOTHING, related_name="+", db_constraint=False, help_text=_("The product on that day.")
    )
    country = models.CharField(max_length=2, help_text=_("Country of the billing address on that day."))
    campaign = models.ForeignKey(
        Campaign, models.DO_NOTHING, null=True, related_name="+", db_constraint=False,
        help_text=_("The campaign that brought the customer; empty: none is known."),
    )  # fmt: skip
    source = models.CharField(max_length=80, help_text=_("Where the customer came from; empty: not known."))
    cohort_on = models.DateField(help_text=_("First day of the month of the customer's first movement."))

    class Meta:
        managed = False
        db_table = "reporting_revenuefact"

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"
