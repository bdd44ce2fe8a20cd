"""What was booked as revenue and as tax, line by line, with everything it may be divided by.

The rule that matters: both are views over issued documents and postings; nothing is kept twice, and their sums are what
the accounts of revenue and of taxes say.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models import CreditNote, Invoice
from catalog.models import Plan, Product
from core.models import CompanyKeyed
from customers.models import Customer
from subscriptions.models import Subscription


class RevenueEntry(CompanyKeyed):
    """Revenue of one invoice line, less what one line of a credit note gave back; or prepaid credit that lapsed.

    Prepaid credit that was used counts with the line it lowered; its sale is no revenue.
    """

    id = models.BigIntegerField(primary_key=True, help_text=_("Made of its row's id."))
    invoice = models.ForeignKey(
        Invoice, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("Its invoice.")
    )
    credit_note = models.ForeignKey(
        CreditNote, models.DO_NOTHING, null=True, related_name="+", db_constraint=False,
        help_text=_("The note that gives it back."),
    )  # fmt: skip
    customer = models.ForeignKey(
        Customer, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("Whose.")
    )
    subscription = models.ForeignKey(
        Subscription, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("What for.")
    )
    product = models.ForeignKey(
        Product, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("What was supplied.")
    )
    plan = models.ForeignKey(
        Plan, models.DO_NOTHING, null=True, related_name="+", db_constraint=False,
        help_text=_("The subscription's plan on the first day."),
    )  # fmt: skip
    country = models.CharField(max_length=2, help_text=_("Country of the address the invoice was written to."))
    kind = models.CharField(max_length=9, help_text=_("What the line charges, or credit."))
    description = models.CharField(max_length=400, help_text=_("Words on the document."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Revenue without tax; below zero: given back."))
    booked_on = models.DateField(help_text=_("Day of the document and of its postings."))
    start_on = models.DateField(help_text=_("First day of the service."))
    end_on = models.DateField(help_text=_("First day after the service."))

    class Meta:
        managed = False
        db_table = "reporting_revenueentry"

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency}"


class TaxEntry(CompanyKeyed):
    """Base and tax of one document in one country, category and rate; of credit notes below zero."""

    id = models.BigIntegerField(primary_key=True, help_text=_("Made of its document's id."))
    invoice = models.ForeignKey(
        Invoice, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("The invoice.")
    )
    credit_note = models.ForeignKey(
        CreditNote, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, help_text=_("The credit note.")
    )
    customer = models.ForeignKey(
        Customer, models.DO_NOTHING, related_name="+", db_constraint=False, help_text=_("Whose.")
    )
    booked_on = models.DateField(help_text=_("Day of the document."))
    country = models.CharField(max_length=2, help_text=_("Where the tax is due."))
    region = models.CharField(max_length=10, help_text=_("Special territory, where the tax is due in one."))
    category = models.CharField(max_length=2, help_text=_("S, Z, E, AE, K, G or O (EN 16931)."))
    rate = models.DecimalField(max_digits=6, decimal_places=3, help_text=_("Percent."))
    reason = models.CharField(max_length=40, help_text=_("Why it is taxed so."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    base_minor = models.BigIntegerField(help_text=_("Without tax, in the document's currency."))
    tax_minor = models.BigIntegerField(help_text=_("Tax, in the document's currency."))
    told_currency = models.CharField(max_length=3, help_text=_("The company's tax currency."))
    told_base_minor = models.BigIntegerField(
        null=True, help_text=_("Without tax, in the tax currency; empty: no rate is known.")
    )
    told_tax_minor = models.BigIntegerField(null=True, help_text=_("Tax, in the tax currency."))

    class Meta:
        managed = False
        db_table = "reporting_taxentry"

    def __str__(self) -> str:
        return f"{self.country} {self.rate}: {self.tax_minor} {self.currency}"
