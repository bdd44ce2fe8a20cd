"""What was rated: usage windows with the line that bills them, uses of discounts, and exchange rates of documents.

The rule that matters: a window is two instants, and the next starts where it ended.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.models import CompanyKeyed
from subscriptions.models import AgreedDiscount, Slot


class RatedUsage(CompanyKeyed):
    """Usage of a slot in a window, as it was rated; a late event rates the window again in a further row."""

    class Kind(models.TextChoices):
        CLOSED = "closed", _("at the close")
        INTERIM = "interim", _("before the close")
        LATE = "late", _("after the close")

    slot = models.ForeignKey(
        Slot, models.PROTECT, related_name="rated", db_constraint=False, help_text=_("Whose usage.")
    )
    kind = models.CharField(max_length=7, choices=Kind.choices, help_text=_("When it was rated."))
    start_at = models.DateTimeField(help_text=_("First instant it covers."))
    end_at = models.DateTimeField(help_text=_("First instant it no longer covers."))
    period_start = models.DateField(help_text=_("First day of its period."))
    period_end = models.DateField(help_text=_("First day after its period."))
    quantity = models.DecimalField(max_digits=38, decimal_places=10, help_text=_("What the meter says."))
    cost_minor = models.BigIntegerField(help_text=_("Cost of the whole window so far, in minor units."))
    billed_minor = models.BigIntegerField(
        help_text=_("Part of it that this row's line bills, or (below zero) gives back.")
    )
    line_id = models.BigIntegerField(null=True, help_text=_("Invoice line; empty: it cost nothing."))
    note_id = models.BigIntegerField(null=True, help_text=_("Credit note that gives back."))
    rated_at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(end_at__gt=F("start_at")), name="rated_usage_window"),
            models.UniqueConstraint(
                fields=["slot", "start_at"], name="rated_usage_closed_once", condition=Q(kind="closed")
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["slot", "start_at", "id"], name="rated_usage_by_slot")
        ]

    def __str__(self) -> str:
        return f"{self.slot_id} {self.period_start}: {self.quantity}"


class DiscountUse(CompanyKeyed):
    """One use of an agreed discount: on which line, how much, and whether it used up a period."""

    agreed = models.ForeignKey(
        AgreedDiscount, models.PROTECT, related_name="uses", db_constraint=False, help_text=_("Which discount.")
    )
    line_id = models.BigIntegerField(null=True, help_text=_("Invoice line; empty: a document that was not issued."))
    due_on = models.DateField(help_text=_("Day the charge fell due."))
    amount_minor = models.BigIntegerField(help_text=_("Taken off, in minor units; below zero: given back."))
    period_used = models.BooleanField(help_text=_("Whether a whole period of the discount was used up."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["agreed", "id"], name="discount_use_by_discount"),
            models.Index(fields=["line_id"], name="discount_use_by_line"),
        ]

    def __str__(self) -> str:
        return f"{self.agreed_id}: {self.amount_minor}"


class ExchangeRate(models.Model):
    """A reference rate of the European Central Bank: units of a currency for one euro."""

    day = models.DateField(help_text=_("Day of the rate."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    rate = models.DecimalField(max_digits=20, decimal_places=10, help_text=_("Units of the currency for one euro."))
    source = models.CharField(max_length=200, help_text=_("Where the figure comes from."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["currency", "day"], name="exchange_rate_unique"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="exchange_rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.currency} {self.rate}"
