"""Discounts as templates, the codes customers enter for them, and the campaigns they belong to."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned

from .offers import Product


class Campaign(CompanyOwned, Addressed):
    """A name under which the effect of discounts is watched."""

    PREFIX = "cmp"

    code = models.SlugField(_("code"), max_length=60, help_text=_("Short name, unique in the company."))
    name = models.CharField(_("name"), max_length=120, help_text=_("Name shown to staff."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Hidden since."))

    class Meta:
        verbose_name = _("campaign")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="campaign_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="campaign_company_key"),
        ]

    def __str__(self) -> str:
        return self.code


class DiscountRules(models.Model):
    """What a discount takes off and for how long: the same columns on a template and on what is agreed from it."""

    class Duration(models.TextChoices):
        ONCE = "once", _("once")
        PERIODS = "periods", _("for a number of periods")
        FOREVER = "forever", _("for good")

    class Scope(models.TextChoices):
        EVERYTHING = "everything", _("everything")
        PRODUCT = "product", _("one product")
        PRICE = "price", _("one price")

    percent = models.DecimalField(
        _("percent"), max_digits=6, decimal_places=3, null=True, blank=True, help_text=_("Percent off; or an amount.")
    )
    amount_minor = models.BigIntegerField(
        _("amount"), null=True, blank=True, help_text=_("Amount off a period, in minor units; or a percent.")
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, help_text=_("Of the amount, ISO 4217."))
    duration = models.CharField(
        _("duration"), max_length=7, choices=Duration.choices, default=Duration.FOREVER, help_text=_("How long.")
    )
    periods = models.PositiveSmallIntegerField(
        _("periods"), null=True, blank=True, help_text=_("Number of whole periods it is given for.")
    )
    scope = models.CharField(
        _("applies to"), max_length=10, choices=Scope.choices, default=Scope.EVERYTHING, help_text=_("What it covers.")
    )

    class Meta:
        abstract = True


class Discount(CompanyOwned, Addressed, DiscountRules):
    """A discount that can be given to subscriptions."""

    PREFIX = "dsc"

    code = models.SlugField(_("code"), max_length=60, help_text=_("Short name, unique in the company."))
    name = models.JSONField(_("name"), help_text=_("Name by language, printed on documents."))
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("The product it covers.")
    )
    price = models.ForeignKey(
        "catalog.Price", models.PROTECT, null=True, blank=True, related_name="+", help_text=_("The price it covers.")
    )
    campaign = models.ForeignKey(
        Campaign,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="discounts",
        help_text=_("The campaign it counts towards."),
    )
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Not given anew since."))

    class Meta:
        verbose_name = _("discount")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="discount_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="discount_company_key"),
            models.CheckConstraint(
                condition=Q(percent__isnull=False, amount_minor__isnull=True, currency="")
                | (Q(percent__isnull=True, amount_minor__isnull=False, amount_minor__gt=0) & ~Q(currency="")),
                name="discount_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=True) | Q(percent__gt=0, percent__lte=100), name="discount_percent_range"
            ),
            models.CheckConstraint(
                condition=Q(duration="periods", periods__isnull=False, periods__gte=1)
                | (~Q(duration="periods") & Q(periods__isnull=True)),
                name="discount_periods_counted",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class OfferCode(CompanyOwned, Addressed):
    """A code that gives a discount, within its limits."""

    PREFIX = "ofc"

    discount = models.ForeignKey(Discount, models.PROTECT, related_name="codes", help_text=_("What it gives."))
    code = models.CharField(
        _("code"), max_length=40, help_text=_("What the customer enters; upper case, unique in the company.")
    )
    valid_from = models.DateField(_("valid from"), null=True, blank=True, help_text=_("First day; empty: at once."))
    valid_until = models.DateField(_("valid until"), null=True, blank=True, help_text=_("Last day; empty: for good."))
    total_limit = models.PositiveIntegerField(
        _("limit"), null=True, blank=True, help_text=_("How many uses in all; empty: any number.")
    )
    customer_limit = models.PositiveSmallIntegerField(
        _("limit per customer"), null=True, blank=True, help_text=_("How many uses per customer; empty: any number.")
    )
    first_time_only = models.BooleanField(
        _("new customers only"), default=False, help_text=_("Only before the customer's first subscription.")
    )
    use_count = models.PositiveIntegerField(default=0, help_text=_("Uses so far."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Refused since."))

    class Meta:
        verbose_name = _("offer code")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="offer_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="offer_code_company_key"),
            models.CheckConstraint(
                condition=Q(total_limit__isnull=True) | Q(use_count__lte=F("total_limit")),
                name="offer_code_within_limit",
            ),
        ]

    def __str__(self) -> str:
        return self.code
