"""Discounts in settling: what each takes off the lines that fall due together, before tax, and what is left of it.

The rule that matters: the lines of one subscription and due day take their discounts together, in the order of their
days, so that a run that catches up counts periods as if it had never been late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

from django.db import connection

from billing.services.copying import array, copy
from billing.services.grouping import InvoiceDoc, Line, Priced
from billing.services.loading import DiscountRow, discount_row
from billing.services.snapshots import plain
from core.models import Company
from pricing.discounts import Discount as Reduction
from pricing.discounts import DiscountableLine, Discounted, Scope, discounted
from subscriptions.models import AgreedDiscount
from subscriptions.services.schedule import Agreement

#: Lines that take discounts: periods, units added to them, usage, single charges. True-ups never do.
TAKING: Final = ("base", "added", "usage", "one_off", "late", "interim")
USE_COLUMNS: Final = "company_id, agreed_id, line_id, due_on, amount_minor, period_used"
ONE_DAY: Final = timedelta(days=1)


class Part(NamedTuple):
    """What a discount took off a line, in minor units, and whether a whole period of it was used up with it."""

    line: Line
    taken_minor: int
    uses_period: bool


@dataclass(slots=True)
class Take:
    """What one discount took on one due day. `until_on`: first day whose periods don't take it, if this used it up."""

    row: DiscountRow
    due_on: date
    parts: list[Part]
    until_on: date | None

    @property
    def taken_minor(self) -> int:
        return sum(part.taken_minor for part in self.parts)

    @property
    def uses_period(self) -> bool:
        return any(part.uses_period for part in self.parts)


@dataclass(slots=True)
class Left:
    """An agreed discount while due days are gone through."""

    row: DiscountRow
    periods_left: int | None
    left_minor: int | None
    until_on: date | None
    is_over: bool = False
    taken: list[Take] = field(default_factory=list)

    @property
    def change_on(self) -> date | None:
        """Revenue changes with the first period that takes it no longer."""
        return self.until_on if any(made.until_on is not None for made in self.taken) else None


def take_discounts(agreement: Agreement, priced: Sequence[Priced], rows: Sequence[DiscountRow] | None) -> list[Take]:
    """Lowers the lines of a subscription by its discounts, given oldest first; what each took, in order of due days.

    Due days are those on which the charges fell due, before any is moved to another document.
    """
    if not rows or not priced:
        return []
    left = [Left(row, row.periods_left, row.left_minor, row.until_on) for row in rows]
    by_day: dict[date, list[Line]] = {}
    for item in priced:
        if item.line.kind in TAKING:
            by_day.setdefault(item.due_on, []).append(item.line)
    found: list[Take] = []
    for due_on in sorted(by_day):
        found += _take_on(agreement, due_on, by_day[due_on], left)
    return found


def _take_on(agreement: Agreement, due_on: date, lines: list[Line], left: list[Left]) -> list[Take]:
    acting = [(one, among) for one in left if (among := _among(one, agreement, lines, due_on))]
    if not acting:
        return []
    result = discounted(
        [DiscountableLine(line.amount_minor, share=min(max(line.share, Fraction(0)), Fraction(1))) for line in lines],
        [_reduction(one, among, age) for age, (one, among) in enumerate(acting)],
    )
    _lower(lines, [one.row for one, _ in acting], result)
    takes = []
    for (one, among), parts in zip(acting, result.parts, strict=True):
        whole = _whole_periods(agreement, one.row, [lines[index] for index in sorted(among)])
        counts = bool(whole) and bool(one.periods_left)
        made = Take(one.row, due_on, [], None)
        for line, part in zip(lines, parts, strict=True):
            uses = counts and any(line is other for other in whole)
            if part or uses:
                made.parts.append(Part(line, part, uses))
        if not made.parts:
            continue
        if counts and one.periods_left is not None:
            one.periods_left -= 1
            if not one.periods_left:
                ends = _ends_of(whole, due_on)
                one.until_on = made.until_on = ends if one.until_on is None else min(one.until_on, ends)
        if one.left_minor is not None:
            one.left_minor -= made.taken_minor
        one.is_over = one.row.duration == "once" and not one.left_minor
        takes.append(made)
    return takes


def _reduction(one: Left, among: frozenset[int], age: int) -> Reduction:
    """The discount for the arithmetic: which lines it covers was found already, its scope gives its place in line."""
    row = one.row
    target: Scope = "product" if row.scope == "product" else "price" if row.scope == "price" else "everything"
    if row.percent is not None:
        return Reduction(percent=row.percent, scope=target, age=age, among=among)
    amount = row.amount_minor if one.left_minor is None else one.left_minor
    is_recurring = row.duration != "once"
    return Reduction(amount_minor=amount or 0, scope=target, age=age, among=among, recurring=is_recurring)


def _among(one: Left, agreement: Agreement, lines: Sequence[Line], due_on: date) -> frozenset[int]:
    """Places of the lines that take the discount."""
    row = one.row
    if one.is_over or (row.currency and row.currency != agreement.currency):
        return frozenset()
    inside = [
        index for index, line in enumerate(lines) if _covers(row, line) and _holds(row, one.until_on, line, due_on)
    ]
    if row.percent is None and row.duration != "once":
        # An amount off a period comes with the period: units added to one that has taken it take no further part.
        inside = [index for index in inside if lines[index].kind != "added"]
        carrying = "base" if _has_recurring(agreement, row) else "usage"
        if not any(lines[index].kind == carrying for index in inside):
            return frozenset()
    return frozenset(index for index in inside if lines[index].amount_minor >= 0 and lines[index].share > 0)


def _covers(row: DiscountRow, line: Line) -> bool:
    if row.scope == "product":
        return row.product_id == line.product_id
    return row.scope != "price" or (line.price_id is not None and row.price_id == line.price_id)


def _holds(row: DiscountRow, until_on: date | None, line: Line, due_on: date) -> bool:
    """Whether the line's days take it: they begin from its first day on, in a period that began before its last."""
    start = line.period_start or due_on
    return row.from_on <= start and (until_on is None or _full_start(line, start) < until_on)


def _full_start(line: Line, start: date) -> date:
    kept = line.calculation.get("full_start")
    return start if kept is None else date.fromisoformat(kept)


def _has_recurring(agreement: Agreement, row: DiscountRow) -> bool:
    """Whether the discount covers a position that is charged for each period; else it counts by usage."""
    for slot in agreement.slots:
        if slot.kind != "usage" and any(
            row.scope == "everything"
            or (row.scope == "product" and row.product_id == (terms.product_id or slot.product_id))
            or (row.scope == "price" and row.price_id == terms.price_id)
            for terms in slot.terms
        ):
            return True
    return False


def _whole_periods(agreement: Agreement, row: DiscountRow, lines: Sequence[Line]) -> list[Line]:
    """Lines of whole periods of the positions that the discount counts by."""
    kind = "base" if _has_recurring(agreement, row) else "usage"
    return [
        line
        for line in lines
        if line.kind == kind
        and line.calculation.get("full_days") is not None
        and line.calculation.get("days") == line.calculation.get("full_days")
    ]


def _ends_of(whole: Sequence[Line], due_on: date) -> date:
    """The first day whose periods no longer take a discount that was used up with these periods."""
    ends = [date.fromisoformat(line.calculation["full_end"]) for line in whole]
    ahead = [end for end in ends if end > due_on]
    return min(ahead) if ahead else max(ends)


def _lower(lines: Sequence[Line], rows: Sequence[DiscountRow], result: Discounted) -> None:
    for index, line in enumerate(lines):
        taken = [_told(row, parts[index]) for row, parts in zip(rows, result.parts, strict=True) if parts[index]]
        if taken:
            line.amount_minor -= result.by_line[index]
            line.discount_minor += result.by_line[index]
            line.calculation["discounts"] = taken


def _told(row: DiscountRow, taken_minor: int) -> dict[str, Any]:
    """What a line keeps of a discount, for its sentence."""
    what = {"percent": plain(row.percent)} if row.percent is not None else {"amount_minor": row.amount_minor}
    return {"id": row.ref, "name": row.name, "taken_minor": taken_minor, **what}


# What is left ---------------------------------------------------------------------------------------------------------


def used(takes: Sequence[Take], drafts: Sequence[InvoiceDoc]) -> list[Take]:
    """What is used now: a draft uses nothing, a document that costs nothing and is not issued does."""
    waiting = {id(line) for document in drafts for line in document.lines}
    return [made for made in takes if not any(id(part.line) in waiting for part in made.parts)]


def after(rows: Iterable[DiscountRow], takes: Sequence[Take], drafts: Sequence[InvoiceDoc]) -> list[DiscountRow]:
    """Live discounts as these uses leave them; `discount_uses` writes it."""
    left = {one.row.id: one for one in left_after(used(takes, drafts))}
    found = []
    for row in rows:
        one = left.get(row.id)
        if one is None:
            found.append(row)
        elif not one.is_over:
            found.append(
                row._replace(periods_left=one.periods_left, left_minor=one.left_minor, until_on=one.until_on)
            )  # fmt: skip
    return found


def left_after(done: Iterable[Take]) -> list[Left]:
    """The discounts whose counters moved, as they stand now."""
    by_id: dict[int, Left] = {}
    for made in done:
        row = made.row
        if row.periods_left is None and row.left_minor is None and row.duration != "once":
            continue
        one = by_id.setdefault(row.id, Left(row, row.periods_left, row.left_minor, row.until_on))
        one.taken.append(made)
        if made.uses_period and one.periods_left:
            one.periods_left -= 1
        if one.left_minor is not None:
            one.left_minor -= made.taken_minor
        one.until_on = made.until_on or one.until_on
        one.is_over = row.duration == "once" and not one.left_minor
    return list(by_id.values())


# Giving back ----------------------------------------------------------------------------------------------------------

_USES = """
WITH gone AS (
    SELECT l.id FROM unnest(%(lines)s::bigint[]) l(id)
    WHERE %(all)s
       OR NOT EXISTS (SELECT 1 FROM billing_billeddays d WHERE d.line_id = l.id AND d.released_at IS NULL)
), touched AS (
    SELECT DISTINCT u.agreed_id, u.due_on FROM billing_discountuse u JOIN gone ON gone.id = u.line_id
)
SELECT u.agreed_id, u.due_on, u.line_id, sum(u.amount_minor)::bigint, bool_or(u.period_used),
       u.line_id IN (SELECT id FROM gone)
FROM billing_discountuse u JOIN touched t ON t.agreed_id = u.agreed_id AND t.due_on = u.due_on
GROUP BY 1, 2, 3 HAVING sum(u.amount_minor) > 0 ORDER BY 1, 2, 3
"""
_RETURNED = """
UPDATE subscriptions_agreeddiscount d
SET ended_at = CASE WHEN v.is_live THEN NULL ELSE d.ended_at END, until_on = v.until_on,
    periods_left = v.periods_left, left_minor = v.left_minor
FROM unnest(%(ids)s::bigint[], %(live)s::bool[], %(until)s::date[], %(periods)s::int[], %(minors)s::bigint[])
     v(id, is_live, until_on, periods_left, left_minor)
WHERE d.id = v.id
"""


class Standing(NamedTuple):
    """A discount with uses that came back, as it stands after them."""

    subscription_id: int
    row: DiscountRow
    is_live: bool


@dataclass(slots=True)
class UsesBack:
    """What discounts took off lines whose days are all given back, not written yet: the uses (discount, line, due day,
    minor units, whether a period was used), and the discounts as they stand after it."""

    uses: list[tuple[int, int, date, int, bool]] = field(default_factory=list)
    discounts: list[Standing] = field(default_factory=list)

    def bring_up(self, known: dict[int, list[DiscountRow]]) -> None:
        """Live discounts by subscription, oldest first, as they stand after it."""
        for one in self.discounts:
            others = [row for row in known.get(one.subscription_id, ()) if row.id != one.row.id]
            known[one.subscription_id] = sorted([*others, one.row] if one.is_live else others, key=lambda row: row.id)


def uses_back(line_ids: Collection[int], *, are_gone: bool = True) -> UsesBack:
    """What discounts took off these lines: the amount left of one given once comes back, and a period where no line of
    its day is left that used it. `are_gone`: none of their days is billed any more; else only those count.

    Two queries; none without lines. Call it only for lines that a discount lowered.
    """
    found = UsesBack()
    if not line_ids:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_USES, {"lines": sorted(line_ids), "all": are_gone})
        rows = cursor.fetchall()
    minors: dict[int, int] = {}
    periods: dict[int, int] = {}
    standing = {(agreed, due_on) for agreed, due_on, _, _, used, is_gone in rows if used and not is_gone}
    counted: set[tuple[int, date]] = set()
    for agreed, due_on, line_id, minor, used, is_gone in rows:
        if not is_gone:
            continue
        minors[agreed] = minors.get(agreed, 0) + minor
        periods.setdefault(agreed, 0)
        key = (agreed, due_on)
        if used and key not in standing and key not in counted:
            counted.add(key)
            periods[agreed] += 1
        found.uses.append((agreed, line_id, due_on, minor, used))
    if found.uses:
        for one in AgreedDiscount.objects.filter(pk__in=minors).order_by("id"):
            found.discounts.append(_after(one, minors[one.pk], periods[one.pk]))
    return found


def _after(one: AgreedDiscount, minor: int, periods: int) -> Standing:
    """The discount with so much and so many periods back; one that was used up holds again."""
    is_back = bool(periods) and one.periods_left == 0
    is_live = one.ended_at is None or is_back or (one.duration == "once" and not one.left_minor)
    row = discount_row(one)._replace(
        until_on=None if is_back else one.until_on,
        periods_left=None if one.periods_left is None else one.periods_left + periods,
        left_minor=None if one.left_minor is None else one.left_minor + minor,
    )
    return Standing(one.subscription_id, row, is_live)


def write_uses_back(company: Company, found: UsesBack) -> None:
    """Writes what came back, in two statements; none without any."""
    if not found.uses:
        return
    lines = [
        f"{company.pk}\t{agreed}\t{line_id}\t{due_on}\t{-minor}\t{'t' if used else 'f'}"
        for agreed, line_id, due_on, minor, used in found.uses
    ]
    copy("billing_discountuse", USE_COLUMNS, lines)
    rows = [one.row for one in found.discounts]
    with connection.cursor() as cursor:
        cursor.execute(
            _RETURNED,
            {
                "ids": array(row.id for row in rows),
                "live": array(one.is_live for one in found.discounts),
                "until": array(row.until_on for row in rows),
                "periods": array(row.periods_left for row in rows),
                "minors": array(row.left_minor for row in rows),
            },
        )


def return_uses(company: Company, line_ids: Collection[int]) -> None:
    """Gives back, and writes, what discounts took off those of these lines whose days are all given back."""
    write_uses_back(company, uses_back(line_ids, are_gone=False))


def lowered(lines: Mapping[int, Any]) -> list[int]:
    """Of invoiced lines by id: those that a discount lowered."""
    return [id_ for id_, line in lines.items() if line.calculation.get("discounts")]
