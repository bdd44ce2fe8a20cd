"""Document numbers and stored files."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.sealing import unseal_bytes

from .bases import Addressed, CompanyOwned


class NumberSeries(CompanyOwned):
    """The counter of one series and year. Its row is locked last, in the issuing transaction."""

    series = models.CharField(max_length=20, help_text=_("invoice or credit_note."))
    year = models.PositiveSmallIntegerField(help_text=_("Year of the document dates."))
    last_number = models.PositiveBigIntegerField(default=0, help_text=_("Last number given."))
    last_on = models.DateField(null=True, help_text=_("Date of the last document; the next one is not earlier."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "series", "year"], name="number_series_unique")
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.year}: {self.last_number}"


class StoredFile(CompanyOwned, Addressed):
    """Bytes with their digest, kept in PostgreSQL so that one backup holds everything.

    Sealed at rest unless they are for the public eye; `content` opens them, and nothing else reads `kept`.
    """

    PREFIX = "fil"

    name = models.CharField(max_length=200, help_text=_("File name offered for download."))
    media_type = models.CharField(max_length=100, help_text=_("MIME type."))
    size = models.PositiveIntegerField(help_text=_("Bytes."))
    sha256 = models.CharField(max_length=64, help_text=_("SHA-256 of the content, in hexadecimal."))
    kept = models.BinaryField(db_column="content", help_text=_("The bytes."))
    is_sealed = models.BooleanField(default=False, db_default=False, help_text=_("Kept sealed."))
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was stored."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "sha256", "name"], name="stored_file_content_unique")
        ]

    @property
    def content(self) -> bytes:
        """The bytes as they were stored; raises `CannotOpen` where the key ring lacks their key."""
        return unseal_bytes(bytes(self.kept)) if self.is_sealed else bytes(self.kept)

    def __str__(self) -> str:
        return self.name
