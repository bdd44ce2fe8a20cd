"""Remarks of staff about a customer. A note is never changed; it can be taken off the page."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from core.actors import Actor
from core.services import trail
from core.texts import checked
from customers.models import Customer, Note
from customers.services import merged

TEXT_LENGTH = 10_000


def add_note(*, customer: Customer, text: str, by: Actor, at: datetime) -> Note:
    """Keeps the text exactly, with who wrote it."""
    checked(text, field="text", limit=TEXT_LENGTH, required=True)
    with transaction.atomic():
        merged.refuse(customer)
        note = Note.objects.create(
            company_id=customer.company_id, customer=customer, text=text, by_id=by.user_id, created_at=at
        )
        _tell(note, "add", by=by, at=at)
    return note


def archive_note(*, note: Note, by: Actor, at: datetime) -> Note:
    """Takes it off the page. Repeated: nothing happens."""
    with transaction.atomic():
        note = Note.objects.select_for_update().get(pk=note.pk)
        if note.archived_at is not None:
            return note
        note.archived_at = at
        note.save(update_fields=["archived_at"])
        _tell(note, "archive", by=by, at=at)
    return note


def _tell(note: Note, verb: str, *, by: Actor, at: datetime) -> None:
    trail.audit(
        company_id=note.company_id,
        at=at,
        by=by,
        verb=f"note.{verb}",
        subject_kind="note",
        subject_id=note.pk,
        customer_id=note.customer_id,
    )
