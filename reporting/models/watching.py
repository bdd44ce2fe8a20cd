"""How staff watch the figures: saved views, who gets them by mail, goals, and notes on days.

None of it is a business fact: reports are computed from history, and would be the same without these rows.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned, User
from customers.models import Message


class SavedReport(CompanyOwned, Addressed):
    """A report with what is asked of it, under a name."""

    PREFIX = "vie"

    class Every(models.TextChoices):
        NEVER = "", _("never")
        DAY = "day", _("every day")
        WEEK = "week", _("every Monday")
        MONTH = "month", _("on the first of the month")

    report = models.CharField(max_length=60, help_text=_("Name of the report."))
    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name shown to staff."))
    query = models.CharField(max_length=1000, blank=True, help_text=_("What is asked, as in the page's address."))
    owner = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("Who saved it."))
    is_shared = models.BooleanField(
        _("for everybody"), default=False, help_text=_("Everybody who may see reports finds it; else only you.")
    )
    is_on_wall = models.BooleanField(
        _("on the wall"), default=False, help_text=_("Its figures and first chart stand on the wall display.")
    )
    every = models.CharField(
        _("by mail"), max_length=5, choices=Every.choices, blank=True,
        help_text=_("How often it goes out by mail, in the morning, with a spreadsheet."),
    )  # fmt: skip
    created_at = models.DateTimeField(help_text=_("When it was saved, by the company's clock."))

    class Meta:
        ordering = ("name", "pk")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="saved_report_company_key"),
            models.UniqueConstraint(fields=["company", "owner", "report", "name"], name="saved_report_named_once"),
            models.CheckConstraint(condition=Q(every__in=["", "day", "week", "month"]), name="saved_report_every"),
            models.CheckConstraint(
                condition=Q(is_shared=True) | Q(is_on_wall=False), name="saved_report_on_wall_is_shared"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ReportReader(CompanyKeyed):
    """Somebody who gets a saved report by mail."""

    view = models.ForeignKey(
        SavedReport, models.CASCADE, related_name="readers", db_constraint=False, help_text=_("Which.")
    )
    user = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("Who gets it."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["view", "user"], name="report_reader_once")
        ]

    def __str__(self) -> str:
        return f"{self.view_id} {self.user_id}"


class ReportMail(CompanyKeyed):
    """A saved report that went to somebody for a day; there is one at most."""

    view = models.ForeignKey(
        SavedReport, models.CASCADE, related_name="mails", db_constraint=False, help_text=_("Which.")
    )
    user = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("To whom."))
    on = models.DateField(help_text=_("The day it tells of, in the company's zone."))
    message = models.ForeignKey(
        Message, models.PROTECT, null=True, related_name="+", db_constraint=False, help_text=_("The mail.")
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["view", "user", "on"], name="report_mail_once")
        ]

    def __str__(self) -> str:
        return f"{self.view_id} {self.user_id} {self.on}"


class Goal(CompanyOwned, Addressed):
    """What a figure is to reach by the end of a month."""

    PREFIX = "gol"

    report = models.CharField(max_length=60, help_text=_("Name of the report."))
    figure = models.CharField(max_length=60, help_text=_("Name of the figure in it."))
    currency = models.CharField(max_length=3, blank=True, help_text=_("ISO 4217; empty: it is no amount."))
    month = models.DateField(_("month"), help_text=_("First day of the month whose end it is for."))
    value = models.DecimalField(
        _("value"), max_digits=24, decimal_places=4, help_text=_("Whole units of the currency, a count or a percent.")
    )
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("Who set it."))

    class Meta:
        ordering = ("month", "pk")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "report", "figure", "currency", "month"], name="goal_once"),
            models.CheckConstraint(condition=Q(month__day=1), name="goal_is_for_a_month"),
        ]

    def __str__(self) -> str:
        return f"{self.figure} {self.month}"


class Annotation(CompanyOwned, Addressed):
    """What happened on a day that explains a figure, such as a rise of prices."""

    PREFIX = "ann"

    on = models.DateField(_("day"), help_text=_("The day it happened."))
    text = models.CharField(_("note"), max_length=300, help_text=_("What happened, in a sentence."))
    written_by = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("Who wrote it."))

    class Meta:
        ordering = ("-on", "-pk")
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-on"], name="annotation_by_day")]

    def __str__(self) -> str:
        return self.text
