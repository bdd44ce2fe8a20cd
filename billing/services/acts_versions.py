"""Subscriptions moved to another version of their price, one or many; then `settle`.

The rule that matters: many move together or the one named is refused, and a preview's token binds what was shown:
who moves when, who is left and why, and what is billed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import transaction

from billing.services import previews, signing
from billing.services.previews import PreviewDocument
from billing.services.settling import Settlement, settle
from catalog.models import Price
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Subscription
from subscriptions.services import versions
from subscriptions.services.unchanging import Changed


@dataclass(slots=True)
class VersionsMoved:
    """The changes, for each subscription left as it is the reason, and what was billed at once."""

    changed: list[Changed] = field(default_factory=list)
    skipped: list[tuple[Subscription, Refused]] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MovesPreview:
    """What a move would come to; `documents` would be issued at once, `token` binds the act to all of it."""

    moved: VersionsMoved
    documents: list[PreviewDocument]
    token: str


def move_versions(
    *,
    company: Company,
    price: Price,
    subscriptions: Sequence[Subscription] | None = None,
    effective_on: date | None = None,
    reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> VersionsMoved:
    """Moves subscriptions to `price`, a version of what they hold, and settles those that move today; see
    `subscriptions.services.versions.move_versions`. None named: all that hold another version of it.

    One named alone that can't be moved is refused. Refuses `preview.differs`.
    """
    chosen = list(versions.held_on_others(price)) if subscriptions is None else subscriptions
    found = VersionsMoved()
    with transaction.atomic():
        for zone in sorted({one.time_zone for one in chosen}):
            today = on or clock.day_in(at, zone)
            batch = [one for one in chosen if one.time_zone == zone]
            part = versions.move_versions(
                company=company, price=price, subscriptions=batch, effective_on=effective_on, reason=reason,
                on=today, by=by, at=at,
            )  # fmt: skip
            if part.skipped and subscriptions is not None and len(subscriptions) == 1:
                raise part.skipped[0][1]
            moved = {one.subscription.customer_id for one in part.changed if one.change.effective_on <= today}
            if moved:
                settled = settle(company=company, customer_ids=sorted(moved), on=today, at=at, by=by, zones=[zone])
                found.settlements.append(settled)
            found.changed += part.changed
            found.skipped += part.skipped
        if preview_token is not None:
            signing.check(preview_token, _token(price, found, _documents(found)))
    return found


def preview_versions(
    *,
    company: Company,
    price: Price,
    subscriptions: Sequence[Subscription] | None = None,
    effective_on: date | None = None,
    reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
) -> MovesPreview:
    """What `move_versions` with these keywords would do: the very move, taken back."""
    with transaction.atomic():
        try:
            moved = move_versions(
                company=company, price=price, subscriptions=subscriptions, effective_on=effective_on, reason=reason,
                on=on, by=by, at=at,
            )  # fmt: skip
            documents = _documents(moved)
            return MovesPreview(moved, documents, _token(price, moved, documents))
        finally:
            transaction.set_rollback(True)


def _documents(moved: VersionsMoved) -> list[PreviewDocument]:
    return [document for settled in moved.settlements for document in previews.documents_of(settled)]


def _token(price: Price, moved: VersionsMoved, documents: Sequence[PreviewDocument]) -> str:
    figures = [
        price.pk,
        [[one.subscription.pk, str(one.change.effective_on), one.change.summary["items"]] for one in moved.changed],
        [[subscription.pk, refused.code] for subscription, refused in moved.skipped],
        [[document.kind, document.currency, document.net, document.tax, document.gross] for document in documents],
    ]
    return signing.signed("version_moves", figures)
