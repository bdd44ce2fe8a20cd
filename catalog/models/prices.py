"""What a plan consists of, and what each part costs: prices by version, in all charge models and several currencies.

The rule that matters: a sold price never changes; a new version follows it.
"""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned

from .meters import Meter
from .offers import Plan, Product, TaxBehavior


class PlanItem(CompanyOwned, Addressed):
    """A product in a plan; subscriptions get a slot for it."""

    PREFIX = "pli"

    class Kind(models.TextChoices):
        RECURRING = "recurring", _("each period")
        USAGE = "usage", _("by usage")
        ONE_OFF = "one_off", _("once")

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="items", help_text=_("The plan."))
    product = models.ForeignKey(Product, models.PROTECT, related_name="plan_items", help_text=_("What is sold."))
    position = models.PositiveSmallIntegerField(default=1, help_text=_("Order on documents."))
    kind = models.CharField(
        _("charged"),
        max_length=9,
        choices=Kind.choices,
        default=Kind.RECURRING,
        db_default="recurring",
        help_text=_("For each period, for what was used, or once."),
    )
    meter = models.ForeignKey(
        Meter,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="plan_items",
        verbose_name=_("meter"),
        help_text=_("What counts the usage."),
    )
    is_optional = models.BooleanField(
        _("add-on"), default=False, db_default=False, help_text=_("Only part of a subscription when chosen.")
    )
    quantity = models.DecimalField(
        _("quantity"),
        max_digits=20,
        decimal_places=6,
        default=1,
        validators=[MinValueValidator(0)],
        help_text=_("Usual number of units."),
    )
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Not part of new sales since."))

    class Meta:
        ordering = ("position", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="plan_item_company_key"),
            models.CheckConstraint(
                condition=Q(kind="usage", meter__isnull=False) | (~Q(kind="usage") & Q(meter__isnull=True)),
                name="plan_item_usage_has_a_meter",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id}/{self.product_id}"


class Price(CompanyOwned, Addressed):
    """One version of an item's price in one currency. A sold price never changes: a new version follows it."""

    PREFIX = "prc"

    class Model(models.TextChoices):
        FLAT = "flat", _("flat")
        PER_UNIT = "per_unit", _("per unit")
        GRADUATED = "graduated", _("graduated")
        VOLUME = "volume", _("volume")
        PACKAGE = "package", _("package")
        PERCENTAGE = "percentage", _("percentage")
        GRADUATED_PERCENTAGE = "graduated_percentage", _("graduated percentage")

    class Billed(models.TextChoices):
        ADVANCE = "advance", _("in advance")
        ARREARS = "arrears", _("in arrears")

    item = models.ForeignKey(PlanItem, models.PROTECT, related_name="prices", help_text=_("What it prices."))
    version = models.PositiveIntegerField(help_text=_("Counts from 1 per item and currency."))
    valid_from = models.DateField(
        _("valid from"), help_text=_("First day new sales get it, in the company's time zone.")
    )
    currency = models.CharField(_("currency"), max_length=3, help_text=_("ISO 4217."))
    model = models.CharField(
        _("model"), max_length=20, choices=Model.choices, default=Model.PER_UNIT, help_text=_("How quantity counts.")
    )
    unit_amount = models.DecimalField(
        _("amount"), max_digits=20, decimal_places=10, help_text=_("Price of one unit, or the flat price, per cycle.")
    )
    details = models.JSONField(
        _("details"),
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("What the model needs beside the amount: tiers, package size, rate, fee, free units and the like."),
    )
    minimum_amount = models.DecimalField(
        _("minimum"),
        max_digits=20,
        decimal_places=10,
        null=True,
        blank=True,
        help_text=_("Least charge per period; what is missing is charged at its end."),
    )
    tax_behavior = models.CharField(
        _("tax"), max_length=9, choices=TaxBehavior.choices, default=TaxBehavior.EXCLUSIVE, help_text=_("Net or gross.")
    )
    billed = models.CharField(
        _("billed"),
        max_length=7,
        choices=Billed.choices,
        default=Billed.ADVANCE,
        help_text=_("Before or after the period."),
    )
    is_prorated = models.BooleanField(
        _("prorated"), default=True, help_text=_("Otherwise a started period costs the full price.")
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was made."))

    class Meta:
        ordering = ("item_id", "currency", "-version")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["item", "currency", "version"], name="price_version_unique"),
            models.UniqueConstraint(fields=["item", "currency", "valid_from"], name="price_valid_from_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="price_company_key"),
            models.CheckConstraint(
                condition=Q(unit_amount__gte=0) & Q(unit_amount__lt=10**10), name="price_amount_is_a_number_from_zero"
            ),
            models.CheckConstraint(
                condition=Q(minimum_amount__isnull=True) | Q(minimum_amount__gte=0, minimum_amount__lt=10**14),
                name="price_minimum_is_a_number_from_zero",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit_amount} {self.currency} v{self.version}"
