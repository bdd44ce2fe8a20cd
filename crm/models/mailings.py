"""Mailings: mails of a campaign to the customers of a segment, and what became of each.

The rule that matters: a customer has one row in a mailing, and so gets it once; who is meant is fixed when it starts.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from catalog.models import Campaign, OfferCode
from core.models import NAME_LENGTH, Addressed, CompanyKeyed
from customers.models import Customer, Message
from subscriptions.models import AgreedDiscount, Subscription

from .offers import Offer
from .segments import Segment


class Mailing(CompanyKeyed, Addressed):
    """What is said to whom, when, how fast, and what is offered with it."""

    PREFIX = "mlg"

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        SCHEDULED = "scheduled", _("scheduled")
        RUNNING = "running", _("being sent")
        PAUSED = "paused", pgettext_lazy("mailing", "paused")
        DONE = "done", pgettext_lazy("mailing", "sent")
        CANCELED = "canceled", pgettext_lazy("mailing", "canceled")

    #: States in which its words and its segment may still change.
    OPEN: Final = (State.DRAFT, State.SCHEDULED)
    #: States in which there is something to do.
    LIVE: Final = (State.SCHEDULED, State.RUNNING)

    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name shown to staff."))
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="mailings", db_constraint=False, verbose_name=_("campaign"),
        help_text=_("The campaign it counts towards."),
    )  # fmt: skip
    segment = models.ForeignKey(
        Segment, models.PROTECT, related_name="mailings", db_constraint=False, verbose_name=_("segment"),
        help_text=_("Who is meant; counted anew when it starts."),
    )  # fmt: skip
    subject = models.JSONField(
        _("subject"), default=dict, help_text=_("Subject line by language; the company's is required.")
    )
    body = models.JSONField(
        _("text"), default=dict, help_text=_("Words by language, with placeholders; the company's is required.")
    )
    offer = models.ForeignKey(
        Offer, models.PROTECT, null=True, blank=True, related_name="mailings", db_constraint=False,
        verbose_name=_("offer"), help_text=_("What is offered and taken by one click; or an offer code."),
    )  # fmt: skip
    offer_code = models.ForeignKey(
        OfferCode, models.PROTECT, null=True, blank=True, related_name="mailings", db_constraint=False,
        verbose_name=_("offer code"), help_text=_("The code that the text names; or an offer."),
    )  # fmt: skip
    per_hour = models.PositiveIntegerField(
        _("mails per hour"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text=_("No more than so many customers in an hour; empty: as fast as it goes."),
    )  # fmt: skip
    attribution_days = models.PositiveSmallIntegerField(
        _("counts for"), default=90, validators=[MinValueValidator(1), MaxValueValidator(730)],
        help_text=_("Days after the mail in which what a customer does counts as its effect."),
    )  # fmt: skip
    state = models.CharField(
        _("state"), max_length=9, choices=State.choices, default=State.DRAFT, help_text=_("Where it stands.")
    )
    starts_at = models.DateTimeField(
        _("starts"), null=True, blank=True, help_text=_("When it is to start; empty: not planned.")
    )
    frozen_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was fixed who gets it."))
    done_at = models.DateTimeField(null=True, blank=True, help_text=_("When the last mail was written."))
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))

    class Meta:
        verbose_name = _("mailing")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="mailing_company_key"),
            models.CheckConstraint(
                condition=Q(offer__isnull=True) | Q(offer_code__isnull=True), name="mailing_offer_or_code"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "canceled"]) | Q(starts_at__isnull=False),
                name="mailing_has_its_start",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["running", "done"]) | Q(frozen_at__isnull=False),
                name="mailing_knows_its_readers",
            ),
            models.CheckConstraint(
                condition=(Q(per_hour__isnull=True) | Q(per_hour__range=(1, 1_000_000)))
                & Q(attribution_days__range=(1, 730)),
                name="mailing_numbers_in_range",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="mailing_by_age"),
            models.Index(
                fields=["company", "starts_at"], name="mailing_live", condition=Q(state__in=["scheduled", "running"])
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MailingRecipient(CompanyKeyed):
    """A customer in a mailing: that it was written to them or why not, and what they did."""

    class LeftOut(models.TextChoices):
        NO_CONSENT = "no_consent", _("advertising not allowed")
        BLOCKED = "blocked", _("address blocked")
        NO_ADDRESS = "no_address", _("no address")
        NO_SUBSCRIPTION = "no_subscription", _("no subscription for the offer")
        ARCHIVED = "archived", _("archived since")
        FAILED = "failed", _("the mail could not be made")

    mailing = models.ForeignKey(
        Mailing, models.PROTECT, related_name="recipients", db_constraint=False, db_index=False,
        help_text=_("Of which mailing."),
    )  # fmt: skip
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="mailings", db_constraint=False, db_index=False,
        help_text=_("Who was meant."),
    )  # fmt: skip
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The subscription that the offer is for."),
    )  # fmt: skip
    emails = ArrayField(
        models.CharField(max_length=320), default=list, help_text=_("Addresses it goes to; each allowed advertising.")
    )
    left_out = models.CharField(
        max_length=15,
        choices=LeftOut.choices,
        blank=True,
        help_text=_("Why it was not written; empty: it was or will be."),
    )
    message = models.ForeignKey(
        Message, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The mail as it was written, to the first address."),
    )  # fmt: skip
    sent_at = models.DateTimeField(null=True, help_text=_("When it was written, by the company's clock."))
    offer_until_on = models.DateField(null=True, help_text=_("Last day to take the offer."))
    clicked_at = models.DateTimeField(null=True, help_text=_("When its link was first opened."))
    accepted_at = models.DateTimeField(null=True, help_text=_("When the offer was taken, or its code used."))
    agreed = models.ForeignKey(
        AgreedDiscount, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The discount that was given."),
    )  # fmt: skip
    movement_mark = models.BigIntegerField(
        null=True, help_text=_("Movements up to this one were before the offer was taken; empty: told by the day.")
    )
    renewed_at = models.DateTimeField(null=True, help_text=_("When a term of theirs was first seen to have renewed."))

    class Meta:
        verbose_name = _("mailing recipient")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["mailing", "customer"], name="mailing_recipient_once"),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(left_out=""), name="mailing_recipient_sent_or_left_out"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True, agreed__isnull=True)
                | Q(accepted_at__isnull=False, agreed__isnull=False, sent_at__isnull=False),
                name="mailing_recipient_accepted_has_its_discount",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["mailing", "id"], name="mailing_recipient_to_do", condition=Q(sent_at__isnull=True, left_out="")
            ),
            models.Index(
                fields=["mailing", "sent_at"], name="mailing_recipient_sent", condition=Q(sent_at__isnull=False)
            ),
            models.Index(fields=["company", "customer", "-id"], name="mailing_recipient_by_customer"),
            models.Index(
                fields=["company", "sent_at"], name="mailing_recipient_renewing",
                condition=Q(sent_at__isnull=False, renewed_at__isnull=True),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.mailing_id}: {self.customer_id}"
