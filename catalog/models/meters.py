"""What is counted: a meter turns the events of a subscription into the quantity of a period."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned


class Meter(CompanyOwned, Addressed):
    """How usage is counted. Events name a meter by its code."""

    PREFIX = "mtr"

    class Aggregation(models.TextChoices):
        SUM = "sum", _("sum of the values")
        COUNT = "count", _("number of events")
        UNIQUE_COUNT = "unique_count", _("number of different values")
        MAX = "max", _("highest value")
        LATEST = "latest", _("latest value")
        WEIGHTED_SUM = "weighted_sum", _("values weighted by the time they are held")

    code = models.SlugField(_("code"), max_length=60, help_text=_("Short name, unique in the company."))
    name = models.JSONField(_("name"), help_text=_("Name by language; the company's language is required."))
    aggregation = models.CharField(
        _("counts"), max_length=12, choices=Aggregation.choices, help_text=_("How events become a quantity.")
    )
    unit_name = models.JSONField(
        _("unit"), default=dict, blank=True, help_text=_("What one is called, by language, such as call; may be empty.")
    )
    late_days = models.PositiveSmallIntegerField(
        _("late events"),
        default=90,
        help_text=_("Days after the close of a period in which events still count for it."),
    )
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Takes no new events since."))

    class Meta:
        verbose_name = _("meter")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="meter_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="meter_company_key"),
        ]

    def __str__(self) -> str:
        return self.code
