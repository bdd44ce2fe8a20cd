"""What needs somebody's attention: rules that say who hears of what, alerts, the morning's mail.

The rule that matters: of one kind and one cause at most one alert is open; the cause gone, it closes by itself.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models import Invoice
from core.models import Addressed, CompanyKeyed, CompanyOwned, Role, User
from customers.models import Customer, Message
from subscriptions.models import Subscription


class Priority(models.TextChoices):
    LOW = "low", _("low")
    NORMAL = "normal", _("normal")
    HIGH = "high", _("high")


class AlertRule(CompanyOwned, Addressed):
    """What becomes of alerts of one kind."""

    PREFIX = "alr"

    class Mail(models.TextChoices):
        NONE = "none", _("no mail")
        AT_ONCE = "at_once", _("at once")
        DAILY = "daily", _("with the morning's mail")

    kind = models.CharField(max_length=40, help_text=_("Kind of alert."))
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Whether alerts of this kind are raised."))
    days = models.PositiveSmallIntegerField(
        _("days"), null=True, blank=True, help_text=_("Days the kind waits or looks ahead; empty: not asked.")
    )
    hours = models.PositiveSmallIntegerField(
        _("hours"), null=True, blank=True, help_text=_("Hours the kind waits; empty: not asked.")
    )
    amount_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Least amount, in minor units of the company's currency; empty: not asked.")
    )
    mail = models.CharField(
        _("mail"), max_length=8, choices=Mail.choices, default=Mail.NONE, help_text=_("Whether and when it is mailed.")
    )
    makes_task = models.BooleanField(_("makes a task"), default=True, help_text=_("Whether each becomes a task."))
    task_days = models.PositiveSmallIntegerField(
        _("task due after"), default=1, help_text=_("Days until the task is due.")
    )
    priority = models.CharField(
        _("priority"), max_length=6, choices=Priority.choices, default=Priority.NORMAL, help_text=_("Of its tasks.")
    )

    class Meta:
        verbose_name = _("alert rule")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="alert_rule_company_key"),
            models.UniqueConstraint(fields=["company", "kind"], name="alert_rule_kind_unique"),
            models.CheckConstraint(
                condition=Q(amount_minor__isnull=True) | Q(amount_minor__gte=0), name="alert_rule_amount_from_zero"
            ),
        ]

    def __str__(self) -> str:
        return self.kind


class AlertAudience(CompanyKeyed):
    """Somebody, or everybody of a role, who hears of a rule's alerts."""

    rule = models.ForeignKey(
        AlertRule, models.PROTECT, related_name="audience", db_constraint=False, help_text=_("Of which rule.")
    )
    role = models.ForeignKey(
        Role, models.PROTECT, null=True, related_name="+", db_constraint=False, help_text=_("Everybody in this role.")
    )
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", help_text=_("This person."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["rule", "role"], name="alert_audience_role_once"),
            models.UniqueConstraint(fields=["rule", "user"], name="alert_audience_user_once"),
            models.CheckConstraint(
                condition=Q(role__isnull=True, user__isnull=False) | Q(role__isnull=False, user__isnull=True),
                name="alert_audience_is_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.role_id or self.user_id}"


class Alert(CompanyKeyed, Addressed):
    """Something that needs attention, from the moment it is seen until its cause is gone."""

    PREFIX = "alt"

    class State(models.TextChoices):
        OPEN = "open", _("open")
        RESOLVED = "resolved", _("settled by itself")

    rule = models.ForeignKey(
        AlertRule, models.PROTECT, related_name="alerts", db_constraint=False, help_text=_("By which rule.")
    )
    kind = models.CharField(max_length=40, help_text=_("Kind of alert."))
    key = models.CharField(max_length=120, help_text=_("Names the cause within its kind."))
    occurrence = models.PositiveIntegerField(default=1, help_text=_("How often this cause came up so far."))
    state = models.CharField(
        _("status"), max_length=8, choices=State.choices, default=State.OPEN, help_text=_("Where it stands.")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="alerts", db_constraint=False, help_text=_("About whom.")
    )
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, related_name="alerts", db_constraint=False,
        help_text=_("About which subscription."),
    )  # fmt: skip
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="alerts", db_constraint=False,
        help_text=_("About which invoice."),
    )  # fmt: skip
    facts = models.JSONField(default=dict, help_text=_("What was seen: amounts, days, reasons, the row it is about."))
    raised_at = models.DateTimeField(_("raised"), help_text=_("When it was seen, by the company's clock."))
    resolved_at = models.DateTimeField(null=True, help_text=_("When its cause was gone, by the company's clock."))
    acknowledged_at = models.DateTimeField(null=True, help_text=_("When somebody took note of it."))
    acknowledged_by = models.CharField(max_length=120, blank=True, help_text=_("Who took note of it."))
    awaits_mail = models.BooleanField(default=False, help_text=_("A mail about it is still to be written."))

    class Meta:
        verbose_name = _("alert")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="alert_company_key"),
            models.UniqueConstraint(fields=["company", "kind", "key", "occurrence"], name="alert_occurs_once"),
            models.UniqueConstraint(fields=["company", "kind", "key"], name="alert_open_once",
                                    condition=Q(state="open")),
            models.CheckConstraint(
                condition=Q(state="open", resolved_at__isnull=True) | Q(state="resolved", resolved_at__isnull=False),
                name="alert_resolved_has_its_time",
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="alert_newest"),
            models.Index(fields=["company", "rule", "-id"], name="alert_unseen",
                         condition=Q(state="open", acknowledged_at__isnull=True)),
            models.Index(fields=["company"], name="alert_to_mail", condition=Q(awaits_mail=True)),
            models.Index(fields=["company", "customer", "-id"], name="alert_by_customer"),
            models.Index(fields=["company", "subscription", "-id"], name="alert_by_subscription",
                         condition=Q(subscription__isnull=False)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Digest(CompanyOwned):
    """The morning's mail of one person: asked for once a day, written when there is something to say."""

    user = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("For whom."))
    on = models.DateField(help_text=_("Which morning, in the company's zone."))
    message = models.ForeignKey(
        Message, models.PROTECT, null=True, related_name="+", help_text=_("The mail; empty: there was nothing to say.")
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "user", "on"], name="digest_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.on}"
