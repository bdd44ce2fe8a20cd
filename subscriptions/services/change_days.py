"""When a change takes effect, and what becomes of days that are billed already.

The rule that matters: the day of the change belongs to the new terms. Without a timing a change that is worth as much
or more takes effect now, one that is worth less at the end of the paid period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

from catalog.models import AnchorRule, Price
from catalog.services.price_specs import price_spec
from core.refusal import Refused, reason_of
from pricing.charge_models import amount
from pricing.errors import PricingError
from pricing.periods import Anchor, Interval
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import due, movements, schedule
from subscriptions.services.change_specs import Wish
from subscriptions.services.retiming import anchor_of, content_of, says
from subscriptions.services.rewriting import Rewriting

ONE_DAY = timedelta(days=1)
State = Subscription.State
Standing = SlotTerms.Standing
REBILL, ADD = SlotTerms.Settles.REBILL, SlotTerms.Settles.ADD
NOW, PERIOD_END, DATE = "now", "period_end", "date"
TIMINGS: Final = (NOW, PERIOD_END, DATE)
_DAYS: Final = {"day": Fraction(1), "week": Fraction(7), "month": Fraction(365, 12), "year": Fraction(365)}


@dataclass(frozen=True, slots=True)
class Step:
    """Terms of a position from a day on (`content` None: removed) and what becomes of days billed from it on."""

    from_on: date
    content: Mapping[str, Any] | None
    settles: str


def length(content: Mapping[str, Any]) -> Fraction:
    """How long a cycle is, in days of a usual year."""
    return _DAYS[content["interval_unit"]] * int(content["interval_count"])


def total(content: Mapping[str, Any]) -> Fraction:
    """The price of one full period, exact."""
    price = amount(content["model"], price_spec(content["unit_amount"], content["details"]), content["quantity"])
    return Fraction(price)


def yearly(content: Mapping[str, Any]) -> Fraction:
    """The price of a year, exact."""
    return total(content) * movements.per_month(content["interval_unit"], content["interval_count"]) * 12


def usual_timing(held: Subscription, now: Rewriting, wishes: Sequence[Wish], on: date) -> str:
    """`now` when the yearly value is equal or higher and no cycle shorter, else `period_end`."""
    if on < held.paid_from_on:
        return NOW
    gained = Fraction(0)
    for wish in wishes:
        if not wish.is_recurring:
            continue
        row = now.on(wish.slot, on) if wish.slot is not None else None
        before = None if row is None else content_of(row)
        if before is not None:
            gained -= yearly(before)
        if wish.content is not None:
            gained += yearly(wish.content)
            if before is not None and length(wish.content) < length(before):
                return PERIOD_END
    return NOW if gained >= 0 else PERIOD_END


def period_end(held: Subscription, now: Rewriting, slots: Iterable[Slot], on: date) -> date:
    """The first day after the running period of the longest of these positions (of all, without any)."""
    if on < held.paid_from_on:
        return held.paid_from_on
    found: list[tuple[bool, Fraction, date]] = []
    chosen = list(slots) or list(held.slots.all())
    for slot in chosen:
        row = now.on(slot, on)
        if row is not None and row.standing != Standing.REMOVED:
            end = full_period(held, row, on)[1]
            found.append((slot.kind == Slot.Kind.RECURRING, length(content_of(row)), end))
    if not found:
        raise Refused("change.nothing_there", field="timing")
    return max(found)[2]


def full_period(held: Subscription, row: SlotTerms, day: date) -> tuple[date, date]:
    """First day of the full period of these terms around the day, and the first day after it."""
    return schedule.period_of(due.agreement_of(held), due.terms_row(row), day)


def is_billed(held: Subscription, slot: Slot, day: date) -> bool:
    """Whether days from that one on are billed, here or elsewhere."""
    return slot.billed_through_on >= max(day, due.first_charged(held, slot))


def adds(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether only the difference is charged: more units at an unchanged price, or a dearer one for whole periods."""
    names = [name for name in after if name != "quantity"]
    if all(before[name] == after[name] for name in names):
        return bool(after["quantity"] > before["quantity"])
    cycles = ("interval_unit", "interval_count", "billed", "is_prorated")
    is_whole = not before["is_prorated"] and all(before[name] == after[name] for name in cycles)
    return is_whole and total(after) > total(before)


def steps(
    held: Subscription, now: Rewriting, slot: Slot, content: Mapping[str, Any] | None, day: date, *, waits: bool,
    is_counted_anew: bool,
) -> list[Step]:  # fmt: skip
    """How a position gets to these terms. `waits`: the running period stays as it is (usage is never paid before).

    `is_counted_anew`: its periods begin again on the day. Nothing to do: no steps.
    """
    row = now.on(slot, day)
    assert row is not None
    if content is not None and says(slot, row, content) and not _added(now, slot, row, day):
        return []
    through = slot.billed_through_on
    if slot.kind == Slot.Kind.USAGE:
        return [Step(through + ONE_DAY if is_billed(held, slot, day) else day, content, "")]
    if waits:
        return [Step(boundary(held, slot, row, day), content, "")]
    morning = _morning(now, slot, row, day)
    if not is_billed(held, slot, day):
        # Days given back on that very day whose new bill is only a draft: the terms before are billed again.
        is_more = morning is not None and content is not None and adds(content_of(morning), content)
        return [Step(day, content, ADD if is_more and day >= due.first_charged(held, slot) else "")]
    prior = now.before(slot, day) if row.from_on == day else row
    whole = _added(now, slot, row, day)
    if content is None:
        return [Step(day, None, REBILL)]
    if prior is not None and row.from_on == day and row.settles and says(slot, prior, content):
        return [Step(day, content, "")]
    # What is billed from that day on is a line of its own, unless it was begun before.
    begins = row.from_on == day and not whole and not row.settles
    has_base = prior is not None and (not begins or morning is not None)
    if prior is not None and has_base and not is_counted_anew and not _changed_since(now, slot, day):
        base = content_of(prior)
        if adds(base, content) or (whole and says(slot, prior, content)):
            return [Step(day, content, ADD)]
    if slot.elsewhere_through_on == through:
        return [Step(day, content, ADD if whole else "")]
    if prior is not None and not begins and not prior.is_prorated and full_period(held, prior, day)[0] != day:
        # What is begun is paid in full, and nothing of it given back.
        again = [Step(day, content_of(prior), ADD)] if whole else []
        return [*again, Step(through + ONE_DAY, content, "")]
    return [Step(day, content, REBILL)]


def settles_back(held: Subscription, now: Rewriting, slot: Slot, day: date) -> str:
    """What becomes of billed days when terms of before hold again from that day on, which is today or later."""
    row = now.on(slot, day)
    if row is None or not is_billed(held, slot, day) or slot.kind == Slot.Kind.USAGE:
        return ""
    return ADD if _added(now, slot, row, day) else REBILL


def boundary(held: Subscription, slot: Slot, row: SlotTerms, day: date) -> date:
    """The first day of the next period: after all that is billed, or the day itself when a period begins on it."""
    if is_billed(held, slot, day):
        return slot.billed_through_on + ONE_DAY
    if day <= due.first_charged(held, slot):
        return day
    start, end = full_period(held, row, day)
    return day if start == day or row.standing != Standing.AGREED else end


def _added(now: Rewriting, slot: Slot, row: SlotTerms, day: date) -> bool:
    """Whether more than before was agreed on that very day. Whether it is billed apart, only billing knows."""
    morning = None if row.settles else _morning(now, slot, row, day)
    return morning is not None and adds(content_of(morning), content_of(row))


def _morning(now: Rewriting, slot: Slot, row: SlotTerms, day: date) -> SlotTerms | None:
    """Of terms that begin on that very day, those that hold until then, if their periods are the same."""
    prior = now.before(slot, day) if row.from_on == day else None
    if prior is None or prior.until_on != day or {prior.standing, row.standing} != {Standing.AGREED}:
        return None
    same = anchor_of(slot.subscription, prior) == anchor_of(slot.subscription, row)
    return prior if same and prior.billed == Price.Billed.ADVANCE else None


def _changed_since(now: Rewriting, slot: Slot, day: date) -> bool:
    """Whether other terms hold for days after that one that are billed already."""
    return any(day < row.from_on <= slot.billed_through_on for row in now.rows(slot))


def new_anchor(held: Subscription, row: SlotTerms | None, day: date) -> tuple[date, int]:
    """Periods counted from the day; one that was a month's last day for want of a 31st still aims at it."""
    if row is not None:
        on, month_day = anchor_of(held, row)
        interval = Interval(row.interval_unit, row.interval_count)  # type: ignore[arg-type]
        if interval.months and month_day > day.day and full_period(held, row, day)[0] == day:
            return day, month_day
    return day, day.day


def first_anchor(held: Subscription, columns: Mapping[str, Any]) -> tuple[date, int]:
    """What periods of that cycle are counted from when the first paid day is still to come."""
    unit = columns.get("interval_unit", held.interval_unit)
    interval = Interval(unit, columns.get("interval_count", held.interval_count))
    rule, day = columns.get("anchor_rule", held.anchor_rule), columns.get("anchor_day", held.anchor_day)
    try:
        if rule == AnchorRule.CALENDAR:
            anchor = Anchor.calendar(interval, held.paid_from_on)
        elif rule == AnchorRule.DAY:
            anchor = Anchor.chosen_day(interval, day or 1, held.paid_from_on)
        else:
            anchor = Anchor.anniversary(held.paid_from_on)
    except PricingError as error:
        raise Refused("subscription.terms_contradict", detail=reason_of(error)) from error
    return anchor.on, anchor.day
