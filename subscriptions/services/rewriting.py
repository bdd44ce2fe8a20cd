"""Terms of several positions written anew from a day on, in three statements for all of them.

The rule that matters: what lies before the day stays; from it on the new terms hold through every pause and up to a
position's own end, and planned changes of their content are gone. Rows that say the same are one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import resting, retiming
from subscriptions.services.retiming import content_of, says

ONE_DAY = timedelta(days=1)
Standing = SlotTerms.Standing
Settles = SlotTerms.Settles
Anchor = tuple[date | None, int | None]
Again = Callable[[SlotTerms], Mapping[str, Any]]


class Rewriting:
    """Rows in memory until `flush`. Slots come with their terms read, as from `holding.lock`."""

    def __init__(self) -> None:
        self._rows: dict[int, list[SlotTerms]] = {}
        self._slots: dict[int, Slot] = {}
        self._stored: dict[int, dict[int, date | None]] = {}
        self._fresh: list[tuple[Subscription, Slot]] = []
        self._gone: list[tuple[Subscription, Slot]] = []
        self._pinned: tuple[Subscription, date, int] | None = None
        self._named: list[tuple[int, list[int]]] = []

    def rows(self, slot: Slot) -> list[SlotTerms]:
        """The slot's terms as they stand now, in order."""
        key = id(slot)
        if key not in self._rows:
            found = sorted(slot.terms.all(), key=lambda row: row.from_on) if slot.pk else []
            self._rows[key], self._slots[key] = found, slot
            self._stored[key] = {row.pk: row.until_on for row in found}
        return self._rows[key]

    def on(self, slot: Slot, day: date) -> SlotTerms | None:
        """The row that holds on that day."""
        return retiming.terms_on(self.rows(slot), day)

    def before(self, slot: Slot, day: date) -> SlotTerms | None:
        """The last row that began before that day."""
        return next((row for row in reversed(self.rows(slot)) if row.from_on < day), None)

    def lay(
        self,
        slot: Slot,
        day: date,
        content: Mapping[str, Any] | None,
        *,
        settles: str = "",
        anchor: Anchor | None = None,
        again: Again | None = None,
    ) -> None:
        """From that day on these terms hold; None: the position is removed. `anchor`: what their periods count from,
        else as the row that holds on the day. `again` says what becomes of other terms that hold later already, such
        as those of a change that waits for a boundary; without it they are replaced, too."""
        ahead = [row for row in self.rows(slot) if row.until_on is None or row.until_on > day]
        if not ahead:
            return
        first = ahead[0]
        if content is None:
            self._put(slot, day, [self._removed(first, max(first.from_on, day), settles)])
            return
        counted, held = (first.anchor_on, first.anchor_month_day), content_of(first)
        new: list[SlotTerms] = []
        last: Anchor = counted
        for row in ahead:
            own = (row.anchor_on, row.anchor_month_day)
            is_other = again is not None and row.standing != Standing.REMOVED and not says(slot, row, held)
            # A billing day that moves later stays moved, unless everything is counted anew.
            is_counted_so = own == last or anchor is not None
            if new and row.standing == new[-1].standing and is_counted_so and not is_other:
                new[-1].until_on = row.until_on
                continue
            last = own
            start = max(row.from_on, day)
            kept = row.settles if row.from_on == start else ""
            if row.standing == Standing.REMOVED:
                new.append(retiming.copy_of(row, from_on=start, settles=kept))
                continue
            terms = again(row) if is_other and again is not None else content
            fresh = retiming.copy_of(row, from_on=start, settles=kept, **terms)
            if not new and row.standing == Standing.AGREED:
                fresh.settles = settles
            if anchor is not None and own == counted:
                fresh.anchor_on, fresh.anchor_month_day = anchor
            new.append(fresh)
        self._put(slot, day, new)

    def restore(self, slot: Slot, day: date, rows: Sequence[SlotTerms], *, settles: str = "") -> None:
        """From that day on rows of before hold again; they rest where the others do now."""
        wanted = [row for row in rows if row.until_on is None or row.until_on > day]
        if not wanted:
            self.lay(slot, day, None, settles=settles)
            return
        wanted[0].from_on = max(day, wanted[0].from_on)
        wanted[0].settles = settles
        self._put(slot, day, resting.at_rest(slot.subscription, slot, wanted))

    def add(self, subscription: Subscription, slot: Slot, rows: Sequence[SlotTerms]) -> None:
        """A position that is new, with its terms; it rests where the others do."""
        rows = resting.at_rest(subscription, slot, rows)
        self._rows[id(slot)], self._slots[id(slot)], self._stored[id(slot)] = rows, slot, {}
        self._fresh.append((subscription, slot))

    def drop(self, subscription: Subscription, slot: Slot) -> None:
        """A planned position that never began is no position."""
        self.rows(slot)
        self._rows[id(slot)] = []
        self._gone.append((subscription, slot))

    def pin(self, held: Subscription) -> None:
        """Rows that rely on the subscription's anchor name it, before it moves. See `retiming.pin_anchor`."""
        for slot in held.slots.all():
            self.rows(slot)
        for row in (row for rows in self._rows.values() for row in rows if row.anchor_on is None):
            row.anchor_on, row.anchor_month_day = held.anchor_on, held.anchor_month_day
        self._pinned = held, held.anchor_on, held.anchor_month_day

    def name_product(self, slot: Slot) -> None:
        """Puts the slot's product into its terms, before the slot supplies another one."""
        stale = [row for row in self.rows(slot) if row.product_id is None]
        for row in stale:
            row.product_id = slot.product_id
        if stored := [row.pk for row in stale if row.pk]:
            self._named.append((slot.product_id, stored))

    def flush(self) -> None:
        """Writes everything; what was read with the subscriptions is brought up to date."""
        deleted, cut, fresh = list[int](), list[SlotTerms](), list[SlotTerms]()
        if self._pinned is not None:
            held, anchor_on, month_day = self._pinned
            relying = SlotTerms.objects.filter(slot__subscription=held, anchor_on__isnull=True)
            relying.update(anchor_on=anchor_on, anchor_month_day=month_day)
        for product_id, named in self._named:
            SlotTerms.objects.filter(pk__in=named).update(product_id=product_id)
        for _, slot in self._fresh:
            slot.pk = None
        Slot.objects.bulk_create([slot for _, slot in self._fresh])
        for key, rows in self._rows.items():
            stored = self._stored[key]
            live = {row.pk for row in rows if row.pk}
            deleted += [pk for pk in stored if pk not in live]
            cut += [row for row in rows if row.pk and row.until_on != stored[row.pk]]
            for row in rows:
                if not row.pk:
                    row.slot = self._slots[key]
                    fresh.append(row)
        if deleted:
            SlotTerms.objects.filter(pk__in=deleted).delete()
        if cut:
            SlotTerms.objects.bulk_update(cut, ["until_on"])
        if fresh:
            SlotTerms.objects.bulk_create(fresh)
        if self._gone:
            Slot.objects.filter(pk__in=[slot.pk for _, slot in self._gone]).delete()
        self.show()
        self.__init__()  # type: ignore[misc]

    def show(self) -> None:
        """What was read with the subscriptions is brought up to date, and nothing is written. A new position is
        numbered below 0 until `flush`."""
        for key, slot in self._slots.items():
            found = SlotTerms.objects.all()
            found._result_cache = self._rows[key]
            slot.__dict__.setdefault("_prefetched_objects_cache", {})["terms"] = found
        for number, (subscription, slot) in enumerate(self._fresh, 1):
            slot.pk = slot.pk or -number
            if all(one is not slot for one in _positions(subscription)):
                _positions(subscription).append(slot)
        for subscription, slot in self._gone:
            _positions(subscription)[:] = [one for one in _positions(subscription) if one is not slot]

    def _put(self, slot: Slot, day: date, new: Sequence[SlotTerms]) -> None:
        kept = [row for row in self.rows(slot) if row.from_on < day]
        if kept and (kept[-1].until_on is None or kept[-1].until_on > day):
            kept[-1].until_on = day
        rows = list(kept)
        for row in new:
            if rows and rows[-1].until_on == row.from_on and retiming.goes_on(slot, rows[-1], row):
                rows[-1].until_on = row.until_on
            else:
                rows.append(row)
        self._rows[id(slot)] = rows

    @staticmethod
    def _removed(row: SlotTerms, day: date, settles: str) -> SlotTerms:
        if row.standing != Standing.AGREED:
            settles = row.settles if row.from_on == day else ""
        return retiming.copy_of(row, from_on=day, until_on=None, standing=Standing.REMOVED, settles=settles)


def _positions(subscription: Subscription) -> list[Slot]:
    found = subscription.slots.all()
    assert found._result_cache is not None, "read with holding"
    return found._result_cache


def rows_of(slot: Slot, plain: Iterable[Mapping[str, Any]]) -> list[SlotTerms]:
    """Unsaved rows from what `retiming.morning_of` kept of a slot, in order."""
    return [retiming.row_of(slot, values) for values in plain]
