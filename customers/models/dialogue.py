"""What is said with and about a customer: messages sent, notes kept."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned, User

from .customer import Customer


class Message(CompanyOwned, Addressed):
    """A mail to a customer as it was sent, with its body and what was attached."""

    PREFIX = "msg"

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        DELIVERED = "delivered", _("delivered")
        BOUNCED = "bounced", _("came back")
        COMPLAINED = "complained", _("marked as spam")
        FAILED = "failed", _("failed")
        HELD = "held", _("not sent")

    class Category(models.TextChoices):
        CONTRACT = "contract", _("about the contract")
        LEGAL = "legal", _("legal notice")
        MARKETING = "marketing", _("advertising")

    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="messages", help_text=_("To whom; empty: staff.")
    )
    template = models.CharField(max_length=60, help_text=_("Which text it is made from."))
    category = models.CharField(
        max_length=9, choices=Category.choices, default=Category.CONTRACT, db_default="contract",
        help_text=_("What kind of mail it is; advertising alone can be unsubscribed from."),
    )  # fmt: skip
    language = models.CharField(max_length=5, help_text=_("Language of the text."))
    sender = models.CharField(max_length=300, help_text=_("From."))
    reply_to = models.CharField(
        max_length=300, blank=True, default="", db_default="", help_text=_("Where answers go; empty: to the sender.")
    )
    recipients = models.JSONField(help_text=_("Addresses it goes to."))
    subject = models.CharField(max_length=300, help_text=_("Subject line."))
    body = models.TextField(help_text=_("Plain text."))
    html = models.TextField(
        blank=True, default="", db_default="",
        help_text=_("HTML of its own beside the plain text; empty: the plain text in the company's layout."),
    )  # fmt: skip
    attachments = models.JSONField(
        default=list, help_text=_("What is attached: kind and id of each document, named when sent.")
    )
    subject_kind = models.CharField(max_length=40, blank=True, help_text=_("Kind of the row it is about."))
    subject_id = models.BigIntegerField(null=True, help_text=_("That row's id."))
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    results = models.JSONField(
        default=dict, db_default={}, help_text=_("What became of it for each address: state, instant, words.")
    )
    provider_id = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text=_("The mail provider's own id of it.")
    )
    error = models.TextField(blank=True, help_text=_("Why it could not be sent."))
    created_at = models.DateTimeField(help_text=_("When it was written, by the company's clock."))
    sent_at = models.DateTimeField(null=True, help_text=_("When the mail server took it, by the machine's clock."))
    delivered_at = models.DateTimeField(null=True, help_text=_("When a mailbox took it, as the provider said."))
    bounced_at = models.DateTimeField(null=True, help_text=_("When it came back, or was marked as spam."))

    class Meta:
        verbose_name = _("message")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="message_company_key")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="message_by_customer"),
            models.Index(fields=["company", "subject_kind", "subject_id"], name="message_by_subject"),
            models.Index(fields=["company", "-id"], name="message_by_age"),
            models.Index(fields=["provider_id"], name="message_by_provider_id", condition=~Q(provider_id="")),
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
