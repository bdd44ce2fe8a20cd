"""What the law wants a consumer told before a contract renews: which notices were due, sent and missed.

The rule that matters: a notice carries no offer and no advertising, so this table has no room for one; a missed one
frees the customer by the effect that stands beside it.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import Addressed, CompanyKeyed
from customers.models import Message

from .agreement import Subscription


class RenewalNotice(CompanyKeyed, Addressed):
    """One notice about one renewal, by one law."""

    PREFIX = "rnn"

    class Effect(models.TextChoices):
        NONE = "none", _("none that frees the customer")
        LEAVE_ANY_TIME = "leave_any_time", _("may leave any time")
        LEAVE_UNTIL_NEXT_END = "leave_until_next_end", _("may leave any time until the next end of the term")

    subscription = models.ForeignKey(
        Subscription,
        models.PROTECT,
        related_name="renewal_notices",
        db_constraint=False,
        help_text=_("Whose renewal."),
    )
    term_ends_on = models.DateField(help_text=_("Last day of the term that would renew."))
    cancel_by_on = models.DateField(help_text=_("Last day to say that it shall not renew."))
    law = models.CharField(max_length=20, help_text=_("Which rule of the law, by its short name."))
    due_from_on = models.DateField(help_text=_("First day on which the notice may be sent."))
    due_until_on = models.DateField(help_text=_("Last day on which it may be sent."))
    effect = models.CharField(max_length=20, choices=Effect.choices, help_text=_("What follows when it is missed."))
    refund_days = models.PositiveSmallIntegerField(
        null=True, help_text=_("Days within which money paid ahead goes back to who leaves freely; empty: no rule.")
    )
    message = models.ForeignKey(
        Message,
        models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text=_("The notice as it was sent: words, recipients, time, the mail server's answer."),
    )
    body_hash = models.CharField(max_length=64, blank=True, help_text=_("SHA-256 of its words, in hexadecimal."))
    sent_at = models.DateTimeField(null=True, help_text=_("When it was written, by the company's clock."))
    missed_on = models.DateField(null=True, help_text=_("Day on which it was seen to be missed."))

    class Meta:
        verbose_name = _("renewal notice")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="renewal_notice_company_key"),
            models.UniqueConstraint(fields=["subscription", "term_ends_on", "law"], name="renewal_notice_once"),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True, message__isnull=True, body_hash="")
                | (Q(sent_at__isnull=False, message__isnull=False) & ~Q(body_hash="")),
                name="renewal_notice_sent_has_its_proof",
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=False) | Q(missed_on__isnull=False), name="renewal_notice_sent_or_missed"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-id"], name="renewal_notice_by_age"),
            models.Index(
                fields=["company", "due_until_on"],
                name="renewal_notice_unproven",
                condition=Q(sent_at__isnull=False, missed_on__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.law} {self.term_ends_on}"
