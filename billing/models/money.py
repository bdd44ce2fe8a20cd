"""Money in and back: payments, what they pay, account credit and refunds. Counters can't be overdrawn."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.models import Addressed, CompanyKeyed, CompanyOwned
from customers.models import Customer

from .documents import CreditNote, Invoice
from .methods import Gateway


class Payment(CompanyKeyed, Addressed):
    """Money received. What it pays stands in allocations, what is left in its balance row."""

    PREFIX = "pay"

    class Method(models.TextChoices):
        TRANSFER = "transfer", _("bank transfer")
        CASH = "cash", _("cash")
        CARD = "card", _("card")
        DEBIT = "debit", _("direct debit")
        PAYPAL = "paypal", _("PayPal")
        OTHER = "other", _("other")

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        SETTLED = "settled", _("settled")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", pgettext_lazy("money", "canceled")
        RETURNED = "returned", _("returned")
        DISPUTED = "disputed", _("disputed")
        REFUNDED = "refunded", _("refunded")

    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        related_name="payments",
        db_constraint=False,
        help_text=_("Who paid; empty: unknown."),
    )
    method = models.CharField(_("method"), max_length=8, choices=Method.choices, help_text=_("How it came."))
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.SETTLED, help_text=_("Where it stands.")
    )
    currency = models.CharField(_("currency"), max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(_("amount"), help_text=_("Received, in minor units."))
    received_on = models.DateField(_("received on"), help_text=_("Day of the money."))
    reference = models.CharField(
        _("reference"), max_length=140, blank=True, help_text=_("Bank reference, receipt number and the like.")
    )
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("For colleagues."))
    gateway = models.ForeignKey(
        Gateway,
        models.PROTECT,
        null=True,
        related_name="payments",
        db_constraint=False,
        help_text=_("Taken by this gateway; empty: recorded by hand or from a bank statement."),
    )
    external_id = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text=_("The provider's id of the money.")
    )
    attempt = models.OneToOneField(
        "billing.Attempt",
        models.PROTECT,
        null=True,
        related_name="payment",
        db_constraint=False,
        help_text=_("The try that brought it."),
    )
    fee_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Fee the provider kept, in minor units of the payment's currency.")
    )
    settled_currency = models.CharField(
        max_length=3, blank=True, default="", db_default="", help_text=_("Currency the provider paid out, if another.")
    )
    settled_minor = models.BigIntegerField(
        null=True, help_text=_("What the provider paid out in that currency, in its minor units.")
    )
    created_at = models.DateTimeField(help_text=_("When it was recorded, by the company's clock."))

    class Meta:
        verbose_name = _("payment")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="payment_company_key"),
            models.UniqueConstraint(
                fields=["gateway", "external_id"], name="payment_known_once", condition=~Q(external_id="")
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_positive"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="payment_by_customer"),
            models.Index(fields=["company", "-received_on", "-id"], name="payment_by_date"),
            models.Index(
                fields=["company", "-received_on", "-id"], name="payment_not_settled", condition=~Q(status="settled"),
                include=["status", "currency", "amount_minor", "method"],
            ),
            GinIndex(
                OpClass(Upper("reference"), name="gin_trgm_ops"),
                name="payment_reference_trigram",
                condition=~Q(reference=""),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} {self.received_on}"


class PaymentBalance(models.Model):
    """What became of a payment."""

    payment = models.OneToOneField(
        Payment, models.PROTECT, primary_key=True, related_name="balance", help_text=_("The payment.")
    )
    amount_minor = models.BigIntegerField(help_text=_("Received."))
    allocated_minor = models.BigIntegerField(default=0, help_text=_("Pays invoices."))
    to_credit_minor = models.BigIntegerField(default=0, help_text=_("Became account credit."))
    refunded_minor = models.BigIntegerField(default=0, help_text=_("Went back."))
    left_minor = models.GeneratedField(
        expression=F("amount_minor") - F("allocated_minor") - F("to_credit_minor") - F("refunded_minor"),
        output_field=models.BigIntegerField(),
        db_persist=True,
        help_text=_("Not allocated."),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(allocated_minor__gte=0, to_credit_minor__gte=0, refunded_minor__gte=0)
                & Q(amount_minor__gte=F("allocated_minor") + F("to_credit_minor") + F("refunded_minor")),
                name="payment_balance_not_overdrawn",
            )
        ]

    def __str__(self) -> str:
        return f"{self.payment_id}: {self.left_minor} left"


class PaymentDay(CompanyOwned):
    """Payments of one day, method and currency, whatever became of them: sums of what never changes, added to only."""

    received_on = models.DateField(help_text=_("Day of the money."))
    method = models.CharField(max_length=8, choices=Payment.Method.choices, help_text=_("How it came."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    count = models.IntegerField(help_text=_("How many payments."))
    amount_minor = models.BigIntegerField(help_text=_("Received, in minor units."))
    through_id = models.BigIntegerField(help_text=_("Payments up to this one were summed up with it."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["company", "through_id", "received_on", "method", "currency"], name="payment_day_once"
            ),
            models.CheckConstraint(condition=Q(count__gt=0, amount_minor__gt=0), name="payment_day_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.received_on}: {self.amount_minor} {self.currency}"


class Credit(CompanyKeyed, Addressed):
    """Account credit of a customer in one currency."""

    PREFIX = "crd"

    class Source(models.TextChoices):
        MONEY = "money", _("money")
        PREPAID = "prepaid", _("prepaid")
        GRANTED = "granted", _("granted")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="credits", db_constraint=False, help_text=_("Whose credit.")
    )
    source = models.CharField(
        max_length=7, choices=Source.choices, default=Source.MONEY, help_text=_("Where it came from.")
    )
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Given."))
    credit_note = models.ForeignKey(
        CreditNote,
        models.PROTECT,
        null=True,
        related_name="credits",
        db_constraint=False,
        help_text=_("From this note."),
    )
    payment = models.ForeignKey(
        Payment,
        models.PROTECT,
        null=True,
        related_name="credits",
        db_constraint=False,
        help_text=_("From this payment."),
    )
    invoice = models.ForeignKey(
        Invoice,
        models.PROTECT,
        null=True,
        related_name="packs",
        db_constraint=False,
        help_text=_("The invoice that sold this prepaid credit."),
    )
    tax_category = models.CharField(
        max_length=2,
        blank=True,
        default="",
        db_default="",
        help_text=_("Category at which prepaid credit was taxed when it was sold."),
    )
    tax_rate = models.DecimalField(
        max_digits=6, decimal_places=3, null=True, help_text=_("Percent at which prepaid credit was taxed.")
    )
    expires_on = models.DateField(null=True, help_text=_("Last day it can be used; empty: never expires."))
    reason = models.CharField(max_length=500, blank=True, default="", db_default="", help_text=_("Why it was granted."))
    created_on = models.DateField(help_text=_("Day it was given."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="credit_company_key"),
            models.CheckConstraint(
                condition=~Q(source="money") | Q(expires_on__isnull=True), name="credit_of_money_never_expires"
            ),
            models.CheckConstraint(
                condition=~Q(source="prepaid") | Q(tax_rate__isnull=False), name="credit_prepaid_has_its_tax"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="credit_positive"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "currency", "id"], name="credit_by_customer")
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency}"


class CreditBalance(models.Model):
    """What became of a credit."""

    credit = models.OneToOneField(
        Credit, models.PROTECT, primary_key=True, related_name="balance", help_text=_("The credit.")
    )
    amount_minor = models.BigIntegerField(help_text=_("Given."))
    used_minor = models.BigIntegerField(default=0, help_text=_("Pays invoices, or lowers them."))
    refunded_minor = models.BigIntegerField(default=0, help_text=_("Paid out."))
    lapsed_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Expired or taken back before it was used.")
    )
    left_minor = models.GeneratedField(
        expression=F("amount_minor") - F("used_minor") - F("refunded_minor") - F("lapsed_minor"),
        output_field=models.BigIntegerField(),
        db_persist=True,
        help_text=_("Still there."),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(used_minor__gte=0, refunded_minor__gte=0, lapsed_minor__gte=0)
                & Q(amount_minor__gte=F("used_minor") + F("refunded_minor") + F("lapsed_minor")),
                name="credit_balance_not_overdrawn",
            )
        ]

    def __str__(self) -> str:
        return f"{self.credit_id}: {self.left_minor} left"


class CreditUse(CompanyKeyed):
    """Granted or prepaid credit that lowered an invoice line; taken back by a row below zero."""

    credit = models.ForeignKey(
        Credit, models.PROTECT, related_name="uses", db_constraint=False, help_text=_("Which credit.")
    )
    line_id = models.BigIntegerField(help_text=_("Invoice line it lowered."))
    amount_minor = models.BigIntegerField(help_text=_("How much, in minor units; below zero: given back."))
    used_on = models.DateField(help_text=_("Day."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="credit_use_is_not_zero"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["line_id"], name="credit_use_by_line")]

    def __str__(self) -> str:
        return f"{self.amount_minor} on {self.line_id}"


class Allocation(CompanyKeyed):
    """Part of a payment or credit that pays an invoice; taken back by a row below zero."""

    payment = models.ForeignKey(
        Payment,
        models.PROTECT,
        null=True,
        related_name="allocations",
        db_constraint=False,
        help_text=_("By this payment."),
    )
    credit = models.ForeignKey(
        Credit,
        models.PROTECT,
        null=True,
        related_name="allocations",
        db_constraint=False,
        help_text=_("By this credit."),
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="allocations", db_constraint=False, help_text=_("Pays this invoice.")
    )
    amount_minor = models.BigIntegerField(help_text=_("How much, in minor units; below zero: taken back."))
    allocated_on = models.DateField(help_text=_("Day."))
    created_at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(payment__isnull=False, credit__isnull=True) | Q(payment__isnull=True, credit__isnull=False),
                name="allocation_has_one_source",
            ),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="allocation_is_not_zero"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["invoice"], name="allocation_by_invoice")]

    def __str__(self) -> str:
        return f"{self.amount_minor} to {self.invoice_id}"


class Refund(CompanyKeyed, Addressed):
    """Money that goes back to a customer: asked for, then paid out by hand or by the gateway that took it."""

    PREFIX = "rfd"

    class Status(models.TextChoices):
        PENDING = "pending", _("to be paid out")
        SENT = "sent", _("sent to the provider")
        UNKNOWN = "unknown", _("unknown")
        SETTLED = "settled", _("paid out")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", pgettext_lazy("money", "canceled")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="refunds", db_constraint=False, help_text=_("Who gets it.")
    )
    credit = models.ForeignKey(
        Credit,
        models.PROTECT,
        null=True,
        related_name="refunds",
        db_constraint=False,
        help_text=_("Taken from this credit."),
    )
    payment = models.ForeignKey(
        Payment,
        models.PROTECT,
        null=True,
        related_name="refunds",
        db_constraint=False,
        help_text=_("Gives back this payment."),
    )
    status = models.CharField(max_length=8, choices=Status.choices, help_text=_("Where it stands."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("How much, in minor units."))
    reason = models.CharField(max_length=500, blank=True, help_text=_("Why."))
    asked_on = models.DateField(help_text=_("Day it was asked for."))
    paid_on = models.DateField(null=True, help_text=_("Day it was paid out."))
    reference = models.CharField(max_length=140, blank=True, help_text=_("Bank reference."))
    gateway = models.ForeignKey(
        Gateway,
        models.PROTECT,
        null=True,
        related_name="refunds",
        db_constraint=False,
        help_text=_("Paid out by this gateway; empty: by hand."),
    )
    key = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text=_("Sent with every try of it; never made anew.")
    )
    external_id = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text=_("The provider's id, once it has one.")
    )
    failure = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text=_("Why it failed: code of a refusal.")
    )
    first_sent_at = models.DateTimeField(null=True, help_text=_("When it was first sent, by the machine's clock."))
    next_look_at = models.DateTimeField(
        null=True, help_text=_("When it is sent or looked up next, by the company's clock.")
    )
    looks = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=_("How often it was looked up or sent again.")
    )
    created_at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="refund_company_key"),
            models.UniqueConstraint(
                fields=["gateway", "external_id"], name="refund_known_once", condition=~Q(external_id="")
            ),
            models.UniqueConstraint(fields=["key"], name="refund_key_unique", condition=~Q(key="")),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_positive"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="refund_by_customer")
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency}"
