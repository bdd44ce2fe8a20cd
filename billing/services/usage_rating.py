"""Usage in settling: windows that close, usage billed before the close, and closed windows rated again.

The rule that matters: a window costs what its whole usage costs, and what was billed for it before is deducted; more
is a line, less a credit note. Any number of windows is read with the facts of the batch, see `usage_reading`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from billing.services import giving_back, issuing, minimum_less, usage_less, usage_reading
from billing.services.charging import Charge, SlotDue
from billing.services.clauses import Clause
from billing.services.copying import array
from billing.services.grouping import Line
from billing.services.loading import CustomerRow, Facts
from billing.services.snapshots import plain
from billing.services.steps import plain_fraction, plain_rows
from billing.services.usage_reading import Foreseen, Former
from core.models import Company
from pricing.charge_models import CalcRow
from pricing.errors import PricingError
from subscriptions.services import schedule, usage_windows
from subscriptions.services.schedule import Agreement, SlotRow, Stretch
from subscriptions.services.usage_windows import Counted, Window, as_decimal

USAGE_KINDS: Final = ("usage", "interim", "late")
_MOST_QUANTITY: Final = 10**14


@dataclass(slots=True)
class Rated:
    """A window as it is rated now, and what comes of it. `before`: rows of the same window that stand."""

    agreement: Agreement
    stretch: Stretch
    window: Window
    kind: str
    component: str
    before: list[Former]
    is_first_close: bool = False
    counted: Counted = Counted(Fraction(0), 0)
    cost_minor: int = 0
    steps: list[CalcRow] = field(default_factory=list)
    line: Line | None = None
    less: list[usage_less.Less] = field(default_factory=list)

    @property
    def billed_before(self) -> int:
        return sum(row.billed_minor for row in self.before)

    @property
    def more_minor(self) -> int:
        return self.cost_minor - self.billed_before

    @property
    def share(self) -> Fraction:
        return usage_windows.share_of(self.stretch)

    @property
    def has_line(self) -> bool:
        """Nothing used is no line, except where something was billed before that the close deducts."""
        if self.kind == "usage":
            return bool(self.counted.quantity or self.cost_minor or self.before)
        return self.more_minor > 0

    @property
    def says_something(self) -> bool:
        """Whether a row is kept: each close, and what a second look has changed."""
        if self.kind == "usage":
            return True
        if self.kind == "interim":
            return self.more_minor > 0
        known = self.before[-1].quantity if self.before else None
        return bool(self.more_minor) or known != as_decimal(self.counted.quantity)


@dataclass(slots=True)
class Usage:
    """What rating found for a batch: what slots owe by their id, the rated windows by their charge, days without a
    line, what went wrong by subscription, and the marks that are seen to."""

    due: dict[int, SlotDue]
    errors: dict[int, Exception]
    seen: dict[int, tuple[int, date | None, date | None]]
    by_charge: dict[tuple[int, str, date], Rated] = field(default_factory=dict)
    rated: list[Rated] = field(default_factory=list)


def rate_usage(
    company: Company,
    customers: Mapping[int, CustomerRow],
    foreseen: Foreseen,
    known: Facts,
    given_back: giving_back.GivenBack,
    *,
    on: date,
) -> Usage:
    """Rates every usage position of locked subscriptions that is due by that day, from what was foreseen and read.

    What came to less than was billed becomes credit notes in `given_back`, still to be numbered and written.
    """
    found = Usage(foreseen.due, foreseen.errors, foreseen.seen)
    if not foreseen.due:
        return found
    former = usage_reading.former(known)
    for agreement, slot, _ in foreseen.asked:
        if agreement.id not in found.errors:
            found.rated += _windows(agreement, slot, foreseen, former.get(slot.id, []))
    _read(found, foreseen, known)
    usage_less.give_back(company, customers, found.rated, given_back)
    minimum_less.give_back(company, customers, found.rated, given_back)
    for slot_id in found.due:
        found.due[slot_id] = found.due[slot_id]._replace(charges=[])
    for one in found.rated:
        slot_id = one.stretch.slot.id
        if one.has_line:
            charge = _charge(one, on)
            found.due[slot_id].charges.append(charge)
            found.by_charge[slot_id, charge.component, charge.start] = one
    return found


def _windows(agreement: Agreement, slot: SlotRow, foreseen: Foreseen, former: Sequence[Former]) -> list[Rated]:
    """What is to be rated of a slot: windows that close, the running one, closed ones with late usage."""
    rated = []
    taken: set[datetime] = set()
    for stretch, window in foreseen.closing[slot.id]:
        taken.add(window.start_at)
        if window.end_at <= window.start_at or _is_free(agreement, stretch):
            continue
        rows = [row for row in former if row.start_at == window.start_at]
        before = [row for row in rows if row.stands]
        # A window whose close still stands and whose rest was taken back is rated again; else this is its close.
        is_close = not any(row.closes for row in before)
        kind, component = ("usage", "usage") if is_close else ("late", f"late:{len(rows)}")
        is_first = is_close and not any(row.kind == "closed" for row in rows)
        rated.append(Rated(agreement, stretch, window, kind, component, before, is_first))
    if slot.id in foreseen.running:
        stretch, window = foreseen.running[slot.id]
        before = [row for row in former if row.stands and row.start_at == window.start_at]
        rated.append(Rated(agreement, stretch, window, "interim", f"interim:{len(before) + 1}", before))
    if slot.id in foreseen.seen and slot.late_from_on is not None:
        rated += _late(agreement, slot, former, taken)
    return rated


def _late(agreement: Agreement, slot: SlotRow, former: Sequence[Former], taken: set[datetime]) -> list[Rated]:
    found = []
    for closed in former:
        if closed.kind == "interim" or not closed.stands or closed.start_at in taken:
            continue
        taken.add(closed.start_at)
        terms = next(
            (
                row
                for row in slot.terms
                if row.from_on <= closed.period_start and (row.until_on is None or closed.period_start < row.until_on)
            ),
            None,
        )
        if terms is None:
            continue
        full_start, full_end = schedule.period_of(agreement, terms, closed.period_start)
        stretch = Stretch(
            closed.period_end, slot, terms, closed.period_start, closed.period_end, closed.period_end, full_start,
            full_end,
        )  # fmt: skip
        rows = [row for row in former if row.start_at == closed.start_at]
        window = usage_windows.window_of(agreement, stretch)
        before = [row for row in rows if row.stands]
        found.append(Rated(agreement, stretch, window, "late", f"late:{len(rows)}", before))
    return found


def _is_free(agreement: Agreement, stretch: Stretch) -> bool:
    """Usage of a trial that led nowhere."""
    ends_on = agreement.ends_on
    return stretch.start < agreement.paid_from_on and ends_on is not None and ends_on < agreement.paid_from_on


def _read(found: Usage, foreseen: Foreseen, known: Facts) -> None:
    """Has the meters say what was used, and prices it."""
    said = usage_reading.counted(foreseen, known, [one.window for one in found.rated])
    for one, counted in zip(found.rated, said, strict=True):
        one.counted = counted
        try:
            if abs(counted.quantity) >= _MOST_QUANTITY:
                raise PricingError("billing.quantity_too_large")
            one.cost_minor, one.steps = usage_windows.priced(
                one.stretch.terms, counted, one.share, one.agreement.currency
            )
        except PricingError as error:
            found.errors[one.agreement.id] = error
    found.rated = [
        one for one in found.rated if one.agreement.id not in found.errors and _is_passed(one) and one.says_something
    ]


def _is_passed(one: Rated) -> bool:
    """Usage before the close is billed once what is not billed yet reaches the amount agreed."""
    return one.kind != "interim" or one.more_minor >= (one.stretch.slot.interim_minor or 1)


def _charge(one: Rated, on: date) -> Charge:
    stretch = one.stretch
    due_on, end = (stretch.due_on, stretch.served_end) if one.kind == "usage" else (on, one.window.end)
    return Charge(
        due_on, stretch.slot, stretch.terms, stretch.start, end, end, stretch.full_start, stretch.full_end,
        max(one.more_minor, 0), one.kind, one.component,
    )  # fmt: skip


def fallen(found: Usage) -> dict[int, list[tuple[int, date, date, int]]]:
    """By subscription, positions, closed days [start, end), and by how much less was used than was billed for them."""
    less: dict[int, list[tuple[int, date, date, int]]] = {}
    for one in found.rated:
        if one.kind == "late" and one.more_minor < 0:
            row = (one.stretch.slot.id, one.window.start, one.window.end, -one.more_minor)
            less.setdefault(one.agreement.id, []).append(row)
    return less


def complete_usage(line: Line, one: Rated) -> None:
    """A line of usage: its quantity, its days, and the calculation that explains it."""
    one.line = line
    quantity = as_decimal(one.counted.quantity)
    before = [row.quantity for row in one.before]
    line.quantity = max(quantity - before[-1], quantity * 0) if one.kind == "late" and before else quantity
    line.quantity = round(line.quantity, 6)
    line.share = one.share
    line.days = () if one.kind == "interim" else line.days
    calculation = line.calculation
    calculation["quantity"] = plain(quantity)
    calculation["steps"] = plain_rows(one.steps)
    calculation["share"] = plain_share(one.share)
    calculation["usage"] = usage_facts(one)


def plain_share(share: Fraction) -> str:
    return "1" if share == 1 else f"{share.numerator}/{share.denominator}"


def usage_facts(one: Rated) -> dict[str, Any]:
    """What was counted: the window's instants, its events, what it costs whole, and what was billed of that before."""
    said: dict[str, Any] = {
        "kind": one.kind,
        "from_at": one.window.start_at.isoformat(),
        "until_at": one.window.end_at.isoformat(),
        "quantity": plain_fraction(one.counted.quantity),
        "events": one.counted.event_count,
        "cost_minor": one.cost_minor,
    }
    if one.before:
        said["deducted_minor"] = one.billed_before
    return said


def days_without_line(company: Company, found: Usage, billed: set[int]) -> list[str]:
    """Days on which nothing was used: billed, without a line. `billed`: subscriptions that were."""
    return [
        issuing.days_row(
            company.pk, one.stretch.slot.id, one.window.start, one.window.end, None, "billed", one.component
        )
        for one in found.rated
        if one.kind == "usage" and not one.has_line and one.agreement.id in billed
    ]


_RATED: Final = """
    INSERT INTO billing_ratedusage (company_id, rated_at, slot_id, kind, start_at, end_at, period_start, period_end,
                                    quantity, cost_minor, billed_minor, line_id, note_id)
    SELECT %(rated_company)s, %(rated_at)s, v.* FROM unnest(
        %(rated_slots)s::bigint[], %(rated_kinds)s::text[], %(rated_starts)s::timestamptz[],
        %(rated_ends)s::timestamptz[], %(rated_first)s::date[], %(rated_end)s::date[], %(rated_quantities)s::numeric[],
        %(rated_costs)s::bigint[], %(rated_billed)s::bigint[], %(rated_lines)s::bigint[], %(rated_notes)s::bigint[]
    ) v
"""
_COLUMNS: Final = (
    "slots",
    "kinds",
    "starts",
    "ends",
    "first",
    "end",
    "quantities",
    "costs",
    "billed",
    "lines",
    "notes",
)


def rated_clauses(company: Company, found: Usage, billed: set[int], *, at: datetime) -> list[Clause]:
    """What keeps what was rated, once the lines that are written have their ids; none without any.

    `billed`: subscriptions that were.
    """
    rows: list[tuple[object, ...]] = []
    for one in found.rated:
        window, slot_id = one.window, one.stretch.slot.id
        # The period is that of the close, also while it runs.
        days = (window.start_at, window.end_at, window.start, one.stretch.served_end)
        figures = (plain(as_decimal(one.counted.quantity)), one.cost_minor)
        if one.agreement.id in billed and (one.kind == "usage" or not one.less):
            line_id = one.line.id or None if one.line is not None else None
            kind = "closed" if one.is_first_close else "interim" if one.kind == "interim" else "late"
            rows.append((slot_id, kind, *days, *figures, max(one.more_minor, 0), line_id, None))
        for less in one.less:
            rows.append((slot_id, "late", *days, *figures, -less.amount_minor, less.line_id, less.note_id))
    if not rows:
        return []
    columns = {f"rated_{name}": array(column) for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)}
    return [Clause("rated", _RATED, {"rated_company": company.pk, "rated_at": at, **columns})]


def marks_seen(found: Usage, billed: set[int]) -> dict[int, tuple[date | None, date | None]]:
    """By slot the marks that were seen to: the day to look at it, and the first day with late usage."""
    return {slot: (due, late) for slot, (agreement_id, due, late) in found.seen.items() if agreement_id in billed}
