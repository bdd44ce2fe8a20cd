"""Acts on everybody in a segment: what is to be done, and a row for each with what became of it.

The rule that matters: who is meant is fixed when the act is prepared; a row is done once or not at all.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.models import Addressed, CompanyKeyed, CompanyOwned
from crm.models.segments import Segment
from customers.models import Customer
from subscriptions.models import Subscription


class BulkAct(CompanyOwned, Addressed):
    """One act on many customers or subscriptions."""

    PREFIX = "blk"

    class State(models.TextChoices):
        CHECKING = "checking", pgettext_lazy("act on many", "being checked")
        CHECKED = "checked", pgettext_lazy("act on many", "checked")
        RUNNING = "running", pgettext_lazy("act on many", "being done")
        DONE = "done", pgettext_lazy("act on many", "done")
        STOPPED = "stopped", pgettext_lazy("act on many", "stopped")

    #: Those that work goes on for.
    LIVE: Final = (State.CHECKING, State.RUNNING)

    segment = models.ForeignKey(
        Segment, models.PROTECT, related_name="bulk_acts", db_constraint=False, db_index=False,
        verbose_name=_("segment"), help_text=_("Whose customers are meant."),
    )  # fmt: skip
    kind = models.CharField(_("act"), max_length=20, help_text=_("What is done with each."))
    params = models.JSONField(default=dict, help_text=_("What the act needs, such as the plan or the text."))
    on = models.DateField(help_text=_("The day it was fixed who is meant."))
    state = models.CharField(
        _("state"), max_length=8, choices=State.choices, default=State.CHECKING, help_text=_("Where it stands.")
    )
    language = models.CharField(max_length=5, help_text=_("Language of the words in its rows."))
    actor = models.JSONField(default=list, help_text=_("Who acts: kind, id, name and user."))
    job_ref = models.CharField(max_length=40, blank=True, help_text=_("The job that works on it, or did last."))
    created_at = models.DateTimeField(help_text=_("When it was prepared, by the company's clock."))
    started_at = models.DateTimeField(null=True, help_text=_("When doing it began."))
    ended_at = models.DateTimeField(null=True, help_text=_("When the last row was done, or it was stopped."))

    class Meta:
        verbose_name = _("act on many")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="bulk_act_company_key"),
            models.CheckConstraint(
                condition=~Q(state__in=["running", "done"]) | Q(started_at__isnull=False), name="bulk_act_has_its_start"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["company", "-id"], name="bulk_act_by_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class BulkRow(CompanyKeyed):
    """One customer or subscription of an act on many, and what became of it."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("row of an act", "not checked yet")
        READY = "ready", pgettext_lazy("row of an act", "will be done")
        REFUSED = "refused", pgettext_lazy("row of an act", "refused")
        FAILED = "failed", pgettext_lazy("row of an act", "failed")
        DONE = "done", pgettext_lazy("row of an act", "done")

    bulk_act = models.ForeignKey(
        BulkAct, models.PROTECT, related_name="rows", db_constraint=False, db_index=False,
        help_text=_("Of which act."),
    )  # fmt: skip
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, db_index=False, help_text=_("Whose.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The subscription that is meant; empty: the customer."),
    )  # fmt: skip
    state = models.CharField(
        max_length=7, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    code = models.CharField(max_length=60, blank=True, help_text=_("Why it was refused, as a code."))
    why = models.CharField(max_length=500, blank=True, help_text=_("Why it was refused or failed, in words."))
    token = models.CharField(max_length=100, blank=True, help_text=_("Signs what the preview showed."))
    currency = models.CharField(max_length=3, blank=True, help_text=_("ISO 4217, of the amounts."))
    money_minor = models.BigIntegerField(
        null=True, help_text=_("Billed at once, less what is credited, tax included, in minor units, as previewed.")
    )
    mrr_before_minor = models.BigIntegerField(null=True, help_text=_("Monthly revenue before, in minor units."))
    mrr_after_minor = models.BigIntegerField(
        null=True, help_text=_("Monthly revenue once the act has taken full effect, in minor units, as previewed.")
    )
    tried_at = models.DateTimeField(null=True, help_text=_("When it was done or refused; empty: not tried yet."))

    class Meta:
        verbose_name = _("row of an act on many")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["bulk_act", "customer"], name="bulk_row_customer_once", condition=Q(subscription__isnull=True)
            ),
            models.UniqueConstraint(
                fields=["bulk_act", "subscription"], name="bulk_row_subscription_once",
                condition=Q(subscription__isnull=False),
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(tried_at__isnull=False), name="bulk_row_done_says_when"
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["bulk_act", "state", "id"], name="bulk_row_by_state"),
            models.Index(fields=["company", "customer"], name="bulk_row_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.bulk_act_id}: {self.customer_id} {self.state}"
