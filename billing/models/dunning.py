"""Overdue: policies and their steps, cases, what was done in each, and claims for fees and interest.

The rule that matters: one open case per customer and currency; every step reads the balance again under the
customer's lock, so that nothing goes out once it is paid.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyKeyed, CompanyOwned
from customers.models import Customer

from .collecting import Attempt
from .documents import Invoice
from .methods import PaymentMethod


class DunningPolicy(CompanyOwned, Addressed):
    """What happens when money doesn't come, step by step."""

    PREFIX = "dup"

    name = models.CharField(_("name"), max_length=80, help_text=_("Name shown to staff."))
    is_active = models.BooleanField(_("active"), default=True, help_text=_("New cases may follow it."))
    method_kind = models.CharField(
        _("payment method"),
        max_length=8,
        choices=PaymentMethod.Kind.choices,
        blank=True,
        help_text=_("Only for customers who pay this way; empty: for all."),
    )
    customer_kind = models.CharField(
        _("kind of customer"),
        max_length=7,
        choices=Customer.Kind.choices,
        blank=True,
        help_text=_("Only for companies, or only for persons; empty: for all."),
    )
    customer_group = models.CharField(
        _("group of customers"),
        max_length=40,
        blank=True,
        help_text=_("Only for customers of this dunning group; empty: for all."),
    )
    grace_minor = models.BigIntegerField(
        _("smallest amount"), default=0, help_text=_("Less than this is not dunned, in minor units.")
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))

    class Meta:
        verbose_name = _("dunning policy")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="dunning_policy_company_key"),
            models.UniqueConstraint(
                fields=["company", "method_kind", "customer_kind", "customer_group"],
                name="dunning_policy_one_for_each",
                condition=Q(is_active=True),
            ),
            models.CheckConstraint(condition=Q(grace_minor__gte=0), name="dunning_policy_grace_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name


class DunningStep(CompanyKeyed):
    """One step of a policy: so many days after the oldest due date, this is done."""

    class Action(models.TextChoices):
        RETRY = "retry", _("try to collect again")
        MAIL = "mail", _("reminder by mail")
        ALERT = "alert", _("tell colleagues")
        CLAIM = "claim", _("charge a fee or interest")
        SUSPEND = "suspend", _("suspend the subscriptions")
        CANCEL = "cancel", _("cancel the subscriptions")
        WRITE_OFF = "write_off", _("write off")
        HAND_OVER = "hand_over", _("hand over to collection")

    policy = models.ForeignKey(
        DunningPolicy, models.CASCADE, related_name="steps", db_constraint=False, help_text=_("Of which policy.")
    )
    days = models.PositiveSmallIntegerField(_("days"), help_text=_("Days after the oldest due date."))
    position = models.PositiveSmallIntegerField(help_text=_("Order among the steps of one day."))
    action = models.CharField(_("action"), max_length=9, choices=Action.choices, help_text=_("What is done."))
    level = models.PositiveSmallIntegerField(
        _("reminder level"), default=0, help_text=_("Which letter a reminder by mail uses: 0 friendly to 3 final.")
    )
    fee_minor = models.BigIntegerField(
        _("fee"), default=0, help_text=_("Fee claimed, in minor units; companies may owe 40 EUR by law.")
    )
    has_interest = models.BooleanField(
        _("interest"), default=False, help_text=_("Statutory interest for late payment is claimed.")
    )
    suspended_billing = models.CharField(
        _("billing while suspended"), max_length=8, blank=True, help_text=_("stop, credit or continue.")
    )
    end_unused = models.CharField(
        _("unused days"), max_length=8, blank=True, help_text=_("credit, refund or none, when it cancels.")
    )

    class Meta:
        verbose_name = _("dunning step")
        ordering = ("days", "position", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="dunning_step_company_key"),
            models.UniqueConstraint(fields=["policy", "days", "position"], name="dunning_step_place_unique"),
            models.CheckConstraint(condition=Q(fee_minor__gte=0), name="dunning_step_fee_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.days}: {self.action}"


class DunningCase(CompanyKeyed, Addressed):
    """What one customer owes late in one currency, from the first overdue day until it is paid or given up."""

    PREFIX = "dun"

    class State(models.TextChoices):
        OPEN = "open", _("open")
        PROMISED = "promised", _("payment promised")
        PAUSED = "paused", _("dunning paused")
        PAID = "paid", _("paid")
        GIVEN_UP = "given_up", _("given up")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="dunning_cases", db_constraint=False, help_text=_("Who owes.")
    )
    policy = models.ForeignKey(
        DunningPolicy, models.PROTECT, related_name="cases", db_constraint=False, help_text=_("Which steps it follows.")
    )
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    state = models.CharField(
        _("status"), max_length=8, choices=State.choices, default=State.OPEN, help_text=_("Where it stands.")
    )
    counts_from_on = models.DateField(help_text=_("Oldest due date, or the day the money was taken back."))
    steps_done = models.PositiveSmallIntegerField(default=0, help_text=_("Steps done or passed over."))
    handled = models.JSONField(
        default=dict,
        db_default={},
        help_text=_("Id of each step done or passed over: the day it was done; empty: passed over."),
    )
    overdue_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Overdue when it was last looked at, in minor units.")
    )
    seen_allocation_id = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Money allocated up to this row was counted.")
    )
    next_step_on = models.DateField(null=True, help_text=_("Day of the next step; empty: none."))
    promised_on = models.DateField(null=True, help_text=_("Day until which payment is promised."))
    paused_until_on = models.DateField(null=True, help_text=_("Last day of the pause; empty: until somebody ends it."))
    note = models.CharField(max_length=500, blank=True, help_text=_("For colleagues."))
    opened_minor = models.BigIntegerField(default=0, help_text=_("Overdue when it was opened, in minor units."))
    recovered_minor = models.BigIntegerField(default=0, help_text=_("Paid since, in minor units."))
    opened_at = models.DateTimeField(help_text=_("When it was opened, by the company's clock."))
    closed_at = models.DateTimeField(null=True, help_text=_("When it was closed, by the company's clock."))

    class Meta:
        verbose_name = _("dunning case")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="dunning_case_company_key"),
            models.UniqueConstraint(
                fields=["customer", "currency"],
                name="dunning_case_one_open",
                condition=Q(state__in=["open", "promised", "paused"]),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["company", "next_step_on"], name="dunning_case_due", condition=Q(next_step_on__isnull=False)
            ),
            models.Index(fields=["company", "-id"], name="dunning_case_newest"),
            models.Index(fields=["customer", "-id"], name="dunning_case_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.currency}"


class DunningEntry(CompanyKeyed):
    """Something that happened in a case: a step done or passed over, a promise, a pause, money that came."""

    class Result(models.TextChoices):
        DONE = "done", _("done")
        SKIPPED = "skipped", _("passed over")
        FAILED = "failed", _("failed")

    case = models.ForeignKey(
        DunningCase, models.PROTECT, related_name="entries", db_constraint=False, help_text=_("In which case.")
    )
    action = models.CharField(max_length=12, help_text=_("A step's action, or what else happened."))
    step = models.ForeignKey(
        DunningStep, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The step it was; of money: the last step done before it came."),
    )  # fmt: skip
    step_days = models.PositiveSmallIntegerField(null=True, help_text=_("Days of the step in its policy."))
    counts_from_on = models.DateField(null=True, help_text=_("Day the case counted from then."))
    result = models.CharField(max_length=7, choices=Result.choices, help_text=_("What came of it."))
    reason = models.CharField(max_length=60, blank=True, help_text=_("Why it was passed over or failed: a code."))
    open_minor = models.BigIntegerField(help_text=_("Overdue then, in minor units."))
    amount_minor = models.BigIntegerField(default=0, help_text=_("Money it is about, in minor units."))
    attempt = models.ForeignKey(
        Attempt, models.PROTECT, null=True, related_name="dunning_entries", db_constraint=False,
        help_text=_("The try it made."),
    )  # fmt: skip
    facts = models.JSONField(default=dict, help_text=_("Ids of invoices, mails and claims."))
    on = models.DateField(help_text=_("Day."))
    at = models.DateTimeField(help_text=_("When, by the company's clock."))

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["case", "id"], name="dunning_entry_by_case")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="dunning_entry_company_key"),
            # The same step again only once the case counts from another day.
            models.UniqueConstraint(
                fields=["case", "step", "counts_from_on"],
                name="dunning_entry_step_once",
                condition=Q(result="done", action__in=DunningStep.Action.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on} {self.action}"


class Claim(CompanyKeyed, Addressed):
    """A fee or interest owed because an invoice was paid late. It is no turnover and bears no tax."""

    PREFIX = "clm"

    class Kind(models.TextChoices):
        FEE = "fee", _("fee")
        INTEREST = "interest", _("interest")

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        PAID = "paid", _("paid")
        WAIVED = "waived", _("waived")

    case = models.ForeignKey(
        DunningCase, models.PROTECT, related_name="claims", db_constraint=False, help_text=_("In which case.")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="claims", db_constraint=False, help_text=_("Who owes it.")
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="claims", db_constraint=False, help_text=_("Because of this invoice.")
    )
    kind = models.CharField(max_length=8, choices=Kind.choices, help_text=_("What it is."))
    status = models.CharField(
        _("status"), max_length=6, choices=Status.choices, default=Status.OPEN, help_text=_("Where it stands.")
    )
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Claimed, in minor units."))
    from_on = models.DateField(null=True, help_text=_("First day of the interest."))
    until_on = models.DateField(null=True, help_text=_("Last day of the interest."))
    calculation = models.JSONField(default=list, help_text=_("Days, rates and amounts of the interest."))
    claimed_on = models.DateField(help_text=_("Day it was claimed."))
    closed_on = models.DateField(null=True, help_text=_("Day it was paid or waived."))
    payment_id = models.BigIntegerField(null=True, help_text=_("The payment that paid it."))

    class Meta:
        verbose_name = _("claim")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="claim_company_key"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="claim_positive"),
            models.UniqueConstraint(fields=["invoice"], name="claim_one_fee_an_invoice", condition=Q(kind="fee")),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "customer", "-id"], name="claim_by_customer"),
            models.Index(fields=["case", "id"], name="claim_by_case"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"


class InterestRate(models.Model):
    """A law's figure: the base rate of late-payment interest in a country, from a day on."""

    country = models.CharField(max_length=2, help_text=_("ISO 3166 code."))
    from_on = models.DateField(help_text=_("First day it holds."))
    base_percent = models.DecimalField(max_digits=6, decimal_places=3, help_text=_("Base rate, percent a year."))
    business_points = models.DecimalField(
        max_digits=5, decimal_places=3, help_text=_("Added where the debtor is a business, percent points.")
    )
    consumer_points = models.DecimalField(
        max_digits=5, decimal_places=3, help_text=_("Added where the debtor is a consumer, percent points.")
    )
    flat_fee_minor = models.BigIntegerField(default=4000, help_text=_("Lump sum a business owes, in euro cents."))
    source = models.CharField(max_length=200, help_text=_("Where the figure was published."))
    is_checked = models.BooleanField(default=False, help_text=_("Compared with its source by a person."))

    class Meta:
        ordering = ("country", "from_on")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["country", "from_on"], name="interest_rate_one_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.from_on}: {self.base_percent}"
