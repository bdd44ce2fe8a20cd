"""Proof of what was asked about a VAT id, and what the answer was."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import CompanyOwned

from .customer import Customer


class VatCheck(CompanyOwned):
    """One question to the tax authorities' service and its answer; kept as proof."""

    class Answer(models.TextChoices):
        VALID = "valid", _("valid")
        INVALID = "invalid", _("invalid")
        UNAVAILABLE = "unavailable", _("no answer")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="vat_checks", help_text=_("Whose VAT id was asked about.")
    )
    vat_id = models.CharField(max_length=20, help_text=_("As it was asked."))
    answer = models.CharField(max_length=11, choices=Answer.choices, help_text=_("What the service said."))
    name = models.CharField(max_length=300, blank=True, help_text=_("Name the service knows, if it tells."))
    address = models.TextField(blank=True, help_text=_("Address the service knows, if it tells."))
    proof = models.CharField(max_length=120, blank=True, help_text=_("The service's own number for the question."))
    detail = models.CharField(max_length=500, blank=True, help_text=_("Why there is no answer."))
    asked_at = models.DateTimeField(help_text=_("When it was asked, by the company's clock."))

    class Meta:
        verbose_name = _("VAT id check")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["customer", "-id"], name="vat_check_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.vat_id}: {self.answer}"
