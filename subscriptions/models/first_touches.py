"""Which campaign brought a customer first.

The rule that matters: it is written once and never changes, so growth by campaign reads the same for ever.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models import Campaign
from core.models import CompanyKeyed
from customers.models import Customer


class FirstTouch(CompanyKeyed):
    """Where a customer came from: the first campaign or source that is known."""

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        help_text=_("Who was brought."),
    )  # fmt: skip
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, related_name="first_touches", db_constraint=False,
        help_text=_("The campaign that brought them; empty: none is known."),
    )  # fmt: skip
    source = models.CharField(
        _("source"), max_length=80, blank=True, help_text=_("Where they came from, in a word; empty: not known.")
    )
    touched_at = models.DateTimeField(help_text=_("When they first got in touch, by the company's clock."))

    class Meta:
        verbose_name = _("first touch")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "customer"], name="first_touch_once"),
        ]

    def __str__(self) -> str:
        return self.source
