"""Who buys and pays: customers, their addresses and their people."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from core.models import LANGUAGE_CHOICES, NAME_LENGTH, Addressed, CompanyOwned, TermsFrom, User


class Customer(CompanyOwned, Addressed):
    """A company or person with one balance per currency."""

    PREFIX = "cus"

    class Kind(models.TextChoices):
        COMPANY = "company", _("company")
        PERSON = "person", _("person")

    class VatState(models.TextChoices):
        NONE = "none", _("none")
        PENDING = "pending", _("not checked yet")
        VALID = "valid", _("valid")
        INVALID = "invalid", _("invalid")

    kind = models.CharField(
        _("kind"), max_length=7, choices=Kind.choices, default=Kind.COMPANY, help_text=_("Business or consumer.")
    )
    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name on documents."))
    sort_key = models.CharField(
        max_length=NAME_LENGTH, editable=False, help_text=_("Name folded for sorting, computed from it.")
    )
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Where documents are sent."))
    phone = models.CharField(_("phone"), max_length=40, blank=True, help_text=_("With country code."))
    language = models.CharField(
        _("language"),
        max_length=5,
        choices=LANGUAGE_CHOICES,
        blank=True,
        help_text=_("Language of documents and mails; empty: the company's."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Periods follow it; empty: the company's.")
    )
    currency = models.CharField(
        _("currency"), max_length=3, blank=True, help_text=_("Usual currency; empty: the company's.")
    )
    vat_id = models.CharField(_("VAT id"), max_length=20, blank=True, help_text=_("With country letters."))
    vat_state = models.CharField(
        _("VAT id check"),
        max_length=7,
        choices=VatState.choices,
        default=VatState.NONE,
        help_text=_("What the last check said."),
    )
    vat_checked_at = models.DateTimeField(null=True, blank=True, help_text=_("When the VAT id was checked."))
    tax_exemption = models.CharField(
        _("tax exemption"),
        max_length=NAME_LENGTH,
        blank=True,
        help_text=_("Reason why no tax is charged, printed on documents; empty: taxed."),
    )
    payment_terms_days = models.PositiveSmallIntegerField(
        _("payment terms"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(365)],
        help_text=_("Days until due; empty: the plan's or the company's."),
    )
    payment_terms_from = models.CharField(
        _("payment terms count from"),
        max_length=9,
        choices=TermsFrom.choices,
        blank=True,
        default="",
        db_default="",
        help_text=_("Day from which the days until due are counted; empty: the plan's or the company's."),
    )
    po_reference = models.CharField(
        _("order reference"),
        max_length=80,
        blank=True,
        help_text=_("The customer's own reference, printed on invoices."),
    )
    payment_method = models.CharField(
        _("pays by"), max_length=60, blank=True, help_text=_("How the customer pays, such as bank transfer.")
    )
    dunning_group = models.CharField(
        _("dunning group"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text=_("Dunning policies may hold for one group alone; empty: none."),
    )
    external_id = models.CharField(
        _("external id"), max_length=120, blank=True, help_text=_("Id in another system, unique where given.")
    )
    metadata = models.JSONField(
        _("further data"), default=dict, blank=True, help_text=_("Keys and values of your own.")
    )
    owner = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
        help_text=_("Who looks after this customer."),
    )
    marketing_consent_at = models.DateTimeField(
        _("advertising allowed since"),
        null=True,
        blank=True,
        help_text=_("When it was allowed to send advertising to this address; empty: it was not."),
    )
    marketing_consent_source = models.CharField(
        _("allowed by"),
        max_length=120,
        blank=True,
        default="",
        db_default="",
        help_text=_("How that was said, such as portal or a signed form."),
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Hidden from lists since."))
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", db_constraint=False, db_index=False,
        help_text=_("The customer it was a duplicate of; its documents stay under its own number."),
    )  # fmt: skip
    merged_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was merged, by the company's clock."))

    class Meta:
        verbose_name = _("customer")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="customer_company_key"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True, merged_at__isnull=True)
                | Q(merged_into__isnull=False, merged_at__isnull=False, archived_at__isnull=False),
                name="customer_merged_is_archived",
            ),
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="customer_not_merged_into_itself"),
            models.UniqueConstraint(
                fields=["company", "external_id"], name="customer_external_id_unique", condition=~Q(external_id="")
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "sort_key", "id"], name="customer_by_name"),
            models.Index(fields=["company", "-created_at", "-id"], name="customer_by_age"),
            models.Index(fields=["company", "vat_id"], name="customer_by_vat_id", condition=~Q(vat_id="")),
            models.Index(fields=["merged_into", "id"], name="customer_merged", condition=Q(merged_into__isnull=False)),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="customer_name_trigram"),
            GinIndex(OpClass(Upper("email"), name="gin_trgm_ops"), name="customer_email_trigram"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def number(self) -> str:
        """The short name people say: CUS-000123. Not gapless; only documents are."""
        return f"CUS-{self.pk:06d}"


class Address(CompanyOwned):
    """A postal address. A changed address is a new row, so that what was used stays readable."""

    class Kind(models.TextChoices):
        BILLING = "billing", _("billing")
        DELIVERY = "delivery", _("delivery")

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="addresses", help_text=_("Whose it is."))
    kind = models.CharField(
        _("kind"), max_length=8, choices=Kind.choices, default=Kind.BILLING, help_text=_("What it is used for.")
    )
    recipient = models.CharField(
        _("recipient"), max_length=NAME_LENGTH, blank=True, help_text=_("Name above it; empty: the customer's.")
    )
    lines = models.JSONField(_("street"), default=list, blank=True, help_text=_("Up to four lines above the town."))
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True, help_text=_("Postal code."))
    city = models.CharField(_("town"), max_length=100, blank=True, help_text=_("Town."))
    region = models.CharField(
        _("region"), max_length=10, blank=True, help_text=_("State or special territory, where it matters for tax.")
    )
    country = models.CharField(_("country"), max_length=2, help_text=_("ISO 3166 code, such as DE."))
    replaced_at = models.DateTimeField(null=True, blank=True, help_text=_("When a newer one took its place."))

    class Meta:
        verbose_name = _("address")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="address_company_key"),
            models.UniqueConstraint(
                fields=["customer", "kind"], name="address_one_current", condition=Q(replaced_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.postal_code} {self.city}".strip()


class Contact(CompanyOwned, Addressed):
    """A person at the customer. With a user, they can sign in to the portal."""

    PREFIX = "con"

    class Role(models.TextChoices):
        OWNER = "owner", _("may do everything")
        BILLING = "billing", _("pays and sees invoices")
        VIEWER = "viewer", _("looks only")

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="contacts", help_text=_("Where they belong."))
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="contacts", help_text=_("Portal sign-in, if any.")
    )
    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Full name."))
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Own address."))
    phone = models.CharField(_("phone"), max_length=40, blank=True, help_text=_("With country code."))
    role = models.CharField(
        _("portal role"),
        max_length=8,
        choices=Role.choices,
        default=Role.OWNER,
        help_text=_("What they may do in the portal."),
    )
    gets_invoices = models.BooleanField(
        _("gets invoices"), default=False, help_text=_("Documents are also sent to this person.")
    )
    marketing_consent_at = models.DateTimeField(
        _("advertising allowed since"),
        null=True,
        blank=True,
        help_text=_("When it was allowed to send advertising to this address; empty: it was not."),
    )
    marketing_consent_source = models.CharField(
        _("allowed by"),
        max_length=120,
        blank=True,
        default="",
        db_default="",
        help_text=_("How that was said, such as portal or a signed form."),
    )
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("No longer there since."))

    class Meta:
        verbose_name = _("contact")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="contact_company_key"),
            models.UniqueConstraint(
                fields=["customer", "user"], name="contact_user_unique", condition=Q(user__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name
