"""Bytes kept by digest. The same content under the same name is stored once; it stands sealed unless it is public.

The rule that matters: bytes stand in their row when its transaction is through. Where the installation has a bucket,
an effect written with the row brings them there, so that no transaction waits for the bucket or is lost with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress

from django.db import transaction
from django.db.models import ProtectedError

from core import bucket
from core.models import StoredFile
from core.sealing import seal_bytes
from core.services import file_moves


def store(*, company_id: int, name: str, media_type: str, content: bytes, is_public: bool = False) -> StoredFile:
    """Keeps `content`; the same bytes under the same name give the same row.

    The digest is that of `content` itself. What names neither people's accounts nor anything a third party gave us in
    confidence is public and not sealed: documents we print, a logo. In the bucket everything is sealed.
    """
    digest = hashlib.sha256(content).hexdigest()
    kept = content if is_public else seal_bytes(content)
    known = {"company_id": company_id, "sha256": digest, "name": name[:200]}
    fresh = {"media_type": media_type, "size": len(content), "kept": kept, "is_sealed": not is_public}
    if bucket.takes_new():
        with transaction.atomic():
            stored, is_new = StoredFile.objects.get_or_create(**known, defaults=fresh)
            if is_new:
                file_moves.to_bucket_later(stored)
    else:
        stored, is_new = StoredFile.objects.get_or_create(**known, defaults=fresh)
    if not (is_new or is_public or stored.is_sealed):
        _seal(stored, kept)
    return stored


def _seal(stored: StoredFile, sealed: bytes) -> None:
    """Seals what was public until now; what went to the bucket meanwhile is sealed there."""
    open_rows = StoredFile.objects.filter(pk=stored.pk, object_key="", is_sealed=False)
    if open_rows.update(kept=sealed, is_sealed=True):
        stored.kept, stored.is_sealed = sealed, True
    else:
        stored.refresh_from_db()


def drop(ids: Iterable[int]) -> None:
    """Deletes files with their bytes, those in the bucket by an effect; files that another row holds stay."""
    for pk in sorted(ids):
        with suppress(ProtectedError), transaction.atomic():
            held = StoredFile.objects.select_for_update().defer("kept").filter(pk=pk).first()
            if held is None:
                continue
            key = held.object_key
            held.delete()
            if key:
                file_moves.erase_later(held.company_id, key)
