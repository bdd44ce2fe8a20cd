"""An import of running subscriptions: a row of its own, one row per line of the file."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyKeyed, CompanyOwned, StoredFile, User
from customers.models import Customer

from .agreement import Subscription


class Import(CompanyOwned, Addressed):
    PREFIX = "imp"

    class State(models.TextChoices):
        CHECKED = "checked", _("checked")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        UNDONE = "undone", _("undone")

    file_name = models.CharField(max_length=200, help_text=_("Name of the file."))
    file_sha256 = models.CharField(max_length=64, help_text=_("SHA-256 of the file."))
    file = models.ForeignKey(
        StoredFile, models.PROTECT, null=True, related_name="+", help_text=_("The file itself, when kept.")
    )
    mapping = models.JSONField(help_text=_("How its columns are read."))
    on = models.DateField(help_text=_("Day of the take-over."))
    with_history = models.BooleanField(default=False, help_text=_("Earlier periods are billed here too."))
    state = models.CharField(max_length=7, choices=State.choices, help_text=_("Where it stands."))
    line_count = models.PositiveIntegerField(default=0, help_text=_("Lines read."))
    done_count = models.PositiveIntegerField(default=0, help_text=_("Lines taken over."))
    known_count = models.PositiveIntegerField(default=0, help_text=_("Lines that were there already."))
    failed_count = models.PositiveIntegerField(default=0, help_text=_("Lines refused."))
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", help_text=_("Who ran it."))
    created_at = models.DateTimeField(auto_now_add=True, help_text=_("When."))
    undone_at = models.DateTimeField(null=True, help_text=_("When it was taken back."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="import_company_key")
        ]

    def __str__(self) -> str:
        return self.file_name


class ImportLine(CompanyKeyed):
    """What became of one line."""

    class State(models.TextChoices):
        DONE = "done", _("taken over")
        KNOWN = "known", _("there already")
        FAILED = "failed", _("refused")

    source = models.ForeignKey(
        Import, models.PROTECT, related_name="lines", db_constraint=False, help_text=_("Which import.")
    )
    number = models.PositiveIntegerField(help_text=_("Line in the file, counted from 1 with its heading."))
    state = models.CharField(max_length=6, choices=State.choices, help_text=_("What became of it."))
    problems = models.JSONField(default=list, help_text=_("Field, code and words of each problem."))
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        help_text=_("Customer it made or met."),
    )
    made_customer = models.BooleanField(default=False, help_text=_("The customer was new."))
    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        help_text=_("Subscription it made."),
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["source", "number"], name="import_line_unique")
        ]

    def __str__(self) -> str:
        return f"{self.source_id}:{self.number}"
