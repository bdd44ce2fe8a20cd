"""The PDF of an issued document: rendered once from its snapshot, kept by digest, never rendered again."""

from __future__ import annotations

import re

from django.utils.translation import override

from billing.documents import layout
from billing.documents.content import KINDS, Content, read
from billing.models import CreditNote, Invoice
from core.models import StoredFile
from core.refusal import Refused
from core.services import files


def pdf_of(document: Invoice | CreditNote) -> StoredFile:
    """The document's PDF; made now if nobody needed it before. Refuses a draft and altered content."""
    if document.pdf_id is not None:
        assert document.pdf is not None
        return document.pdf
    content = read(document)
    stored = files.store(
        company_id=document.company_id,
        name=file_name(content),
        media_type="application/pdf",
        content=render(content),
        is_public=True,
    )
    # The same bytes give the same row, so whoever comes second changes nothing.
    type(document).objects.filter(pk=document.pk, pdf__isnull=True).update(pdf=stored)
    document.refresh_from_db(fields=["pdf"])
    assert document.pdf is not None
    return document.pdf


def by_id(kind: str, document_id: int) -> StoredFile:
    """The PDF of the invoice or credit note with this id."""
    for known, model in KINDS.items():
        if known == kind:
            return pdf_of(model.objects.select_related("pdf").get(pk=document_id))
    raise LookupError(f"no document of kind {kind!r}")


def render(content: Content) -> bytes:
    """The bytes of the PDF, the same for the same content."""
    # Loading the PDF engine takes a second; only those who print do it.
    from billing.documents import press

    template = str(content.body["template"])
    if template not in press.templates():
        raise Refused("document.layout_unknown", number=content.number, template=template)
    with override(content.body["language"]):
        html = press.html_of(template, layout.sheet(content))
    return press.pdf_of(html, template=template, identifier=bytes.fromhex(content.sha256)[:16], logo=content.logo)


def file_name(content: Content) -> str:
    """The number as a file name: letters, digits, dot, dash and underscore of it.

    >>> file_name(Content({"kind": "invoice", "number": "RE/2026 0001"}, {}, ""))
    'RE-2026-0001.pdf'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", content.number).strip("-.") + ".pdf"
