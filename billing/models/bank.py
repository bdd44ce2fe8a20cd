"""What the bank says: statements and their lines, each matched with a payment, suggested, or left for a person.

The rule that matters: a line is known by its own fingerprint, so that a statement read twice adds nothing.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyKeyed, StoredFile
from core.sealing import SealedField
from customers.models import Customer

from .documents import Invoice
from .money import Payment, Refund


class BankStatement(CompanyKeyed, Addressed):
    """A file of the bank, read once."""

    PREFIX = "bst"

    class Format(models.TextChoices):
        CAMT053 = "camt.053", "camt.053"
        CAMT054 = "camt.054", "camt.054"
        MT940 = "mt940", "MT940"
        CSV = "csv", "CSV"

    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+", help_text=_("The file as it came."))
    format = models.CharField(_("format"), max_length=8, choices=Format.choices, help_text=_("How it is written."))
    number = models.CharField(_("number"), max_length=40, blank=True, help_text=_("The bank's number of it."))
    iban_end = models.CharField(_("account"), max_length=4, blank=True, help_text=_("Last digits of the account."))
    currency = models.CharField(max_length=3, blank=True, help_text=_("ISO 4217; empty: by line."))
    opening_minor = models.BigIntegerField(null=True, help_text=_("Balance before, in minor units."))
    closing_minor = models.BigIntegerField(null=True, help_text=_("Balance after, in minor units."))
    from_on = models.DateField(null=True, help_text=_("First day booked."))
    until_on = models.DateField(null=True, help_text=_("Last day booked."))
    line_count = models.PositiveIntegerField(default=0, help_text=_("Lines read."))
    new_count = models.PositiveIntegerField(default=0, help_text=_("Of these, new."))
    imported_by = models.CharField(max_length=120, help_text=_("Who read it in."))
    imported_at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        verbose_name = _("bank statement")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="bank_statement_company_key"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-id"], name="bank_statement_newest")]

    def __str__(self) -> str:
        return f"{self.format} {self.number}"


class BankLine(CompanyKeyed, Addressed):
    """One booking on the company's account. Money in is above zero."""

    PREFIX = "bln"

    class State(models.TextChoices):
        OPEN = "open", _("not matched")
        SUGGESTED = "suggested", _("to be confirmed")
        MATCHED = "matched", _("matched")
        IGNORED = "ignored", _("set aside")

    statement = models.ForeignKey(
        BankStatement, models.PROTECT, related_name="lines", db_constraint=False, help_text=_("In which statement.")
    )
    fingerprint = models.CharField(max_length=64, help_text=_("Made of account, day, amount, references and place."))
    booked_on = models.DateField(_("booked on"), help_text=_("Day of the booking."))
    value_on = models.DateField(null=True, help_text=_("Day from which it counts."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(_("amount"), help_text=_("Money in above zero, money out below."))
    name = models.CharField(_("name"), max_length=140, blank=True, help_text=_("Who paid, or was paid."))
    iban = SealedField(blank=True, help_text=_("Their account; kept sealed."))
    iban_fingerprint = models.CharField(max_length=64, blank=True, help_text=_("Finds the account without opening it."))
    text = models.CharField(_("text"), max_length=500, blank=True, help_text=_("What was written with it."))
    end_to_end_id = models.CharField(max_length=35, blank=True, help_text=_("Reference of whoever ordered it."))
    mandate_reference = models.CharField(max_length=35, blank=True, help_text=_("Mandate of a direct debit."))
    bank_reference = models.CharField(max_length=80, blank=True, help_text=_("The bank's own reference."))
    return_code = models.CharField(max_length=4, blank=True, help_text=_("Why a debit came back, such as AM04."))
    fee_minor = models.BigIntegerField(default=0, help_text=_("Fee of the bank contained, in minor units."))
    state = models.CharField(
        _("status"), max_length=9, choices=State.choices, default=State.OPEN, help_text=_("Where it stands.")
    )
    suggestions = models.JSONField(
        default=list, help_text=_("What it may pay: invoice ids with confidence in percent and the reasons.")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="+", db_constraint=False, help_text=_("Whose, once known.")
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="+", db_constraint=False, help_text=_("Matched with.")
    )
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, related_name="bank_lines", db_constraint=False,
        help_text=_("Payment recorded from it, or taken back by it."),
    )  # fmt: skip
    refund = models.ForeignKey(
        Refund, models.PROTECT, null=True, related_name="bank_lines", db_constraint=False,
        help_text=_("Refund that it paid out."),
    )  # fmt: skip
    settled_by = models.CharField(max_length=120, blank=True, help_text=_("Who or what matched or set it aside."))
    note = models.CharField(max_length=300, blank=True, help_text=_("Why it was set aside, or how it was matched."))

    class Meta:
        verbose_name = _("bank line")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="bank_line_company_key"),
            models.UniqueConstraint(fields=["company", "fingerprint"], name="bank_line_once"),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="bank_line_is_not_zero"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-booked_on", "-id"], name="bank_line_newest"),
            models.Index(
                fields=["company", "-id"], name="bank_line_unsettled", condition=Q(state__in=["open", "suggested"])
            ),
            models.Index(fields=["statement", "id"], name="bank_line_by_statement"),
            models.Index(
                fields=["company", "iban_fingerprint"], name="bank_line_by_iban", condition=Q(state="matched")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.booked_on} {self.amount_minor} {self.currency}"
