"""Changes of what is agreed, planned and done, and what is agreed beside the slots: one-off charges and discounts.

The rule that matters: a change keeps the terms of the morning, so it can be undone until its day and on its day.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Discount, DiscountRules, OfferCode, Plan, Price, Product
from core.models import Addressed, CompanyKeyed

from .agreement import Subscription


class Change(CompanyKeyed, Addressed):
    """One act on a running agreement, from the day it holds."""

    PREFIX = "chg"

    class Kind(models.TextChoices):
        PLAN = "plan", _("change of plan")
        PRICE = "price", _("change of price")
        QUANTITY = "quantity", _("change of quantity")
        ITEMS = "items", _("positions added or removed")
        DAY = "day", _("move of the billing day")
        VERSION = "version", _("move to another price version")
        PAUSE = "pause", _("pause")
        RESUME = "resume", _("resumption")
        SUSPEND = "suspend", _("suspension")
        REINSTATE = "reinstate", _("end of a suspension")

    class Status(models.TextChoices):
        PLANNED = "planned", _("planned")
        DONE = "done", _("done")
        UNDONE = "undone", _("taken back")
        REPLACED = "replaced", _("replaced")

    class Proration(models.TextChoices):
        PRORATE = "prorate", _("to the day")
        NONE = "none", _("from the next period")

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="changes", db_constraint=False, help_text=_("What changes.")
    )
    kind = models.CharField(max_length=9, choices=Kind.choices, help_text=_("What it does."))
    status = models.CharField(max_length=8, choices=Status.choices, help_text=_("Where it stands."))
    effective_on = models.DateField(help_text=_("First day of the new terms."))
    proration = models.CharField(
        max_length=7,
        choices=Proration.choices,
        default=Proration.PRORATE,
        help_text=_("How the running period counts."),
    )
    plan = models.ForeignKey(
        Plan, models.PROTECT, null=True, related_name="+", db_constraint=False, help_text=_("The new plan, if any.")
    )
    values = models.JSONField(
        default=dict, help_text=_("Columns of the subscription that take new values on that day, by name.")
    )
    before = models.JSONField(default=dict, help_text=_("What stood there on the morning of its day; restores it."))
    summary = models.JSONField(default=dict, help_text=_("Figures for people: positions, prices and quantities."))
    reason = models.CharField(max_length=500, blank=True, help_text=_("Why; required for an act dated back."))
    asked_at = models.DateTimeField(help_text=_("When it was asked for, by the company's clock."))
    closed_at = models.DateTimeField(null=True, help_text=_("When it was done, taken back or replaced."))

    class Meta:
        verbose_name = _("change")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="change_company_key"),
            models.UniqueConstraint(
                fields=["subscription", "effective_on"],
                name="change_one_planned_per_day",
                condition=Q(status="planned") & ~Q(kind__in=["pause", "resume"]),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription", "-id"], name="change_by_subscription"),
            models.Index(fields=["company", "effective_on"], name="change_to_come", condition=Q(status="planned")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.effective_on}"


class OneOff(CompanyKeyed, Addressed):
    """A set-up fee or other one-off charge of a subscription, billed on its day."""

    PREFIX = "oof"

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="one_offs", db_constraint=False, help_text=_("On whose invoice.")
    )
    product = models.ForeignKey(
        Product, models.PROTECT, related_name="+", db_constraint=False, help_text=_("What is supplied.")
    )
    price = models.ForeignKey(
        Price, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, help_text=_("Price sold.")
    )
    description = models.CharField(
        max_length=400, blank=True, help_text=_("Words on the document; empty: the product's.")
    )
    quantity = models.DecimalField(max_digits=20, decimal_places=6, default=1, help_text=_("Number of units."))
    model = models.CharField(max_length=20, choices=Price.Model.choices, help_text=_("How quantity counts."))
    unit_amount = models.DecimalField(max_digits=20, decimal_places=10, help_text=_("Price of one unit, or in all."))
    details = models.JSONField(default=dict, blank=True, help_text=_("What the model needs beside the amount."))
    service_on = models.DateField(help_text=_("Day of the supply; it falls due then."))
    due_on = models.DateField(null=True, help_text=_("Day it falls due; empty: billed or canceled."))
    line_id = models.BigIntegerField(null=True, help_text=_("Invoice line that bills it."))
    canceled_at = models.DateTimeField(null=True, help_text=_("When it was canceled before it was billed."))
    created_at = models.DateTimeField(help_text=_("When it was agreed, by the company's clock."))

    class Meta:
        verbose_name = _("one-off charge")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="one_off_company_key"),
            models.UniqueConstraint(fields=["line_id"], name="one_off_line_unique"),
            models.CheckConstraint(
                condition=Q(unit_amount__gte=0, unit_amount__lt=10**10, quantity__gte=0, quantity__lt=10**14),
                name="one_off_amounts_are_numbers_from_zero",
            ),
            models.CheckConstraint(
                condition=Q(due_on__isnull=True) | Q(line_id__isnull=True, canceled_at__isnull=True),
                name="one_off_due_until_billed",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription"], name="one_off_due", condition=Q(due_on__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.unit_amount}"


class AgreedDiscount(CompanyKeyed, Addressed, DiscountRules):
    """A discount given to one subscription, with what is left of it."""

    PREFIX = "agd"

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="discounts", db_constraint=False, help_text=_("Whose charges.")
    )
    discount = models.ForeignKey(
        Discount, models.PROTECT, null=True, related_name="agreed", db_constraint=False, help_text=_("Its template.")
    )
    code = models.ForeignKey(
        OfferCode, models.PROTECT, null=True, related_name="agreed", db_constraint=False, help_text=_("Code entered.")
    )
    name = models.CharField(max_length=200, help_text=_("Words on documents, in the customer's language."))
    product_id = models.BigIntegerField(null=True, help_text=_("The product it covers, if only one."))
    price_id = models.BigIntegerField(null=True, help_text=_("The price it covers, if only one."))
    from_on = models.DateField(help_text=_("Periods from this day on take it."))
    until_on = models.DateField(null=True, help_text=_("First day whose periods no longer take it; empty: open."))
    periods_left = models.PositiveSmallIntegerField(
        null=True, help_text=_("Whole periods it is still given for; empty: any number.")
    )
    left_minor = models.BigIntegerField(
        null=True, help_text=_("What is left of an amount given once, in minor units; empty: not such an amount.")
    )
    next_change_on = models.DateField(
        null=True, help_text=_("Next day on which revenue changes because of it; empty: none is known.")
    )
    ended_at = models.DateTimeField(null=True, help_text=_("When it was used up or taken back."))
    created_at = models.DateTimeField(help_text=_("When it was given, by the company's clock."))

    class Meta:
        verbose_name = _("agreed discount")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="agreed_discount_company_key"),
            models.CheckConstraint(
                condition=Q(left_minor__isnull=True) | Q(left_minor__gte=0), name="agreed_discount_not_overdrawn"
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=False, amount_minor__isnull=True)
                | Q(percent__isnull=True, amount_minor__isnull=False, amount_minor__gt=0),
                name="agreed_discount_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(percent__isnull=True) | Q(percent__gt=0, percent__lte=100),
                name="agreed_discount_percent_range",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["subscription", "id"], name="agreed_discount_live", condition=Q(ended_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.name}"
