"""What is written down when a mailing moves: the audit row and the event, in the transaction of the move."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.actors import Actor
from core.services import trail
from crm.models import Mailing


def tell(mailing: Mailing, verb: str, past: str, facts: Mapping[str, Any], *, by: Actor, at: datetime) -> None:
    """The audit row of the verb, and the event of what happened; no event where `past` is empty."""
    common: dict[str, Any] = {
        "company_id": mailing.company_id, "at": at, "subject_kind": "mailing", "subject_id": mailing.pk,
    }  # fmt: skip
    trail.audit(by=by, verb=f"mailing.{verb}", facts={"name": mailing.name, **facts}, **common)
    if past:
        data = {
            "id": mailing.ref, "name": mailing.name, "campaign": mailing.campaign.ref, "segment": mailing.segment.ref,
            **facts,
        }  # fmt: skip
        trail.emit(type=f"mailing.{past}", data=data, **common)
