"""A file's bytes on their way: from its row to the bucket, back again, and out of the bucket when the file is deleted.

The rules that matter: bytes are dropped in one place only after they were read back from the other and their digest
fitted. The object is written first, the row changes after; whoever is killed in between leaves an object without a
row, which the sweep finds. Nothing here asks the bucket while it holds a lock.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

from django.db import transaction

from core import bucket
from core.fault_points import point
from core.models import Outbox, StoredFile
from core.models.records import opened
from core.sealing import seal_bytes, unseal_bytes
from core.services import outbox

TO_BUCKET: Final = "file.to_bucket"
ERASE: Final = "file.erase"
#: The relay has a lane for them.
KINDS: Final = frozenset({TO_BUCKET, ERASE})


def to_bucket_later(stored: StoredFile) -> None:
    """Writes the effect that brings its bytes to the bucket."""
    outbox.put(company_id=stored.company_id, kind=TO_BUCKET, key=str(stored.pk), payload={"file": stored.pk})


def erase_later(company_id: int, key: str) -> None:
    """Writes the effect that deletes an object, in the transaction in which its row lets go of it."""
    outbox.put(company_id=company_id, kind=ERASE, key=key, payload={"object": key})


def key_of(stored: StoredFile) -> str:
    """A key of its own for each writing: the company, the file's public id, and chance. It names nobody."""
    return f"{stored.company_id}/{stored.public_id.hex}-{secrets.token_hex(6)}"


def sealed_size(size: int) -> int:
    """Bytes that a content of `size` has when it is sealed.

    >>> sealed_size(0), sealed_size(15), sealed_size(16)
    (73, 73, 89)
    """
    return 57 + size + 16 - size % 16


def holder_of(key: str) -> StoredFile | None:
    """The file whose bytes lie there, if one does."""
    public_id = key.partition("/")[2].partition("-")[0]
    return StoredFile.objects.defer("kept").filter(public_id=public_id, object_key=key).first()


def to_bucket(pk: int) -> bool:
    """Moves a file's bytes to the bucket; no, where they lie there or the file is gone.

    Raises `BucketError` where the bucket fails, `Altered` where the bytes don't fit their digest here or there,
    `CannotOpen`. Then everything is as it was.
    """
    stored = StoredFile.objects.filter(pk=pk, object_key="").first()
    if stored is None:
        return False
    assert stored.kept is not None, "bytes lie in their row or in the bucket"
    content = stored.content
    if hashlib.sha256(content).hexdigest() != stored.sha256:
        raise bucket.Altered(f"{stored.ref} is not what was stored")
    key = key_of(stored)
    tag = bucket.put(key, bytes(stored.kept) if stored.is_sealed else seal_bytes(content))
    point("file.put")
    opened(key, stored.sha256)
    mine = StoredFile.objects.filter(pk=pk, object_key="")
    if mine.update(object_key=key, object_tag=tag, is_sealed=True, kept=None):
        return True
    # It was deleted, or somebody else moved it: nothing knows this key but we.
    bucket.delete(key)
    return False


def to_database(pk: int) -> bool:
    """Moves a file's bytes back into its row, as they were sealed; no, where they lie there or the file is gone.

    The object is deleted by an effect. Raises as `to_bucket`.
    """
    stored = StoredFile.objects.filter(pk=pk).exclude(object_key="").first()
    if stored is None:
        return False
    key = stored.object_key
    sealed = bucket.get(key)
    if hashlib.sha256(unseal_bytes(sealed)).hexdigest() != stored.sha256:
        raise bucket.Altered(f"{stored.ref} is not what was stored")
    with transaction.atomic():
        mine = StoredFile.objects.filter(pk=pk, object_key=key)
        if not mine.update(object_key="", object_tag="", is_sealed=True, kept=sealed):
            return False
        erase_later(stored.company_id, key)
        point("file.back")
    return True


MOVES: Final[dict[str, Callable[[int], bool]]] = {"bucket": to_bucket, "database": to_database}


@outbox.handler(TO_BUCKET)
def _bring(row: Outbox) -> None:
    """Payload: `file`. Where new files stay in the database meanwhile, this one does, too."""
    if bucket.takes_new():
        to_bucket(row.payload["file"])


@outbox.handler(ERASE)
def _erase(row: Outbox) -> None:
    """Payload: `object`. What a file points to is never deleted, whatever asks for it."""
    if holder_of(row.payload["object"]) is None:
        bucket.delete(row.payload["object"])
