"""Tax categories of products and the dated table of rates. No rate stands in code."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import CompanyOwned


class TaxCategory(CompanyOwned):
    """What kind of supply a product is; decides where and at which level it is taxed."""

    class Supply(models.TextChoices):
        ELECTRONIC = "electronic", _("electronic service")
        GENERAL = "general", _("other service")
        PLACE_BOUND = "place_bound", _("service bound to a place")
        GOODS = "goods", _("goods")

    class Level(models.TextChoices):
        STANDARD = "standard", _("standard rate")
        REDUCED = "reduced", _("reduced rate")
        ZERO = "zero", _("zero rate")
        EXEMPT = "exempt", _("exempt")

    code = models.SlugField(_("code"), max_length=40, help_text=_("Short name, unique in the company."))
    name = models.CharField(_("name"), max_length=80, help_text=_("Name shown to staff."))
    supply = models.CharField(
        _("kind of supply"),
        max_length=12,
        choices=Supply.choices,
        default=Supply.ELECTRONIC,
        help_text=_("Decides the place of taxation."),
    )
    level = models.CharField(
        _("level"),
        max_length=10,
        choices=Level.choices,
        default=Level.STANDARD,
        help_text=_("Which of a country's rates applies."),
    )

    class Meta:
        verbose_name = _("tax category")
        verbose_name_plural = _("tax categories")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="tax_category_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="tax_category_company_key"),
        ]

    def __str__(self) -> str:
        return self.name


class TaxRate(CompanyOwned):
    """A country's or region's rate for one level from a day on."""

    class Origin(models.TextChoices):
        SHIPPED = "shipped", _("table shipped with Turnus")
        PERSON = "person", _("entered here")

    class Place(models.TextChoices):
        OWN = "", _("its own, whoever buys")
        INSIDE = "S", _("a region inside the VAT area")
        OUTSIDE = "O", _("a territory outside the VAT area")

    country = models.CharField(_("country"), max_length=2, help_text=_("ISO 3166 code."))
    region = models.CharField(
        _("region"), max_length=10, blank=True, help_text=_("Special territory or state; empty: the whole country.")
    )
    level = models.CharField(
        _("level"), max_length=10, choices=TaxCategory.Level.choices, help_text=_("Which kind of rate.")
    )
    percent = models.DecimalField(_("percent"), max_digits=6, decimal_places=3, help_text=_("Such as 19 or 5.5."))
    valid_from = models.DateField(_("valid from"), help_text=_("First day it holds."))
    source = models.CharField(_("source"), max_length=200, blank=True, help_text=_("Where the figure comes from."))
    tax_category = models.CharField(
        _("kind of place"),
        max_length=2,
        choices=Place.choices,
        blank=True,
        default=Place.OWN,
        db_default="",
        help_text=_("For regions: outside the VAT area nothing is charged; inside it VAT ids count as everywhere."),
    )
    origin = models.CharField(
        _("origin"),
        max_length=7,
        choices=Origin.choices,
        default=Origin.PERSON,
        db_default="person",
        editable=False,
        help_text=_("Who put the row here; what a person entered is never changed by an update of the table."),
    )
    is_checked = models.BooleanField(
        _("checked"),
        default=True,
        db_default=True,
        help_text=_("Whether figure and first day were compared with a published source."),
    )

    class Meta:
        verbose_name = _("tax rate")
        ordering = ("country", "region", "level", "-valid_from")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["company", "country", "region", "level", "valid_from"], name="tax_rate_unique"
            ),
            models.CheckConstraint(condition=Q(percent__gte=0) & Q(percent__lte=100), name="tax_rate_percent_range"),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.region} {self.level} {self.percent} %"

    @property
    def ref(self) -> str:
        """What it is for names it: country, region, level and first day."""
        return f"{self.country}.{self.region}.{self.level}.{self.valid_from}"
