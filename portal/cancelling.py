"""Leaving and staying: a cancellation by the customer with its receipt, and taking it back.

The receipt is a message: the words on the screen are the words of the mail, with the time of arrival to the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.services import acts, previews
from core import clock
from core.design import formats
from core.refusal import Refused
from customers.models import Message
from portal import receipts
from portal.access import Visitor
from pricing.terms import effective_end
from subscriptions.models import Subscription
from subscriptions.services import terms

RECEIPT, UNDONE = receipts.CANCELED, receipts.CANCEL_UNDONE


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to end: `timing` as the verb knows it, and the last day it leads to."""

    timing: str
    ends_on: date | None


def today_of(visitor: Visitor, subscription: Subscription) -> date:
    """Today where the subscription's days are counted."""
    return clock.today(visitor.company, subscription.time_zone)


def choices(subscription: Subscription, on: date) -> list[Choice]:
    """The ends on offer: with the paid period, as early as possible if that is earlier, on a day of one's own."""
    agreed = terms.terms_of(subscription, on=on)
    with_period = effective_end(agreed, "period_end", on)[0]
    earliest = effective_end(agreed, "now", on)[0]
    offered = [Choice("period_end", with_period)]
    if earliest != with_period:
        offered.append(Choice("now", earliest))
    if subscription.end_kind == "" or subscription.ends_on is None or subscription.ends_on > earliest:
        offered.append(Choice("date", None))
    return offered


def preview(visitor: Visitor, subscription: Subscription, choice: Choice) -> previews.Preview:
    """What ending it that way will do; nothing is done."""
    return previews.preview(lambda: _cancel(visitor, subscription, choice, reason="", comment="", token=None))


def cancel(
    visitor: Visitor, subscription: Subscription, choice: Choice, *, reason: str, comment: str, token: str
) -> Message:
    """Ends the contract as previewed and writes the receipt, both or neither; the receipt."""
    with transaction.atomic():
        result = _cancel(visitor, subscription, choice, reason=reason, comment=comment, token=token)
        return _receipt(visitor, result.subscription)


def _cancel(
    visitor: Visitor, subscription: Subscription, choice: Choice, *, reason: str, comment: str, token: str | None
) -> acts.ActResult:
    return acts.cancel(
        subscription=subscription,
        timing=choice.timing,
        ends_on=choice.ends_on if choice.timing == "date" else None,
        reason=reason,
        comment=comment,
        on=today_of(visitor, subscription),
        by=visitor.actor,
        at=visitor.now,
        preview_token=token,
    )


def undo(visitor: Visitor, subscription: Subscription) -> Subscription:
    """Takes a planned end back, until it happens; a mail says so."""
    with transaction.atomic():
        result = acts.undo_cancel(
            subscription=subscription, on=today_of(visitor, subscription), by=visitor.actor, at=visitor.now
        )
        moment = to_the_second(visitor.now, visitor.zone)
        receipts.tell(visitor, subscription, UNDONE, {"moment": moment})
    return result.subscription


def _receipt(visitor: Visitor, subscription: Subscription) -> Message:
    if subscription.ends_on is None:
        raise Refused("subscription.end_missing")
    unused = {
        "credit": _("Paid days after it are credited."),
        "refund": _("Paid days after it are refunded."),
        "none": _("Paid days after it are not given back."),
    }
    moment = to_the_second(subscription.cancel_asked_at or visitor.now, visitor.zone)
    values = {
        "moment": moment,
        "last_day": formats.day(subscription.ends_on, style="long"),
        "unused": unused.get(subscription.end_unused, ""),
        "link": receipts.link(subscription),
    }
    return receipts.tell(visitor, subscription, RECEIPT, values)


def to_the_second(at: datetime, zone: str) -> str:
    """A moment as a receipt names it: long day, hours, minutes, seconds and the zone."""
    here = at.astimezone(clock.zone(zone))
    words = {"day": formats.day(here.date(), style="long"), "time": here.strftime("%H:%M:%S"), "zone": zone}
    return _("%(day)s, %(time)s (%(zone)s)") % words
