"""Mailings: written, tried out, scheduled, paused, canceled.

The rule that matters: every move is checked under the mailing's lock; what was sent stays sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from catalog.models import Campaign, OfferCode
from core import checks, clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Mailing, Offer, Segment
from crm.services import mailing_links, mailing_sending, mailing_texts, segments
from crm.services.mailing_trail import tell
from customers.models import Customer, Message
from customers.services import fields, mail_texts, messages
from customers.services.mail_texts import Composed, Composer

State = Mailing.State
MOST_PER_HOUR: Final = 1_000_000


def save(
    *, company: Company, mailing: Mailing | None = None, name: str, campaign: Campaign, segment: Segment,
    subject: Mapping[str, str], body: Mapping[str, str], offer: Offer | None = None,
    offer_code: OfferCode | None = None, per_hour: int | None = None, attribution_days: int = 90, by: Actor,
    at: datetime,
) -> Mailing:  # fmt: skip
    """Writes a mailing, or gives `mailing` these words and readers as long as it has not started.

    Refuses `mailing.state`, `mailing.offer_or_code`, `segment.archived`, `offer.withdrawn`, and as
    `mailing_texts.checked`.
    """
    _own(company, mailing=mailing, campaign=campaign, segment=segment, offer=offer, offer_code=offer_code)
    if offer is not None and offer_code is not None:
        raise Refused("mailing.offer_or_code", field="offer")
    if segment.archived_at is not None and (mailing is None or mailing.segment_id != segment.pk):
        raise Refused("segment.archived", field="segment")
    if offer is not None and offer.archived_at is not None:
        raise Refused("offer.withdrawn", field="offer")
    words = mailing_texts.checked(company, subject, body, has_offer=offer is not None, has_code=offer_code is not None)
    values: dict[str, Any] = {
        "name": checked(name, field="name", limit=NAME_LENGTH, required=True),
        "campaign": campaign, "segment": segment, "offer": offer, "offer_code": offer_code,
        "subject": words[0], "body": words[1],
        "per_hour": None if per_hour is None else checks.whole(per_hour, field="per_hour", least=1, most=MOST_PER_HOUR),
        "attribution_days": checks.whole(attribution_days, field="attribution_days", least=1, most=730),
    }  # fmt: skip
    with transaction.atomic():
        if mailing is None:
            held = Mailing.objects.create(company=company, created_at=at, **values)
        else:
            held = _locked(mailing, *Mailing.OPEN)
            for field, value in values.items():
                setattr(held, field, value)
            held.save()
        tell(held, "save", "", {"segment": segment.pk, "offer": offer.pk if offer else None}, by=by, at=at)
    return held


def schedule(*, mailing: Mailing, starts_at: datetime | None = None, by: Actor, at: datetime) -> Mailing:
    """It starts at that instant, without one at once; who is in the segment then gets it.

    Again with another instant: it starts then instead. Refuses `mailing.state`, `mailing.starts_in_past`.
    """
    starts_at = starts_at or at
    if starts_at < at:
        raise Refused("mailing.starts_in_past", field="starts_at")
    with transaction.atomic():
        held = _locked(mailing, *Mailing.OPEN)
        if held.state == State.SCHEDULED and held.starts_at == starts_at:
            return held
        held.state, held.starts_at = State.SCHEDULED, starts_at
        held.save(update_fields=["state", "starts_at"])
        tell(held, "schedule", "scheduled", {"starts_at": starts_at.isoformat()}, by=by, at=at)
    return held


def pause(*, mailing: Mailing, by: Actor, at: datetime) -> Mailing:
    """Nobody more is written to until it goes on. Repeated: nothing happens. Refuses `mailing.state`."""
    return _move(mailing, State.PAUSED, Mailing.LIVE, "pause", "paused", by=by, at=at)


def resume(*, mailing: Mailing, by: Actor, at: datetime) -> Mailing:
    """It goes on where it stood. Repeated: nothing happens. Refuses `mailing.state`."""
    to = State.RUNNING if mailing.frozen_at is not None else State.SCHEDULED
    return _move(mailing, to, (State.PAUSED,), "resume", "resumed", by=by, at=at)


def cancel(*, mailing: Mailing, by: Actor, at: datetime) -> Mailing:
    """Nobody more is ever written to. Repeated: nothing happens. Refuses `mailing.state` once it is done."""
    open_ones = (State.DRAFT, State.SCHEDULED, State.RUNNING, State.PAUSED)
    return _move(mailing, State.CANCELED, open_ones, "cancel", "canceled", by=by, at=at)


def preview(*, mailing: Mailing, customer: Customer, at: datetime) -> Composed:
    """The mail as this customer would get it now; its link leads to the portal alone."""
    company = mailing.company
    today = clock.day_in(at, company.time_zone)
    own = segments.meant_subscriptions(segment=mailing.segment, on=today)
    rows = customer.subscriptions.exclude(state__in=["canceled", "expired"]).order_by("pk")
    subscription = (rows.filter(pk__in=own).first() if own is not None else None) or rows.first()
    reader = mailing_sending.reader_of(
        mailing, name=customer.name, subscription=subscription.name if subscription else "",
        language=customer.language or company.language, link=mailing_links.example_link(),
        until=mailing_sending.last_offer_day(mailing, today),
    )  # fmt: skip
    composer = Composer(company, only=(mailing_texts.NAME, mail_texts.SIGNATURE))
    return mailing_texts.compose(composer, mailing, reader)


def send_test(*, mailing: Mailing, customer: Customer, address: str, by: Actor, at: datetime) -> Message:
    """The mail as this customer would get it, to an address of staff. Nothing of it counts.

    Refuses `mailing.no_address`, `customer.email_form`.
    """
    address = fields.email(address, field="address")
    if not address:
        raise Refused("mailing.no_address", field="address")
    composed = preview(mailing=mailing, customer=customer, at=at)
    with transaction.atomic():
        message = messages.write(
            company=mailing.company, customer=None, template=mailing_texts.NAME,
            language=customer.language or mailing.company.language, subject=f"[Test] {composed.subject}",
            body=composed.body, recipients=[address], subject_kind="mailing", subject_id=mailing.pk, at=at,
        )  # fmt: skip
        trail.audit(
            company_id=mailing.company_id, at=at, by=by, verb="mailing.test", subject_kind="mailing",
            subject_id=mailing.pk, facts={"name": mailing.name}, after={"address": address},
        )  # fmt: skip
    return message


def _move(
    mailing: Mailing, to: str, from_: tuple[str, ...], verb: str, past: str, *, by: Actor, at: datetime
) -> Mailing:
    with transaction.atomic():
        held = _locked(mailing, to, *from_)
        if held.state != to:
            held.state = to
            held.save(update_fields=["state"])
            tell(held, verb, past, {}, by=by, at=at)
    return held


def _locked(mailing: Mailing, *states: str) -> Mailing:
    """The mailing under its lock; it waits for a portion that is being written."""
    rows = Mailing.objects.select_for_update(of=("self",)).select_related("company", "campaign", "segment")
    held = rows.get(pk=mailing.pk)
    if held.state not in states:
        raise Refused("mailing.state", state=held.get_state_display())
    return held


def _own(company: Company, **rows: Any) -> None:
    for field, row in rows.items():
        if row is not None and row.company_id != company.pk:
            raise Refused("not_found", field=field)
