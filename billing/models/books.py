"""The books: accounts, balanced postings, frozen snapshots and the hash chain over issued documents."""

from __future__ import annotations

from typing import ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from core.models import CompanyKeyed, CompanyOwned

#: role: name of its account (an accountant renames it at will)
ACCOUNT_NAMES: Final = {
    "receivable": gettext_noop("Receivables"),
    "revenue": gettext_noop("Revenue"),
    "tax": gettext_noop("Taxes due"),
    "cash": gettext_noop("Bank"),
    "customer_credit": gettext_noop("Customers' credit"),
    "unallocated": gettext_noop("Payments not allocated"),
    "write_off": gettext_noop("Losses on receivables"),
    "prepaid": gettext_noop("Credit sold in advance"),
    "transit": gettext_noop("Money at payment providers"),
    "fee": gettext_noop("Payment fees"),
    "claim": gettext_noop("Income from late payment"),
    "exchange": gettext_noop("Exchange differences"),
}


def account_words(role: str, code: str, name: str) -> str:
    """An account's name as the reader sees it: what the company called it, else its role's in the reader's language.

    >>> account_words("revenue", "8410", "Weekend hotline")
    'Weekend hotline'
    """
    usual = ACCOUNT_NAMES.get(role, name)
    return gettext(usual) if name in ("", code, usual) else name


#: What causes a posting, in words.
CAUSES: Final[dict[str, str | Promise]] = {
    "invoice": _("Invoice"),
    "credit_note": _("Credit note"),
    "payment": _("Payment"),
    "allocation": _("Allocation"),
    "refund": _("Refund"),
    "reversal": _("Money taken back"),
    "write_off": _("Write-off"),
    "claim": _("Fee or interest"),
    "credit": _("Credit"),
    "credit_use": _("Credit used"),
    "attempt": _("Collection"),
    "bank_line": _("Bank line"),
    "void": _("Voided invoice"),
}


def cause_words(kind: str) -> str:
    """What caused a posting, in the reader's language.

    >>> cause_words("write_off")
    'Write-off'
    """
    return str(CAUSES.get(kind, gettext("Other")))


class Account(CompanyOwned):
    """A ledger account. `role` is what the code asks for; `code` is what the accountant sees."""

    class Role(models.TextChoices):
        RECEIVABLE = "receivable", _("receivables")
        REVENUE = "revenue", _("revenue")
        TAX = "tax", _("taxes due")
        CASH = "cash", _("cash and bank")
        CUSTOMER_CREDIT = "customer_credit", _("customers' credit")
        UNALLOCATED = "unallocated", _("payments not allocated")
        WRITE_OFF = "write_off", _("losses on receivables")
        PREPAID = "prepaid", _("credit sold in advance")
        TRANSIT = "transit", _("money at payment providers")
        FEE = "fee", _("payment fees")
        CLAIM = "claim", _("claims for late payment")
        EXCHANGE = "exchange", _("exchange differences")

    role = models.CharField(max_length=20, choices=Role.choices, help_text=_("What it is used for."))
    code = models.CharField(_("code"), max_length=20, help_text=_("Number in the chart of accounts."))
    name = models.CharField(_("name"), max_length=120, help_text=_("Name in the chart of accounts."))

    class Meta:
        ordering = ("code",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "code"], name="account_code_unique"),
            models.UniqueConstraint(fields=["company", "id"], name="account_company_key"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.words}"

    @property
    def words(self) -> str:
        """Its name as the reader sees it."""
        return account_words(self.role, self.code, self.name)


class Posting(CompanyKeyed):
    """One side of an entry. The postings of an entry are written in one statement and sum to zero."""

    entry = models.BigIntegerField(help_text=_("Number shared by the postings of one entry."))
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="postings", db_constraint=False, help_text=_("Which account.")
    )
    booked_on = models.DateField(help_text=_("Day of the books."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Debit above zero, credit below, in minor units."))
    customer_id = models.BigIntegerField(null=True, help_text=_("Customer concerned."))
    cause_kind = models.CharField(
        max_length=12,
        help_text=_("Kind of the row that caused it, such as invoice."),
    )
    cause_id = models.BigIntegerField(help_text=_("Row that caused it."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="posting_is_not_zero")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "booked_on", "entry"], name="posting_by_day"),
            models.Index(fields=["cause_kind", "cause_id"], name="posting_by_cause"),
            models.Index(fields=["account", "booked_on"], name="posting_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.entry}: {self.amount_minor} {self.currency}"


class SnapshotPart(CompanyOwned):
    """A text that many documents share, such as the seller; named by its hash and kept once."""

    sha256 = models.CharField(max_length=64, help_text=_("SHA-256 of the body."))
    body = models.TextField(help_text=_("Canonical JSON."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "sha256"], name="snapshot_part_unique")
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class Snapshot(CompanyKeyed):
    """The frozen content of one issued document; PDF and XML are made from it alone."""

    document_kind = models.CharField(max_length=12, help_text=_("invoice or credit_note."))
    document_id = models.BigIntegerField(help_text=_("Which one."))
    sha256 = models.CharField(max_length=64, help_text=_("SHA-256 of the body."))
    body = models.TextField(help_text=_("Canonical JSON: parties, texts, lines, totals, template version."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["document_kind", "document_id"], name="snapshot_unique")
        ]

    def __str__(self) -> str:
        return f"{self.document_kind} {self.document_id}"


class ChainHead(models.Model):
    """The end of a company's chain; its row is locked while a link is added."""

    company = models.OneToOneField(
        "core.Company", models.PROTECT, primary_key=True, related_name="+", help_text=_("Whose chain.")
    )
    height = models.PositiveBigIntegerField(default=0, help_text=_("Links so far."))
    sha256 = models.CharField(max_length=64, blank=True, help_text=_("Hash of the last link; empty before the first."))

    def __str__(self) -> str:
        return f"{self.company_id}: {self.height}"


class ChainLink(CompanyOwned):
    """One issuing transaction: the hash over the previous link and the ordered document hashes."""

    height = models.PositiveBigIntegerField(help_text=_("Counts from 1 without gap."))
    previous_sha256 = models.CharField(
        max_length=64, blank=True, help_text=_("Hash of the link before; empty for the first.")
    )
    sha256 = models.CharField(max_length=64, help_text=_("Hash of this link."))
    document_hashes = ArrayField(
        models.CharField(max_length=64), help_text=_("Hashes of the documents it holds, in order of issue.")
    )
    linked_at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "height"], name="chain_link_height_unique"),
            models.UniqueConstraint(fields=["company", "previous_sha256"], name="chain_link_never_forks"),
        ]

    def __str__(self) -> str:
        return f"{self.company_id}/{self.height}"
