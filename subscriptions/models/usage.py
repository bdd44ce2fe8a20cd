"""Usage as it comes in: events, unique by meter and event id, and their sums by day.

The rule that matters: an event is stored once and never changed; sums by day are only a shorter way to the same figure.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Meter
from core.models import CompanyKeyed

from .agreement import Subscription
from .slots import Slot


class UsageEvent(CompanyKeyed):
    """One event of a meter for a subscription."""

    meter = models.ForeignKey(
        Meter, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("What counts it.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("Whose usage.")
    )
    event_id = models.CharField(max_length=120, help_text=_("Id given by the sender; counted once per meter."))
    at = models.DateTimeField(help_text=_("When it happened."))
    value = models.DecimalField(
        max_digits=30, decimal_places=10, help_text=_("Quantity, level or amount; 1 where events are counted.")
    )
    key = models.CharField(
        max_length=200, blank=True, help_text=_("What is counted once where different values count.")
    )
    received_at = models.DateTimeField(help_text=_("When it came in, by the company's clock."))

    class Meta:
        verbose_name = _("usage event")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["meter", "event_id"], name="usage_event_unique"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription", "meter", "at"], name="usage_event_by_subscription"),
            BrinIndex(fields=["received_at"], name="usage_event_by_time"),
        ]

    def __str__(self) -> str:
        return self.event_id


class UsageDay(CompanyKeyed):
    """The sum of a meter's events of one day, in the subscription's zone."""

    meter = models.ForeignKey(
        Meter, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("What counts.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("Whose usage.")
    )
    day = models.DateField(help_text=_("Day in the subscription's zone."))
    event_count = models.BigIntegerField(help_text=_("Number of events."))
    value_sum = models.DecimalField(max_digits=38, decimal_places=10, help_text=_("Sum of the values."))
    value_max = models.DecimalField(max_digits=30, decimal_places=10, help_text=_("Highest value."))
    latest_at = models.DateTimeField(help_text=_("Time of the latest event."))
    latest_value = models.DecimalField(max_digits=30, decimal_places=10, help_text=_("Its value."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["subscription", "meter", "day"], name="usage_day_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.day}: {self.value_sum}"


class UsageRefusal(CompanyKeyed):
    """An event that was known by its meter and subscription, and not counted; listed, so that nothing is lost."""

    meter = models.ForeignKey(
        Meter, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("Its meter.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("Whose usage.")
    )
    event_id = models.CharField(max_length=120, help_text=_("Id given by the sender."))
    at = models.DateTimeField(help_text=_("When it happened, as sent."))
    value = models.DecimalField(max_digits=30, decimal_places=10, help_text=_("Value, as sent."))
    key = models.CharField(max_length=200, blank=True, help_text=_("Key, as sent."))
    code = models.CharField(max_length=60, help_text=_("Why it does not count, as a code."))
    received_at = models.DateTimeField(help_text=_("When it came in first, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["meter", "event_id", "code"], name="usage_refusal_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription", "-id"], name="usage_refusal_by_subscription"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id}: {self.code}"


class UsageThreshold(CompanyKeyed):
    """A quantity or cost within a period whose passing is told."""

    slot = models.ForeignKey(
        Slot, models.PROTECT, related_name="thresholds", db_constraint=False, help_text=_("Whose usage.")
    )
    quantity = models.DecimalField(max_digits=20, decimal_places=6, null=True, help_text=_("Quantity; or a cost."))
    cost_minor = models.BigIntegerField(null=True, help_text=_("Cost so far, in minor units; or a quantity."))
    told_for_on = models.DateField(null=True, help_text=_("Start of the period it was last told for."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(quantity__isnull=False, cost_minor__isnull=True)
                | Q(quantity__isnull=True, cost_minor__isnull=False),
                name="usage_threshold_quantity_or_cost",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot_id}: {self.quantity or self.cost_minor}"
