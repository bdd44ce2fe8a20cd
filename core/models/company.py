"""A legal entity that bills. Its settings are typed columns; live or test is for ever."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .bases import NAME_LENGTH, Addressed

LANGUAGE_CHOICES = [
    ("en", _("English")),
    ("de", _("German")),
    ("fr", _("French")),
    ("it", _("Italian")),
    ("es", _("Spanish")),
]


class TermsFrom(models.TextChoices):
    """From which day the days of payment terms are counted."""

    ISSUE = "issue", _("the document's date")
    MONTH_END = "month_end", _("the end of its month")


class Company(Addressed):
    PREFIX = "com"

    class CollectWhen(models.TextChoices):
        ISSUE = "issue", _("as soon as the invoice is issued")
        DUE = "due", _("on the day it is due")

    class Chart(models.TextChoices):
        SKR03 = "skr03", "SKR 03"
        SKR04 = "skr04", "SKR 04"
        NEUTRAL = "neutral", _("neutral")

    class RateChange(models.TextChoices):
        END_OF_PERIOD = "end_of_period", _("the rate of its last day")
        SPLIT = "split", _("each part its own rate")
        TAX_POINT = "tax_point", _("the rate of the day it falls due")

    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Short name, shown to staff and customers."))
    slug = models.SlugField(_("address name"), unique=True, help_text=_("Name in addresses; lower case, no spaces."))
    is_live = models.BooleanField(
        _("live"), default=True, editable=False, help_text=_("A company is live or test for ever.")
    )
    clock_at = models.DateTimeField(
        _("clock"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("A test company's own time; it stands still until advanced. Empty for live companies."),
    )

    sandbox_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="sandboxes",
        help_text=_("The company whose catalog and settings this test company was opened with; empty: none."),
    )

    legal_name = models.CharField(
        _("legal name"), max_length=NAME_LENGTH, help_text=_("Full name printed on documents.")
    )
    address_lines = models.JSONField(
        _("street"), default=list, blank=True, help_text=_("Up to four lines above the town.")
    )
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True, help_text=_("Postal code."))
    city = models.CharField(_("town"), max_length=100, blank=True, help_text=_("Town."))
    country = models.CharField(
        _("country"), max_length=2, validators=[RegexValidator("^[A-Z]{2}$")], help_text=_("ISO 3166 code, such as DE.")
    )
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Sender and reply address of mails to customers."))
    phone = models.CharField(_("phone"), max_length=40, blank=True, help_text=_("Printed on documents."))
    website = models.URLField(_("website"), blank=True, help_text=_("Printed on documents."))
    vat_id = models.CharField(
        _("VAT id"), max_length=20, blank=True, help_text=_("With country letters, such as DE123456789.")
    )
    tax_number = models.CharField(_("tax number"), max_length=40, blank=True, help_text=_("National tax number."))
    register_entry = models.CharField(
        _("register entry"),
        max_length=NAME_LENGTH,
        blank=True,
        help_text=_("Court and number, share capital and the like, printed in the footer."),
    )
    iban = models.CharField(_("IBAN"), max_length=34, blank=True, help_text=_("Where customers transfer money to."))
    bic = models.CharField(_("BIC"), max_length=11, blank=True, help_text=_("Bank code of that account."))
    bank_name = models.CharField(_("bank"), max_length=100, blank=True, help_text=_("Name of that bank."))
    logo = models.ForeignKey(
        "core.StoredFile",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("logo"),
        help_text=_("PNG, JPEG or SVG, shown on documents and in the portal."),
    )
    accent = models.CharField(
        _("accent colour"),
        max_length=7,
        default="#3b5bdb",
        validators=[RegexValidator("^#[0-9a-fA-F]{6}$")],
        help_text=_("Colour of the portal and of documents, such as #3b5bdb."),
    )

    currency = models.CharField(_("currency"), max_length=3, default="EUR", help_text=_("Usual currency, ISO 4217."))
    tax_currency = models.CharField(
        _("tax currency"), max_length=3, default="EUR", help_text=_("Currency taxes are reported in.")
    )
    language = models.CharField(
        _("language"),
        max_length=5,
        choices=LANGUAGE_CHOICES,
        default="en",
        help_text=_("Language of customers without one of their own; catalog texts must exist in it."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", help_text=_("IANA name; dates of documents follow it.")
    )
    books_start_on = models.DateField(
        _("books start on"), help_text=_("No invoice covers earlier days; history before it was billed elsewhere.")
    )
    books_closed_on = models.DateField(
        _("books closed through"), null=True, blank=True, help_text=_("Last day of closed books; no act reaches it.")
    )
    mails_start_on = models.DateField(
        _("mails start on"),
        null=True,
        blank=True,
        help_text=_("Documents about charges due earlier are issued without mail; empty: all are sent."),
    )
    invoice_pattern = models.CharField(
        _("invoice number"),
        max_length=40,
        default="INV-{year}-{number:06}",
        help_text=_("Pattern with {year} and {number}."),
    )
    credit_note_pattern = models.CharField(
        _("credit note number"),
        max_length=40,
        default="CN-{year}-{number:06}",
        help_text=_("Pattern with {year} and {number}."),
    )
    payment_terms_days = models.PositiveSmallIntegerField(
        _("payment terms"),
        default=14,
        validators=[MaxValueValidator(365)],
        help_text=_("Days from the invoice date to the due date; 0: due at once."),
    )
    payment_terms_from = models.CharField(
        _("payment terms count from"),
        max_length=9,
        choices=TermsFrom.choices,
        default=TermsFrom.ISSUE,
        db_default="issue",
        help_text=_("Day from which the days until due are counted."),
    )
    invoice_per_subscription = models.BooleanField(
        _("one invoice per subscription"),
        default=False,
        help_text=_("Otherwise charges of one customer due on one day share an invoice."),
    )
    issues_zero_invoices = models.BooleanField(
        _("issue zero invoices"), default=False, help_text=_("Issue a document even when its total is zero.")
    )
    collect_when = models.CharField(
        _("stored payment methods are charged"),
        max_length=5,
        choices=CollectWhen.choices,
        default=CollectWhen.ISSUE,
        db_default="issue",
        help_text=_("When a card, a PayPal account or a mandate on file is charged."),
    )
    chart = models.CharField(
        _("chart of accounts"),
        max_length=7,
        choices=Chart.choices,
        default=Chart.SKR03,
        db_default="skr03",
        help_text=_("Which numbers new accounts get."),
    )
    draft_hours = models.PositiveSmallIntegerField(
        _("approval window"),
        default=0,
        validators=[MaxValueValidator(720)],
        help_text=_("Hours that invoices for subscriptions wait as drafts before they are issued; 0: issued at once."),
    )
    rate_change = models.CharField(
        _("change of a tax rate"),
        max_length=13,
        choices=RateChange.choices,
        default=RateChange.END_OF_PERIOD,
        help_text=_("Which rate a period takes that a change of rate falls into."),
    )
    is_small_business = models.BooleanField(
        _("small business"), default=False, help_text=_("Charges no VAT under its country's small-business scheme.")
    )
    charges_origin_vat = models.BooleanField(
        _("below the distance-sales threshold"),
        default=False,
        help_text=_("Consumers in other member states pay the seller's VAT."),
    )
    invoice_footer = models.JSONField(
        _("invoice footer"), default=dict, blank=True, help_text=_("Closing words on documents, by language.")
    )
    mail_name = models.CharField(
        _("sender name"),
        max_length=NAME_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text=_("Name mails come from; empty: the company's short name."),
    )
    mail_address = models.EmailField(
        _("sender address"),
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Address mails come from; your mail server must be allowed to send for it. Empty: the e-mail above."
        ),
    )
    mail_reply_to = models.EmailField(
        _("reply address"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Where answers go; empty: to the sender."),
    )
    mails_have_html = models.BooleanField(
        _("mails with your looks"),
        default=True,
        db_default=True,
        help_text=_("Beside the plain text, mails show the same words with your logo and colour."),
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When the row was made."))

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(is_live=False) | Q(clock_at__isnull=True), name="company_live_has_no_clock"
            ),
            models.CheckConstraint(
                condition=Q(sandbox_of__isnull=True) | Q(is_live=False), name="company_sandbox_is_a_test"
            ),
        ]

    def currency_rank(self, code: str) -> tuple[bool, str]:
        """To sort by: the company's own currency, then the others by their codes."""
        return code != self.currency, code

    def __str__(self) -> str:
        return self.name
