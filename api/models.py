"""What this door remembers: answers already given to a key of idempotency, and how often a key called."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import ApiKey, CompanyOwned


class IdempotencyRecord(CompanyOwned):
    """The answer to a write, kept in the write's own transaction: both are there or neither."""

    key = models.CharField(max_length=255, help_text=_("Idempotency-Key as it was sent."))
    request_sha256 = models.CharField(max_length=64, help_text=_("SHA-256 of method, address and body."))
    status = models.PositiveSmallIntegerField(help_text=_("HTTP status of the answer."))
    media_type = models.CharField(max_length=80, help_text=_("Content-Type of the answer."))
    headers = models.JSONField(default=dict, help_text=_("Further headers of the answer."))
    body = models.BinaryField(help_text=_("Bytes of the answer."))
    created_at = models.DateTimeField(help_text=_("When, by the machine's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "key"], name="idempotency_key_unique")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["created_at"], name="idempotency_by_age"),
        ]

    def __str__(self) -> str:
        return self.key


class CallCount(models.Model):
    """How often a key called in the running minute. An unlogged table: a crash may forget it."""

    api_key = models.OneToOneField(
        ApiKey, models.CASCADE, primary_key=True, related_name="+", help_text=_("Whose calls.")
    )
    span = models.BigIntegerField(help_text=_("Number of the span of time they are counted in."))
    calls = models.PositiveIntegerField(help_text=_("Calls in it so far."))

    def __str__(self) -> str:
        return f"{self.api_key_id}: {self.calls}"
