"""Taking money: tries to collect an invoice, debits in a bank file, what was taken back, messages of providers.

The rule that matters: a try is written and committed before a provider hears of it, and of one invoice at most one is
alive, over all gateways.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.models import Addressed, CompanyKeyed, StoredFile
from customers.models import Customer

from .documents import Invoice
from .methods import Gateway, Mandate, PaymentMethod
from .money import Payment


class DebitBatch(CompanyKeyed, Addressed):
    """Direct debits of one collection day in one file for the bank."""

    PREFIX = "ddb"

    class State(models.TextChoices):
        MADE = "made", _("made")
        SENT = "sent", _("given to the bank")
        CANCELED = "canceled", pgettext_lazy("money", "canceled")

    gateway = models.ForeignKey(
        Gateway, models.PROTECT, related_name="batches", db_constraint=False, help_text=_("Collected by.")
    )
    message_id = models.CharField(_("message id"), max_length=35, help_text=_("Names the file at the bank."))
    collection_on = models.DateField(_("collection day"), help_text=_("Day the accounts are debited."))
    scheme = models.CharField(max_length=4, choices=Mandate.Scheme.choices, help_text=_("Which rules hold."))
    sequence = models.CharField(max_length=4, help_text=_("FRST, RCUR, OOFF or FNAL."))
    state = models.CharField(
        _("status"), max_length=8, choices=State.choices, default=State.MADE, help_text=_("Where it stands.")
    )
    count = models.PositiveIntegerField(_("debits"), help_text=_("How many debits."))
    total_minor = models.BigIntegerField(_("total"), help_text=_("Sum in euro cents."))
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+", help_text=_("The file for the bank."))
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    sent_at = models.DateTimeField(null=True, help_text=_("When it was given to the bank."))

    class Meta:
        verbose_name = _("direct debit file")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="debit_batch_company_key"),
            models.UniqueConstraint(fields=["company", "message_id"], name="debit_batch_message_unique"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-collection_on", "-id"], name="debit_batch_by_day")
        ]

    def __str__(self) -> str:
        return self.message_id


class Attempt(CompanyKeyed, Addressed):
    """One try to collect one invoice through one gateway."""

    PREFIX = "att"

    class State(models.TextChoices):
        CREATED = "created", _("about to be sent")
        SENT = "sent", _("sent")
        PENDING = "pending", _("under way")
        UNKNOWN = "unknown", _("unknown")
        REQUIRES_ACTION = "requires_action", _("waits for the customer")
        SETTLED = "settled", _("settled")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", pgettext_lazy("money", "canceled")

    class Origin(models.TextChoices):
        DUE = "due", _("when due")
        RETRY = "retry", _("retry of dunning")
        STAFF = "staff", _("by staff")
        CUSTOMER = "customer", _("by the customer")

    #: States in which nobody knows yet, or money may still come.
    LIVE = (State.CREATED, State.SENT, State.PENDING, State.UNKNOWN, State.REQUIRES_ACTION)

    invoice = models.ForeignKey(
        Invoice, models.PROTECT, related_name="attempts", db_constraint=False, help_text=_("What is collected.")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="attempts", db_constraint=False, help_text=_("From whom.")
    )
    gateway = models.ForeignKey(
        Gateway, models.PROTECT, related_name="attempts", db_constraint=False, help_text=_("Through which gateway.")
    )
    method = models.ForeignKey(
        PaymentMethod,
        models.PROTECT,
        null=True,
        related_name="attempts",
        db_constraint=False,
        help_text=_("Which saved method; empty: the customer chooses on the provider's page."),
    )
    state = models.CharField(
        _("status"), max_length=15, choices=State.choices, default=State.CREATED, help_text=_("Where it stands.")
    )
    origin = models.CharField(max_length=8, choices=Origin.choices, help_text=_("Who or what began it."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(_("amount"), help_text=_("Asked for, in minor units."))
    key = models.CharField(max_length=64, help_text=_("Sent with every try of it; never made anew."))
    external_id = models.CharField(max_length=120, blank=True, help_text=_("The provider's id, once it has one."))
    collect_on = models.DateField(null=True, help_text=_("Collection day of a direct debit."))
    batch = models.ForeignKey(
        DebitBatch,
        models.PROTECT,
        null=True,
        related_name="attempts",
        db_constraint=False,
        help_text=_("In this file."),
    )
    action_url = models.URLField(max_length=1000, blank=True, help_text=_("The provider's page where it goes on."))
    reason = models.CharField(_("reason"), max_length=40, blank=True, help_text=_("Why it failed: code of a refusal."))
    detail = models.CharField(max_length=300, blank=True, help_text=_("What the provider said."))
    created_at = models.DateTimeField(help_text=_("When it was written, by the company's clock."))
    first_sent_at = models.DateTimeField(
        null=True, help_text=_("When it was first sent, by the machine's clock; its key is good for 23 hours.")
    )
    next_look_at = models.DateTimeField(
        null=True, help_text=_("When it is sent or looked up next, by the company's clock.")
    )
    looks = models.PositiveSmallIntegerField(default=0, help_text=_("How often it was looked up or sent again."))
    expires_at = models.DateTimeField(null=True, help_text=_("When the customer's time is over."))
    closed_at = models.DateTimeField(null=True, help_text=_("When its end was known, by the company's clock."))
    closing_proof = models.ForeignKey(
        StoredFile, models.PROTECT, null=True, related_name="+", help_text=_("Proof by which a person closed it.")
    )
    proposed_state = models.CharField(
        max_length=15, blank=True, help_text=_("End that a person proposed, until a second one agrees.")
    )
    proposed_by = models.CharField(max_length=120, blank=True, help_text=_("Who proposed it."))

    class Meta:
        verbose_name = _("attempt")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="attempt_company_key"),
            models.UniqueConstraint(
                fields=["invoice"],
                name="attempt_one_alive",
                condition=Q(state__in=["created", "sent", "pending", "unknown", "requires_action"]),
            ),
            models.UniqueConstraint(fields=["key"], name="attempt_key_unique"),
            models.UniqueConstraint(
                fields=["gateway", "external_id"], name="attempt_known_once", condition=~Q(external_id="")
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="attempt_positive"),
            models.CheckConstraint(
                condition=Q(state__in=["settled", "failed", "canceled"], closed_at__isnull=False)
                | (~Q(state__in=["settled", "failed", "canceled"]) & Q(closed_at__isnull=True)),
                name="attempt_closed_has_its_time",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="attempt_by_company"),
            models.Index(fields=["company", "customer", "-id"], name="attempt_by_customer"),
            models.Index(fields=["invoice", "-id"], name="attempt_by_invoice"),
            models.Index(
                fields=["company", "next_look_at"], name="attempt_due", condition=Q(next_look_at__isnull=False)
            ),
            models.Index(
                fields=["company", "collect_on"], name="attempt_without_file",
                condition=Q(state="created", collect_on__isnull=False),
            ),
            models.Index(
                fields=["company", "-id"], name="attempt_in_vain", condition=Q(state__in=["failed", "canceled"]),
                include=["state", "currency", "amount_minor"],
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} {self.state}"


class Reversal(CompanyKeyed, Addressed):
    """Money that was there and is gone again, or may go: a returned debit, a dispute, a chargeback."""

    PREFIX = "rvs"

    class Kind(models.TextChoices):
        RETURN = "return", _("returned debit")
        DISPUTE = "dispute", _("dispute")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        WON = "won", _("won")
        LOST = "lost", _("lost")

    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="reversals", db_constraint=False, help_text=_("Which money.")
    )
    gateway = models.ForeignKey(
        Gateway, models.PROTECT, related_name="reversals", db_constraint=False, help_text=_("Told by.")
    )
    kind = models.CharField(max_length=7, choices=Kind.choices, help_text=_("What it is."))
    state = models.CharField(max_length=4, choices=State.choices, default=State.OPEN, help_text=_("Where it stands."))
    external_id = models.CharField(max_length=120, help_text=_("The provider's or the bank's id."))
    currency = models.CharField(max_length=3, help_text=_("ISO 4217."))
    amount_minor = models.BigIntegerField(help_text=_("Taken back, in minor units."))
    fee_minor = models.BigIntegerField(default=0, help_text=_("Fee of the provider or bank, in minor units."))
    reason = models.CharField(max_length=40, blank=True, help_text=_("Why: code of a refusal."))
    detail = models.CharField(max_length=300, blank=True, help_text=_("What the provider or bank said."))
    taken_on = models.DateField(help_text=_("Day the money was gone."))
    answer_by = models.DateTimeField(null=True, help_text=_("Until when evidence can be given."))
    closed_on = models.DateField(null=True, help_text=_("Day it was decided."))
    created_at = models.DateTimeField(help_text=_("When it was written, by the company's clock."))

    class Meta:
        verbose_name = _("reversal")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="reversal_company_key"),
            models.UniqueConstraint(fields=["gateway", "kind", "external_id"], name="reversal_known_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0, fee_minor__gte=0), name="reversal_positive"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["payment"], name="reversal_by_payment"),
            models.Index(fields=["company", "-id"], name="reversal_by_company"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} {self.currency}"


class GatewayEvent(CompanyKeyed):
    """A provider's message, kept as it came before it is acknowledged; it takes effect once."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        IGNORED = "ignored", _("of no concern")
        DEAD = "dead", _("failed for good")

    gateway = models.ForeignKey(
        Gateway, models.PROTECT, related_name="events", db_constraint=False, help_text=_("From whom.")
    )
    external_id = models.CharField(max_length=120, help_text=_("The provider's id of the message."))
    type = models.CharField(max_length=80, help_text=_("The provider's name of what happened."))
    body = models.BinaryField(help_text=_("The bytes that were signed."))
    headers = models.JSONField(default=dict, help_text=_("The headers the signature needs."))
    source = models.CharField(max_length=8, help_text=_("webhook: sent to us; fetched: asked for."))
    state = models.CharField(
        _("status"), max_length=8, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    tries = models.PositiveSmallIntegerField(default=0, help_text=_("How often it was applied in vain."))
    outcome = models.CharField(max_length=300, blank=True, help_text=_("What came of it, or the last error."))
    received_at = models.DateTimeField(help_text=_("When it came, by the machine's clock."))
    done_at = models.DateTimeField(null=True, help_text=_("When it took effect, by the machine's clock."))

    class Meta:
        verbose_name = _("provider's message")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="gateway_event_company_key"),
            models.UniqueConstraint(fields=["gateway", "external_id"], name="gateway_event_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="gateway_event_by_company"),
            models.Index(fields=["received_at"], name="gateway_event_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.external_id}"
