"""Document numbers and stored files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from core import bucket
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
    """A file's bytes with their digest: in this row, or sealed in the bucket where the installation has one.

    Sealed at rest unless they are for the public eye and lie here; `content` opens them, and nothing else reads `kept`.
    """

    PREFIX = "fil"

    name = models.CharField(max_length=200, help_text=_("File name offered for download."))
    media_type = models.CharField(max_length=100, help_text=_("MIME type."))
    size = models.PositiveIntegerField(help_text=_("Bytes."))
    sha256 = models.CharField(max_length=64, help_text=_("SHA-256 of the content, in hexadecimal."))
    kept = models.BinaryField(null=True, db_column="content", help_text=_("The bytes; empty: they lie in the bucket."))
    is_sealed = models.BooleanField(default=False, db_default=False, help_text=_("Kept sealed."))
    object_key = models.CharField(
        max_length=100, default="", db_default="", blank=True, help_text=_("Where in the bucket they lie.")
    )
    object_tag = models.CharField(
        max_length=80, default="", db_default="", blank=True, help_text=_("What the bucket called their content.")
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was stored."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "sha256", "name"], name="stored_file_content_unique")
        ]

    @property
    def content(self) -> bytes:
        """The bytes as they were stored, wherever they lie.

        Raises `CannotOpen` where the key ring lacks their key, `bucket.BucketError` where the bucket doesn't give them,
        `bucket.Altered` where it gives others.
        """
        if not self.object_key and self.kept is None:
            self.refresh_from_db(fields=_WHERE)  # they went to the bucket since this row was read
        if not self.object_key:
            assert self.kept is not None, "bytes lie in their row or in the bucket"
            return unseal_bytes(bytes(self.kept)) if self.is_sealed else bytes(self.kept)
        read: Callable[[str, str], bytes] = opened
        if self.media_type.startswith("image/") and self.size <= _PICTURE_BYTES:
            read = _picture
        try:
            return read(self.object_key, self.sha256)
        except bucket.Absent:
            key = self.object_key
            self.refresh_from_db(fields=_WHERE)  # or came back
            if self.object_key == key:
                raise
            return self.content

    def __str__(self) -> str:
        return self.name


_WHERE: Final = ("kept", "is_sealed", "object_key", "object_tag")
_PICTURE_BYTES: Final = 1_000_000


def opened(key: str, sha256: str) -> bytes:
    """What lies in the bucket under a key, opened and compared with the digest it was stored with."""
    content = unseal_bytes(bucket.get(key))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise bucket.Altered(f"{key} is not what was stored")
    return content


@lru_cache(maxsize=8)
def _picture(key: str, sha256: str) -> bytes:
    """Logos stand on every paper and mail: a process fetches one once. A key never gets another content."""
    return opened(key, sha256)
