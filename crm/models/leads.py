"""Who might buy: leads, the stages they go through, what was said about them, and the form they come in by.

The rule that matters: where a lead stands is its stage; a stage is open, won or lost, and only that says which.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from catalog.models import Campaign
from core.models import LANGUAGE_CHOICES, NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned, Role, User
from customers.models import Customer


class LeadStage(CompanyOwned, Addressed):
    """A step of the pipeline, as the company names it."""

    PREFIX = "lst"

    class Kind(models.TextChoices):
        OPEN = "open", pgettext_lazy("lead", "open")
        WON = "won", pgettext_lazy("lead", "won")
        LOST = "lost", pgettext_lazy("lead", "lost")

    name = models.CharField(_("name"), max_length=80, help_text=_("Name shown to staff, unique in the company."))
    kind = models.CharField(
        _("kind"), max_length=4, choices=Kind.choices, default=Kind.OPEN,
        help_text=_("Whether leads here are worked on, won or lost."),
    )  # fmt: skip
    probability = models.PositiveSmallIntegerField(
        _("probability"), default=0, validators=[MaxValueValidator(100)],
        help_text=_("Percent of leads here that are won in the end."),
    )  # fmt: skip
    position = models.PositiveSmallIntegerField(_("order"), help_text=_("From left to right on the board."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Not chosen anew since."))

    class Meta:
        verbose_name = _("stage")
        ordering = ("position", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="lead_stage_company_key"),
            models.UniqueConstraint(fields=["company", "name"], name="lead_stage_name_unique"),
            models.CheckConstraint(condition=Q(probability__lte=100), name="lead_stage_probability_is_percent"),
        ]

    def __str__(self) -> str:
        return self.name


class LostReason(models.TextChoices):
    """Why a lead didn't buy."""

    PRICE = "price", _("too expensive")
    COMPETITOR = "competitor", _("bought elsewhere")
    NO_NEED = "no_need", _("doesn't need it")
    LATER = "later", _("not now")
    NO_ANSWER = "no_answer", _("doesn't answer")
    UNFIT = "unfit", _("can't be served")
    DUPLICATE = "duplicate", _("duplicate of another lead")
    OTHER = "other", pgettext_lazy("reason", "other")


class Lead(CompanyOwned, Addressed):
    """Somebody who might buy."""

    PREFIX = "led"

    class Origin(models.TextChoices):
        STAFF = "staff", _("entered by staff")
        FORM = "form", _("web form")
        API = "api", _("API")
        TIE = "tie", pgettext_lazy("connection", "tie")

    name = models.CharField(_("name"), max_length=NAME_LENGTH, blank=True, help_text=_("The person to talk to."))
    organization = models.CharField(
        pgettext_lazy("organization", "company"), max_length=NAME_LENGTH, blank=True,
        help_text=_("The company they speak for; empty: a private person."),
    )  # fmt: skip
    email = models.EmailField(_("e-mail"), blank=True, help_text=_("Where they are written to."))
    phone = models.CharField(_("phone"), max_length=40, blank=True, help_text=_("With country code."))
    country = models.CharField(
        _("country"), max_length=2, blank=True, help_text=_("ISO 3166 code, such as DE; empty: not known.")
    )
    language = models.CharField(
        _("language"), max_length=5, choices=LANGUAGE_CHOICES, blank=True,
        help_text=_("Language they are written to in; empty: the company's."),
    )  # fmt: skip
    message = models.TextField(
        _("message"), max_length=10_000, blank=True, help_text=_("What they want, in their own words.")
    )
    stage = models.ForeignKey(
        LeadStage, models.PROTECT, related_name="leads", db_constraint=False, verbose_name=_("stage"),
        help_text=_("Where it stands in the pipeline."),
    )  # fmt: skip
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner"),
        help_text=_("Who works on it; empty: whoever of sales takes it."),
    )  # fmt: skip
    probability = models.PositiveSmallIntegerField(
        _("probability"), null=True, blank=True, validators=[MaxValueValidator(100)],
        help_text=_("Percent; empty: the stage's."),
    )  # fmt: skip
    value_minor = models.BigIntegerField(
        _("expected monthly amount"), null=True, blank=True,
        help_text=_("What they would pay a month, in minor units; empty: not known."),
    )  # fmt: skip
    currency = models.CharField(_("currency"), max_length=3, help_text=_("Of the amount, ISO 4217."))
    source = models.CharField(
        _("source"), max_length=80, blank=True, help_text=_("Where they came from, such as fair or recommendation.")
    )
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False,
        verbose_name=_("campaign"), help_text=_("The campaign that brought them."),
    )  # fmt: skip
    origin = models.CharField(
        max_length=5, choices=Origin.choices, default=Origin.STAFF, help_text=_("By which door it came in.")
    )
    lost_reason = models.CharField(
        _("reason"), max_length=10, choices=LostReason.choices, blank=True, help_text=_("Why it was lost.")
    )
    lost_words = models.CharField(_("remark"), max_length=500, blank=True, help_text=_("The reason in more words."))
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="leads", db_constraint=False,
        verbose_name=_("customer"), help_text=_("The customer it became."),
    )  # fmt: skip
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", db_constraint=False,
        help_text=_("The lead that it was a duplicate of."),
    )  # fmt: skip
    consent_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When they allowed advertising; empty: they did not.")
    )
    consent_source = models.CharField(max_length=120, blank=True, help_text=_("How they said so."))
    privacy_text = models.TextField(blank=True, help_text=_("The privacy notice they read, word for word."))
    external_id = models.CharField(
        _("external id"), max_length=120, blank=True, help_text=_("Id in another system, unique where given.")
    )
    form_key = models.CharField(
        max_length=40, blank=True, help_text=_("Which sending of the web form made it, so that none makes two.")
    )
    email_key = models.CharField(max_length=254, blank=True, help_text=_("The e-mail address, as it is compared."))
    phone_key = models.CharField(max_length=40, blank=True, help_text=_("The phone number's last digits."))
    domain_key = models.CharField(
        max_length=254, blank=True, help_text=_("The address's domain; empty for those that anybody can have.")
    )
    organization_key = models.CharField(max_length=NAME_LENGTH, blank=True, help_text=_("The company, as compared."))
    stage_since = models.DateTimeField(help_text=_("When it came to its stage, by the company's clock."))
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    created_by = models.CharField(max_length=120, help_text=_("Who or what made it."))
    converted_at = models.DateTimeField(null=True, help_text=_("When it became a customer, by the company's clock."))

    class Meta:
        verbose_name = pgettext_lazy("sales", "lead")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="lead_company_key"),
            models.UniqueConstraint(
                fields=["company", "external_id"], name="lead_external_id_unique", condition=~Q(external_id="")
            ),
            models.UniqueConstraint(fields=["company", "form_key"], name="lead_once_a_form", condition=~Q(form_key="")),
            models.CheckConstraint(condition=~Q(name="", organization=""), name="lead_has_a_name"),
            models.CheckConstraint(
                condition=Q(probability__isnull=True) | Q(probability__lte=100), name="lead_probability_is_percent"
            ),
            models.CheckConstraint(
                condition=Q(value_minor__isnull=True) | Q(value_minor__gte=0), name="lead_value_from_zero"
            ),
            models.CheckConstraint(
                condition=Q(customer__isnull=True, converted_at__isnull=True)
                | Q(customer__isnull=False, converted_at__isnull=False),
                name="lead_converted_has_its_time",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="lead_newest"),
            models.Index(fields=["company", "stage", "-id"], name="lead_by_stage", condition=Q(merged_into=None)),
            models.Index(fields=["company", "email_key"], name="lead_by_email", condition=~Q(email_key="")),
            models.Index(fields=["company", "phone_key"], name="lead_by_phone", condition=~Q(phone_key="")),
            GinIndex(OpClass("organization_key", name="gin_trgm_ops"), name="lead_organization_trigram"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The company, else the person."""
        return self.organization or self.name

    @property
    def chance(self) -> int:
        """Percent: its own, else its stage's; one that is won or lost has its stage's."""
        if self.probability is None or self.stage.kind != LeadStage.Kind.OPEN:
            return self.stage.probability
        return self.probability


class LeadNote(CompanyKeyed):
    """A remark on a lead; never changed."""

    lead = models.ForeignKey(
        Lead, models.PROTECT, related_name="notes", db_constraint=False, help_text=_("On which lead.")
    )
    text = models.TextField(_("note"), max_length=10_000, help_text=_("What colleagues should know."))
    by = models.CharField(max_length=120, help_text=_("Who wrote it."))
    at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["lead", "id"], name="lead_note_by_lead")]

    def __str__(self) -> str:
        return self.text[:60]


class LeadForm(CompanyOwned):
    """The company's public form: whether it is open, who gets what comes in, what it says."""

    is_active = models.BooleanField(_("open"), default=False, help_text=_("Whether the form can be filled in."))
    title = models.JSONField(_("title"), default=dict, blank=True, help_text=_("Title by language."))
    intro = models.JSONField(_("introduction"), default=dict, blank=True, help_text=_("Text above it, by language."))
    privacy = models.JSONField(
        _("privacy notice"), default=dict, blank=True, help_text=_("What is done with the data, by language.")
    )
    privacy_url = models.URLField(_("privacy policy"), blank=True, help_text=_("Address of your privacy policy."))
    asks_consent = models.BooleanField(
        _("asks for consent to advertising"), default=True, help_text=_("A box that nobody has to tick.")
    )
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner"),
        help_text=_("Who gets what comes in; empty: the team."),
    )  # fmt: skip
    team = models.ForeignKey(
        Role, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, verbose_name=_("team"),
        help_text=_("Role whose people see to what comes in."),
    )  # fmt: skip
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False,
        verbose_name=_("campaign"), help_text=_("Of those whose link names none."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("web form")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company"], name="lead_form_one_a_company"),
        ]

    def __str__(self) -> str:
        return str(self.company_id)
