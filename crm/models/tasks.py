"""What somebody has to do by when, and what was said about it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models import Invoice
from core.models import NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned, Role, User
from customers.models import Customer
from subscriptions.models import Subscription

from .alerts import Alert, Priority
from .leads import Lead


class Task(CompanyOwned, Addressed):
    PREFIX = "tsk"

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("task", "open")
        DONE = "done", _("done")
        DROPPED = "dropped", _("dropped")

    class Ending(models.TextChoices):
        PERSON = "person", _("by somebody")
        ITSELF = "itself", _("settled by itself")

    title = models.CharField(_("title"), max_length=NAME_LENGTH, help_text=_("What is to be done, in a few words."))
    text = models.TextField(_("text"), max_length=10_000, blank=True, help_text=_("What one should know to do it."))
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="tasks", db_constraint=False,
        verbose_name=_("customer"), help_text=_("About whom; empty: nobody in particular."),
    )  # fmt: skip
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, related_name="tasks", db_constraint=False,
        help_text=_("About which subscription."),
    )  # fmt: skip
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, blank=True, related_name="tasks", db_constraint=False,
        help_text=_("About which invoice."),
    )  # fmt: skip
    lead = models.ForeignKey(
        Lead, models.PROTECT, null=True, blank=True, related_name="tasks", db_constraint=False,
        help_text=_("About which lead."),
    )  # fmt: skip
    alert = models.ForeignKey(
        Alert, models.PROTECT, null=True, related_name="tasks", db_constraint=False,
        help_text=_("The alert it came from; empty: made by hand."),
    )  # fmt: skip
    due_on = models.DateField(_("due"), help_text=_("Last day to do it."))
    postponed_to_on = models.DateField(
        null=True, blank=True, help_text=_("Out of sight until this day; empty: not postponed.")
    )
    remind_at = models.DateTimeField(
        _("remind"), null=True, blank=True, help_text=_("When its owner gets a mail about it; empty: never.")
    )
    reminded_at = models.DateTimeField(null=True, help_text=_("When that mail was written."))
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner"),
        help_text=_("Who does it; empty: whoever of the team takes it."),
    )  # fmt: skip
    team = models.ForeignKey(
        Role, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, verbose_name=_("team"),
        help_text=_("Role whose people see to it."),
    )  # fmt: skip
    priority = models.CharField(
        _("priority"), max_length=6, choices=Priority.choices, default=Priority.NORMAL, help_text=_("How urgent it is.")
    )
    state = models.CharField(
        _("status"), max_length=7, choices=State.choices, default=State.OPEN, help_text=_("Where it stands.")
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    created_by = models.CharField(max_length=120, help_text=_("Who or what made it."))
    ended_at = models.DateTimeField(null=True, help_text=_("When it was done or dropped, by the company's clock."))
    ended_by = models.CharField(max_length=120, blank=True, help_text=_("Who did or dropped it."))
    ending = models.CharField(
        max_length=6, choices=Ending.choices, blank=True, help_text=_("Whether a person ended it.")
    )

    class Meta:
        verbose_name = _("task")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="task_company_key"),
            models.UniqueConstraint(fields=["alert"], name="task_one_of_an_alert"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="task_ended_has_its_time",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "due_on", "id"], name="task_open_by_day", condition=Q(state="open")),
            models.Index(fields=["company", "owner", "due_on", "id"], name="task_open_by_owner",
                         condition=Q(state="open")),
            models.Index(fields=["company", "-id"], name="task_newest"),
            models.Index(fields=["company", "customer", "-id"], name="task_by_customer",
                         condition=Q(customer__isnull=False)),
            models.Index(fields=["company", "subscription", "-id"], name="task_by_subscription",
                         condition=Q(subscription__isnull=False)),
            models.Index(fields=["company", "remind_at"], name="task_to_remind",
                         condition=Q(state="open", remind_at__isnull=False, reminded_at__isnull=True)),
            models.Index(fields=["lead", "due_on", "id"], name="task_by_lead", condition=Q(lead__isnull=False)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.title


class TaskComment(CompanyKeyed):
    """A remark on a task; never changed."""

    task = models.ForeignKey(
        Task, models.PROTECT, related_name="comments", db_constraint=False, help_text=_("On which task.")
    )
    text = models.TextField(_("comment"), max_length=10_000, help_text=_("What colleagues should know."))
    by = models.CharField(max_length=120, help_text=_("Who wrote it."))
    at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["task", "id"], name="task_comment_by_task")]

    def __str__(self) -> str:
        return self.text[:60]
