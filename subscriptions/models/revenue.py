"""Recurring revenue as history: one row for each change, appended and never changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.models import CompanyKeyed
from customers.models import Customer

from .agreement import Subscription
from .slots import Slot


class Movement(CompanyKeyed):
    """A change of recurring revenue, written when it takes effect and never changed."""

    class Kind(models.TextChoices):
        NEW = "new", _("new")
        EXPANSION = "expansion", _("expansion")
        CONTRACTION = "contraction", _("contraction")
        CHURN = "churn", _("churn")
        REACTIVATION = "reactivation", _("reactivation")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, help_text=_("Whose revenue.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="movements", db_constraint=False, help_text=_("Which subscription.")
    )
    slot = models.ForeignKey(
        Slot, models.PROTECT, related_name="+", db_constraint=False, help_text=_("Which position.")
    )
    kind = models.CharField(max_length=12, choices=Kind.choices, help_text=_("What it was for the customer."))
    cause = models.CharField(max_length=40, help_text=_("Verb that caused it, such as subscription.cancel."))
    reason = models.CharField(max_length=40, blank=True, help_text=_("Reason code, if one was given."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Change of monthly revenue, in minor units."))
    effective_on = models.DateField(help_text=_("First day the new amount holds."))
    booked_on = models.DateField(help_text=_("Day it counts for; later than effective when that month was closed."))
    written_at = models.DateTimeField(auto_now_add=True, help_text=_("When the row was written."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="movement_is_not_zero"),
            models.CheckConstraint(condition=Q(booked_on__gte=F("effective_on")), name="movement_booked_not_before"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "booked_on"], name="movement_by_day"),
            models.Index(fields=["customer", "currency", "id"], name="movement_by_customer"),
            models.Index(fields=["subscription", "id"], name="movement_by_subscription"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"
