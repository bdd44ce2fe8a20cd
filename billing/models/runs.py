"""A billing run and its chunks. The chunk row is the truth about being done; messages only wake workers."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyOwned


class BillingRun(CompanyOwned, Addressed):
    PREFIX = "run"

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        HELD = "held", _("waits for a person")
        DONE = "done", _("done")
        DONE_WITH_PARKED = "parked", _("done, some parked")

    on = models.DateField(help_text=_("Everything due up to this day is billed."))
    notify_since = models.DateField(help_text=_("Charges due earlier are issued without mail."))
    zones = models.JSONField(
        default=list, blank=True, help_text=_("Only subscriptions of these time zones; empty: of all.")
    )
    state = models.CharField(
        max_length=7, choices=State.choices, default=State.RUNNING, help_text=_("Where it stands.")
    )
    forecast_lines = models.PositiveBigIntegerField(help_text=_("Lines counted before, from boundaries alone."))
    due_count = models.PositiveIntegerField(help_text=_("Subscriptions due when it began."))
    invoice_count = models.PositiveBigIntegerField(default=0, help_text=_("Invoices issued."))
    quiet_count = models.PositiveBigIntegerField(default=0, help_text=_("Of these, without mail."))
    credit_note_count = models.PositiveBigIntegerField(default=0, help_text=_("Credit notes issued."))
    line_count = models.PositiveBigIntegerField(default=0, help_text=_("Lines written."))
    parked_count = models.PositiveIntegerField(default=0, help_text=_("Subscriptions parked."))
    totals = models.JSONField(default=dict, help_text=_("Net, tax and gross in minor units, by currency."))
    released_at = models.DateTimeField(
        null=True, help_text=_("When a person let it go on although it wrote more lines than expected.")
    )
    actor_label = models.CharField(max_length=120, help_text=_("Who or what started it."))
    started_at = models.DateTimeField(help_text=_("When, by the machine's clock."))
    ended_at = models.DateTimeField(null=True, help_text=_("When it ended, by the machine's clock."))

    class Meta:
        verbose_name = _("billing run")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="billing_run_company_key")
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-id"], name="billing_run_by_company")]

    def __str__(self) -> str:
        return f"{self.on}"


class BillingChunk(CompanyOwned):
    """A range of customers billed in one transaction."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("done")

    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="chunks", help_text=_("Its run."))
    first_customer_id = models.BigIntegerField(help_text=_("First customer of the range."))
    last_customer_id = models.BigIntegerField(help_text=_("Last customer of the range."))
    state = models.CharField(max_length=4, choices=State.choices, default=State.OPEN, help_text=_("Where it stands."))
    due_count = models.PositiveIntegerField(help_text=_("Subscriptions due when it was cut."))
    forecast_lines = models.PositiveIntegerField(default=0, help_text=_("Lines counted when it was cut."))
    invoice_count = models.PositiveIntegerField(default=0, help_text=_("Invoices issued."))
    quiet_count = models.PositiveIntegerField(default=0, help_text=_("Of these, without mail."))
    credit_note_count = models.PositiveIntegerField(default=0, help_text=_("Credit notes issued."))
    line_count = models.PositiveIntegerField(default=0, help_text=_("Lines written."))
    parked_count = models.PositiveIntegerField(default=0, help_text=_("Subscriptions parked."))
    totals = models.JSONField(default=dict, help_text=_("Net, tax and gross in minor units, by currency."))
    tries = models.PositiveSmallIntegerField(default=0, help_text=_("How often it was begun."))
    queued_at = models.DateTimeField(null=True, help_text=_("When a worker was last woken for it."))
    done_at = models.DateTimeField(null=True, help_text=_("When it was done, by the machine's clock."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["run", "first_customer_id"], name="billing_chunk_open", condition=Q(state="open"))
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.first_customer_id}-{self.last_customer_id}"
