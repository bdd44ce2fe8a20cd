"""Segments: saved rules that say which customers are meant.

The rule that matters: a segment keeps its rules, never its members; who belongs is asked each time.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import NAME_LENGTH, Addressed, CompanyOwned


class Segment(CompanyOwned, Addressed):
    """Customers by rules, such as yearly, renews within 60 days, no card."""

    PREFIX = "seg"

    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name shown to staff."))
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("What it is for."))
    rules = models.JSONField(_("rules"), default=dict, help_text=_("Conditions in groups; see the list of fields."))
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    changed_at = models.DateTimeField(help_text=_("When it was last changed, by the company's clock."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Hidden since."))

    class Meta:
        verbose_name = _("segment")
        ordering = ("name", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="segment_company_key"),
            models.UniqueConstraint(
                fields=["company", "name"], name="segment_name_unique", condition=Q(archived_at__isnull=True)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-id"], name="segment_by_age")]

    def __str__(self) -> str:
        return self.name
