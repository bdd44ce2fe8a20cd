"""Rules that say when a customer is reminded of what, and the reminders that came of them.

The rule that matters: one rule reminds once of one occasion; an offer is advertising and needs the customer's consent.
What the law wants said is no reminder: see `subscriptions.RenewalNotice`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models import Invoice, PaymentMethod
from catalog.models import Unit
from core.models import LANGUAGE_CHOICES, NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned
from customers.models import Customer, Message
from subscriptions.models import AgreedDiscount, Subscription

from .offers import Offer
from .segments import Segment


class ReminderRule(CompanyOwned, Addressed):
    """When somebody is reminded, whom it is for, what is said, and what is offered."""

    PREFIX = "rrl"

    class Occasion(models.TextChoices):
        BEFORE_RENEWAL = "before_renewal", _("before a renewal")
        BEFORE_NOTICE_DEADLINE = "before_notice_deadline", _("before the last day to cancel")
        BEFORE_TRIAL_END = "before_trial_end", _("before a trial ends")
        BEFORE_PRICE_CHANGE = "before_price_change", _("before a price changes")
        CARD_EXPIRING = "card_expiring", _("before a card expires")
        MANDATE_EXPIRING = "mandate_expiring", _("before a mandate lapses")
        PAYMENT_DUE = "payment_due", _("before a payment is due")
        PAYMENT_FAILED = "payment_failed", _("after a payment failed")
        AFTER_PAYMENT = "after_payment", _("after a payment")
        WIN_BACK = "win_back", _("after the end, to win back")

    class Category(models.TextChoices):
        CONTRACT = "contract", _("about the contract")
        MARKETING = "marketing", _("advertising, with consent")

    class Channel(models.TextChoices):
        MAIL = "mail", _("mail")
        PORTAL = "portal", _("banner in the portal")
        BOTH = "both", _("mail and banner")

    #: Occasions that are told of when they are over; of all others before they come.
    AFTER: Final = (Occasion.PAYMENT_FAILED, Occasion.AFTER_PAYMENT, Occasion.WIN_BACK)

    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name shown to staff."))
    occasion = models.CharField(
        _("occasion"), max_length=24, choices=Occasion.choices, help_text=_("What is reminded of.")
    )
    days = models.PositiveSmallIntegerField(
        _("days"),
        default=30,
        validators=[MaxValueValidator(400)],
        help_text=_("Days before the occasion, or after one that is over."),
    )
    late_days = models.PositiveSmallIntegerField(
        _("at most late"),
        default=7,
        validators=[MaxValueValidator(60)],
        help_text=_("A missed reminder is sent so many days late at most, and never after its occasion."),
    )
    category = models.CharField(
        _("kind of mail"),
        max_length=9,
        choices=Category.choices,
        default=Category.CONTRACT,
        help_text=_("Advertising needs the customer's consent and carries a link to unsubscribe."),
    )
    channel = models.CharField(
        _("channel"), max_length=6, choices=Channel.choices, default=Channel.MAIL, help_text=_("How it is told.")
    )
    text = models.CharField(_("mail text"), max_length=60, help_text=_("Which mail text it uses."))
    subject = models.JSONField(
        _("own subject"), default=dict, blank=True, help_text=_("Own subject by language; empty: the mail text's.")
    )
    body = models.JSONField(
        _("own text"), default=dict, blank=True, help_text=_("Own words by language; empty: the mail text's.")
    )
    offer = models.ForeignKey(
        Offer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="rules",
        db_constraint=False,
        verbose_name=_("offer"),
        help_text=_("What is offered with it; then it is advertising."),
    )
    segment = models.ForeignKey(
        Segment, models.PROTECT, null=True, blank=True, related_name="reminder_rules", db_constraint=False,
        verbose_name=_("segment"), help_text=_("Only customers of this segment; empty: all."),
    )  # fmt: skip
    customer_kind = models.CharField(
        _("customers"), max_length=7, choices=Customer.Kind.choices, blank=True, help_text=_("Empty: all.")
    )
    language = models.CharField(
        _("language"), max_length=5, choices=LANGUAGE_CHOICES, blank=True, help_text=_("Empty: every language.")
    )
    countries = ArrayField(
        models.CharField(max_length=2),
        verbose_name=_("countries"),
        default=list,
        blank=True,
        help_text=_("ISO 3166 codes of billing addresses; empty: everywhere."),
    )
    plan_ids = ArrayField(
        models.BigIntegerField(), default=list, blank=True, help_text=_("Only for these plans; empty: all.")
    )
    product_ids = ArrayField(
        models.BigIntegerField(), default=list, blank=True, help_text=_("Only with one of these products; empty: all.")
    )
    cycle_unit = models.CharField(
        _("billing cycle"), max_length=5, choices=Unit.choices, blank=True, help_text=_("Empty: every cycle.")
    )
    shortest_term_months = models.PositiveSmallIntegerField(
        _("shortest term"), default=0, help_text=_("Only terms of so many months or longer; 0: every term.")
    )
    minimum_minor = models.BigIntegerField(
        _("smallest amount"),
        default=0,
        help_text=_("Monthly revenue, or the open amount, of at least this, in minor units."),
    )
    only_stale_method = models.BooleanField(
        _("payment details are stale"),
        default=False,
        help_text=_("Only where there is no usable payment method, or it ends before the occasion."),
    )
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Switched off, it reminds nobody."))
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))

    class Meta:
        verbose_name = _("reminder rule")
        ordering = ("occasion", "-days", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="reminder_rule_company_key"),
            models.CheckConstraint(
                condition=Q(offer__isnull=True) | Q(category="marketing"), name="reminder_rule_offers_are_advertising"
            ),
            models.CheckConstraint(
                condition=~Q(occasion="win_back") | Q(category="marketing"), name="reminder_rule_win_back_advertises"
            ),
            models.CheckConstraint(
                condition=Q(days__lte=400, late_days__lte=60, minimum_minor__gte=0), name="reminder_rule_days_in_range"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-id"], name="reminder_rule_by_age")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_after(self) -> bool:
        """Whether it is told after its occasion."""
        return self.occasion in self.AFTER


class Reminder(CompanyKeyed, Addressed):
    """A customer was reminded of one occasion by one rule, and what came of it."""

    PREFIX = "rem"

    rule = models.ForeignKey(
        ReminderRule, models.PROTECT, related_name="reminders", db_constraint=False, help_text=_("By which rule.")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="reminders", db_constraint=False, help_text=_("Who was reminded.")
    )
    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        null=True,
        related_name="reminders",
        db_constraint=False,
        help_text=_("About which subscription."),
    )
    invoice = models.ForeignKey(
        Invoice,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text=_("About which invoice."),
    )
    method = models.ForeignKey(
        PaymentMethod,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text=_("About which payment method."),
    )
    subject_id = models.BigIntegerField(help_text=_("Id of what it is about: that subscription, invoice or method."))
    occasion_on = models.DateField(help_text=_("Day of the occasion."))
    offer = models.ForeignKey(
        Offer,
        models.PROTECT,
        null=True,
        related_name="reminders",
        db_constraint=False,
        help_text=_("What was offered."),
    )
    offer_until_on = models.DateField(null=True, help_text=_("Last day to take the offer."))
    message = models.ForeignKey(
        Message,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text=_("The mail as it was sent; empty: shown in the portal alone."),
    )
    sent_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    opened_at = models.DateTimeField(null=True, help_text=_("When its link was first opened."))
    accepted_at = models.DateTimeField(null=True, help_text=_("When the offer was taken."))
    agreed = models.ForeignKey(
        AgreedDiscount,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        help_text=_("The discount that was given."),
    )
    taken_back_at = models.DateTimeField(null=True, help_text=_("When staff took the discount back."))
    renewed_at = models.DateTimeField(
        null=True, help_text=_("When the term was seen to have renewed, the trial to be paid, the customer to be back.")
    )
    canceled_at = models.DateTimeField(null=True, help_text=_("When it was seen to end instead."))

    class Meta:
        verbose_name = _("reminder")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="reminder_company_key"),
            models.UniqueConstraint(fields=["rule", "subject_id", "occasion_on"], name="reminder_once_per_occasion"),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True, agreed__isnull=True)
                | Q(accepted_at__isnull=False, agreed__isnull=False, offer__isnull=False),
                name="reminder_accepted_has_its_discount",
            ),
            models.CheckConstraint(
                condition=Q(renewed_at__isnull=True) | Q(canceled_at__isnull=True), name="reminder_one_outcome"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="reminder_by_age"),
            models.Index(fields=["company", "customer", "-id"], name="reminder_by_customer"),
            models.Index(
                fields=["company", "occasion_on"],
                name="reminder_outcome_open",
                condition=Q(renewed_at__isnull=True, canceled_at__isnull=True, subscription__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.occasion_on}"
