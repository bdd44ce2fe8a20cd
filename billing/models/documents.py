"""Invoices and credit notes. Issued is frozen: afterwards only the balance row beside it moves."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, TaxBehavior
from core.models import Addressed, CompanyKeyed, StoredFile, TermsFrom
from customers.models import Customer
from subscriptions.models import Slot, Subscription


class Document(CompanyKeyed, Addressed):
    """What invoices and credit notes share. Amounts are minor units of `currency`."""

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="%(class)ss", db_constraint=False, help_text=_("Addressee.")
    )
    year = models.PositiveSmallIntegerField(null=True, help_text=_("Year of its series; empty while a draft."))
    sequence = models.PositiveBigIntegerField(null=True, help_text=_("Number in its series; empty while a draft."))
    number = models.CharField(max_length=40, blank=True, help_text=_("Printed number; empty while a draft."))
    issued_on = models.DateField(null=True, help_text=_("Document date; empty while a draft."))
    language = models.CharField(max_length=5, help_text=_("Language of its texts."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    tax_behavior = models.CharField(max_length=9, choices=TaxBehavior.choices, help_text=_("Net or gross prices."))
    net_minor = models.BigIntegerField(help_text=_("Sum without tax."))
    tax_minor = models.BigIntegerField(help_text=_("Sum of taxes."))
    gross_minor = models.BigIntegerField(help_text=_("Sum with tax."))
    tax_rows = models.JSONField(
        default=list, help_text=_("Per category and rate: category, rate, base_minor, tax_minor, reason.")
    )
    snapshot_hash = models.CharField(
        max_length=64, blank=True, help_text=_("SHA-256 of the frozen content; empty while a draft.")
    )
    chain_link = models.ForeignKey(
        "billing.ChainLink",
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        help_text=_("Link of the chain it stands in; empty while a draft."),
    )
    pdf = models.ForeignKey(
        StoredFile,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        help_text=_("Rendered once, when first needed."),
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))

    class Meta:
        abstract = True


class Invoice(Document):
    PREFIX = "inv"

    class WaitsFor(models.TextChoices):
        WINDOW = "window", _("the end of the approval window")
        VAT_CHECK = "vat_check", _("the check of the VAT id")

    charge_due_on = models.DateField(help_text=_("Day its charges fell due, in the subscription's zone."))
    payment_due_on = models.DateField(help_text=_("Day payment is due."))
    po_reference = models.CharField(max_length=80, blank=True, help_text=_("The customer's order reference."))
    address_id = models.BigIntegerField(
        null=True, help_text=_("Billing address row used; its text is in the snapshot.")
    )
    run_id = models.BigIntegerField(null=True, help_text=_("Billing run that wrote it; empty: an act by hand."))
    notifies = models.BooleanField(default=True, help_text=_("Sent by mail when issued."))
    issue_after_at = models.DateTimeField(
        null=True, blank=True, help_text=_("A draft of billing is issued by itself after this instant; empty: by hand.")
    )
    waits_for = models.CharField(
        max_length=20,
        choices=WaitsFor.choices,
        blank=True,
        default="",
        db_default="",
        help_text=_("What a draft waits for; empty: a person."),
    )
    terms_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("Days until due that a draft is issued with; empty: as its dates say.")
    )
    terms_from = models.CharField(
        max_length=9,
        choices=TermsFrom.choices,
        default=TermsFrom.ISSUE,
        db_default="issue",
        help_text=_("Day from which those days are counted."),
    )
    replaces = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="replaced_by",
        db_constraint=False,
        help_text=_("The voided invoice it stands in for."),
    )
    tax_currency_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Tax in the company's tax currency, where the document has another.")
    )
    tax_currency_rate = models.DecimalField(
        max_digits=20, decimal_places=10, null=True, blank=True, help_text=_("Units of the document's for one of it.")
    )

    class Meta:
        verbose_name = _("invoice")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="invoice_company_key"),
            models.UniqueConstraint(
                fields=["company", "year", "sequence"],
                name="invoice_number_unique",
                condition=Q(sequence__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(gross_minor=F("net_minor") + F("tax_minor")), name="invoice_totals_add_up"
            ),
            models.CheckConstraint(condition=Q(gross_minor__gte=0), name="invoice_not_negative"),
            models.CheckConstraint(
                condition=Q(sequence__isnull=True, issued_on__isnull=True, number="", snapshot_hash="")
                | (
                    Q(sequence__isnull=False, issued_on__isnull=False, year__isnull=False, chain_link__isnull=False)
                    & ~Q(number="")
                    & ~Q(snapshot_hash="")
                ),
                name="invoice_draft_or_issued_whole",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="invoice_by_customer"),
            models.Index(fields=["company", "-issued_on", "-id"], name="invoice_by_date"),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.pk}"


class InvoiceBalance(models.Model):
    """The only moving part of an issued invoice. Counters that can't be overdrawn."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        OPEN = "open", _("open")
        PAID = "paid", _("paid")
        VOID = "void", _("void")
        UNCOLLECTIBLE = "uncollectible", _("uncollectible")

    invoice = models.OneToOneField(
        Invoice,
        models.PROTECT,
        primary_key=True,
        related_name="balance",
        db_constraint=False,
        help_text=_("The invoice."),
    )
    company_id = models.BigIntegerField(help_text=_("Its company."))
    customer_id = models.BigIntegerField(help_text=_("Its customer."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    status = models.CharField(max_length=13, choices=Status.choices, help_text=_("Where it stands."))
    payment_due_on = models.DateField(help_text=_("Day payment is due."))
    gross_minor = models.BigIntegerField(help_text=_("Total of the invoice."))
    paid_minor = models.BigIntegerField(default=0, help_text=_("Paid by payments."))
    credit_used_minor = models.BigIntegerField(default=0, help_text=_("Paid from account credit."))
    credited_minor = models.BigIntegerField(default=0, help_text=_("Given back by credit notes, whole."))
    settled_by_credit_notes_minor = models.BigIntegerField(
        default=0, help_text=_("Part of the credit notes that lowered what was due; the rest became account credit.")
    )
    written_off_minor = models.BigIntegerField(default=0, help_text=_("Given up."))
    open_minor = models.GeneratedField(
        expression=F("gross_minor")
        - F("paid_minor")
        - F("credit_used_minor")
        - F("settled_by_credit_notes_minor")
        - F("written_off_minor"),
        output_field=models.BigIntegerField(),
        db_persist=True,
        help_text=_("Still due."),
    )
    closed_on = models.DateField(null=True, help_text=_("Day it was paid, voided or given up."))
    sent_at = models.DateTimeField(null=True, help_text=_("When it was last mailed."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(
                    paid_minor__gte=0,
                    credit_used_minor__gte=0,
                    settled_by_credit_notes_minor__gte=0,
                    written_off_minor__gte=0,
                    credited_minor__gte=F("settled_by_credit_notes_minor"),
                ),
                name="invoice_balance_counters_from_zero",
            ),
            models.CheckConstraint(
                condition=Q(
                    gross_minor__gte=F("paid_minor")
                    + F("credit_used_minor")
                    + F("settled_by_credit_notes_minor")
                    + F("written_off_minor")
                ),
                name="invoice_balance_not_overpaid",
            ),
            models.CheckConstraint(
                condition=Q(credited_minor__lte=F("gross_minor")), name="invoice_balance_not_over_credited"
            ),
            models.CheckConstraint(
                condition=~Q(status="paid")
                | Q(
                    gross_minor=F("paid_minor")
                    + F("credit_used_minor")
                    + F("settled_by_credit_notes_minor")
                    + F("written_off_minor")
                ),
                name="invoice_balance_paid_is_settled",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["company_id", "payment_due_on", "invoice"],
                name="invoice_balance_open",
                condition=Q(status="open"),
            ),
            models.Index(fields=["customer_id", "status"], name="invoice_balance_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.status}"


class InvoiceLine(CompanyKeyed):
    """One line, rounded once, with the calculation that explains it."""

    class Kind(models.TextChoices):
        BASE = "base", _("recurring")
        ADDED = "added", _("added units")
        USAGE = "usage", _("usage")
        INTERIM = "interim", _("usage so far")
        LATE = "late", _("late usage")
        MINIMUM = "minimum", _("minimum")
        ONE_OFF = "one_off", _("one-off")

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="lines", db_constraint=False, help_text=_("Its invoice.")
    )
    position = models.PositiveSmallIntegerField(help_text=_("Order on the document, from 1."))
    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        null=True,
        related_name="invoice_lines",
        db_constraint=False,
        help_text=_("What for."),
    )
    slot = models.ForeignKey(
        Slot,
        models.PROTECT,
        null=True,
        related_name="invoice_lines",
        db_constraint=False,
        help_text=_("Which position."),
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, related_name="+", db_constraint=False, help_text=_("What was supplied.")
    )
    description = models.CharField(max_length=400, help_text=_("Words on the document, in its language."))
    quantity = models.DecimalField(max_digits=20, decimal_places=6, help_text=_("Units."))
    unit_amount = models.DecimalField(max_digits=20, decimal_places=10, help_text=_("Price of one, net or gross."))
    period_start = models.DateField(null=True, help_text=_("First day it covers."))
    period_end = models.DateField(null=True, help_text=_("First day it no longer covers."))
    kind = models.CharField(
        max_length=9, choices=Kind.choices, default=Kind.BASE, db_default="base", help_text=_("What the line charges.")
    )
    amount_minor = models.BigIntegerField(
        help_text=_("Rounded amount after its discount, net or gross as the document's prices.")
    )
    discount_minor = models.BigIntegerField(default=0, db_default=0, help_text=_("Taken off the line, in minor units."))
    net_minor = models.BigIntegerField(help_text=_("Amount without tax."))
    tax_category = models.CharField(max_length=2, help_text=_("S, Z, E, AE, K, G or O (EN 16931)."))
    tax_rate = models.DecimalField(max_digits=6, decimal_places=3, help_text=_("Percent."))
    calculation = models.JSONField(help_text=_("Days, share, price version, tax rule: what explains the amount."))

    class Meta:
        ordering = ("invoice_id", "position")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_unique"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="invoice_line_not_negative"),
            models.CheckConstraint(condition=Q(discount_minor__gte=0), name="invoice_line_discount_from_zero"),
            models.CheckConstraint(
                condition=Q(period_start__isnull=True) | Q(period_end__gt=F("period_start")), name="invoice_line_period"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["slot", "period_start"], name="invoice_line_by_slot"),
        ]

    def __str__(self) -> str:
        return self.description


class LineCredit(models.Model):
    """How much of a line was given back. Made with its first credit; the counter can't exceed the line."""

    line = models.OneToOneField(
        InvoiceLine,
        models.PROTECT,
        primary_key=True,
        related_name="credit",
        db_constraint=False,
        help_text=_("The line."),
    )
    amount_minor = models.BigIntegerField(help_text=_("Amount of the line."))
    credited_minor = models.BigIntegerField(default=0, help_text=_("Given back so far."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(credited_minor__gte=0) & Q(credited_minor__lte=F("amount_minor")),
                name="line_credit_not_over_credited",
            )
        ]

    def __str__(self) -> str:
        return f"{self.line_id}: {self.credited_minor}/{self.amount_minor}"


class CreditNote(Document):
    """Gives back what one issued invoice charged, wholly or in part. Always issued, never a draft."""

    PREFIX = "crn"

    class Cause(models.TextChoices):
        CANCEL = "cancel", _("cancellation")
        CHANGE = "change", _("change")
        PAUSE = "pause", _("pause")
        USAGE = "usage", _("late usage")
        REPLACE = "replace", _("replaced")
        VOID = "void", _("invoice voided")
        MANUAL = "manual", _("by hand")

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="credit_notes", db_constraint=False, help_text=_("What it corrects.")
    )
    cause = models.CharField(max_length=8, choices=Cause.choices, help_text=_("What led to it."))
    reason = models.CharField(max_length=500, blank=True, help_text=_("Words printed on it."))
    settled_minor = models.BigIntegerField(help_text=_("Part that lowered what was due on the invoice."))
    to_account_minor = models.BigIntegerField(help_text=_("Part that became account credit or was refunded."))
    tax_currency_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Tax in the company's tax currency, where the document has another.")
    )
    tax_currency_rate = models.DecimalField(
        max_digits=20, decimal_places=10, null=True, blank=True, help_text=_("Units of the document's for one of it.")
    )

    class Meta:
        verbose_name = _("credit note")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="credit_note_company_key"),
            models.UniqueConstraint(fields=["company", "year", "sequence"], name="credit_note_number_unique"),
            models.CheckConstraint(
                condition=Q(gross_minor=F("net_minor") + F("tax_minor")), name="credit_note_totals_add_up"
            ),
            models.CheckConstraint(
                condition=Q(gross_minor=F("settled_minor") + F("to_account_minor")), name="credit_note_goes_somewhere"
            ),
            models.CheckConstraint(
                condition=Q(gross_minor__gt=0) | Q(gross_minor=0, cause__in=["void", "replace"]),
                name="credit_note_positive",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="credit_note_by_customer"),
            models.Index(fields=["invoice"], name="credit_note_by_invoice"),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(CompanyKeyed):
    """What is given back of one invoice line. Amounts are positive: the document says credit."""

    credit_note = models.ForeignKey(
        CreditNote, models.PROTECT, related_name="lines", db_constraint=False, help_text=_("Its credit note.")
    )
    position = models.PositiveSmallIntegerField(help_text=_("Order on the document, from 1."))
    invoice_line = models.ForeignKey(
        InvoiceLine, models.PROTECT, related_name="credited_by", db_constraint=False, help_text=_("Line it gives back.")
    )
    description = models.CharField(max_length=400, help_text=_("Words on the document, in its language."))
    period_start = models.DateField(null=True, help_text=_("First day given back."))
    period_end = models.DateField(null=True, help_text=_("First day no longer given back."))
    amount_minor = models.BigIntegerField(help_text=_("Given back, net or gross as the document's prices."))
    net_minor = models.BigIntegerField(help_text=_("Amount without tax."))
    tax_category = models.CharField(max_length=2, help_text=_("As on the invoice line."))
    tax_rate = models.DecimalField(max_digits=6, decimal_places=3, help_text=_("Percent."))
    calculation = models.JSONField(help_text=_("Days and share: what explains the amount."))

    class Meta:
        ordering = ("credit_note_id", "position")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["credit_note", "position"], name="credit_note_line_position_unique"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="credit_note_line_not_negative"),
        ]

    def __str__(self) -> str:
        return self.description
