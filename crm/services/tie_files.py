"""The files of a tie by CSV: what is downloaded, what is given in, and what became of each of its lines.

The rule that matters: a link is known by its hash alone and opens nothing but these tables; a file that was read is
thrown away, only the numbers of its lines and what became of them stay.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core import clock
from core.actors import Actor
from core.refusal import Refused
from core.services import files, trail
from core.texts import checked
from crm.models import Tie, TieFile, TieRecord
from crm.ties import csv_files
from crm.ties.base import Heard, Incoming, utc

State = TieRecord.State
_FIGURES: Final = ("state", "plans", "mrr", "currency", "renews_on", "since")
#: The tables there are, with their columns.
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "contacts": ("email", "name", "phone", "company", "customer", "language", "country", "advertising", *_FIGURES,
                 "segments", "updated_at"),
    "companies": ("customer", "company", "country", "vat_id", *_FIGURES, "segments", "updated_at"),
    "figures": ("subscription", "customer", "name", "state", "mrr", "arr", "currency", "start_on", "renews_on",
                "ends_on", "updated_at"),
    "segments": ("segment", "customer", "email"),
}  # fmt: skip
WORDS: Final = {
    "contacts": _("Contacts"), "companies": _("Companies"), "figures": _("Subscriptions and figures"),
    "segments": _("Who is in which segment"),
}  # fmt: skip
_KINDS: Final = {"contacts": ["person"], "companies": ["company"], "figures": ["deal"]}
#: What becomes of a line.
OUTCOMES: Final = {
    "taken": pgettext_lazy("change", "taken over"), "unchanged": pgettext_lazy("change", "was so already"),
    "unsubscribed": _("unsubscribed"), "kept": _("not taken over: ours stays"), "ours": _("not taken over: ours stays"),
    "asked": _("a task asks what to do"), "unknown": _("nobody here has this address"), "refused": _("can't be read"),
}  # fmt: skip
#: Outcomes that somebody has to look at.
FAILED: Final = ("unknown", "refused")


def table(tie: Tie, name: str) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
    """A table as it stands since the last run, row by row. `KeyError` for one that isn't there."""
    head = TABLES[name]
    rows = TieRecord.objects.filter(tie=tie, kind__in=_KINDS.get(name, ["company", "person"]))
    rows = rows.exclude(state__in=[State.OUT, State.HEARD, State.FAILED]).order_by("pk")
    return head, _segments(rows) if name == "segments" else _rows(rows, head)


def _rows(rows: Any, head: Sequence[str]) -> Iterator[Sequence[Any]]:
    for row in rows.iterator(chunk_size=2000):
        said = {**row.values, "updated_at": row.synced_at and row.synced_at.isoformat(timespec="seconds")}
        said["segments"] = ", ".join(row.values.get("segments", ()))
        said["email"], said["subscription"] = row.key, row.key
        yield [_number(said.get(name, "")) if name in ("mrr", "arr") else said.get(name, "") for name in head]


def _number(text: Any) -> Any:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return ""


def _segments(rows: Any) -> Iterator[Sequence[Any]]:
    for row in rows.iterator(chunk_size=2000):
        for segment in row.values.get("segments", ()):
            yield [segment, row.values.get("customer", ""), row.key if row.kind == "person" else ""]


# The link


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create_link(*, tie: Tie, by: Actor, at: datetime) -> str:
    """The token of a new secret link to the tables, told this once; the one in force is over.

    Refuses `tie.archived` and `tie.no_files`.
    """
    _of_files(tie)
    token = secrets.token_urlsafe(32)
    _set_link(tie, hash_of(token), "create", by=by, at=at)
    return token


def revoke_link(*, tie: Tie, by: Actor, at: datetime) -> None:
    """The link is over. Repeated: nothing happens."""
    _set_link(tie, "", "revoke", by=by, at=at)


@transaction.atomic
def _set_link(tie: Tie, link_hash: str, verb: str, *, by: Actor, at: datetime) -> None:
    held = Tie.objects.select_for_update(no_key=True).get(pk=tie.pk)
    if held.archived_at is not None:
        raise Refused("tie.archived")
    if held.link_hash != link_hash:
        Tie.objects.filter(pk=tie.pk).update(link_hash=link_hash)
        trail.audit(
            company_id=tie.company_id, at=at, by=by, verb=f"tie.{verb}_link", subject_kind="tie", subject_id=tie.pk,
            facts={"name": held.name},
        )  # fmt: skip


def behind(token: str) -> Tie:
    """The tie whose link this is. Refuses `tie.link_off`, also while the tie is off."""
    rows = Tie.objects.filter(link_hash=hash_of(token), is_on=True).select_related("company")
    tie = rows.first() if token else None
    if tie is None:
        raise Refused("tie.link_off")
    return tie


def _of_files(tie: Tie) -> None:
    if tie.kind != Tie.Kind.CSV:
        raise Refused("tie.no_files", name=tie.get_kind_display())


# What is given in


def give_in(*, tie: Tie, name: str, content: bytes, by: Actor, at: datetime) -> TieFile:
    """Takes a file of changes, to be read by the next run. The columns are `csv_files.COLUMNS`.

    Refuses `tie.no_files`, `tie.archived`, and what of a file can't be read at all: `tie.file_columns`,
    `tie.file_empty`, `tie.file_large`, `tie.file_unreadable`.
    """
    _of_files(tie)
    name = checked(name.rpartition("/")[2], field="file_name", limit=200, required=True)
    try:
        count = len(csv_files.lines_of(content))
    except csv_files.NotRead as failed:
        raise Refused(failed.code, field="content", **failed.facts) from None
    with transaction.atomic():
        held = Tie.objects.select_for_update(no_key=True).get(pk=tie.pk)
        if held.archived_at is not None:
            raise Refused("tie.archived")
        stored = files.store(company_id=tie.company_id, name=name, media_type="text/csv", content=content)
        row = TieFile.objects.create(
            company_id=tie.company_id, tie=tie, file=stored, name=name, line_count=count,
            created_at=clock.machine_now(), created_by=by.label[:120],
        )  # fmt: skip
        trail.audit(
            company_id=tie.company_id, at=at, by=by, verb="tie.give_file", subject_kind="tie", subject_id=tie.pk,
            facts={"file": row.ref, "lines": count},
        )  # fmt: skip
    return row


def inbox(tie: Tie) -> list[Incoming]:
    """The files that are not read to their end, oldest first."""
    rows = TieFile.objects.filter(tie=tie, state=TieFile.State.WAITING).select_related("file").order_by("pk")
    return [Incoming(row.pk, _content(row), utc(row.created_at.isoformat())) for row in rows.defer("file__kept")]


def _content(row: TieFile) -> Any:
    def read() -> bytes:
        assert row.file is not None
        return row.file.content

    return read


def note(heard: Heard, outcomes: Mapping[int, tuple[str, str]]) -> int:
    """Notes what became of the lines of a portion, in its transaction; how many nobody could use.

    `outcomes`: by line what became of it, with a refusal's code or words. A file that is read is thrown away.
    """
    held = TieFile.objects.select_for_update().get(pk=heard.file)
    lines = dict(outcomes) | {one.line: ("refused", one.code) for one in heard.unread}
    failed = sum(outcome in FAILED for outcome, _why in lines.values())
    held.outcomes = [*held.outcomes, *([outcome, why] for _line, (outcome, why) in sorted(lines.items()))]
    held.done_count, held.failed_count = len(held.outcomes), held.failed_count + failed
    if held.done_count == held.line_count:
        held.state = TieFile.State.DONE
    held.save(update_fields=["outcomes", "done_count", "failed_count", "state"])
    if held.state == TieFile.State.DONE:
        _drop([held])
    return failed


def throw_away(tie: Tie) -> None:
    """The files of a tie that is archived, read or not."""
    _drop(list(TieFile.objects.filter(tie=tie, file__isnull=False).defer("outcomes")))


def _drop(rows: Sequence[TieFile]) -> None:
    """Their bytes go, unless another row holds the same file."""
    stored = {row.file_id for row in rows if row.file_id is not None}
    TieFile.objects.filter(pk__in=[row.pk for row in rows]).update(file=None)
    files.drop(stored)


def results(file: TieFile) -> Iterable[tuple[int, str, str]]:
    """Of each line that was read its number, what became of it and why, in words."""
    for place, (outcome, why) in enumerate(file.outcomes, start=1):
        yield place, outcome, Refused(why).message if outcome == "refused" else why
