"""What happened and who did it: audit rows and events, only ever appended."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from .bases import Addressed, CompanyKeyed, CompanyOwned


class AuditEntry(CompanyOwned):
    """One move by one actor. Holds ids and digests only; personal values stand in `AuditDetail`."""

    at = models.DateTimeField(help_text=_("When, by the company's clock."))
    written_at = models.DateTimeField(auto_now_add=True, help_text=_("When, by the machine's clock."))
    actor_kind = models.CharField(max_length=12, help_text=_("user, contact, key, rule, run or system."))
    actor_id = models.BigIntegerField(null=True, help_text=_("Row of the actor, by its kind."))
    actor_label = models.CharField(max_length=120, help_text=_("Who, in words, without personal data beyond a name."))
    verb = models.CharField(max_length=60, help_text=_("What was done, such as subscription.cancel."))
    subject_kind = models.CharField(max_length=40, help_text=_("Kind of the row it was done to."))
    subject_id = models.BigIntegerField(help_text=_("That row's id."))
    customer_id = models.BigIntegerField(null=True, help_text=_("The customer concerned, if any."))
    reason = models.CharField(max_length=500, blank=True, help_text=_("Reason given."))
    facts = models.JSONField(default=dict, help_text=_("Ids, states, dates and amounts before and after."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "subject_kind", "subject_id", "id"], name="audit_by_subject"),
            models.Index(fields=["company", "customer_id", "id"], name="audit_by_customer"),
            BrinIndex(fields=["written_at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_kind} {self.subject_id}"


class AuditDetail(models.Model):
    """Personal values before and after a move; erasure blanks them."""

    entry = models.OneToOneField(
        AuditEntry, models.PROTECT, primary_key=True, related_name="detail", help_text=_("The move.")
    )
    before = models.JSONField(default=dict, help_text=_("Values before, by field."))
    after = models.JSONField(default=dict, help_text=_("Values after, by field."))

    def __str__(self) -> str:
        return f"detail of {self.entry_id}"


class Event(CompanyKeyed, Addressed):
    """A business fact, frozen when it happened: type, ids, numbers, state, amounts; 1 KB at most."""

    PREFIX = "evt"

    type = models.CharField(max_length=60, help_text=_("Noun and past verb, such as invoice.issued."))
    occurred_at = models.DateTimeField(help_text=_("When, by the company's clock."))
    subject_kind = models.CharField(max_length=40, help_text=_("Kind of the row it is about."))
    subject_id = models.BigIntegerField(help_text=_("That row's id."))
    customer_id = models.BigIntegerField(null=True, help_text=_("The customer concerned, if any."))
    data = models.JSONField(help_text=_("The frozen facts."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer_id", "id"], name="event_by_customer"),
            models.Index(fields=["company", "subject_kind", "subject_id"], name="event_by_subject"),
            BrinIndex(fields=["occurred_at"], name="event_by_time"),
        ]

    def __str__(self) -> str:
        return self.type
