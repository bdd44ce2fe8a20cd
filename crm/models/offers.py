"""Offers that a reminder can carry: a discount of the catalog, for so many days, in the customer's language.

The rule that matters: an offer has no arithmetic of its own; taken, it is a discount given to the subscription.
"""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Discount
from core.models import NAME_LENGTH, Addressed, CompanyKeyed


class Offer(CompanyKeyed, Addressed):
    """What a customer gets who stays, until when, and how often."""

    PREFIX = "rof"

    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name shown to staff."))
    discount = models.ForeignKey(
        Discount,
        models.PROTECT,
        related_name="+",
        db_constraint=False,
        verbose_name=_("discount"),
        help_text=_("What is given: percent or amount, for so many periods."),
    )
    words = models.JSONField(
        _("words"), default=dict, blank=True, help_text=_("What is offered, by language, as the customer reads it.")
    )
    valid_days = models.PositiveSmallIntegerField(
        _("valid for"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text=_("Days from the reminder on which it can be taken."),
    )
    customer_limit = models.PositiveSmallIntegerField(
        _("times per customer"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("How often one customer can take it."),
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("No longer made or taken since."))

    class Meta:
        verbose_name = _("offer")
        ordering = ("name", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="offer_company_key"),
            models.CheckConstraint(
                condition=Q(valid_days__range=(1, 365), customer_limit__range=(1, 100)), name="offer_limits_in_range"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-id"], name="offer_by_age")]

    def __str__(self) -> str:
        return self.name
