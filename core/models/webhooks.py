"""Telling other systems what happened: endpoints of a company, what is owed to each, and every try with its answer.

The rule that matters: a delivery is written by the database in the transaction that writes the event, whoever writes
it, so nothing that happened is forgotten; what is sent is the stored event under its own id, the same on every try.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.sealing import SealedField

from .bases import Addressed, CompanyKeyed, CompanyOwned
from .trail import Event

URL_LENGTH = 500


class WebhookEndpoint(CompanyOwned, Addressed):
    """An address of another system, and which events it wants to hear of."""

    PREFIX = "whe"

    class Stopped(models.TextChoices):
        """Why an endpoint is not used."""

        BY_HAND = "by_hand", _("switched off")
        GONE = "gone", _("it answered 410 Gone")
        FAILING = "failing", _("it failed for 72 hours")

    url = models.CharField(_("address"), max_length=URL_LENGTH, help_text=_("Where events are sent, with https://."))
    description = models.CharField(
        _("description"), max_length=200, blank=True, help_text=_("What it is for, for colleagues.")
    )
    types = ArrayField(
        models.CharField(max_length=62),
        verbose_name=_("events"),
        help_text=_("Types of events such as invoice.issued, all of a noun as invoice.*, or everything as *."),
    )
    secret = SealedField(_("secret"), help_text=_("Signs what is sent; kept sealed."))
    previous_secret = SealedField(
        _("previous secret"), blank=True, default="", help_text=_("Signs beside the new one after a rotation.")
    )
    previous_until = models.DateTimeField(
        _("previous secret until"), null=True, blank=True, help_text=_("When the previous secret stops signing.")
    )
    is_active = models.BooleanField(_("in use"), default=True, help_text=_("Whether it is told what happens from now."))
    stopped = models.CharField(
        _("why not in use"), max_length=8, choices=Stopped.choices, blank=True, help_text=_("Why it is not used.")
    )
    stopped_at = models.DateTimeField(_("not in use since"), null=True, help_text=_("When it was stopped."))
    failures = models.PositiveIntegerField(
        _("failures in a row"), default=0, help_text=_("Tries since the last one it answered well.")
    )
    failing_since = models.DateTimeField(
        _("failing since"), null=True, help_text=_("First failure after the last good answer.")
    )
    paused_until = models.DateTimeField(
        _("pause until"), null=True, help_text=_("It failed several times in a row; nothing is sent before.")
    )
    created_at = models.DateTimeField(_("made"), help_text=_("When it was made, by the company's clock."))

    class Meta:
        verbose_name = _("webhook endpoint")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="webhook_endpoint_company_key"),
            models.CheckConstraint(condition=~Q(types=[]), name="webhook_endpoint_hears_something"),
            models.CheckConstraint(condition=~Q(secret=""), name="webhook_endpoint_signs"),
            models.CheckConstraint(
                condition=Q(is_active=True, stopped="") | Q(is_active=False) & ~Q(stopped=""),
                name="webhook_endpoint_stopped_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(CompanyKeyed, Addressed):
    """One event owed to one endpoint, until it is delivered or visibly dead."""

    PREFIX = "whd"

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        DEAD = "dead", _("failed for good")

    endpoint = models.ForeignKey(
        WebhookEndpoint, models.PROTECT, related_name="deliveries", db_constraint=False, db_index=False,
        help_text=_("To whom."),
    )  # fmt: skip
    event = models.ForeignKey(
        Event, models.PROTECT, related_name="deliveries", db_constraint=False, db_index=False,
        help_text=_("What happened."),
    )  # fmt: skip
    state = models.CharField(
        _("status"), max_length=9, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    tries = models.PositiveSmallIntegerField(
        _("tries"), default=0, help_text=_("How often it was tried since it was last sent on its way.")
    )
    due_at = models.DateTimeField(_("next try"), null=True, help_text=_("Not before; empty: at once."))
    lease_until = models.DateTimeField(null=True, help_text=_("A relay works on it until then."))
    lease_by = models.CharField(max_length=80, blank=True, default="", help_text=_("Which relay."))
    last_status = models.PositiveSmallIntegerField(
        _("last answer"), null=True, help_text=_("HTTP status of the last answer; empty: there was none.")
    )
    last_error = models.CharField(
        _("last error"), max_length=300, blank=True, default="", help_text=_("Why the last try failed.")
    )
    created_at = models.DateTimeField(_("made"), help_text=_("When it was written, by the database's clock."))
    closed_at = models.DateTimeField(_("closed"), null=True, help_text=_("When it was delivered or given up."))

    class Meta:
        verbose_name = _("webhook delivery")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="webhook_delivery_company_key"),
            models.UniqueConstraint(fields=["event", "endpoint"], name="webhook_delivery_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_by_endpoint"),
            models.Index(fields=["endpoint", "closed_at"], name="webhook_delivery_dead", condition=Q(state="dead")),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.ref} {self.state}"


class WebhookTry(CompanyKeyed):
    """One request and what came back. Only ever appended; the secret never stands here."""

    delivery = models.ForeignKey(
        WebhookDelivery, models.PROTECT, related_name="log", db_constraint=False, db_index=False,
        help_text=_("What was sent."),
    )  # fmt: skip
    at = models.DateTimeField(_("sent"), help_text=_("When, by the machine's clock."))
    url = models.CharField(_("address"), max_length=URL_LENGTH, help_text=_("Where it was sent."))
    address = models.CharField(
        _("IP address"), max_length=45, blank=True, help_text=_("The checked address that was connected to.")
    )
    headers = models.JSONField(_("headers"), default=dict, help_text=_("Headers that were sent."))
    status = models.PositiveSmallIntegerField(_("answer"), null=True, help_text=_("HTTP status; empty: no answer."))
    answer = models.TextField(_("text of the answer"), blank=True, help_text=_("First 4 KB of the answer."))
    milliseconds = models.PositiveIntegerField(_("duration"), help_text=_("How long it took."))
    error = models.CharField(_("error"), max_length=300, blank=True, help_text=_("Why it failed."))

    class Meta:
        verbose_name = _("webhook try")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["delivery", "id"], name="webhook_try_by_delivery")
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.status or self.error}"
