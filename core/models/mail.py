"""What mail providers tell of mails: kept before it is acknowledged, applied once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class MailEvent(models.Model):
    """One thing a mail provider told of one address of one mail. Whose mail it is shows when it is applied."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        IGNORED = "ignored", _("of no concern")

    company = models.ForeignKey(
        "core.Company", models.PROTECT, null=True, related_name="+", db_index=False,
        help_text=_("Whose mail it is about; empty: not known yet."),
    )  # fmt: skip
    provider = models.CharField(max_length=20, help_text=_("Who told it."))
    key = models.CharField(max_length=128, help_text=_("The provider's id of what was told, or its content's digest."))
    type = models.CharField(max_length=20, help_text=_("What happened, such as delivered or bounced."))
    is_hard = models.BooleanField(default=False, help_text=_("Whether the address is refused for good."))
    address = models.CharField(max_length=320, blank=True, help_text=_("Which address it is about."))
    message_id = models.CharField(max_length=255, blank=True, help_text=_("The provider's id of the mail."))
    message_ref = models.CharField(
        max_length=40, blank=True, help_text=_("Our own id of the mail, where it came back.")
    )
    words = models.CharField(max_length=1000, blank=True, help_text=_("What the receiving server said."))
    body = models.JSONField(default=dict, help_text=_("All that was told, as it came."))
    state = models.CharField(
        max_length=7, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    happened_at = models.DateTimeField(help_text=_("When it happened, as the provider says."))
    received_at = models.DateTimeField(help_text=_("When it was told, by the machine's clock."))
    done_at = models.DateTimeField(null=True, help_text=_("When it was applied, by the machine's clock."))

    class Meta:
        verbose_name = _("mail event")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "key"], name="mail_event_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["message_id"], name="mail_event_waiting", condition=models.Q(state="waiting")),
            models.Index(fields=["received_at"], name="mail_event_by_age", condition=~models.Q(provider="dsn")),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.type} {self.address}"
