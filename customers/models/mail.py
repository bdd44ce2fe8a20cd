"""Mail as a company words it: its own texts in place of the product's."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import LANGUAGE_CHOICES, CompanyOwned


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
