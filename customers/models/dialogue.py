"""What is said with and about a customer: messages sent, notes kept."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned, User

from .customer import Customer


class Message(CompanyOwned, Addressed):
    """A mail to a customer as it was sent, with its body and what was attached."""

    PREFIX = "msg"

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")

    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="messages", help_text=_("To whom; empty: staff.")
    )
    template = models.CharField(max_length=60, help_text=_("Which text it is made from."))
    language = models.CharField(max_length=5, help_text=_("Language of the text."))
    sender = models.CharField(max_length=300, help_text=_("From."))
    recipients = models.JSONField(help_text=_("Addresses it goes to."))
    subject = models.CharField(max_length=300, help_text=_("Subject line."))
    body = models.TextField(help_text=_("Plain text."))
    attachments = models.JSONField(
        default=list, help_text=_("What is attached: kind and id of each document, named when sent.")
    )
    subject_kind = models.CharField(max_length=40, blank=True, help_text=_("Kind of the row it is about."))
    subject_id = models.BigIntegerField(null=True, help_text=_("That row's id."))
    state = models.CharField(
        max_length=7, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    error = models.TextField(blank=True, help_text=_("Why it could not be sent."))
    created_at = models.DateTimeField(help_text=_("When it was written, by the company's clock."))
    sent_at = models.DateTimeField(null=True, help_text=_("When the mail server took it, by the machine's clock."))

    class Meta:
        verbose_name = _("message")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="message_by_customer"),
            models.Index(fields=["company", "subject_kind", "subject_id"], name="message_by_subject"),
        ]

    def __str__(self) -> str:
        return self.subject


class Note(CompanyOwned, Addressed):
    """A remark of staff about a customer."""

    PREFIX = "not"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="notes", help_text=_("About whom."))
    text = models.TextField(_("note"), max_length=10_000, help_text=_("What colleagues should know."))
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", help_text=_("Who wrote it."))
    created_at = models.DateTimeField(help_text=_("When, by the company's clock."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Taken off the page since."))

    class Meta:
        verbose_name = _("note")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="note_by_customer")
        ]

    def __str__(self) -> str:
        return self.text[:60]
