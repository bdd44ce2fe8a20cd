"""Files moved to the bucket and back by the command, and the sweep that finds what lies there for nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.files import Bucket
from core import clock
from core.models import Company, StoredFile, TickRun
from core.services import doctoring, file_moves, file_sweep, files, ticks
from core.services.doctoring import Finding, Level
from tests.core.storing import a_bucket, a_store, client, fresh, lying, relayed
from tests.factories import a_company


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with a_store() as running:
        yield running


@pytest.fixture
def place(address: str, settings: Any) -> Bucket:
    settings.FILES_BUCKET = a_bucket(address)
    return settings.FILES_BUCKET  # type: ignore[no-any-return]


@pytest.fixture
def company(db: None) -> Company:
    return a_company()


def some(company: Company, count: int = 5) -> dict[int, bytes]:
    """Files in the database, public and sealed, by id their content."""
    rows = [
        files.store(
            company_id=company.pk, name=f"{n}.txt", media_type="text/plain", content=b"%d" % n * 9, is_public=n % 2 == 0
        )
        for n in range(count)
    ]
    return {row.pk: row.content for row in rows}


def contents() -> dict[int, bytes]:
    return {row.pk: row.content for row in StoredFile.objects.all()}


def lie_in() -> dict[str, int]:
    rows = StoredFile.objects
    return {"bucket": rows.exclude(object_key="").count(), "database": rows.filter(object_key="").count()}


def move(to: str, **more: Any) -> str:
    said = StringIO()
    call_command("move_files", to=to, stdout=said, stderr=said, **more)
    return said.getvalue()


def seen(*names: str) -> list[Finding]:
    found = doctoring.examine(clock.machine_now(), names=names)
    return [one for _examined, findings in found for one in findings if one.level is not Level.FINE]


def in_two_days() -> Any:
    return clock.machine_now() + timedelta(days=2)


def test_files_move_to_the_bucket_and_back(company: Company, place: Bucket, settings: Any) -> None:
    settings.FILES_BUCKET = replace(place, takes_new=False)
    wanted = some(company)
    assert "moved: 5, failed: 0" in move("bucket")
    assert (lie_in(), contents(), len(lying(place))) == ({"bucket": 5, "database": 0}, wanted, 5)
    assert "moved: 0, failed: 0" in move("bucket")
    assert "moved: 5, failed: 0" in move("database")
    assert (lie_in(), contents()) == ({"bucket": 0, "database": 5}, wanted)
    assert relayed().done == 5
    assert (lying(place), contents()) == ({}, wanted)
    # Once more: under other keys, so that nothing that was asked for earlier meets them.
    move("bucket")
    assert (contents(), len(lying(place))) == (wanted, 5)


def test_one_company_alone_is_moved(company: Company, place: Bucket) -> None:
    some(company, 2)
    other = a_company()
    some(other, 3)
    move("bucket", company=other.slug)
    assert lie_in() == {"bucket": 3, "database": 2}
    with pytest.raises(CommandError, match="no such company"):
        move("bucket", company="nobody")


def test_without_a_bucket_nothing_is_moved(company: Company) -> None:
    with pytest.raises(CommandError, match="TURNUS_FILES_URL"):
        move("bucket")


def test_bytes_that_do_not_fit_their_digest_stay_where_they_are(
    company: Company, place: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = some(company, 3)
    bad = min(wanted)
    StoredFile.objects.filter(pk=bad).update(sha256="0" * 64)
    with pytest.raises(SystemExit):
        move("bucket")
    assert lie_in() == {"bucket": 2, "database": 1}
    assert contents() == wanted


def test_an_object_that_was_altered_is_not_taken_back(company: Company, place: Bucket) -> None:
    some(company, 2)
    move("bucket")
    first, second = StoredFile.objects.order_by("pk")
    other = lying(place)[f"turnus/{second.object_key}"]
    client(place).put_object(Bucket=place.name, Key=f"turnus/{first.object_key}", Body=other)
    with pytest.raises(SystemExit):
        move("database")
    assert (fresh(first).object_key, fresh(second).object_key) == (first.object_key, "")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_its_midst_it_loses_nothing_and_goes_on(place: Bucket, settings: Any) -> None:
    settings.FILES_BUCKET = replace(place, takes_new=False)
    wanted = some(a_company())

    def process(to: str, point: str = "") -> int:
        head, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
        told = {
            "DATABASE_URL": f"{head}/{connection.settings_dict['NAME']}", "TURNUS_FAULT_POINT": point,
            "TURNUS_FILES_URL": f"s3://{place.name}/turnus", "TURNUS_FILES_ENDPOINT": place.endpoint,
            "TURNUS_FILES_KEY_ID": "id", "TURNUS_FILES_SECRET": "secret",
            "TURNUS_FILES_TO": "database",
        }  # fmt: skip
        command = [sys.executable, "manage.py", "move_files", "--to", to]
        return subprocess.run(command, env={**os.environ, **told}, timeout=300, check=False).returncode

    assert process("bucket", "file.put@3!kill") == -signal.SIGKILL
    assert (lie_in(), contents(), len(lying(place))) == ({"bucket": 2, "database": 3}, wanted, 3)
    assert process("bucket") == 0
    assert (lie_in(), contents(), len(lying(place))) == ({"bucket": 5, "database": 0}, wanted, 6)
    assert file_sweep.sweep(Company.objects.get(), in_two_days()) == 1
    assert (contents(), len(lying(place))) == (wanted, 5)

    assert process("database", "file.back@3!kill") == -signal.SIGKILL
    assert (lie_in(), contents()) == ({"bucket": 3, "database": 2}, wanted)
    assert process("database") == 0
    assert (lie_in(), relayed().done, lying(place), contents()) == ({"bucket": 0, "database": 5}, 5, {}, wanted)


def an_orphan(place: Bucket, company: Company, number: int = 1) -> str:
    key = f"turnus/{company.pk}/{number:032x}-{number % 2**48:012x}"
    client(place).put_object(Bucket=place.name, Key=key, Body=b"orphan")
    return key


def test_an_object_without_a_row_is_deleted_when_it_is_a_day_old(company: Company, place: Bucket) -> None:
    some(company, 2)
    relayed()
    an_orphan(place, company)
    assert file_sweep.sweep(company, clock.machine_now()) == 0
    assert len(lying(place)) == 3
    assert file_sweep.sweep(company, in_two_days()) == 1
    assert (len(lying(place)), file_sweep.sweep(company, in_two_days())) == (2, 0)


def test_what_is_not_named_like_ours_or_another_companys_is_left_alone(company: Company, place: Bucket) -> None:
    other = a_company()
    kept = {an_orphan(place, other), f"turnus/{company.pk}/readme.txt", "elsewhere/1"}
    for key in kept:
        client(place).put_object(Bucket=place.name, Key=key, Body=b"x")
    assert file_sweep.sweep(company, in_two_days()) == 0
    assert set(lying(place)) == kept


def test_too_many_orphans_are_told_and_not_deleted(
    company: Company, place: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_sweep, "FEW", 3)
    for number in range(4):
        an_orphan(place, company, number)
    with pytest.raises(file_sweep.TooManyOrphans, match="4 of 4 objects"):
        file_sweep.sweep(company, in_two_days())
    assert len(lying(place)) == 4


def test_the_tick_deletes_orphans_and_tells_of_lost_bytes(company: Company, place: Bucket) -> None:
    assert ticks.run_tick(name="core.files", company=company, at=clock.machine_now()) == {"forgotten": 0}
    some(company, 3)
    relayed()
    row = StoredFile.objects.order_by("pk").last()
    assert row is not None
    client(place).delete_object(Bucket=place.name, Key=f"turnus/{row.object_key}")
    with pytest.raises(file_sweep.BytesLost, match=f"1 files: {row.ref}"):
        ticks.run_tick(name="core.files", company=company, at=clock.machine_now())
    assert row.ref in TickRun.objects.get(company=company, name="core.files").outcome["error"]


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_rows_and_objects_are_compared_whatever_the_pages(
    company: Company, place: Bucket, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    some(company, 5)
    relayed()
    rows = list(StoredFile.objects.order_by("public_id"))
    orphan = an_orphan(place, company, rows[1].public_id.int + 1)
    client(place).delete_object(Bucket=place.name, Key=f"turnus/{rows[2].object_key}")
    client(place).put_object(Bucket=place.name, Key=f"turnus/{rows[4].object_key}", Body=b"short")
    there = client(place)
    real = there.list_objects_v2
    monkeypatch.setattr(there, "list_objects_v2", lambda **asked: real(**asked, MaxKeys=page))
    found = file_sweep.look(company, in_two_days())
    assert (found.objects, [row.pk for row in found.lost]) == (5, [rows[2].pk, rows[4].pk])
    assert [f"turnus/{key}" for key in found.orphans] == [orphan]


def test_in_a_copied_bucket_contents_have_other_tags_and_are_read_once(company: Company, place: Bucket) -> None:
    some(company, 2)
    relayed()
    tags = list(StoredFile.objects.order_by("pk").values_list("object_tag", flat=True))
    StoredFile.objects.update(object_tag="of another store")
    assert file_sweep.sweep(company, clock.machine_now()) == 0
    assert list(StoredFile.objects.order_by("pk").values_list("object_tag", flat=True)) == tags


def test_the_doctor_names_what_is_lost_and_what_nobody_owns(company: Company, place: Bucket) -> None:
    some(company, 2)
    relayed()
    assert seen("bucket", "files") == []
    row = StoredFile.objects.first()
    assert row is not None
    client(place).delete_object(Bucket=place.name, Key=f"turnus/{row.object_key}")
    (finding,) = seen("files")
    assert (finding.level, row.ref in finding.text) == (Level.BROKEN, True)
    assert [key for key in lying(place) if "doctor" in key] == []


def test_the_doctor_says_that_a_bucket_can_not_be_reached(company: Company, place: Bucket, settings: Any) -> None:
    settings.FILES_BUCKET = replace(place, name="no-such-bucket")
    (finding,) = seen("bucket")
    assert (finding.level, "NoSuchBucket" in finding.text) == (Level.BROKEN, True)


def test_the_doctor_says_when_files_lie_in_a_bucket_that_is_named_no_more(
    company: Company, place: Bucket, settings: Any
) -> None:
    some(company, 2)
    relayed()
    settings.FILES_BUCKET = None
    (finding,) = seen("bucket", "files")
    assert (finding.level, finding.text[:7]) == (Level.BROKEN, "2 files")


def test_an_effect_waits_for_a_bucket_that_is_named_no_more(company: Company, place: Bucket, settings: Any) -> None:
    some(company, 1)
    relayed()
    files.drop(StoredFile.objects.values_list("pk", flat=True))
    settings.FILES_BUCKET = None
    assert (relayed().failed, len(lying(place))) == (1, 1)


def test_where_bytes_lie_is_found_by_the_key(company: Company, place: Bucket) -> None:
    some(company, 1)
    relayed()
    row = StoredFile.objects.get()
    assert file_moves.holder_of(row.object_key) == row
    assert file_moves.holder_of(row.object_key[:-1] + "x") is None


def test_the_examples_of_moves_are_true() -> None:
    import doctest

    assert doctest.testmod(file_moves).failed == 0
