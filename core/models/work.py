"""Work to be done outside the transaction that asked for it: outbox rows, long jobs, ticks."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .bases import Addressed, CompanyOwned


class Outbox(CompanyOwned):
    """An effect on the outside, written with its cause and carried out by the relay."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        DEAD = "dead", _("failed for good")
        CANCELED = "canceled", _("canceled")

    kind = models.CharField(max_length=40, help_text=_("Which handler carries it out."))
    key = models.CharField(
        max_length=120, help_text=_("Names the effect; a second row with the same kind and key is refused.")
    )
    payload = models.JSONField(default=dict, help_text=_("What the handler needs, ids only."))
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    attempts = models.PositiveSmallIntegerField(default=0, help_text=_("How often it was tried."))
    due_at = models.DateTimeField(help_text=_("Not before this instant of the machine's clock."))
    lease_until = models.DateTimeField(null=True, help_text=_("A relay works on it until then."))
    lease_by = models.CharField(max_length=80, blank=True, help_text=_("Which relay."))
    last_error = models.TextField(blank=True, help_text=_("Why the last try failed."))
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was written."))
    done_at = models.DateTimeField(null=True, help_text=_("When it was carried out."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "kind", "key"], name="outbox_key_unique")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at", "id"], name="outbox_waiting", condition=Q(state="waiting")),
            models.Index(fields=["company", "id"], name="outbox_dead", condition=Q(state="dead")),
            models.Index(fields=["company", "done_at"], name="outbox_done", condition=Q(state="done")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Job(CompanyOwned, Addressed):
    """Long work with a page of its own: progress, log, resume."""

    PREFIX = "job"

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", _("canceled")

    kind = models.CharField(max_length=40, help_text=_("Which job."))
    params = models.JSONField(default=dict, help_text=_("What it was asked to do."))
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    total = models.PositiveIntegerField(null=True, help_text=_("How many pieces there are."))
    done = models.PositiveIntegerField(default=0, help_text=_("How many are done."))
    skipped = models.PositiveIntegerField(default=0, help_text=_("How many needed nothing."))
    failed = models.PositiveIntegerField(default=0, help_text=_("How many could not be done."))
    result = models.JSONField(default=dict, help_text=_("What came out."))
    log = models.TextField(blank=True, help_text=_("What was said on the way."))
    requested_by = models.ForeignKey(
        "core.User", models.PROTECT, null=True, related_name="+", help_text=_("Who asked for it.")
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When it was asked for."))
    started_at = models.DateTimeField(null=True, help_text=_("When it was first begun."))
    beat_at = models.DateTimeField(null=True, help_text=_("Last sign of life; long silence means it may be resumed."))
    ended_at = models.DateTimeField(null=True, help_text=_("When it ended."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="job_by_company"),
            models.Index(fields=["company", "ended_at"], name="job_by_age"),
            models.Index(fields=["state", "beat_at"], name="job_open", condition=Q(state__in=["waiting", "running"])),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class TickRun(CompanyOwned):
    """The last time a tick ran for a company."""

    name = models.CharField(max_length=40, help_text=_("Which tick."))
    ran_at = models.DateTimeField(help_text=_("When, by the company's clock."))
    ended_at = models.DateTimeField(help_text=_("When, by the machine's clock."))
    milliseconds = models.PositiveIntegerField(help_text=_("How long it took."))
    outcome = models.JSONField(default=dict, help_text=_("What it did, or the error."))
    failures = models.PositiveIntegerField(
        default=0, db_default=0, help_text=_("How often it failed since it last ended well.")
    )
    well_at = models.DateTimeField(null=True, help_text=_("When it last ended well, by the company's clock."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "name"], name="tick_run_unique")
        ]

    def __str__(self) -> str:
        return self.name


class TickNote(CompanyOwned):
    """A run of a tick that did something or failed; kept for two weeks."""

    name = models.CharField(max_length=40, help_text=_("Which tick."))
    ran_at = models.DateTimeField(help_text=_("When, by the company's clock."))
    ended_at = models.DateTimeField(help_text=_("When, by the machine's clock."))
    milliseconds = models.PositiveIntegerField(help_text=_("How long it took."))
    outcome = models.JSONField(default=dict, help_text=_("What it did, or the error."))
    has_failed = models.BooleanField(default=False, help_text=_("Whether it ended with an error."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "name", "-id"], name="tick_note_newest"),
            models.Index(fields=["company", "ended_at"], name="tick_note_by_age"),
        ]

    def __str__(self) -> str:
        return self.name
