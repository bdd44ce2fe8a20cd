"""What was said and agreed with somebody outside: calls, meetings, visits, mails in and out; and calendars' links.

The rule that matters: an activity is corrected or archived, never deleted; what stood before is in the audit.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.models import NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned, StoredFile, User
from customers.models import Contact, Customer

from .leads import Lead
from .tasks import Task


class Activity(CompanyOwned, Addressed):
    PREFIX = "acy"

    class Kind(models.TextChoices):
        CALL = "call", pgettext_lazy("activity", "call")
        MEETING = "meeting", pgettext_lazy("activity", "meeting")
        VISIT = "visit", pgettext_lazy("activity", "visit")
        MAIL_IN = "mail_in", pgettext_lazy("activity", "mail received")
        MAIL_OUT = "mail_out", pgettext_lazy("activity", "mail sent from elsewhere")

    class Direction(models.TextChoices):
        IN = "in", pgettext_lazy("activity", "from them")
        OUT = "out", pgettext_lazy("activity", "from us")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, help_text=_("What it was."))
    direction = models.CharField(
        _("who began"), max_length=3, choices=Direction.choices, blank=True,
        help_text=_("Of calls and mails: from whom it came."),
    )  # fmt: skip
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="activities", db_constraint=False,
        verbose_name=_("customer"), help_text=_("With which customer."),
    )  # fmt: skip
    lead = models.ForeignKey(
        Lead, models.PROTECT, null=True, blank=True, related_name="activities", db_constraint=False,
        verbose_name=pgettext_lazy("sales", "lead"), help_text=_("With which lead."),
    )  # fmt: skip
    contact = models.ForeignKey(
        Contact, models.PROTECT, null=True, blank=True, related_name="activities", db_constraint=False,
        verbose_name=_("contact"), help_text=_("With whom there."),
    )  # fmt: skip
    subject = models.CharField(_("subject"), max_length=NAME_LENGTH, help_text=_("What it is about, in a few words."))
    text = models.TextField(
        _("text"), max_length=50_000, blank=True, help_text=_("What was said; of a mail, its text.")
    )
    begins_at = models.DateTimeField(_("begins"), help_text=_("When it begins or began; of a mail, when it was sent."))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True, help_text=_("When it ends; empty: not known."))
    place = models.CharField(_("place"), max_length=300, blank=True, help_text=_("Where, such as a room or a link."))
    outcome = models.CharField(_("outcome"), max_length=1000, blank=True, help_text=_("What came of it."))
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner"),
        help_text=_("Whose it is: who is reminded and sees it in the calendar."),
    )  # fmt: skip
    people = models.ManyToManyField(
        User, through="ActivityPerson", related_name="+", verbose_name=_("colleagues"),
        help_text=_("Who else of us takes part."),
    )  # fmt: skip
    next_step = models.ForeignKey(
        Task, models.PROTECT, null=True, blank=True, related_name="activities", db_constraint=False,
        verbose_name=_("next step"), help_text=_("The task that came of it."),
    )  # fmt: skip
    message_key = models.CharField(
        max_length=64, blank=True, help_text=_("Hash of the mail's Message-ID, so that no mail is kept twice.")
    )
    mail_from = models.CharField(max_length=300, blank=True, help_text=_("Sender of the mail, as it says."))
    mail_to = models.CharField(max_length=1000, blank=True, help_text=_("Recipients of the mail, as it says."))
    remind_at = models.DateTimeField(
        _("remind"), null=True, blank=True, help_text=_("When its people get a mail about it; empty: never.")
    )
    reminded_at = models.DateTimeField(null=True, help_text=_("When that mail was written."))
    created_at = models.DateTimeField(help_text=_("When it was written down, by the company's clock."))
    created_by = models.CharField(max_length=120, help_text=_("Who or what wrote it down."))
    changed_at = models.DateTimeField(null=True, help_text=_("When it was corrected last."))
    archived_at = models.DateTimeField(null=True, help_text=_("Out of sight since."))

    class Meta:
        verbose_name = _("activity")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="activity_company_key"),
            models.UniqueConstraint(
                fields=["company", "message_key"], name="activity_mail_once", condition=~Q(message_key="")
            ),
            models.CheckConstraint(
                condition=Q(customer__isnull=False) | Q(lead__isnull=False), name="activity_is_with_somebody"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("begins_at")), name="activity_ends_after_it_began"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company", "-begins_at", "-id"], name="activity_newest"),
            models.Index(fields=["company", "customer", "-begins_at", "-id"], name="activity_by_customer",
                         condition=Q(customer__isnull=False)),
            models.Index(fields=["lead", "-begins_at", "-id"], name="activity_by_lead",
                         condition=Q(lead__isnull=False)),
            models.Index(fields=["company", "remind_at"], name="activity_to_remind",
                         condition=Q(remind_at__isnull=False, reminded_at__isnull=True, archived_at__isnull=True)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.subject


class ActivityPerson(CompanyKeyed):
    """A colleague who takes part besides the owner."""

    activity = models.ForeignKey(
        Activity, models.PROTECT, related_name="parts", db_constraint=False, help_text=_("In what.")
    )
    user = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("Who."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["activity", "user"], name="activity_person_once"),
        ]

    def __str__(self) -> str:
        return str(self.user_id)


class ActivityFile(CompanyKeyed):
    """What was attached to a mail."""

    activity = models.ForeignKey(
        Activity, models.PROTECT, related_name="files", db_constraint=False, help_text=_("To which mail.")
    )
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+", help_text=_("The bytes."))
    position = models.PositiveSmallIntegerField(help_text=_("In the mail's order, from 1."))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["activity", "position"], name="activity_file_position_unique"),
        ]

    def __str__(self) -> str:
        return str(self.file_id)


class CalendarLink(CompanyOwned, Addressed):
    """A secret link under which one person's calendar of a company can be read; its token is kept as a hash alone."""

    PREFIX = "cal"

    user = models.ForeignKey(User, models.PROTECT, related_name="+", help_text=_("Whose calendar."))
    token_hash = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the link's token."))
    has_terms = models.BooleanField(
        _("renewals and ends of contracts"), default=False, help_text=_("Of the customers that this person owns.")
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    revoked_at = models.DateTimeField(null=True, help_text=_("When it was switched off."))

    class Meta:
        verbose_name = _("calendar link")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["company", "user"], name="calendar_link_one_at_a_time", condition=Q(revoked_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.ref
