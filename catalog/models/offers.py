"""What is sold: products and services, and plans as standard templates."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned, TermsFrom

from .taxes import TaxCategory


class Unit(models.TextChoices):
    DAY = "day", _("day")
    WEEK = "week", _("week")
    MONTH = "month", _("month")
    YEAR = "year", _("year")


class TaxBehavior(models.TextChoices):
    EXCLUSIVE = "exclusive", _("net, tax is added")
    INCLUSIVE = "inclusive", _("gross, tax is included")


class Product(CompanyOwned, Addressed):
    """A product or service that can be sold; lines of documents name it."""

    PREFIX = "prd"

    class Kind(models.TextChoices):
        SERVICE = "service", _("service")
        GOODS = "goods", _("goods")

    code = models.SlugField(_("code"), max_length=60, help_text=_("Short name, unique in the company."))
    kind = models.CharField(
        _("kind"), max_length=8, choices=Kind.choices, default=Kind.SERVICE, help_text=_("Service or physical goods.")
    )
    name = models.JSONField(_("name"), help_text=_("Name by language; the company's language is required."))
    description = models.JSONField(_("description"), default=dict, blank=True, help_text=_("Text by language."))
    unit_name = models.JSONField(
        _("unit"), default=dict, blank=True, help_text=_("What one is called, by language, such as seat; may be empty.")
    )
    tax_category = models.ForeignKey(
        TaxCategory,
        models.PROTECT,
        related_name="products",
        verbose_name=_("tax category"),
        help_text=_("Decides how it is taxed."),
    )
    revenue_account = models.CharField(
        _("revenue account"), max_length=20, blank=True, help_text=_("Ledger account; empty: the usual one.")
    )
    external_id = models.CharField(
        _("external id"), max_length=120, blank=True, help_text=_("Id in another system, unique where given.")
    )
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Hidden from new sales since."))

    class Meta:
        verbose_name = _("product")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="product_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="product_company_key"),
            models.UniqueConstraint(
                fields=["company", "external_id"], name="product_external_id_unique", condition=~Q(external_id="")
            ),
        ]

    def __str__(self) -> str:
        return self.code


class AnchorRule(models.TextChoices):
    ANNIVERSARY = "anniversary", _("the day it starts")
    CALENDAR = "calendar", _("start of the calendar period")
    DAY = "day", _("a chosen day")


class NoticeTo(models.TextChoices):
    ANY_DAY = "any_day", _("any day")
    MONTH_END = "month_end", _("end of a month")
    PERIOD_END = "period_end", _("end of a billing period")
    TERM_END = "term_end", _("end of the term")


class RenewalRule(models.TextChoices):
    RENEW = "renew", _("renews for a further term")
    EVERGREEN = "evergreen", _("goes on without a term")
    EXPIRE = "expire", _("ends")
    ASK = "ask", _("asks the customer")


class Unused(models.TextChoices):
    CREDIT = "credit", _("credited")
    REFUND = "refund", _("refunded")
    NONE = "none", _("not given back")


class CancelTiming(models.TextChoices):
    NOW = "now", _("today")
    PERIOD_END = "period_end", _("end of the period")
    DATE = "date", _("a date")


class SuspendedBilling(models.TextChoices):
    STOP = "stop", _("nothing new")
    CREDIT = "credit", _("given back, as in a pause")
    CONTINUE = "continue", _("everything")


class TermRules(models.Model):
    """Cycle, term, notice and cancellation: the same columns on a plan and on what is agreed from it."""

    interval_unit = models.CharField(
        _("cycle unit"),
        max_length=5,
        choices=Unit.choices,
        default=Unit.MONTH,
        help_text=_("Unit of the billing cycle."),
    )
    interval_count = models.PositiveSmallIntegerField(
        _("cycle length"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(366)],
        help_text=_("How many units; 3 months is a quarter."),
    )
    anchor_rule = models.CharField(
        _("billing day"),
        max_length=12,
        choices=AnchorRule.choices,
        default=AnchorRule.ANNIVERSARY,
        help_text=_("Where periods begin."),
    )
    anchor_day = models.PositiveSmallIntegerField(
        _("chosen day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text=_("Day of the month, 1 to 31; only for a chosen day."),
    )
    minimum_count = models.PositiveSmallIntegerField(
        _("minimum term"), default=0, help_text=_("Length of the commitment; 0: none.")
    )
    minimum_unit = models.CharField(
        _("minimum term unit"), max_length=5, choices=Unit.choices, default=Unit.MONTH, help_text=_("Its unit.")
    )
    notice_count = models.PositiveSmallIntegerField(
        _("notice"), default=0, help_text=_("How long before the end notice must be given; 0: none.")
    )
    notice_unit = models.CharField(
        _("notice unit"), max_length=5, choices=Unit.choices, default=Unit.DAY, help_text=_("Day, week or month.")
    )
    notice_to = models.CharField(
        _("notice to"),
        max_length=10,
        choices=NoticeTo.choices,
        default=NoticeTo.PERIOD_END,
        help_text=_("Which ends notice may aim at."),
    )
    renewal_rule = models.CharField(
        _("renewal"),
        max_length=10,
        choices=RenewalRule.choices,
        default=RenewalRule.EVERGREEN,
        help_text=_("What follows the term."),
    )
    renewal_count = models.PositiveSmallIntegerField(
        _("renewed term"), default=0, help_text=_("Length of a further term; 0: as long as the minimum term.")
    )
    renewal_unit = models.CharField(
        _("renewed term unit"), max_length=5, choices=Unit.choices, default=Unit.MONTH, help_text=_("Its unit.")
    )
    grace_days = models.PositiveSmallIntegerField(
        _("grace days"), default=0, help_text=_("Days after a renewal in which the first invoice waits.")
    )
    cancel_timing = models.CharField(
        _("cancellation takes effect"),
        max_length=10,
        choices=CancelTiming.choices,
        default=CancelTiming.PERIOD_END,
        help_text=_("Usual timing of a cancellation."),
    )
    cancel_unused = models.CharField(
        _("unused days"),
        max_length=6,
        choices=Unused.choices,
        default=Unused.CREDIT,
        help_text=_("What becomes of paid days after the end."),
    )

    class Meta:
        abstract = True


class Plan(CompanyOwned, Addressed, TermRules):
    """A standard template: what a subscription is agreed from."""

    PREFIX = "pln"

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        ON_SALE = "on_sale", _("on sale")
        RETIRED = "retired", _("retired")

    class TrialUsage(models.TextChoices):
        FREE = "free", _("free")
        BILLED = "billed", _("billed when the trial ends")

    class TrialEnd(models.TextChoices):
        CONVERT = "convert", _("goes on paid")
        PAUSE = "pause", _("pauses")
        CANCEL = "cancel", _("ends")

    code = models.SlugField(_("code"), max_length=60, help_text=_("Short name, unique in the company."))
    status = models.CharField(
        _("status"),
        max_length=8,
        choices=Status.choices,
        default=Status.DRAFT,
        help_text=_("Only plans on sale can start."),
    )
    name = models.JSONField(_("name"), help_text=_("Name by language; the company's language is required."))
    description = models.JSONField(_("description"), default=dict, blank=True, help_text=_("Text by language."))
    terms_text = models.JSONField(_("terms"), default=dict, blank=True, help_text=_("Contract terms by language."))
    trial_days = models.PositiveSmallIntegerField(_("trial days"), default=0, help_text=_("Free days at the start."))
    trial_end = models.CharField(
        _("after the trial"),
        max_length=8,
        choices=TrialEnd.choices,
        default=TrialEnd.CONVERT,
        help_text=_("What happens at its end without a payment method."),
    )
    trial_usage = models.CharField(
        _("usage in the trial"),
        max_length=6,
        choices=TrialUsage.choices,
        default=TrialUsage.FREE,
        help_text=_("What becomes of usage before the first paid day."),
    )
    suspended_billing = models.CharField(
        _("billing while suspended"),
        max_length=8,
        choices=SuspendedBilling.choices,
        default=SuspendedBilling.STOP,
        help_text=_("What is billed while service stops for non-payment."),
    )
    minimum_amounts = models.JSONField(
        _("minimum"),
        default=dict,
        blank=True,
        help_text=_("Least charge per cycle for the whole subscription, by currency; empty: none."),
    )
    customer_may_change = models.BooleanField(
        _("customers change themselves"), default=False, help_text=_("Plan and quantity, in the portal.")
    )
    customer_may_pause = models.BooleanField(
        _("customers pause themselves"), default=False, help_text=_("Pause and resume in the portal.")
    )
    customer_may_cancel = models.BooleanField(
        _("customers cancel themselves"), default=True, help_text=_("Shown in the portal.")
    )
    payment_terms_days = models.PositiveSmallIntegerField(
        _("payment terms"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(365)],
        help_text=_("Days until due; empty: the customer's or the company's."),
    )
    payment_terms_from = models.CharField(
        _("payment terms count from"),
        max_length=9,
        choices=TermsFrom.choices,
        blank=True,
        default="",
        db_default="",
        help_text=_("Day from which the days until due are counted; empty: the customer's or the company's."),
    )
    external_id = models.CharField(
        _("external id"), max_length=120, blank=True, help_text=_("Id in another system, unique where given.")
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was made."))

    class Meta:
        verbose_name = _("plan")
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="plan_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="plan_company_key"),
            models.UniqueConstraint(
                fields=["company", "external_id"], name="plan_external_id_unique", condition=~Q(external_id="")
            ),
            models.CheckConstraint(condition=Q(interval_count__gte=1), name="plan_interval_positive"),
            models.CheckConstraint(
                condition=Q(anchor_day__isnull=True) | Q(anchor_day__range=(1, 31)), name="plan_anchor_day_range"
            ),
        ]

    def __str__(self) -> str:
        return self.code
