"""Usage before it is rated: which windows of a batch may fall due, and what was rated of them until now.

The rule that matters: what can be known before anything is read is asked with the facts of the batch; without usage
nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Final, NamedTuple

import orjson

from billing.services import charging
from billing.services.charging import SlotDue
from billing.services.loading import Also, CustomerRow, Facts
from pricing.errors import PricingError
from subscriptions.services import schedule, usage_windows
from subscriptions.services.schedule import ONE_DAY, Agreement, SlotRow, Stretch
from subscriptions.services.usage_windows import Counted, Window


class Former(NamedTuple):
    """What was rated before: a row of `RatedUsage`; whether its line still stands, and whether it was the close."""

    slot_id: int
    kind: str
    start_at: datetime
    end_at: datetime
    period_start: date
    period_end: date
    quantity: Decimal
    cost_minor: int
    billed_minor: int
    line_id: int | None
    invoice_id: int | None
    stands: bool
    closes: bool


@dataclass(slots=True)
class Foreseen:
    """What usage positions of a batch owe by their id, those to look at, each with the first day of its windows; the
    windows that close and the one that runs, by position; closed ones that late usage may be in; what went wrong by
    subscription, and the marks seen."""

    due: dict[int, SlotDue] = field(default_factory=dict)
    asked: list[tuple[Agreement, SlotRow, date]] = field(default_factory=list)
    closing: dict[int, list[tuple[Stretch, Window]]] = field(default_factory=dict)
    running: dict[int, tuple[Stretch, Window]] = field(default_factory=dict)
    late: list[Window] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)
    seen: dict[int, tuple[int, date | None, date | None]] = field(default_factory=dict)

    @property
    def windows(self) -> list[Window]:
        found = [window for pairs in self.closing.values() for _, window in pairs]
        return found + [window for _, window in self.running.values()] + self.late

    def questions(self) -> list[Also]:
        """What is to be asked with the facts: what was rated before, and what the meters say."""
        if not self.asked:
            return []
        slots = {"rated_slots": [slot.id for _, slot, _ in self.asked], "rated_days": [day for *_, day in self.asked]}
        questions = [Also(_FORMER, slots)]
        windows = self.windows
        return [*questions, Also(_COUNTED, usage_windows.asking(windows))] if windows else questions


def foresee(customers: Mapping[int, CustomerRow], agreements: Sequence[Agreement], *, on: date) -> Foreseen:
    """Looks at every usage position of these locked subscriptions for what may be due by that day. No query."""
    found = Foreseen()
    for agreement in agreements:
        for slot in agreement.slots:
            if slot.kind == "usage" and slot.meter_id is not None:
                try:
                    _look(found, agreement, slot, _last_day(customers, agreement, on), on)
                except PricingError as error:
                    found.errors[agreement.id] = error
    return found


def _look(found: Foreseen, agreement: Agreement, slot: SlotRow, last: date, on: date) -> None:
    due = found.due[slot.id] = charging.slot_due(agreement, slot, last)
    first = [charge.start for charge in due.charges]
    if slot.usage_due_on is not None and slot.usage_due_on <= on:
        found.seen[slot.id] = (agreement.id, slot.usage_due_on, slot.late_from_on)
        first += [slot.late_from_on] if slot.late_from_on is not None else []
        first += [slot.billed_through_on + ONE_DAY] if slot.interim_minor is not None else []
    elif slot.usage_due_on is not None and not (schedule.late_usage_waits(slot) and due.next_due_on is not None):
        found.due[slot.id] = due._replace(next_due_on=min(filter(None, (due.next_due_on, slot.usage_due_on))))
    if not first:
        return
    found.asked.append((agreement, slot, min(first)))
    stretches = [Stretch(*charge[:8]) for charge in due.charges]
    pairs = [(stretch, usage_windows.window_of(agreement, stretch)) for stretch in stretches]
    found.closing[slot.id] = pairs
    if slot.id not in found.seen:
        return
    if slot.late_from_on is not None:
        found.late += _closed(agreement, slot, slot.late_from_on)
    if slot.interim_minor is None:
        return
    running = usage_windows.running(agreement, slot, on)
    if running is not None:
        start_at = usage_windows.window_of(agreement, running).start_at
        if all(window.start_at != start_at for _, window in pairs):
            found.running[slot.id] = (running, usage_windows.window_of(agreement, running, on + ONE_DAY))


def _closed(agreement: Agreement, slot: SlotRow, from_on: date) -> list[Window]:
    """The closed windows from the one around that day on, as the terms cut them; what was rated may have cut others."""
    terms = next((row for row in slot.terms if row.until_on is None or from_on < row.until_on), None)
    if terms is None:
        return []
    first = max(schedule.period_of(agreement, terms, from_on)[0], terms.from_on)
    stretches = schedule.walk(agreement, slot, first, slot.billed_through_on + ONE_DAY)
    return [usage_windows.window_of(agreement, stretch) for stretch in stretches]


def _last_day(customers: Mapping[int, CustomerRow], agreement: Agreement, on: date) -> date:
    """A trial that may not go on closes nothing by itself."""
    customer = customers[agreement.customer_id]
    if agreement.trial_may_end and agreement.state in ("pending", "trial") and not customer.payment_method:
        return min(on, agreement.paid_from_on - ONE_DAY)
    return on


_FORMER: Final = """
SELECT 'rated', r.kind, '', '', r.quantity, NULL, r.id, r.slot_id,
       json_build_array(r.start_at, r.end_at, r.period_start, r.period_end, r.cost_minor, r.billed_minor, r.line_id,
                        l.invoice_id, r.line_id IS NULL OR coalesce(b.status <> 'void', false),
                        coalesce(l.kind = 'usage', r.kind = 'closed'))::text
FROM unnest(%(rated_slots)s::bigint[], %(rated_days)s::date[]) v(slot_id, day)
JOIN LATERAL (SELECT * FROM billing_ratedusage WHERE slot_id = v.slot_id AND period_end > v.day OFFSET 0) r ON true
LEFT JOIN billing_invoiceline l ON l.id = r.line_id
LEFT JOIN billing_invoicebalance b ON b.invoice_id = l.invoice_id
"""
_COUNTED: Final = f"""
SELECT 'counted', aggregation, highest::text, latest::text, total, NULL, place, events, array_to_string(values, ' ')
FROM ({usage_windows.READ}) counted
"""  # noqa: S608  put together of the product's own texts


def former(known: Facts) -> dict[int, list[Former]]:
    """What was rated of the positions asked for, in periods that reach beyond their day, in the order it was."""
    found: dict[int, list[Former]] = {}
    for _, kind, _, _, quantity, _, _, slot_id, more in sorted(known.also.get("rated", ()), key=itemgetter(6)):
        start_at, end_at, start, end, cost, billed, line_id, invoice_id, stands, closes = orjson.loads(more or "[]")
        assert slot_id is not None and quantity is not None
        row = Former(
            slot_id, kind, datetime.fromisoformat(start_at), datetime.fromisoformat(end_at), date.fromisoformat(start),
            date.fromisoformat(end), quantity, cost, billed, line_id, invoice_id, stands, closes,
        )  # fmt: skip
        found.setdefault(slot_id, []).append(row)
    return found


def counted(foreseen: Foreseen, known: Facts, wanted: Sequence[Window]) -> list[Counted]:
    """What the meters say for these windows: as read with the facts; those not foreseen in one query more."""
    windows = foreseen.windows
    rows = [
        (place, aggregation, events, total, _decimal(highest), _decimal(latest), _decimals(values))
        for _, aggregation, highest, latest, total, _, place, events, values in known.also.get("counted", ())
    ]
    said = dict(zip(windows, usage_windows.answers(windows, rows), strict=True))
    missing = [window for window in wanted if window not in said]
    said |= dict(zip(missing, usage_windows.read(missing), strict=True))
    return [said[window] for window in wanted]


def _decimal(said: str | None) -> Decimal | None:
    return None if said is None else Decimal(said)


def _decimals(said: str | None) -> list[Decimal]:
    return [Decimal(value) for value in (said or "").split()]
