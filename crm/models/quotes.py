"""What is offered to whom: quotes in their versions, their positions, and the answer that was given.

The rule that matters: what was sent is frozen; a change is a new version. An answer is kept for good with what exactly
was answered.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models import Invoice
from catalog.models import Discount, Plan, PlanItem, Price, Product
from core.models import LANGUAGE_CHOICES, NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned, StoredFile, User
from customers.models import Customer, Message
from subscriptions.models import Subscription

from .leads import Lead
from .tasks import Task


class Quote(CompanyOwned, Addressed):
    """One version of an offer to one recipient, good until a day."""

    PREFIX = "quo"

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("quote", "draft")
        SENT = "sent", pgettext_lazy("quote", "sent")
        ACCEPTED = "accepted", pgettext_lazy("quote", "accepted")
        DECLINED = "declined", pgettext_lazy("quote", "declined")
        EXPIRED = "expired", pgettext_lazy("quote", "expired")
        REPLACED = "replaced", pgettext_lazy("quote", "replaced")
        WITHDRAWN = "withdrawn", pgettext_lazy("quote", "withdrawn")

    number = models.CharField(_("number"), max_length=40, help_text=_("The same for every version."))
    version = models.PositiveSmallIntegerField(_("version"), default=1, help_text=_("1 for the first one."))
    state = models.CharField(
        _("status"), max_length=9, choices=State.choices, default=State.DRAFT, help_text=_("Where it stands.")
    )
    lead = models.ForeignKey(
        Lead, models.PROTECT, null=True, blank=True, related_name="quotes", db_constraint=False,
        verbose_name=pgettext_lazy("sales", "lead"), help_text=_("The lead it is for."),
    )  # fmt: skip
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="quotes", db_constraint=False,
        verbose_name=_("customer"), help_text=_("The customer it is for, or who accepted it."),
    )  # fmt: skip
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner"),
        help_text=_("Who follows it up."),
    )  # fmt: skip
    recipient = models.CharField(_("recipient"), max_length=NAME_LENGTH, help_text=_("Name of the company or person."))
    kind = models.CharField(
        _("kind"), max_length=7, choices=Customer.Kind.choices, default=Customer.Kind.COMPANY,
        help_text=_("Business or consumer."),
    )  # fmt: skip
    person = models.CharField(
        _("contact"), max_length=NAME_LENGTH, blank=True, help_text=_("The person to talk to there.")
    )
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Where it is sent."))
    address = models.JSONField(
        _("address"), default=dict, blank=True, help_text=_("Street, town and country; taxes depend on the country.")
    )
    vat_id = models.CharField(_("VAT id"), max_length=20, blank=True, help_text=_("With country letters."))
    language = models.CharField(
        _("language"), max_length=5, choices=LANGUAGE_CHOICES, help_text=_("Language of the quote and its mails.")
    )
    currency = models.CharField(_("currency"), max_length=3, help_text=_("Of all its amounts, ISO 4217."))
    plan = models.ForeignKey(
        Plan, models.PROTECT, related_name="+", db_constraint=False, verbose_name=_("plan"),
        help_text=_("The template: rhythm, term and notice come from it."),
    )  # fmt: skip
    title = models.CharField(_("title"), max_length=NAME_LENGTH, help_text=_("What it is about."))
    intro = models.TextField(
        _("introduction"), max_length=10_000, blank=True, help_text=_("Printed above the positions.")
    )
    closing = models.TextField(_("closing"), max_length=10_000, blank=True, help_text=_("Printed below the sums."))
    start_on = models.DateField(
        _("start"), null=True, blank=True, help_text=_("First day of service; empty: the day of acceptance.")
    )
    valid_until = models.DateField(_("valid until"), help_text=_("Last day to accept it."))
    offer_code = models.CharField(
        _("offer code"), max_length=40, blank=True, help_text=_("A code whose discount is given at the start.")
    )
    content = models.JSONField(null=True, help_text=_("All that the recipient reads, as it was sent."))
    content_hash = models.CharField(max_length=64, blank=True, help_text=_("SHA-256 of it, in hexadecimal."))
    pdf = models.ForeignKey(
        StoredFile, models.PROTECT, null=True, related_name="+", help_text=_("The paper, made from that content.")
    )
    message = models.ForeignKey(
        Message, models.PROTECT, null=True, related_name="+", db_constraint=False,
        help_text=_("The mail it was sent with."),
    )  # fmt: skip
    follow_up = models.ForeignKey(
        Task, models.PROTECT, null=True, related_name="+", db_constraint=False,
        help_text=_("The task to ask after it."),
    )  # fmt: skip
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, related_name="quotes", db_constraint=False,
        help_text=_("What was agreed by accepting it."),
    )  # fmt: skip
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="+", db_constraint=False,
        help_text=_("The first invoice, issued by accepting it."),
    )  # fmt: skip
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    created_by = models.CharField(max_length=120, help_text=_("Who or what made it."))
    sent_at = models.DateTimeField(null=True, help_text=_("When it was sent, by the company's clock."))
    opened_at = models.DateTimeField(null=True, help_text=_("When its page was first looked at."))
    ended_at = models.DateTimeField(
        null=True, help_text=_("When it was answered, ran out, was replaced or withdrawn, by the company's clock.")
    )

    class Meta:
        verbose_name = _("quote")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="quote_company_key"),
            models.UniqueConstraint(fields=["company", "number", "version"], name="quote_version_unique"),
            models.UniqueConstraint(
                fields=["company", "number"], name="quote_one_live_version", condition=Q(state__in=["draft", "sent"])
            ),
            models.UniqueConstraint(
                fields=["subscription"], name="quote_one_a_subscription", condition=Q(subscription__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(state="draft", sent_at__isnull=True, content_hash="")
                | (Q(sent_at__isnull=False, content__isnull=False) & ~Q(state="draft") & ~Q(content_hash="")),
                name="quote_sent_has_its_content",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", subscription__isnull=False, customer__isnull=False)
                | (~Q(state="accepted") & Q(subscription__isnull=True)),
                name="quote_accepted_has_its_subscription",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "sent"], ended_at__isnull=True)
                | (~Q(state__in=["draft", "sent"]) & Q(ended_at__isnull=False)),
                name="quote_ended_has_its_time",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="quote_newest"),
            models.Index(fields=["company", "valid_until", "id"], name="quote_open", condition=Q(state="sent")),
            models.Index(fields=["company", "customer", "-id"], name="quote_by_customer",
                         condition=Q(customer__isnull=False)),
            models.Index(fields=["company", "lead", "-id"], name="quote_by_lead", condition=Q(lead__isnull=False)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Number and version, as they stand on the paper."""
        return self.number if self.version == 1 else f"{self.number}-{self.version}"


class QuoteLine(CompanyKeyed, Addressed):
    """A position of a quote. Optional ones are the recipient's to choose."""

    PREFIX = "qli"

    quote = models.ForeignKey(
        Quote, models.PROTECT, related_name="lines", db_constraint=False, help_text=_("Of which quote.")
    )
    position = models.PositiveSmallIntegerField(help_text=_("Order on the paper."))
    product = models.ForeignKey(
        Product, models.PROTECT, related_name="+", db_constraint=False, verbose_name=_("product"),
        help_text=_("What is sold."),
    )  # fmt: skip
    price = models.ForeignKey(
        Price, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False,
        help_text=_("The catalog's price version; empty: agreed apart from the catalog."),
    )  # fmt: skip
    kind = models.CharField(
        _("kind"), max_length=9, choices=PlanItem.Kind.choices, help_text=_("Recurring, by usage or charged once.")
    )
    quantity = models.DecimalField(_("quantity"), max_digits=20, decimal_places=6, help_text=_("Number of units."))
    unit_amount = models.DecimalField(
        _("agreed price"), max_digits=24, decimal_places=10, null=True, blank=True,
        help_text=_("Of one unit; empty: the catalog's."),
    )  # fmt: skip
    description = models.CharField(
        _("description"), max_length=500, blank=True, help_text=_("Said below the product's name.")
    )
    is_optional = models.BooleanField(_("optional"), default=False, help_text=_("The recipient may choose it."))
    is_chosen = models.BooleanField(
        _("ticked"), default=True, help_text=_("Whether an optional position is ticked to begin with.")
    )

    class Meta:
        verbose_name = _("position")
        ordering = ("position", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["quote", "position"], name="quote_line_position_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="quote_line_quantity_from_zero"),
            models.CheckConstraint(
                condition=Q(price__isnull=False) | Q(unit_amount__isnull=False), name="quote_line_has_a_price"
            ),
        ]

    def __str__(self) -> str:
        return str(self.position)


class QuoteDiscount(CompanyKeyed):
    """A discount that comes with a quote."""

    quote = models.ForeignKey(
        Quote, models.PROTECT, related_name="discounts", db_constraint=False, help_text=_("With which quote.")
    )
    discount = models.ForeignKey(
        Discount, models.PROTECT, related_name="+", db_constraint=False, help_text=_("What is given at the start.")
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["quote", "discount"], name="quote_discount_once"),
        ]

    def __str__(self) -> str:
        return str(self.discount_id)


class QuoteAnswer(CompanyKeyed):
    """How a quote was answered: by whom, when, from where, and to what exactly. Never changed."""

    class Kind(models.TextChoices):
        ACCEPTED = "accepted", pgettext_lazy("quote", "accepted")
        DECLINED = "declined", pgettext_lazy("quote", "declined")

    quote = models.ForeignKey(
        Quote, models.PROTECT, related_name="answers", db_constraint=False, help_text=_("Which quote.")
    )
    kind = models.CharField(max_length=8, choices=Kind.choices, help_text=_("Accepted or declined."))
    name = models.CharField(_("name"), max_length=NAME_LENGTH, blank=True, help_text=_("The name that was typed."))
    place = models.CharField(max_length=64, blank=True, help_text=_("The address it came from."))
    agent = models.CharField(max_length=300, blank=True, help_text=_("The browser it came from."))
    by = models.CharField(max_length=120, help_text=_("Who gave it: the recipient, or staff for them."))
    reason = models.TextField(_("reason"), max_length=2000, blank=True, help_text=_("Why it was declined."))
    content = models.JSONField(help_text=_("What was answered: the quote, what was chosen, what it costs."))
    content_hash = models.CharField(max_length=64, help_text=_("SHA-256 of it, in hexadecimal."))
    at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["quote"], name="quote_answered_once"),
            models.CheckConstraint(condition=~Q(kind="accepted", name=""), name="quote_accepted_by_name"),
        ]

    def __str__(self) -> str:
        return self.kind
