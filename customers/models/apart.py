"""That two customers who look alike are two."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.models import CompanyKeyed

from .customer import Customer


class Apart(CompanyKeyed):
    """A pair that somebody looked at and found to be two customers: it is not shown as duplicates again."""

    first = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The older of the two."),
    )  # fmt: skip
    second = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, help_text=_("The younger of the two.")
    )
    by = models.CharField(max_length=120, help_text=_("Who said so."))
    at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        verbose_name = _("two customers")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["first", "second"], name="apart_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="apart_older_first"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} ≠ {self.second_id}"
