"""What is agreed: a subscription, who pays for it, where it stands and when it moves next."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Plan, SuspendedBilling, TaxBehavior, TermRules, Unused
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

    leaves_freely_from_on = models.DateField(
        null=True,
        blank=True,
        help_text=_("From this day on the customer may leave any time: a notice the law asks for was not sent."),
    )
    leaves_freely_until_on = models.DateField(
        null=True, blank=True, help_text=_("Last day of that right; empty: it has no end.")
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
            models.Index(
                fields=["company", "term_ends_on"],
                name="subscription_renewing",
                condition=Q(term_ends_on__isnull=False, end_kind="", renewal_rule="renew"),
            ),
            models.Index(fields=["company", "paid_from_on"], name="subscription_on_trial", condition=Q(state="trial")),
            models.Index(
                fields=["company", "ends_on"],
                name="subscription_over",
                condition=Q(state__in=["canceled", "expired"]),
            ),
            models.Index(fields=["company", "-id"], name="subscription_parked", condition=Q(parked_at__isnull=False)),
            models.Index(fields=["company", "ends_on"], name="subscription_leaving", condition=Q(end_kind="cancel")),
            models.Index(fields=["company", "-created_at", "-id"], name="subscription_by_age"),
            models.Index(
                fields=["company", "po_reference"], name="subscription_by_reference", condition=~Q(po_reference="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    @property
    def number(self) -> str:
        """The short name people say: SUB-000123. Not gapless; only documents are."""
        return f"SUB-{self.pk:06d}"
