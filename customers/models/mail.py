"""Mail as a company words it, and the addresses that get none any more."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import LANGUAGE_CHOICES, NAME_LENGTH, Addressed, CompanyOwned

from .dialogue import Message


class MailText(CompanyOwned):
    """A company's own words for a mail in one language. Without such a row the product's text is used."""

    name = models.CharField(max_length=60, help_text=_("Which mail it is the text of."))
    language = models.CharField(
        _("language"), max_length=5, choices=LANGUAGE_CHOICES, help_text=_("Language of the text.")
    )
    subject = models.CharField(
        _("subject"), max_length=300, blank=True, help_text=_("Subject line; placeholders stand in curly braces.")
    )
    body = models.TextField(_("text"), max_length=20_000, help_text=_("Plain text; placeholders in curly braces."))
    changed_at = models.DateTimeField(help_text=_("When it was last changed, by the company's clock."))

    class Meta:
        verbose_name = _("mail text")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "name", "language"], name="mail_text_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.language}"


class Suppression(CompanyOwned, Addressed):
    """An address that gets no mail of a company, or no advertising. Lifted, it stays as history."""

    PREFIX = "sup"

    class Reason(models.TextChoices):
        BOUNCED = "bounced", _("mail came back for good")
        COMPLAINED = "complained", _("marked a mail as spam")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        MANUAL = "manual", _("entered by hand")

    class Scope(models.TextChoices):
        ALL = "all", _("all mail")
        MARKETING = "marketing", _("advertising")

    address = models.EmailField(_("address"), max_length=320, blank=True, help_text=_("In lower case."))
    address_hash = models.CharField(
        max_length=64, help_text=_("SHA-256 of the address in lower case; holds when the address was erased.")
    )
    reason = models.CharField(_("reason"), max_length=12, choices=Reason.choices, help_text=_("Why."))
    scope = models.CharField(_("blocks"), max_length=9, choices=Scope.choices, help_text=_("What is not sent."))
    words = models.TextField(_("note"), blank=True, max_length=2000, help_text=_("What the mail server or staff said."))
    message = models.ForeignKey(
        Message, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("The mail that led to it.")
    )
    by = models.CharField(max_length=NAME_LENGTH, blank=True, help_text=_("Who or what entered it."))
    since = models.DateTimeField(help_text=_("Since when, by the company's clock."))
    lifted_at = models.DateTimeField(null=True, blank=True, help_text=_("Mail goes there again since."))
    lifted_by = models.CharField(max_length=NAME_LENGTH, blank=True, help_text=_("Who lifted it."))

    class Meta:
        verbose_name = _("blocked address")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["company", "address_hash", "scope"],
                name="suppression_once",
                condition=Q(lifted_at__isnull=True),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "address"], name="suppression_by_address"),
            models.Index(fields=["message"], name="suppression_by_message", condition=Q(message__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.address
