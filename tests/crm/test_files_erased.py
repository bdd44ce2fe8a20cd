"""Whose customer is erased and whose tie has read its file: their bytes go out of the bucket, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.files import Bucket
from core.models import StoredFile
from tests.core.storing import a_bucket, a_store, lying, relayed
from tests.crm.talking import a_mail
from tests.factories import BY, TODAY, a_company, a_customer, at_noon

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with a_store() as running:
        yield running


@pytest.fixture
def place(address: str, settings: Any) -> Bucket:
    settings.FILES_BUCKET = a_bucket(address)
    return settings.FILES_BUCKET  # type: ignore[no-any-return]


def test_an_erasure_deletes_what_was_attached_in_the_bucket_by_an_effect(place: Bucket) -> None:
    from crm.services import activity_mails, erasing

    company = a_company()
    one, other = (a_customer(company, contacts=[{"name": n, "email": f"{n}@w.example"}]) for n in ("ada", "bob"))
    for name, key, attached in (
        ("ada", "<1@w>", {"own.pdf": b"%PDF-own", "shared.csv": b"a;b"}), ("bob", "<2@w>", {"shared.csv": b"a;b"}),
    ):  # fmt: skip
        raw = a_mail(sender=f"{name}@w.example", message_id=key, attached=attached)
        activity_mails.keep(company=company, raw=raw, by=BY, at=AT)
    assert relayed().done == 2
    assert sorted(file.content for file in StoredFile.objects.all()) == [b"%PDF-own", b"a;b"]
    erasing.erase(customer=one, confirm=one.number, by=BY, at=AT)
    kept = StoredFile.objects.get()
    assert (kept.name, len(lying(place))) == ("shared.csv", 2)
    assert relayed().done == 1
    assert list(lying(place)) == [f"turnus/{kept.object_key}"]
    erasing.erase(customer=other, confirm=other.number, by=BY, at=AT)
    assert (relayed().done, lying(place), StoredFile.objects.count()) == (1, {}, 0)


def test_a_file_that_a_tie_has_read_is_deleted_in_the_bucket(place: Bucket) -> None:
    from crm.services import tie_accounts
    from tests.crm.test_ties_csv import a_csv_tie, give, run

    company = a_company()
    ada = a_customer(company, kind="person", name="Ada")
    tie = a_csv_tie(company)
    run(tie)
    give(tie, f"email,name\n{ada.email},Ada King\n", name="read.csv")
    assert (relayed().done, len(lying(place))) == (1, 1)
    run(tie)
    assert (StoredFile.objects.count(), relayed().done, lying(place)) == (0, 1, {})
    give(tie, f"email,name\n{ada.email},Ada Queen\n", name="waits.csv")
    assert (relayed().done, len(lying(place))) == (1, 1)
    tie_accounts.archive(tie=tie, by=BY, at=AT)
    assert (StoredFile.objects.count(), relayed().done, lying(place)) == (0, 1, {})
