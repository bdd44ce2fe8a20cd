"""What lies in the bucket compared with the rows that say so: orphans are deleted, lost bytes are told.

The rule that matters: an object is an orphan when it was written more than a day ago and no row names it. Too many at
once aren't ours to delete: another installation's objects, or rows that an older backup doesn't know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import bucket, clock
from core.ids import new_id
from core.models import Company, StoredFile
from core.models.records import opened
from core.sealing import CannotOpen
from core.services import ticks
from core.services.doctoring import Finding, Level, examination
from core.services.file_moves import holder_of, sealed_size

#: An object may be older than its row by the time a move takes, never by a day.
AGE: Final = timedelta(days=1)
#: More orphans than this, and more than every tenth object, are no accident of ours.
FEW: Final = 100
#: Deleted in one turn; the next turn goes on.
MOST: Final = 10_000
NAMED: Final = 10
_KEY: Final = re.compile(r"[0-9]+/[0-9a-f]{32}-[0-9a-f]{12}")


class BytesLost(RuntimeError):
    """Rows whose bytes are not in the bucket any more, or not what was stored."""


class TooManyOrphans(RuntimeError):
    """So many objects without a row that nothing was deleted."""


@dataclass(slots=True)
class Seen:
    """A company's folder: how many objects, those without a row, files whose bytes are gone or others.

    `tags`: by file what the bucket calls its content now, where that is what was stored: it lies in a copied bucket.
    """

    objects: int = 0
    orphans: list[str] = field(default_factory=list)
    lost: list[StoredFile] = field(default_factory=list)
    tags: dict[int, str] = field(default_factory=dict)


def look(company: Company, now: datetime) -> Seen:
    """Compares the bucket's list with the rows, both in the order of their keys, reading few objects.

    What seems wrong is looked at again on its own: files come and go meanwhile. Raises `BucketError`.
    """
    rows = StoredFile.objects.filter(company=company).exclude(object_key="").order_by("public_id")
    known = rows.values_list("object_key", "size", "object_tag").iterator(chunk_size=2000)
    lying = bucket.listed(f"{company.pk}/")
    seen = Seen()
    for row, one in _beside(known, lying):
        seen.objects += one is not None
        if row is None:
            assert one is not None
            if one.put_at < now - AGE and _KEY.fullmatch(one.key) and holder_of(one.key) is None:
                seen.orphans.append(one.key)
        elif one is None or (one.size, one.tag) != (sealed_size(row[1]), row[2]):
            _look_again(seen, row[0], "" if one is None else one.tag)
    return seen


Row = tuple[str, int, str]


def _beside(rows: Iterable[Row], objects: Iterable[bucket.Lying]) -> Iterator[tuple[Row | None, bucket.Lying | None]]:
    """Pairs of the same key from two ascending lists; None beside what stands in one alone."""
    left, right = iter(rows), iter(objects)
    row, one = next(left, None), next(right, None)
    while row is not None or one is not None:
        if one is None or (row is not None and row[0] < one.key):
            yield row, None
            row = next(left, None)
        elif row is None or one.key < row[0]:
            yield None, one
            one = next(right, None)
        else:
            yield row, one
            row, one = next(left, None), next(right, None)


def _look_again(seen: Seen, key: str, tag: str) -> None:
    """Reads the object that a row named when the comparison began."""
    file = holder_of(key)
    if file is None:
        return
    try:
        opened(key, file.sha256)
    except (bucket.Absent, bucket.Altered, CannotOpen):
        seen.lost.append(file)
    else:
        if tag:
            seen.tags[file.pk] = tag


def sweep(company: Company, now: datetime) -> int:
    """Deletes orphans; how many. Raises `TooManyOrphans`, and in the end `BytesLost`, so that the timetable tells."""
    seen = look(company, now)
    if _too_many(seen):
        raise TooManyOrphans(f"{len(seen.orphans)} of {seen.objects} objects have no row; nothing was deleted")
    for key in seen.orphans[:MOST]:
        bucket.delete(key)
    for pk, tag in seen.tags.items():
        StoredFile.objects.filter(pk=pk).exclude(object_key="").update(object_tag=tag)
    if seen.lost:
        raise BytesLost(f"{len(seen.lost)} files: {_names(seen)}")
    return len(seen.orphans[:MOST])


def _too_many(seen: Seen) -> bool:
    return len(seen.orphans) > FEW and len(seen.orphans) * 10 > seen.objects


def _names(seen: Seen) -> str:
    more = len(seen.lost) - NAMED
    return ", ".join(file.ref for file in seen.lost[:NAMED]) + (f", … (+{more})" if more > 0 else "")


@ticks.tick(
    "core.files",
    order=96,
    every=timedelta(hours=24),
    title=gettext_lazy("Files in the bucket"),
    text=gettext_lazy("Compares the bucket with the files that lie in it and deletes objects that belong to none."),
    about_now=True,
    everywhere=True,
)
def sweep_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Objects without a file, of test companies, too; nothing where there is no bucket."""
    return {"forgotten": sweep(company, clock.machine_now())} if bucket.is_there() else {}


@examination("bucket", gettext_lazy("Bucket"))
def reach(at: datetime) -> Iterable[Finding]:
    """An object can be written, read and deleted, and the bucket listed."""
    if not bucket.is_there():
        return
    key, words = f"doctor/{new_id().hex}", ""
    try:
        bucket.put(key, b"doctor")
        if bucket.get(key) != b"doctor" or key not in [one.key for one in bucket.listed("doctor/")]:
            words = _("The bucket doesn't give back what it was given.")
        bucket.delete(key)
    except bucket.BucketError as error:
        words = str(error)
    if words:
        yield Finding(Level.BROKEN, words, _("Correct TURNUS_FILES_URL and what belongs to it, or the bucket."))


@examination("files", gettext_lazy("Stored files"), slow=True)
def files(at: datetime) -> Iterable[Finding]:
    """Every file that should lie in the bucket does, as it was stored; nothing else lies there for long."""
    if not bucket.is_there():
        count = StoredFile.objects.exclude(object_key="").count()
        if count:
            yield Finding(
                Level.BROKEN,
                _("%(count)d files lie in a bucket, and none is named.") % {"count": count},
                _("Set TURNUS_FILES_URL again; manage.py move_files --to database brings them back."),
            )
        return
    for company in Company.objects.order_by("pk"):
        seen = look(company, at)
        if seen.lost:
            yield Finding(
                Level.BROKEN,
                _("%(company)s: %(count)d files are not in the bucket as they were stored: %(names)s")
                % {"company": company.slug, "count": len(seen.lost), "names": _names(seen)},
                _("Put their objects back from the bucket's versions or its copy."),
            )
        if seen.orphans:
            yield Finding(
                Level.BROKEN if _too_many(seen) else Level.LOOK,
                _("%(company)s: %(count)d objects in the bucket belong to no file: %(names)s")
                % {"company": company.slug, "count": len(seen.orphans), "names": ", ".join(seen.orphans[:NAMED])},
                _("They are deleted every night, unless there are many: then another database uses this bucket, too."),
            )
