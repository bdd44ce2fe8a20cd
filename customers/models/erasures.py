"""That a customer was erased: when, by whom, and what the law still keeps."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import CompanyOwned

from .customer import Customer


class Erasure(CompanyOwned):
    """One customer whose personal data were blanked, for good. Holds none itself."""

    customer = models.OneToOneField(
        Customer, models.PROTECT, related_name="erasure", help_text=_("Whose data were blanked.")
    )
    at = models.DateTimeField(help_text=_("When, by the company's clock."))
    by = models.CharField(max_length=120, help_text=_("Who or what did it."))
    blanked = models.JSONField(default=dict, help_text=_("How many rows of each kind were blanked."))
    kept = models.JSONField(default=list, help_text=_("What stays: kind, number of rows, last day, law and source."))
    keep_until_on = models.DateField(null=True, help_text=_("Last day on which the law makes anything be kept."))

    class Meta:
        verbose_name = _("erasure")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d}"
