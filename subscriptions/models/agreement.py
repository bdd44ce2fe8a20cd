"""What is agreed: a subscription, its slots, and the dated terms of each slot.

A slot survives every change of plan, price and quantity; its terms are dated rows that never overlap.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _

from catalog.models import Meter, Plan, PlanItem, Price, Product, SuspendedBilling, TaxBehavior, TermRules, Unit, Unused
from core.models import Addressed, CompanyKeyed, TermsFrom
from customers.models import Customer


class Subscription(CompanyKeyed, Addressed, TermRules):
    PREFIX = "sub"

    class State(models.TextChoices):
        PENDING = "pending", _("starts later")
        TRIAL = "trial", _("trial")
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        SUSPENDED = "suspended", _("suspended")
        CANCELED = "canceled", _("canceled")
        EXPIRED = "expired", _("expired")

    class EndKind(models.TextChoices):
        CANCEL = "cancel", _("canceled")
        EXPIRE = "expire", _("term ended")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="subscriptions", db_constraint=False, help_text=_("Who pays.")
    )
    plan = models.ForeignKey(
        Plan,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="subscriptions",
        db_constraint=False,
        help_text=_("Template it was agreed from."),
    )
    name = models.CharField(_("name"), max_length=200, help_text=_("Name on documents, in the customer's language."))
    description = models.TextField(_("description"), blank=True, help_text=_("What is agreed, in words."))
    state = models.CharField(_("state"), max_length=9, choices=State.choices, help_text=_("Where it stands."))
    currency = models.CharField(_("currency"), max_length=3, help_text=_("ISO 4217; fixed at the start."))
    tax_behavior = models.CharField(
        _("tax"),
        max_length=9,
        choices=TaxBehavior.choices,
        default=TaxBehavior.EXCLUSIVE,
        help_text=_("Net or gross prices."),
    )
    time_zone = models.CharField(_("time zone"), max_length=64, help_text=_("Its days follow it; fixed at the start."))

    start_on = models.DateField(_("start"), help_text=_("First day of service."))
    paid_from_on = models.DateField(
        _("paid from"), help_text=_("First paid day: the start, or the day after the trial.")
    )
    anchor_on = models.DateField(help_text=_("Boundary number zero of its periods."))
    anchor_month_day = models.PositiveSmallIntegerField(
        help_text=_("Day of the month that boundaries aim at, 1 to 31, before clamping.")
    )
    term_start_on = models.DateField(null=True, blank=True, help_text=_("First day of the running term."))
    term_ends_on = models.DateField(
        null=True, blank=True, help_text=_("Last day of the running term; empty: no term is running.")
    )
    ends_on = models.DateField(
        _("end"), null=True, blank=True, help_text=_("Last day of service, planned or past; empty: goes on.")
    )
    end_kind = models.CharField(
        max_length=8, choices=EndKind.choices, blank=True, help_text=_("Why it ends, once an end is set.")
    )
    end_unused = models.CharField(
        max_length=6, choices=Unused.choices, blank=True, help_text=_("What becomes of paid days after the end.")
    )
    end_reason = models.CharField(max_length=40, blank=True, help_text=_("Reason code given with the cancellation."))
    end_comment = models.TextField(blank=True, help_text=_("The customer's own words."))
    cancel_asked_at = models.DateTimeField(null=True, blank=True, help_text=_("When the cancellation came in."))

    paused_from_on = models.DateField(
        _("paused from"), null=True, blank=True, help_text=_("First day of the running or next pause; empty: none.")
    )
    resumes_on = models.DateField(
        _("resumes on"), null=True, blank=True, help_text=_("First day after the pause; empty: not planned.")
    )
    suspended_from_on = models.DateField(
        null=True, blank=True, help_text=_("First day without service for non-payment; empty: in service.")
    )
    suspended_billing = models.CharField(
        _("billing while suspended"),
        max_length=8,
        choices=SuspendedBilling.choices,
        default=SuspendedBilling.STOP,
        db_default="stop",
        help_text=_("What is billed while service stops for non-payment."),
    )
    trial_usage = models.CharField(
        max_length=6,
        choices=Plan.TrialUsage.choices,
        default=Plan.TrialUsage.FREE,
        db_default="free",
        help_text=_("What becomes of usage before the first paid day."),
    )
    minimum_amount = models.DecimalField(
        _("minimum"),
        max_digits=20,
        decimal_places=10,
        null=True,
        blank=True,
        help_text=_("Least charge per cycle over all positions; empty: none."),
    )
    minimum_through_on = models.DateField(
        null=True,
        blank=True,
        help_text=_("Last day whose minimum over all positions is closed; empty: none is yet."),
    )

    next_bill_on = models.DateField(
        null=True, blank=True, help_text=_("Next day something falls due for billing; empty: nothing ever.")
    )
    next_move_on = models.DateField(
        null=True, blank=True, help_text=_("Next day its state or term moves by itself; empty: never.")
    )
    parked_at = models.DateTimeField(null=True, blank=True, help_text=_("When billing gave up on it."))
    parked_code = models.CharField(max_length=60, blank=True, help_text=_("Why, as a code."))
    parked_detail = models.CharField(max_length=500, blank=True, help_text=_("Why, in detail."))

    payment_terms_days = models.PositiveSmallIntegerField(
        _("payment terms"),
        null=True,
        blank=True,
        help_text=_("Days until due; empty: the plan's, customer's or company's."),
    )
    payment_terms_from = models.CharField(
        _("payment terms count from"),
        max_length=9,
        choices=TermsFrom.choices,
        blank=True,
        default="",
        db_default="",
        help_text=_("Day from which the days until due are counted; empty: the plan's, customer's or company's."),
    )
    po_reference = models.CharField(
        _("order reference"),
        max_length=80,
        blank=True,
        help_text=_("The customer's reference; empty: the customer's usual one."),
    )
    external_id = models.CharField(
        _("external id"), max_length=120, blank=True, help_text=_("Id in another system, unique where given.")
    )
    metadata = models.JSONField(
        _("further data"), default=dict, blank=True, help_text=_("Keys and values of your own.")
    )
    created_at = models.DateTimeField(help_text=_("When it was agreed, by the company's clock."))

    class Meta:
        verbose_name = _("subscription")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="subscription_company_key"),
            models.UniqueConstraint(
                fields=["company", "external_id"], name="subscription_external_id_unique", condition=~Q(external_id="")
            ),
            models.CheckConstraint(condition=Q(paid_from_on__gte=F("start_on")), name="subscription_paid_after_start"),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | ~Q(end_kind=""), name="subscription_end_has_a_kind"
            ),
            models.CheckConstraint(condition=Q(interval_count__gte=1), name="subscription_interval_positive"),
            models.CheckConstraint(condition=Q(anchor_month_day__range=(1, 31)), name="subscription_anchor_day_range"),
            models.CheckConstraint(
                condition=Q(resumes_on__isnull=True)
                | Q(paused_from_on__isnull=False, resumes_on__gt=F("paused_from_on")),
                name="subscription_resumes_after_its_pause",
            ),
            models.CheckConstraint(
                condition=Q(minimum_amount__isnull=True) | Q(minimum_amount__gte=0, minimum_amount__lt=10**14),
                name="subscription_minimum_is_a_number_from_zero",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "id"], name="subscription_by_customer"),
            models.Index(
                fields=["company", "next_bill_on"],
                name="subscription_due",
                include=["customer"],
                condition=Q(next_bill_on__isnull=False, parked_at__isnull=True),
            ),
            models.Index(
                fields=["company", "time_zone", "next_move_on"],
                name="subscription_moving",
                condition=Q(next_move_on__isnull=False),
            ),
            models.Index(fields=["company", "-id"], name="subscription_parked", condition=Q(parked_at__isnull=False)),
            models.Index(fields=["company", "-created_at", "-id"], name="subscription_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    @property
    def number(self) -> str:
        """The short name people say: SUB-000123. Not gapless; only documents are."""
        return f"SUB-{self.pk:06d}"


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


class Movement(CompanyKeyed):
    """A change of recurring revenue, written when it takes effect and never changed."""

    class Kind(models.TextChoices):
        NEW = "new", _("new")
        EXPANSION = "expansion", _("expansion")
        CONTRACTION = "contraction", _("contraction")
        CHURN = "churn", _("churn")
        REACTIVATION = "reactivation", _("reactivation")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, help_text=_("Whose revenue.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="movements", db_constraint=False, help_text=_("Which subscription.")
    )
    slot = models.ForeignKey(
        Slot, models.PROTECT, related_name="+", db_constraint=False, help_text=_("Which position.")
    )
    kind = models.CharField(max_length=12, choices=Kind.choices, help_text=_("What it was for the customer."))
    cause = models.CharField(max_length=40, help_text=_("Verb that caused it, such as subscription.cancel."))
    reason = models.CharField(max_length=40, blank=True, help_text=_("Reason code, if one was given."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Change of monthly revenue, in minor units."))
    effective_on = models.DateField(help_text=_("First day the new amount holds."))
    booked_on = models.DateField(help_text=_("Day it counts for; later than effective when that month was closed."))
    written_at = models.DateTimeField(auto_now_add=True, help_text=_("When the row was written."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="movement_is_not_zero"),
            models.CheckConstraint(condition=Q(booked_on__gte=F("effective_on")), name="movement_booked_not_before"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "booked_on"], name="movement_by_day"),
            models.Index(fields=["customer", "currency", "id"], name="movement_by_customer"),
            models.Index(fields=["subscription", "id"], name="movement_by_subscription"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"
