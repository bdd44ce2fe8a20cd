"""When something of a subscription falls due next: rows in memory in, a day out.

The rule that matters: the days come from `schedule`, the same walk that billing takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import orjson

from subscriptions.models import OneOff, Slot, SlotTerms, Subscription
from subscriptions.services import minimums, schedule
from subscriptions.services.schedule import ONE_DAY, Agreement, SlotRow, TermsRow

__all__ = ["ONE_DAY", "has_unused_days", "next_due"]


def next_due(
    subscription: Subscription,
    slots: Iterable[tuple[Slot, Sequence[SlotTerms]]],
    one_offs: Iterable[OneOff] | None = None,
    *,
    before: date | None = None,
) -> date | None:
    """The next day something falls due, or something billed is to be given back; None: never.

    `slots` are all slots with their terms in order; `one_offs` those of the subscription, else they are read.
    `before`: only what falls due before that day, as in a trial that may not go on. Paid days after the last day of
    service fall due, to be given back, on the first day no longer covered; a planned change on its first day.
    """
    days: list[date] = []
    late: list[date] = []
    agreement = agreement_of(subscription)
    rows: list[SlotRow] = []
    ends_on = subscription.ends_on
    for slot, terms in slots:
        row = slot_row(slot, terms)
        rows.append(row)
        for start, end in row.reopened:
            days += [stretch.due_on for stretch in schedule.walk(agreement, row, start, end)][:1]
        for stretch in schedule.walk(agreement, row, slot.billed_through_on + ONE_DAY):
            days.append(stretch.due_on)
            break
        days += [held.from_on for held in row.terms if held.settles and (ends_on is None or held.from_on <= ends_on)]
        if row.usage_due_on is not None:
            (late if schedule.late_usage_waits(row) else days).append(row.usage_due_on)
        if ends_on is not None and has_unused_days(subscription, slot):
            days.append(ends_on + ONE_DAY)
    agreement = agreement._replace(slots=rows)
    if minimums.has_any(agreement):
        closes_on = minimums.next_close(agreement)
        days += [closes_on] if closes_on is not None else []
    days += one_off_days(subscription, subscription.one_offs.all() if one_offs is None else one_offs)
    return min((day for day in days or late if before is None or day < before), default=None)


def days_to_come(
    subscription: Subscription, slots: Iterable[tuple[Slot, Sequence[SlotTerms]]], count: int
) -> list[date]:
    """See `days_of`."""
    rows = [slot_row(slot, terms) for slot, terms in slots]
    return days_of(agreement_of(subscription)._replace(slots=rows), count)


def days_of(agreement: Agreement, count: int) -> list[date]:
    """At most so many days, in order, on which its positions fall due, if nothing changes: for looking ahead.

    Days that usage, minimums and single charges add are not among them; `next_due` knows those.
    """
    days: set[date] = set()
    for row in agreement.slots:
        own: set[date] = set()
        for stretch in schedule.walk(agreement, row, row.billed_through_on + ONE_DAY):
            own.add(stretch.due_on)
            if len(own) >= count:
                break
        days |= own
    return sorted(days)[:count]


def one_off_days(subscription: Subscription, one_offs: Iterable[OneOff]) -> list[date]:
    """Due days of one-off items that are not billed. What was to be supplied after the end is not supplied."""
    ends_on = subscription.ends_on
    return [one.due_on for one in one_offs if one.due_on is not None and (ends_on is None or one.service_on <= ends_on)]


def agreement_of(subscription: Subscription) -> Agreement:
    """The subscription as `schedule` walks it; its slots stay with the caller."""
    return Agreement(
        id=subscription.pk or 0,
        customer_id=subscription.customer_id,
        name=subscription.name,
        state=subscription.state,
        currency=subscription.currency,
        tax_behavior=subscription.tax_behavior,
        time_zone=subscription.time_zone,
        paid_from_on=subscription.paid_from_on,
        anchor_on=subscription.anchor_on,
        anchor_month_day=subscription.anchor_month_day,
        ends_on=subscription.ends_on,
        end_unused=subscription.end_unused,
        ended_at_once=False,
        next_bill_on=subscription.next_bill_on,
        interval_unit=subscription.interval_unit,
        interval_count=subscription.interval_count,
        minimum_count=subscription.minimum_count,
        minimum_unit=subscription.minimum_unit,
        renewal_rule=subscription.renewal_rule,
        renewal_count=subscription.renewal_count,
        renewal_unit=subscription.renewal_unit,
        grace_days=subscription.grace_days,
        payment_terms_days=subscription.payment_terms_days,
        po_reference=subscription.po_reference,
        slots=[],
        minimum_amount=subscription.minimum_amount,
        minimum_through_on=subscription.minimum_through_on,
    )


def slot_row(slot: Slot, terms: Sequence[SlotTerms]) -> SlotRow:
    """A slot as `schedule` walks it: its days and terms, without the catalog's words."""
    return SlotRow(
        id=slot.pk or 0,
        position=slot.position,
        billed_through_on=slot.billed_through_on,
        reopened=tuple((days.lower, days.upper) for days in slot.reopened_days),
        product_id=slot.product_id,
        product_name="{}",
        unit_name="{}",
        tax_category_id=0,
        supply="",
        level="",
        revenue_account="",
        terms=[terms_row(held) for held in terms],
        kind=slot.kind,
        meter_id=slot.meter_id,
        interim_minor=slot.interim_minor,
        minimum_through_on=slot.minimum_through_on,
        usage_due_on=slot.usage_due_on,
        late_from_on=slot.late_from_on,
    )


def terms_row(held: SlotTerms) -> TermsRow:
    """Terms as `schedule` walks them and billing prices them."""
    return TermsRow(
        from_on=held.from_on,
        until_on=held.until_on,
        price_ref=None,
        price_version=None,
        model=held.model,
        unit_amount=held.unit_amount,
        quantity=held.quantity,
        billed=held.billed,
        is_prorated=held.is_prorated,
        interval_unit=held.interval_unit,
        interval_count=held.interval_count,
        details=orjson.dumps(held.details, option=orjson.OPT_SORT_KEYS).decode(),
        minimum_amount=held.minimum_amount,
        anchor_on=held.anchor_on,
        anchor_month_day=held.anchor_month_day,
        standing=held.standing,
        settles=held.settles,
        id=held.pk or 0,
        price_id=held.price_id,
        product_id=held.product_id,
    )


def has_unused_days(subscription: Subscription, slot: Slot) -> bool:
    """Whether days after the last day of service were billed here and not given back yet."""
    ends_on, through = subscription.ends_on, slot.billed_through_on
    if ends_on is None or through <= ends_on:
        return False
    return through >= first_charged(subscription, slot) and through != slot.elsewhere_through_on


def first_charged(subscription: Subscription, slot: Slot) -> date:
    """The first day the position is charged for: add-ons have no trial."""
    is_add_on = slot.item_id is not None and slot.item is not None and slot.item.is_optional
    return subscription.start_on if is_add_on else subscription.paid_from_on
