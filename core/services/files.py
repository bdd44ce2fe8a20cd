"""Bytes kept by digest. The same content under the same name is stored once."""

from __future__ import annotations

import hashlib

from core.models import StoredFile


def store(*, company_id: int, name: str, media_type: str, content: bytes) -> StoredFile:
    """Keeps `content`; the same bytes under the same name give the same row."""
    digest = hashlib.sha256(content).hexdigest()
    stored, _ = StoredFile.objects.get_or_create(
        company_id=company_id,
        sha256=digest,
        name=name[:200],
        defaults={"media_type": media_type, "size": len(content), "content": content},
    )
    return stored
