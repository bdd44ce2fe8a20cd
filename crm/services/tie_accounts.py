"""Ties: made, changed, tried, switched on and off, archived, and connected with the file that talks to the system.

The rule that matters: a live company talks to the system's own address alone, a test company never does: it has a
stand-in or nothing, so no customer of a trial ever lands in a real list.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Campaign
from core import clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Segment, Tie, TieChange, TieRecord
from crm.services import tie_files, tie_rows
from crm.ties import base, brevo, csv_files, hubspot, mailchimp  # noqa: F401  registering is its effect

log = structlog.get_logger(__name__)
Kind = Tie.Kind
#: A worker that says nothing for so long has died; another takes over.
LEASE: Final = timedelta(minutes=10)
Owned = TypeVar("Owned", Segment, Campaign)
#: Fields a person may set, by kind; those that have to be filled.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    Kind.BREVO: ("name", "secret", "audience", "segment", "marks", "is_two_way", "campaign"),
    Kind.MAILCHIMP: ("name", "secret", "audience", "segment", "marks", "is_two_way", "campaign"),
    Kind.HUBSPOT: ("name", "secret", "segment", "marks"),
    Kind.CSV: ("name", "segment", "marks"),
}
_TERMS: Final = {"name": _("name"), "secret": _("secret key"), "audience": _("list")}
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    Kind.BREVO: ("name", "secret", "audience"),
    Kind.MAILCHIMP: ("name", "secret", "audience"),
    Kind.HUBSPOT: ("name", "secret"),
    Kind.CSV: ("name",),
}


def claim(pk: int) -> Tie | None:
    """The tie for this worker alone; None while another has it or it waits."""
    now = clock.machine_now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    ready = Q(paused_until__isnull=True) | Q(paused_until__lte=now)
    rows = Tie.objects.filter(free, ready, pk=pk, archived_at__isnull=True)
    if not rows.update(lease_until=now + LEASE):
        return None
    return Tie.objects.select_related("company", "segment", "campaign").get(pk=pk)


def go_on(tie: Tie, **moved: Any) -> None:
    """Notes how far the worker is who has the tie, and keeps it for it."""
    for name, value in moved.items():
        setattr(tie, name, value)
    Tie.objects.filter(pk=tie.pk).update(**moved, lease_until=clock.machine_now() + LEASE)


def release(pk: int) -> None:
    """The tie is free again."""
    Tie.objects.filter(pk=pk).update(lease_until=None)


def connect(tie: Tie) -> base.Connection:
    """The tie, ready to talk. Refuses `tie.address_missing`."""
    address = ""
    if not tie.company.is_live and tie.kind != Kind.CSV:
        address = settings.TIE_ADDRESSES.get(tie.kind, "")
        if not address:
            raise Refused("tie.address_missing", name=tie.get_kind_display())
    marks = tuple(segment.name for segment in tie_rows.marks_of(tie))
    inbox = tie_files.inbox(tie) if tie.kind == Kind.CSV else ()
    return base.of_kind(tie.kind)(base.Account(tie.secret, tie.audience, address, marks, tie.is_two_way, inbox))


def save(
    *, company: Company, tie: Tie | None = None, kind: str = "", name: str = "", secret: str = "", audience: str = "",
    segment: Segment | None = None, marks: Iterable[Segment] = (), is_two_way: bool = False,
    campaign: Campaign | None = None, by: Actor, at: datetime,
) -> Tie:  # fmt: skip
    """Makes a tie, switched off, or gives one these settings; a secret left empty stays as it is.

    With another list or key everything is sent anew. `is_two_way`: changes over there are taken over, where the kind
    of tie can say them. Refuses `tie.name_taken`, `tie.field_missing`, `tie.archived`.
    """
    if tie is not None and tie.company_id != company.pk:
        raise Refused("not_found", field="tie")
    kind = tie.kind if tie is not None else kind
    if kind not in FIELDS:
        raise Refused("field.choice", field="kind", value=kind, choices=", ".join(FIELDS))
    values: dict[str, Any] = {
        "name": checked(name, field="name", limit=NAME_LENGTH, required=True),
        "audience": checked(audience, field="audience", limit=60),
        "segment": _own(company, segment),
        "marks": [one.ref for one in marks if _own(company, one)],
        "is_two_way": kind == Kind.CSV or (is_two_way and "is_two_way" in FIELDS[kind]),
        "campaign": _own(company, campaign),
    }
    if secret:
        values["secret"] = checked(secret, field="secret", limit=300)
    try:
        with transaction.atomic():
            fresh = tie is None
            held = Tie(company=company, kind=kind, created_at=at) if tie is None else _held(tie)
            hears_anew = kind != Kind.CSV and held.is_two_way != values["is_two_way"]
            begins_anew = not fresh and (bool(secret) or held.audience != values["audience"])
            for field, value in values.items():
                setattr(held, field, value)
            for field in REQUIRED[kind]:
                if not getattr(held, field):
                    raise Refused("tie.field_missing", field=field, name=_TERMS[field])
            held.last_error, held.paused_until, held.done_through_id = "", None, 0
            if (begins_anew or hears_anew) and kind != Kind.CSV:
                held.heard_through, held.two_way_since = "", None
            if begins_anew:
                held.waits_for = ""
                TieRecord.objects.filter(tie=held).update(digest="", external_id="")
            held.save()
            facts = {"kind": kind, "name": held.name, "list": held.audience, "new_key": bool(secret)}
            _tell(held, "create" if fresh else "change", facts, by=by, at=at)
    except IntegrityError as error:
        if "tie_name_unique" not in str(error):
            raise
        raise Refused("tie.name_taken", field="name", name=name) from error
    return held


def _own(company: Company, row: Owned | None) -> Owned | None:
    if row is not None and row.company_id != company.pk:
        raise Refused("not_found", field=type(row).__name__.lower())
    return row


def _held(tie: Tie) -> Tie:
    """The tie under its lock. Refuses `tie.archived`."""
    held = Tie.objects.select_for_update(no_key=True).select_related("company").get(pk=tie.pk)
    if held.archived_at is not None:
        raise Refused("tie.archived")
    return held


def check(tie: Tie) -> str:
    """Asks the other system whether key and list work; the name of the account there. Outside transactions.

    Refuses in clear words what `words_of` knows.
    """
    try:
        return connect(tie).check()
    except base.TieFailed as failed:
        raise refusal_of(tie, failed) from failed


def refusal_of(tie: Tie, failed: base.TieFailed) -> Refused:
    """Why the other system can't be used, as a refusal with words."""
    name, detail = tie.get_kind_display(), str(failed)
    match failed:
        case base.WrongKey():
            return Refused("tie.key_wrong", field="secret", name=name, detail=detail)
        case base.ListUnknown():
            return Refused("tie.list_unknown", field="audience", name=name, list=tie.audience)
        case base.Throttled():
            return Refused("tie.throttled", name=name, seconds=failed.seconds)
        case base.NoAnswer():
            return Refused("tie.no_answer", name=name, detail=detail)
    return Refused("tie.refused", name=name, detail=detail)


def switch(*, tie: Tie, is_on: bool, by: Actor, at: datetime) -> Tie:
    """Kept up by itself from now, or no more. Repeated: nothing happens. Refuses `tie.archived`."""
    with transaction.atomic():
        held = _held(tie)
        if held.is_on != is_on:
            held.is_on = is_on
            held.save(update_fields=["is_on"])
            _tell(held, "switch_on" if is_on else "switch_off", {"name": held.name}, by=by, at=at)
    return held


def archive(*, tie: Tie, by: Actor, at: datetime) -> Tie:
    """Hides a tie for good, forgets its key, whom it sent and what it heard; what is over there stays.

    Repeated: nothing happens.
    """
    with transaction.atomic():
        held = Tie.objects.select_for_update(no_key=True).get(pk=tie.pk)
        if held.archived_at is None:
            held.archived_at, held.is_on, held.secret, held.link_hash = at, False, "", ""
            held.save(update_fields=["archived_at", "is_on", "secret", "link_hash"])
            TieRecord.objects.filter(tie=held).delete()
            TieChange.objects.filter(tie=held).delete()
            tie_files.throw_away(held)
            _tell(held, "archive", {"name": held.name}, by=by, at=at)
    return held


def retry(*, tie: Tie, by: Actor, at: datetime) -> int:
    """Rows that were refused are sent again by the next run; how many."""
    with transaction.atomic():
        held = _held(tie)
        count = TieRecord.objects.filter(tie=held, state=TieRecord.State.FAILED).update(digest="")
        Tie.objects.filter(pk=held.pk).update(done_through_id=0)
        if count:
            _tell(held, "retry", {"rows": count}, by=by, at=at)
    return count


def _tell(tie: Tie, verb: str, facts: dict[str, Any], *, by: Actor, at: datetime) -> None:
    trail.audit(
        company_id=tie.company_id, at=at, by=by, verb=f"tie.{verb}", subject_kind="tie", subject_id=tie.pk, facts=facts
    )
