"""The frozen content of an issued document, as it was hashed and chained.

What is read here was proved unchanged: body and seller must still have the hashes they were issued with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from billing.models import CreditNote, Invoice, Snapshot, SnapshotPart
from core.models import StoredFile
from core.refusal import Refused

Kind = Literal["invoice", "credit_note"]
KINDS: dict[Kind, type[Invoice] | type[CreditNote]] = {"invoice": Invoice, "credit_note": CreditNote}


@dataclass(frozen=True, slots=True)
class Content:
    """A document's snapshot: `body` and `seller` as frozen, amounts in minor units, the logo's bytes if it had one."""

    body: dict[str, Any]
    seller: dict[str, Any]
    sha256: str
    logo: bytes | None = None

    @property
    def kind(self) -> Kind:
        kind: Kind = self.body["kind"]
        return kind

    @property
    def number(self) -> str:
        return str(self.body["number"])


def kind_of(document: Invoice | CreditNote) -> Kind:
    """Which of the two it is, in the word that snapshots, messages and outbox rows use."""
    return "invoice" if isinstance(document, Invoice) else "credit_note"


def read(document: Invoice | CreditNote) -> Content:
    """The content of an issued document. Refuses a draft, and content whose hash is no longer the issued one."""
    if not document.snapshot_hash:
        raise Refused("document.not_issued")
    snapshot = Snapshot.objects.filter(
        company_id=document.company_id, document_kind=kind_of(document), document_id=document.pk
    ).first()
    if snapshot is None or document.snapshot_hash != _hash(snapshot.body):
        raise Refused("document.altered", number=document.number)
    body = json.loads(snapshot.body)
    part = SnapshotPart.objects.filter(company_id=document.company_id, sha256=body["seller"]).first()
    if part is None or _hash(part.body) != part.sha256:
        raise Refused("document.altered", number=document.number)
    seller = json.loads(part.body)
    return Content(body=body, seller=seller, sha256=document.snapshot_hash, logo=logo_of(document.company_id, seller))


def logo_of(company_id: int, seller: Mapping[str, Any]) -> bytes | None:
    """The logo that the seller had then."""
    if not seller.get("logo_sha256"):
        return None
    stored = StoredFile.objects.filter(company_id=company_id, sha256=seller["logo_sha256"]).first()
    return None if stored is None else stored.content


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
