"""Files whose bytes lie in a bucket: written once, read from there, deleted with their row, never lost in between."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from config.files import Bucket
from core import bucket, clock, fault_points
from core.models import Company, Outbox, StoredFile
from core.services import file_moves, files
from tests.core.storing import a_bucket, a_store, client, fresh, lying, relayed
from tests.factories import BY, TODAY, a_company, at_noon

CONTENT = b"IBAN DE89 3704 0044 0532 0130 00"


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


def stored(company: Company, name: str = "a.xml", content: bytes = CONTENT, **more: Any) -> StoredFile:
    return files.store(company_id=company.pk, name=name, media_type="application/xml", content=content, **more)


def moved(company: Company, **more: Any) -> StoredFile:
    """A file whose bytes lie in the bucket."""
    found = stored(company, **more)
    assert relayed().done
    return fresh(found)


def test_without_a_bucket_bytes_lie_in_their_row_and_nothing_is_to_be_done(company: Company) -> None:
    row = fresh(stored(company))
    assert (row.object_key, row.content, Outbox.objects.filter(kind__startswith="file.").count()) == ("", CONTENT, 0)


def test_a_new_file_lies_in_its_row_until_an_effect_brought_it_to_the_bucket(company: Company, place: Bucket) -> None:
    row = stored(company)
    assert (fresh(row).object_key, fresh(row).content, lying(place)) == ("", CONTENT, {})
    assert relayed().done == 1
    row = fresh(row)
    assert (row.kept, row.is_sealed, row.content, row.size) == (None, True, CONTENT, len(CONTENT))
    assert row.object_key.startswith(f"{company.pk}/{row.public_id.hex}-")
    assert list(lying(place)) == [f"turnus/{row.object_key}"]


@pytest.mark.parametrize("is_public", [True, False])
def test_what_lies_in_the_bucket_is_sealed_public_or_not(company: Company, place: Bucket, is_public: bool) -> None:
    row = moved(company, is_public=is_public)
    (sealed,) = lying(place).values()
    assert (CONTENT in sealed, len(sealed)) == (False, file_moves.sealed_size(len(CONTENT)))
    assert (row.is_sealed, row.content) == (True, CONTENT)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_the_size_of_what_is_sealed_follows_from_its_content(size: int) -> None:
    from core.sealing import seal_bytes

    assert len(seal_bytes(b"x" * size)) == file_moves.sealed_size(size)


def test_the_same_content_again_is_the_same_row_and_object(company: Company, place: Bucket) -> None:
    row = moved(company)
    again = stored(company)
    assert (again.pk, again.content, relayed().total, len(lying(place))) == (row.pk, CONTENT, 0, 1)


def test_a_transaction_that_is_rolled_back_leaves_nothing_anywhere(company: Company, place: Bucket) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        stored(company)
        raise ZeroDivisionError
    assert (StoredFile.objects.count(), relayed().total, lying(place)) == (0, 0, {})
    assert moved(company).content == CONTENT


def test_new_files_stay_in_the_database_where_the_setting_says_so(
    company: Company, place: Bucket, settings: Any
) -> None:
    old = moved(company)
    settings.FILES_BUCKET = replace(place, takes_new=False)
    new = stored(company, name="b.xml")
    assert (relayed().total, fresh(new).object_key, fresh(new).content, fresh(old).content) == (0, "", CONTENT, CONTENT)


def test_a_row_that_was_read_before_its_bytes_moved_still_gives_them(company: Company, place: Bucket) -> None:
    stored(company)
    before = StoredFile.objects.defer("kept").get()
    relayed()
    in_bucket = StoredFile.objects.get()
    assert before.content == CONTENT
    assert file_moves.to_database(in_bucket.pk)
    assert relayed().done == 1
    assert (lying(place), in_bucket.content) == ({}, CONTENT)


def test_bytes_lie_in_one_place(company: Company) -> None:
    row = stored(company)
    for values in ({"kept": None}, {"object_key": "1/2"}):
        with pytest.raises(IntegrityError, match="stored_file_lies_in_one_place"), transaction.atomic():
            StoredFile.objects.filter(pk=row.pk).update(**values)


def test_a_logo_is_fetched_once(company: Company, place: Bucket) -> None:
    from core.services.company import set_logo

    logo = set_logo(company=company, name="l.svg", content=b"<svg></svg>", by=BY, at=at_noon(TODAY))
    relayed()
    assert fresh(logo).content == b"<svg></svg>"
    for key in lying(place):
        client(place).delete_object(Bucket=place.name, Key=key)
    assert fresh(logo).content == b"<svg></svg>"


def test_a_deleted_file_is_deleted_in_the_bucket_by_an_effect(company: Company, place: Bucket) -> None:
    row, other = moved(company), moved(company, name="b.xml")
    files.drop([row.pk])
    assert (StoredFile.objects.count(), len(lying(place))) == (1, 2)
    assert relayed().done == 1
    assert list(lying(place)) == [f"turnus/{other.object_key}"]


def test_a_file_that_something_holds_is_not_deleted(company: Company, place: Bucket) -> None:
    row = moved(company)
    Company.objects.filter(pk=company.pk).update(logo=row)
    files.drop([row.pk])
    assert (relayed().total, fresh(row).content) == (0, CONTENT)


def test_what_a_file_points_to_is_never_deleted(company: Company, place: Bucket) -> None:
    row = moved(company)
    file_moves.erase_later(company.pk, row.object_key)
    assert relayed().done == 1
    assert fresh(row).content == CONTENT


def test_altered_bytes_are_not_given_out(company: Company, place: Bucket) -> None:
    row, other = moved(company), moved(company, name="b.xml", content=b"something else")
    client(place).put_object(
        Bucket=place.name, Key=f"turnus/{row.object_key}", Body=lying(place)[f"turnus/{other.object_key}"]
    )
    with pytest.raises(bucket.Altered):
        _ = fresh(row).content
    client(place).delete_object(Bucket=place.name, Key=f"turnus/{row.object_key}")
    with pytest.raises(bucket.Absent):
        _ = fresh(row).content


def test_a_store_that_is_down_holds_nobody_up_and_is_tried_again(
    company: Company, place: Bucket, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.api.caller import Caller, key_for
    from tests.backoffice.conftest import Office
    from tests.factories import a_customer
    from tests.money.providers import billed

    monkeypatch.setattr(bucket, "TRIES", 1)
    settings.FILES_BUCKET = replace(place, endpoint="http://127.0.0.1:1")
    invoice = billed(company, a_customer(company))
    caller = Caller(key_for(company))
    assert caller.get(f"invoices/{invoice.ref}/pdf").status_code == 200
    assert relayed().failed == 1
    effect = Outbox.objects.get(kind="file.to_bucket")
    assert (effect.state, "EndpointConnectionError" in effect.last_error) == ("waiting", True)
    settings.FILES_BUCKET = place
    Outbox.objects.filter(pk=effect.pk).update(due_at=clock.machine_now())
    assert relayed().done == 1
    settings.FILES_BUCKET = replace(place, endpoint="http://127.0.0.1:1")
    answer = caller.get(f"invoices/{invoice.ref}/pdf")
    assert (answer.status_code, answer.body["code"]) == (503, "file_unreachable")
    page = Office(company, None, invoice.customer).client().get(f"/office/invoices/{invoice.ref}/pdf/")
    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert "This file can't be read right now" in page.content.decode()
    settings.FILES_BUCKET = place
    assert caller.get(f"invoices/{invoice.ref}/pdf").status_code == 200


def test_a_store_that_never_answers_is_given_up(place: Bucket, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "READ_SECONDS", 0.2)
    monkeypatch.setattr(bucket, "TRIES", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.FILES_BUCKET = replace(place, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(bucket.BucketError, match="ReadTimeoutError"):
            bucket.get("1/2")


def test_without_a_bucket_nothing_is_asked_of_one(settings: Any) -> None:
    with pytest.raises(bucket.BucketError, match="set TURNUS_FILES_URL"):
        bucket.get("1/2")


def at_the_same_time(first: Callable[[], Any], second: Callable[[], Any], folder: Path) -> tuple[Any, Any]:
    """`first` in a thread stops at the point where its object is written; `second` runs meanwhile."""
    file, came = folder / "stopped", []
    fault_points.arm(f"file.put@1!wait:{file}")

    def run() -> None:
        try:
            came.append(first())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 25
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    result = second()
    file.unlink()
    thread.join()
    return came[0], result


@pytest.mark.django_db(transaction=True)
def test_two_that_move_the_same_file_leave_one_object(place: Bucket, tmp_path: Path) -> None:
    row = stored(a_company())
    assert at_the_same_time(
        lambda: file_moves.to_bucket(row.pk), lambda: file_moves.to_bucket(row.pk), tmp_path
    ) == (False, True)  # fmt: skip
    assert list(lying(place)) == [f"turnus/{fresh(row).object_key}"]
    assert fresh(row).content == CONTENT


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_erased_on_its_way_leaves_no_object(place: Bucket, tmp_path: Path) -> None:
    row = stored(a_company())
    assert at_the_same_time(lambda: file_moves.to_bucket(row.pk), lambda: files.drop([row.pk]), tmp_path)[0] is False
    assert (StoredFile.objects.count(), lying(place)) == (0, {})


@pytest.mark.django_db(transaction=True)
def test_two_at_once_that_store_the_same_content_end_in_one_row_and_object(place: Bucket) -> None:
    company = a_company()
    ready, came = threading.Barrier(4), []

    def run() -> None:
        try:
            ready.wait(timeout=30)
            came.append(stored(company).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = StoredFile.objects.get()
    assert came == [row.pk] * 4
    assert (relayed().done, len(lying(place)), fresh(row).content) == (1, 1, CONTENT)


@pytest.mark.django_db(transaction=True)
def test_no_mail_waits_for_a_bucket_that_never_answers(place: Bucket) -> None:
    company = a_company()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        stored(company)
        Outbox.objects.create(company=company, kind="lane-test", key="1", due_at=clock.machine_now())
        head, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
        told = {
            "DATABASE_URL": f"{head}/{connection.settings_dict['NAME']}", "TURNUS_FILES_URL": f"s3://{place.name}",
            "TURNUS_FILES_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "TURNUS_FILES_KEY_ID": "id", "TURNUS_FILES_SECRET": "secret",
        }  # fmt: skip
        program = (
            "import django; django.setup()\n"
            "from core.services import outbox\n"
            "outbox._handlers['lane-test'] = lambda row: None\n"
            "from django.core.management import call_command\n"
            "call_command('relay', pause=0.1, without='webhooks')\n"
        )
        relay = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **told})
        try:
            silent.settimeout(60)
            silent.accept()
            deadline = time.monotonic() + 60
            while Outbox.objects.get(kind="lane-test").state != "done":
                assert time.monotonic() < deadline and relay.poll() is None
                time.sleep(0.1)
        finally:
            relay.kill()
            relay.wait()
    assert Outbox.objects.get(kind="file.to_bucket").state == "waiting"
