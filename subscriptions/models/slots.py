"""The positions of a subscription, and the dated terms of each.

The rule that matters: a slot survives every change of plan, price and quantity; its terms are dated rows that follow
each other without a gap and never overlap.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _

from catalog.models import Meter, PlanItem, Price, Product, Unit
from core.models import Addressed, CompanyKeyed

from .agreement import Subscription


class Slot(CompanyKeyed, Addressed):
    """A recurring position of a subscription. What was billed for it is counted from here."""

    PREFIX = "sit"

    class Kind(models.TextChoices):
        RECURRING = "recurring", _("each period")
        USAGE = "usage", _("by usage")

    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        related_name="slots",
        db_constraint=False,
        db_index=False,
        help_text=_("Whose position."),
    )
    product = models.ForeignKey(
        Product, models.PROTECT, related_name="slots", db_constraint=False, help_text=_("What is supplied.")
    )
    kind = models.CharField(
        max_length=9,
        choices=Kind.choices,
        default=Kind.RECURRING,
        db_default="recurring",
        help_text=_("For each period, or for what was used."),
    )
    meter = models.ForeignKey(
        Meter,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="slots",
        db_constraint=False,
        help_text=_("What counts its usage."),
    )
    item = models.ForeignKey(
        PlanItem,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text=_("The plan's position it came from."),
    )
    interim_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Usage is billed at once when it passes this amount; empty: at the close.")
    )
    usage_due_on = models.DateField(
        null=True,
        blank=True,
        help_text=_("Day from which billing looks at usage that came late or may have passed an amount; empty: none."),
    )
    late_from_on = models.DateField(
        null=True, blank=True, help_text=_("First day of late usage whose closed periods are to be rated again.")
    )
    position = models.PositiveSmallIntegerField(default=1, help_text=_("Order on documents."))
    billed_through_on = models.DateField(
        help_text=_("Last day billed, forfeited or billed elsewhere; the day before the first paid day when new.")
    )
    elsewhere_through_on = models.DateField(
        null=True, blank=True, help_text=_("Days up to here were billed before the import.")
    )
    reopened_days = ArrayField(
        DateRangeField(),
        default=list,
        blank=True,
        help_text=_("Billed days given back by a voided invoice that wait to be billed again."),
    )
    minimum_through_on = models.DateField(
        null=True, blank=True, help_text=_("Last day whose minimum is closed; empty: none is yet.")
    )
    mrr_minor = models.BigIntegerField(default=0, help_text=_("Monthly recurring revenue now, in minor units."))

    class Meta:
        ordering = ("position", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="slot_company_key"),
            models.CheckConstraint(condition=Q(mrr_minor__gte=0), name="slot_mrr_from_zero"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription", "id"], name="slot_by_subscription")
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}/{self.position}"


class SlotTerms(CompanyKeyed):
    """Price and quantity of a slot from a day on, until the next terms or for good.

    The rows of a slot follow each other without a gap: a stretch in which nothing is charged is a row, too.
    """

    class Standing(models.TextChoices):
        AGREED = "agreed", _("agreed")
        FREE = "free", _("free")
        PAUSED = "paused", _("paused")
        SUSPENDED = "suspended", _("suspended")
        REMOVED = "removed", _("removed")

    class Settles(models.TextChoices):
        NOTHING = "", _("nothing")
        REBILL = "rebill", _("gives back and bills anew")
        ADD = "add", _("bills what is added")

    slot = models.ForeignKey(
        Slot, models.PROTECT, related_name="terms", db_constraint=False, help_text=_("Whose terms.")
    )
    from_on = models.DateField(help_text=_("First day they hold."))
    until_on = models.DateField(null=True, blank=True, help_text=_("First day they no longer hold; empty: open."))
    standing = models.CharField(
        max_length=9,
        choices=Standing.choices,
        default=Standing.AGREED,
        db_default="agreed",
        help_text=_("Only agreed days are charged."),
    )
    settles = models.CharField(
        max_length=6,
        choices=Settles.choices,
        default=Settles.NOTHING,
        db_default="",
        blank=True,
        help_text=_("What becomes, on the first day, of days billed under the terms before; empty once it is done."),
    )
    settles_until = models.DateField(
        null=True, help_text=_("First day for which added units are not charged again; empty: all that is billed.")
    )
    anchor_on = models.DateField(
        null=True, blank=True, help_text=_("Boundary number zero of its periods; empty: the subscription's.")
    )
    anchor_month_day = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("Day of the month that its boundaries aim at; empty: the subscription's.")
    )
    product = models.ForeignKey(
        Product,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text=_("What is supplied under them; empty: the position's product."),
    )
    price = models.ForeignKey(
        Price,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        help_text=_("Price version sold; empty: agreed apart from the catalog."),
    )
    model = models.CharField(max_length=20, choices=Price.Model.choices, help_text=_("How quantity counts."))
    unit_amount = models.DecimalField(
        max_digits=20, decimal_places=10, help_text=_("Price of one unit, or the flat price, per interval.")
    )
    details = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text=_("What the model needs beside the amount: tiers, package size, rate, fee, free units and the like."),
    )
    minimum_amount = models.DecimalField(
        max_digits=20,
        decimal_places=10,
        null=True,
        blank=True,
        help_text=_("Least charge per period; what is missing is charged at its end."),
    )
    quantity = models.DecimalField(max_digits=20, decimal_places=6, help_text=_("Number of units."))
    billed = models.CharField(max_length=7, choices=Price.Billed.choices, help_text=_("In advance or in arrears."))
    is_prorated = models.BooleanField(help_text=_("Otherwise a started period costs the full price."))
    interval_unit = models.CharField(max_length=5, choices=Unit.choices, help_text=_("Unit of its cycle."))
    interval_count = models.PositiveSmallIntegerField(help_text=_("How many units."))

    class Meta:
        ordering = ("slot_id", "from_on")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(unit_amount__gte=0) & Q(unit_amount__lt=10**10),
                name="slot_terms_amount_is_a_number_from_zero",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0) & Q(quantity__lt=10**14), name="slot_terms_quantity_is_a_number_from_zero"
            ),
            models.CheckConstraint(
                condition=Q(until_on__isnull=True) | Q(until_on__gt=F("from_on")), name="slot_terms_until_after_from"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slot_id} from {self.from_on}"
