"""How customers pay: the company's gateways, customers' payment methods, and mandates.

The rule that matters: no card number is ever kept here; account numbers and secrets stand sealed.
"""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyKeyed, CompanyOwned, StoredFile
from core.sealing import SealedField
from customers.models import Customer
from subscriptions.models import Subscription


class Gateway(CompanyOwned, Addressed):
    """A way a company takes money: an account at a provider, its creditor id, its bank account."""

    PREFIX = "gwy"

    class Kind(models.TextChoices):
        STRIPE = "stripe", _("Stripe")
        PAYPAL = "paypal", _("PayPal")
        SEPA = "sepa", _("SEPA direct debit")
        TRANSFER = "transfer", _("bank transfer")
        CASH = "cash", _("cash")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, help_text=_("Which provider or bank way."))
    name = models.CharField(_("name"), max_length=80, help_text=_("Name shown to staff."))
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Offered to customers and used."))
    public_key = models.CharField(
        _("public key or client id"), max_length=200, blank=True, help_text=_("The provider's public key or client id.")
    )
    secret = SealedField(_("secret key"), blank=True, help_text=_("The provider's secret; kept sealed."))
    webhook_id = models.CharField(
        _("webhook id"), max_length=120, blank=True, help_text=_("Id of the endpoint at the provider.")
    )
    webhook_secret = SealedField(
        _("webhook secret"), blank=True, help_text=_("Signs the provider's messages; without it none is taken.")
    )
    address = models.URLField(
        _("address"),
        max_length=200,
        blank=True,
        help_text=_("Where the provider is reached; empty: its own. A live company refuses addresses of this machine."),
    )
    creditor_id = models.CharField(
        _("creditor id"),
        max_length=35,
        blank=True,
        help_text=_("SEPA creditor identifier, as in DE98ZZZ09999999999."),
    )
    creditor_name = models.CharField(
        _("creditor name"), max_length=70, blank=True, help_text=_("Name on direct debits; empty: the legal name.")
    )
    iban = SealedField(_("IBAN"), blank=True, help_text=_("The company's account; empty: the one in its settings."))
    bic = models.CharField(_("BIC"), max_length=11, blank=True, help_text=_("Bank code of that account."))
    notice_days = models.PositiveSmallIntegerField(
        _("pre-notification"),
        default=14,
        validators=[MaxValueValidator(60)],
        help_text=_("Days between the notice of a direct debit and its collection; fewer only where agreed."),
    )
    lead_days = models.PositiveSmallIntegerField(
        _("lead"),
        default=1,
        validators=[MaxValueValidator(14)],
        help_text=_("Banking days the file has to be at the bank before the collection."),
    )
    makes_files = models.BooleanField(
        _("files by themselves"),
        default=True,
        db_default=True,
        help_text=_("Direct debit files are made when they are due; otherwise when a person asks."),
    )
    synced_at = models.DateTimeField(
        null=True, help_text=_("Messages of the provider were fetched up to this instant of its clock.")
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))

    class Meta:
        verbose_name = _("gateway")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="gateway_company_key"),
            models.UniqueConstraint(
                fields=["company", "kind"], name="gateway_one_active_of_a_kind", condition=Q(is_active=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def field_name(cls, name: str) -> str:
        """A field's name in the reader's language."""
        field = cls._meta.get_field(name)
        return str(field.verbose_name) if isinstance(field, models.Field) else name


class PaymentMethod(CompanyKeyed, Addressed):
    """A card, a PayPal account, a mandate: what a customer lets us charge. Shown by its label alone."""

    PREFIX = "pm"

    class Kind(models.TextChoices):
        CARD = "card", _("card")
        PAYPAL = "paypal", _("PayPal")
        DEBIT = "debit", _("direct debit")
        TRANSFER = "transfer", _("bank transfer")

    class Status(models.TextChoices):
        PENDING = "pending", _("waits for the customer")
        ACTIVE = "active", _("usable")
        BROKEN = "broken", _("refused by the bank")
        EXPIRED = "expired", _("expired")
        REMOVED = "removed", _("removed")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="payment_methods", db_constraint=False, help_text=_("Whose.")
    )
    gateway = models.ForeignKey(
        Gateway, models.PROTECT, related_name="methods", db_constraint=False, help_text=_("Charged through.")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, help_text=_("What it is."))
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.PENDING, help_text=_("Where it stands.")
    )
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Charged for everything that names no other method.")
    )
    label = models.CharField(_("label"), max_length=80, help_text=_("Such as Visa •••• 4242."))
    external_customer = models.CharField(max_length=120, blank=True, help_text=_("The customer's id at the provider."))
    external_id = models.CharField(max_length=120, blank=True, help_text=_("The method's id at the provider."))
    setup_id = models.CharField(
        max_length=120, blank=True, help_text=_("The provider's page or set-up that makes it; until it is usable.")
    )
    expires_on = models.DateField(
        _("expires on"), null=True, blank=True, help_text=_("Last day it can be charged; empty: none known.")
    )
    warned_on = models.DateField(null=True, help_text=_("Day of the last warning about its expiry."))
    reason = models.CharField(max_length=40, blank=True, help_text=_("Why it is broken: code of a refusal."))
    consent = models.TextField(blank=True, help_text=_("The words the customer agreed to when it was saved."))
    consented_at = models.DateTimeField(null=True, help_text=_("When the customer agreed."))
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    removed_at = models.DateTimeField(null=True, help_text=_("When it was removed."))

    class Meta:
        verbose_name = _("payment method")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="payment_method_company_key"),
            models.UniqueConstraint(
                fields=["customer"], name="payment_method_one_default", condition=Q(is_default=True)
            ),
            models.UniqueConstraint(
                fields=["gateway", "external_id"], name="payment_method_known_once", condition=~Q(external_id="")
            ),
            models.UniqueConstraint(
                fields=["gateway", "setup_id"], name="payment_method_set_up_once", condition=~Q(setup_id="")
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(status__in=["active", "broken", "expired"]),
                name="payment_method_default_is_there",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="payment_method_by_customer"),
            models.Index(
                fields=["company", "expires_on"], name="payment_method_by_expiry", condition=Q(status="active")
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Mandate(CompanyKeyed):
    """What a customer signed so that direct debits may be drawn. An amendment is a row of its own."""

    class Scheme(models.TextChoices):
        CORE = "CORE", _("SEPA Core")
        B2B = "B2B", _("SEPA Business to Business")

    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, related_name="mandates", db_constraint=False, help_text=_("The method it backs.")
    )
    reference = models.CharField(
        _("mandate reference"), max_length=35, help_text=_("Named in every debit; unique per creditor.")
    )
    scheme = models.CharField(
        _("scheme"), max_length=4, choices=Scheme.choices, default=Scheme.CORE, help_text=_("Which rules hold.")
    )
    creditor_id = models.CharField(max_length=35, help_text=_("Creditor identifier at signing."))
    holder = models.CharField(_("account holder"), max_length=70, help_text=_("Whose account."))
    iban = SealedField(_("IBAN"), help_text=_("The account; kept sealed."))
    iban_fingerprint = models.CharField(max_length=64, help_text=_("Finds the account without opening it."))
    bic = models.CharField(_("BIC"), max_length=11, blank=True, help_text=_("Bank code of that account."))
    signed_on = models.DateField(_("signed on"), help_text=_("Day of the signature."))
    signed_by = models.CharField(_("signed by"), max_length=120, help_text=_("Name typed in the signature field."))
    text = models.TextField(help_text=_("The words that were signed."))
    proof = models.JSONField(default=dict, help_text=_("Address, browser and time of the signature."))
    paper = models.ForeignKey(
        StoredFile, models.PROTECT, null=True, related_name="+", help_text=_("The signed paper, if there is one.")
    )
    is_one_off = models.BooleanField(
        _("for one debit"), default=False, db_default=False, help_text=_("Good for a single debit, then used up.")
    )
    amends = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="amended_by", help_text=_("The mandate whose data it changes.")
    )
    is_amendment_told = models.BooleanField(
        default=False, help_text=_("A debit has told the bank about the amendment.")
    )
    last_used_on = models.DateField(null=True, help_text=_("Last collection day; 36 months later the mandate is dead."))
    ended_on = models.DateField(null=True, help_text=_("First day on which it can't be used."))

    class Meta:
        verbose_name = _("mandate")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="mandate_company_key"),
            models.UniqueConstraint(
                fields=["company", "creditor_id", "reference"],
                name="mandate_reference_unique",
                condition=Q(amends__isnull=True),
            ),
            models.UniqueConstraint(fields=["method"], name="mandate_one_in_force", condition=Q(ended_on__isnull=True)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "iban_fingerprint"], name="mandate_by_iban")
        ]

    def __str__(self) -> str:
        return self.reference


class SubscriptionMethod(CompanyKeyed):
    """A subscription that is paid by another method than the customer's default."""

    subscription = models.OneToOneField(
        Subscription,
        models.PROTECT,
        primary_key=True,
        related_name="paid_by",
        db_constraint=False,
        help_text=_("Which subscription."),
    )
    method = models.ForeignKey(
        PaymentMethod, models.PROTECT, related_name="subscriptions", db_constraint=False, help_text=_("Paid by.")
    )

    def __str__(self) -> str:
        return f"{self.subscription_id}: {self.method_id}"
