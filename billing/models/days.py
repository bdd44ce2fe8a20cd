"""Which days of a slot are billed. The database refuses a day that is billed twice."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import CompanyKeyed
from subscriptions.models import Slot

from .documents import InvoiceLine


class BilledDays(CompanyKeyed):
    """A run of days of one slot and component on one invoice line; a credit note releases them."""

    class Kind(models.TextChoices):
        BILLED = "billed", _("billed")
        FORFEITED = "forfeited", _("forfeited")

    slot = models.ForeignKey(
        Slot, models.PROTECT, related_name="billed_days", db_constraint=False, help_text=_("Whose days.")
    )
    component = models.CharField(
        max_length=40, default="base", help_text=_("What was billed: base, added units, minimum.")
    )
    days = DateRangeField(help_text=_("The days, half open."))
    line = models.ForeignKey(
        InvoiceLine,
        models.PROTECT,
        null=True,
        related_name="days",
        db_constraint=False,
        db_index=False,
        help_text=_("Line that bills them; empty: a period that cost nothing and was not issued."),
    )
    kind = models.CharField(
        max_length=9, choices=Kind.choices, default=Kind.BILLED, help_text=_("Billed or forfeited.")
    )
    released_at = models.DateTimeField(null=True, help_text=_("When a credit note gave them back."))
    released_by = models.BigIntegerField(null=True, help_text=_("That credit note's id."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            ExclusionConstraint(
                name="billed_days_never_overlap",
                expressions=[
                    ("slot", RangeOperators.EQUAL),
                    ("component", RangeOperators.EQUAL),
                    ("days", RangeOperators.OVERLAPS),
                ],
                condition=Q(released_at__isnull=True),
            ),
            models.CheckConstraint(condition=Q(days__isempty=False), name="billed_days_not_empty"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["line"], name="billed_days_by_line")]

    def __str__(self) -> str:
        return f"{self.slot_id} {self.component} {self.days}"
