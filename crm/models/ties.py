"""Ties to other systems: which one, with which key, for whom; what each row was last sent, and what was heard of it.

The rule that matters: a row of a tie is found by the address or id it stands for, never twice, so that sending again
changes and doubles nothing; the key stands sealed.
"""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from catalog.models import Campaign
from core.models import NAME_LENGTH, Addressed, CompanyKeyed, CompanyOwned, StoredFile
from core.sealing import SealedField
from customers.models import Customer

from .leads import Lead
from .segments import Segment


class Tie(CompanyOwned, Addressed):
    """Another system that is kept up with our customers, and that says who unsubscribed there."""

    PREFIX = "tie"

    class Kind(models.TextChoices):
        BREVO = "brevo", "Brevo"
        MAILCHIMP = "mailchimp", "Mailchimp"
        HUBSPOT = "hubspot", "HubSpot"
        CSV = "csv", _("CSV files")

    kind = models.CharField(_("kind"), max_length=9, choices=Kind.choices, help_text=_("Which system it is."))
    name = models.CharField(_("name"), max_length=NAME_LENGTH, help_text=_("Name shown to staff."))
    secret = SealedField(_("secret key"), blank=True, help_text=_("The system's API key; kept sealed, never shown."))
    audience = models.CharField(
        _("list"), max_length=60, blank=True, help_text=_("Id of the list or audience over there.")
    )
    segment = models.ForeignKey(
        Segment, models.PROTECT, null=True, blank=True, related_name="ties", db_index=False,
        verbose_name=_("segment"), help_text=_("Customers that are sent; empty: all."),
    )  # fmt: skip
    marks = models.JSONField(
        _("segments as marks"), default=list, blank=True,
        help_text=_("Ids of the segments over there shown at each person who belongs to them."),
    )  # fmt: skip
    is_two_way = models.BooleanField(
        _("take over changes"), default=False, db_default=False,
        help_text=_("Names and phone numbers changed over there are taken over; who is new there becomes a lead."),
    )  # fmt: skip
    campaign = models.ForeignKey(
        Campaign, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, db_index=False,
        verbose_name=_("campaign of new leads"), help_text=_("The campaign that leads from there are counted to."),
    )  # fmt: skip
    two_way_since = models.DateTimeField(
        null=True, help_text=_("Who was made over there since then becomes a lead; by the machine's clock.")
    )
    link_hash = models.CharField(
        max_length=64, blank=True, default="", db_default="",
        help_text=_("SHA-256 of the token of the secret link to its files; empty: there is none."),
    )  # fmt: skip
    is_on = models.BooleanField(_("in use"), default=False, help_text=_("Whether it is kept up by itself."))
    done_through_id = models.BigIntegerField(
        default=0, help_text=_("Customers up to this one were looked at in this round; 0: a round begins.")
    )
    heard_through = models.CharField(
        max_length=80, blank=True, help_text=_("How far changes over there were heard, as that system writes it.")
    )
    waits_for = models.CharField(
        max_length=80, blank=True, help_text=_("Work of the other system that is not yet confirmed.")
    )
    paused_until = models.DateTimeField(
        _("pause until"), null=True, help_text=_("The other system asked to wait; by the machine's clock.")
    )
    lease_until = models.DateTimeField(null=True, help_text=_("A worker is at it until then, by the machine's clock."))
    ran_at = models.DateTimeField(_("last run"), null=True, help_text=_("Last run, by the machine's clock."))
    last_error = models.CharField(
        _("last error"), max_length=500, blank=True, help_text=_("Why the last run ended early; empty: it did not.")
    )
    created_at = models.DateTimeField(help_text=_("When it was made, by the company's clock."))
    archived_at = models.DateTimeField(null=True, blank=True, help_text=_("Hidden since."))

    class Meta:
        verbose_name = pgettext_lazy("connection", "tie")
        ordering = ("name", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="tie_company_key"),
            models.UniqueConstraint(
                fields=["company", "name"], name="tie_name_unique", condition=Q(archived_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(is_on=False) | Q(archived_at__isnull=True), name="tie_archived_is_off"
            ),
            models.UniqueConstraint(fields=["link_hash"], name="tie_link_unique", condition=~Q(link_hash="")),
        ]  # fmt: skip
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["company"], name="tie_in_use", condition=Q(is_on=True)),
            models.Index(fields=["segment"], name="tie_by_segment", condition=Q(segment__isnull=False)),
            models.Index(fields=["campaign"], name="tie_by_campaign", condition=Q(campaign__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name


class TieRecord(CompanyKeyed):
    """A person, company or deal as the other system was last told of it."""

    class Kind(models.TextChoices):
        COMPANY = "company", _("company")
        PERSON = "person", pgettext_lazy("connection", "person")
        DEAL = "deal", _("deal")

    class State(models.TextChoices):
        SENDING = "sending", _("being sent")
        SENT = "sent", _("up to date")
        KEPT = "kept", _("known, without advertising")
        OFF = "off", _("unsubscribed from here")
        LEFT = "left", _("unsubscribed over there")
        OUT = "out", _("taken from the list")
        FAILED = "failed", _("refused")
        HEARD = "heard", _("only known from there")

    tie = models.ForeignKey(
        Tie, models.PROTECT, related_name="records", db_constraint=False, db_index=False, help_text=_("Of which tie.")
    )
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices, help_text=_("What it is."))
    key = models.CharField(
        _("address or id"), max_length=320, help_text=_("E-mail address in lower case; else our id.")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="+", db_constraint=False, db_index=False,
        help_text=_("To whom it belongs."),
    )  # fmt: skip
    external_id = models.CharField(_("id over there"), max_length=120, blank=True, help_text=_("Its id over there."))
    state = models.CharField(_("state"), max_length=7, choices=State.choices, help_text=_("Where it stands."))
    digest = models.CharField(max_length=64, blank=True, help_text=_("Fingerprint of what was last sent."))
    heard = models.CharField(max_length=40, blank=True, help_text=_("Instant of the last change heard from there."))
    values = models.JSONField(
        default=dict, db_default={}, help_text=_("What stands over there, as far as both sides or a file show it.")
    )
    lists = models.JSONField(
        _("lists over there"), default=list, db_default=[],
        help_text=_("Lists and tags of the other system that the person is in and that are none of ours."),
    )  # fmt: skip
    error = models.CharField(_("error"), max_length=300, blank=True, help_text=_("Why it was refused."))
    synced_at = models.DateTimeField(_("sent"), null=True, help_text=_("When it was last sent, by the machine."))

    class Meta:
        verbose_name = _("record of a tie")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tie", "kind", "key"], name="tie_record_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tie", "customer"], name="tie_record_by_customer"),
            models.Index(fields=["customer"], name="tie_record_of_customer"),
            models.Index(fields=["tie", "state"], name="tie_record_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class TieRun(CompanyKeyed, Addressed):
    """One run of a tie in which something happened, or that ended early."""

    PREFIX = "trn"

    tie = models.ForeignKey(
        Tie, models.PROTECT, related_name="runs", db_constraint=False, db_index=False, help_text=_("Of which tie.")
    )
    began_at = models.DateTimeField(_("began"), help_text=_("When it began, by the machine's clock."))
    ended_at = models.DateTimeField(_("ended"), help_text=_("When it ended, by the machine's clock."))
    sent = models.PositiveIntegerField(_("sent"), default=0, help_text=_("Rows that were sent and taken."))
    taken = models.PositiveIntegerField(_("taken over"), default=0, help_text=_("Changes over there made here, too."))
    leads = models.PositiveIntegerField(_("leads"), default=0, help_text=_("Leads made of people new over there."))
    unsubscribed = models.PositiveIntegerField(
        _("unsubscribed"), default=0, help_text=_("Addresses that get no advertising any more.")
    )
    conflicts = models.PositiveIntegerField(
        _("conflicts"), default=0, help_text=_("Values that both sides had changed, and what was not taken over.")
    )
    failed = models.PositiveIntegerField(_("refused"), default=0, help_text=_("Rows that were refused."))
    error = models.CharField(
        _("error"), max_length=500, blank=True, help_text=_("Why it ended early; empty: it did not.")
    )

    class Meta:
        verbose_name = _("run of a tie")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tie", "-id"], name="tie_run_newest"),
            models.Index(fields=["company", "ended_at"], name="tie_run_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.tie_id} {self.began_at}"


class TieFile(CompanyKeyed, Addressed):
    """A file of changes that somebody gave in, and what became of each of its lines."""

    PREFIX = "tfl"

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("file", "waits for the next run")
        DONE = "done", pgettext_lazy("file", "read")

    tie = models.ForeignKey(
        Tie, models.PROTECT, related_name="files", db_constraint=False, db_index=False, help_text=_("For which tie.")
    )
    file = models.ForeignKey(
        StoredFile, models.PROTECT, related_name="+", null=True, help_text=_("The bytes; empty: they were erased.")
    )
    name = models.CharField(_("file"), max_length=200, help_text=_("Name of the file."))
    state = models.CharField(
        _("state"), max_length=7, choices=State.choices, default=State.WAITING, help_text=_("Where it stands.")
    )
    line_count = models.PositiveIntegerField(_("lines"), help_text=_("Lines below its head."))
    done_count = models.PositiveIntegerField(_("read"), default=0, help_text=_("Lines that were read so far."))
    failed_count = models.PositiveIntegerField(_("refused"), default=0, help_text=_("Lines that were refused."))
    outcomes = models.JSONField(
        default=list, blank=True, help_text=_("Of each line what became of it and why, in order.")
    )
    created_at = models.DateTimeField(_("given in"), help_text=_("When it was given in, by the machine's clock."))
    created_by = models.CharField(max_length=120, help_text=_("Who gave it in."))

    class Meta:
        verbose_name = _("file of a tie")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["company", "id"], name="tie_file_company_key"),
            models.CheckConstraint(
                condition=Q(done_count__lte=models.F("line_count"), failed_count__lte=models.F("done_count")),
                name="tie_file_counts_fit",
            ),
        ]  # fmt: skip
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["tie", "-id"], name="tie_file_newest")]

    def __str__(self) -> str:
        return self.name


class TieChange(CompanyKeyed, Addressed):
    """Something that was changed over there, and what became of it here. Another address and another word on
    advertising are asked about or told once: those rows stay with the tie, as long as it is there."""

    PREFIX = "tch"

    class What(models.TextChoices):
        NAME = "name", _("name")
        PHONE = "phone", _("phone")
        EMAIL = "email", _("e-mail")
        CONSENT = "consent", _("advertising")
        LIST = "list", _("place on the list")
        PERSON = "person", _("new person")

    class Outcome(models.TextChoices):
        TAKEN = "taken", pgettext_lazy("change", "taken over")
        THEIRS = "theirs", _("both had changed it: theirs stays")
        OURS = "ours", _("both had changed it: ours stays")
        KEPT = "kept", _("not taken over: ours stays")
        ASKED = "asked", _("a task asks what to do")
        LEAD = "lead", _("became a lead")

    tie = models.ForeignKey(
        Tie, models.PROTECT, related_name="changes", db_constraint=False, db_index=False, help_text=_("Of which tie.")
    )
    at = models.DateTimeField(_("heard"), help_text=_("When it was heard, by the machine's clock."))
    changed_at = models.DateTimeField(_("changed"), null=True, help_text=_("When it was changed, as said over there."))
    key = models.CharField(_("address"), max_length=320, help_text=_("E-mail address in lower case."))
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("Whose address it is."),
    )  # fmt: skip
    lead = models.ForeignKey(
        Lead, models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False,
        help_text=_("The lead it became."),
    )  # fmt: skip
    what = models.CharField(_("what"), max_length=7, choices=What.choices, help_text=_("What was changed."))
    ours = models.CharField(_("here"), max_length=NAME_LENGTH, blank=True, help_text=_("What stood here."))
    theirs = models.CharField(_("over there"), max_length=320, blank=True, help_text=_("What stands over there."))
    outcome = models.CharField(
        _("what became of it"), max_length=6, choices=Outcome.choices, help_text=_("What became of it.")
    )
    words = models.CharField(_("reason"), max_length=300, blank=True, help_text=_("Why, where there is more to say."))

    class Meta:
        verbose_name = _("change heard by a tie")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tie", "-id"], name="tie_change_newest"),
            models.Index(fields=["tie", "key"], name="tie_change_by_key"),
            models.Index(fields=["customer"], name="tie_change_of_customer", condition=Q(customer__isnull=False)),
            models.Index(fields=["lead"], name="tie_change_of_lead", condition=Q(lead__isnull=False)),
            models.Index(
                fields=["company", "at"], name="tie_change_by_age", condition=~Q(what__in=["email", "consent"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.key}"

    @property
    def shown_ours(self) -> str:
        return _shown(self.ours)

    @property
    def shown_theirs(self) -> str:
        return _shown(self.theirs)


_STANDS: Final = {"on": _("allowed"), "off": _("not allowed"), "out": _("taken from the list")}


def _shown(text: str) -> str:
    """Where somebody stands, in words; names and numbers as they are."""
    return str(_STANDS.get(text, text))
