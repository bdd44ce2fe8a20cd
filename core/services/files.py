"""Bytes kept by digest. The same content under the same name is stored once; it stands sealed unless it is public."""

from __future__ import annotations

import hashlib

from core.models import StoredFile
from core.sealing import seal_bytes


def store(*, company_id: int, name: str, media_type: str, content: bytes, is_public: bool = False) -> StoredFile:
    """Keeps `content`; the same bytes under the same name give the same row.

    The digest is that of `content` itself. What names neither people's accounts nor anything a third party gave us in
    confidence is public and not sealed: documents we print, a logo.
    """
    digest = hashlib.sha256(content).hexdigest()
    kept = content if is_public else seal_bytes(content)
    stored, is_new = StoredFile.objects.get_or_create(
        company_id=company_id,
        sha256=digest,
        name=name[:200],
        defaults={"media_type": media_type, "size": len(content), "kept": kept, "is_sealed": not is_public},
    )
    if not (is_new or is_public or stored.is_sealed):
        stored.kept, stored.is_sealed = kept, True
        stored.save(update_fields=["kept", "is_sealed"])
    return stored
