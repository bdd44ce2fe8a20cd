"""What happens by itself: starts, ends of trials, renewals, ends. A tick asks what is due; asking twice adds nothing.

The rule that matters: each move takes effect on its own day, however late it is made, and one that can't be made
stops nobody else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction

from catalog.models import AnchorRule, Plan
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.models import Company
from subscriptions.models import Change as PlannedChange
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import (
    change_columns,
    discounted,
    due,
    holding,
    movements,
    moves,
    resting,
    retiming,
    standing,
    starting,
    terms,
)
from subscriptions.services.moved import Moved
from subscriptions.services.movements import Change

State = Subscription.State
EndKind = Subscription.EndKind
Standing = SlotTerms.Standing
ChangeKind = PlannedChange.Kind
ONE_DAY = timedelta(days=1)
#: Customers per transaction.
BATCH = 500
PARKED = "subscription.move_failed"

#: Called inside the transaction with the subscriptions whose service ended and the day, so that paid days after the
#: end are given back with it.
AfterEnds = Callable[[Sequence[Subscription], date], None]


def move_due(
    *,
    company: Company,
    at: datetime,
    by: Actor,
    customer_ids: Sequence[int] | None = None,
    after_ends: AfterEnds | None = None,
) -> dict[str, int]:
    """Makes every move due at that instant, each zone by its own day; how many of each kind.

    Counts: started, trialing, converted, changed, paused, resumed, renewed, term_over, canceled, expired, failed. In
    batches of customers, a transaction each; a batch that fails is halved until the bad customer stands alone and is
    parked. Raises OperationalError or InterfaceError when the database is to blame; nobody is parked for that.
    """
    counts: Counter[str] = Counter()
    rows = Subscription.objects.filter(company=company, next_move_on__isnull=False)
    if customer_ids is not None:
        rows = rows.filter(customer_id__in=customer_ids)
    for time_zone in sorted(rows.order_by().values_list("time_zone", flat=True).distinct()):
        day = clock.day_in(at, time_zone)
        due_rows = rows.filter(time_zone=time_zone, next_move_on__lte=day)
        customers = sorted(set(due_rows.order_by().values_list("customer_id", flat=True)))
        batches = [customers[start : start + BATCH] for start in range(0, len(customers), BATCH)]
        while batches:
            batch = batches.pop(0)
            try:
                with transaction.atomic():
                    held = holding.lock_moving(company, batch, time_zone, day)
                    moved = advance(company=company, subscriptions=held, day=day, at=at, by=by)
                    if after_ends is not None and moved.ended:
                        after_ends(moved.ended, day)
                    point("moves.moved")
                counts += moved.counts
            except (OperationalError, InterfaceError):
                raise  # a lost connection, a deadlock or a full disk is nobody's fault: the next tick asks again
            except Exception as error:  # noqa: BLE001  one bad customer stops nobody; the reason is kept
                if len(batch) > 1:
                    middle = len(batch) // 2
                    batches[:0] = [batch[:middle], batch[middle:]]
                else:
                    counts["failed"] += _park(company, batch[0], time_zone, day, error, at)
    return dict(counts)


def advance(*, company: Company, subscriptions: Sequence[Subscription], day: date, at: datetime, by: Actor) -> Moved:
    """Makes every move of the locked subscriptions up to that day, and writes it. See `holding` for the locks."""
    touched = [sub for sub in subscriptions if sub.next_move_on is not None and sub.next_move_on <= day]
    moved = Moved(touched, day, at)
    if not touched:
        return moved
    worth = holding.worth(touched)
    for subscription in touched:
        # Each pass makes one move; a late tick makes several in their order.
        while subscription.next_move_on is not None and subscription.next_move_on <= day:
            made = subscription.next_move_on
            _step(subscription, made, worth, moved)
            _recount(subscription, made, moved)
            holding.plan_ahead(subscription, made)
        keep_waiting(subscription)
        if subscription.parked_code == PARKED:
            subscription.parked_at, subscription.parked_code, subscription.parked_detail = None, "", ""
    moved.write(company, by)
    return moved


def resume_now(subscription: Subscription, day: date, *, on: date, at: datetime, by: Actor) -> None:
    """Ends the pause of the locked subscription on that day, and makes what was due since. Its terms hold again."""
    moved = Moved([subscription], on, at)
    _resume(subscription, day, moved)
    holding.plan_ahead(subscription, day)
    moved.write(subscription.company, by)
    advance(company=subscription.company, subscriptions=[subscription], day=on, at=at, by=by)


def recount(subscription: Subscription, day: date, on: date) -> None:
    """Revenue of the locked subscription follows its terms of today (`on`) and, from `day` on, those of the past."""
    if subscription.state not in moves.EARNING:
        return
    first = max(day, subscription.paid_from_on)
    if first >= on:
        recount_all([subscription], first)
        return
    worth = holding.worth([subscription], on)
    slots = list(subscription.slots.all())
    changes = movements.since(
        subscription, first, lambda past: holding.worth([subscription], past), worth, "subscription.change"
    )
    movements.record(company=subscription.company, changes=changes)
    for slot in slots:
        slot.mrr_minor = worth[slot.pk]
    Slot.objects.bulk_update(slots, ["mrr_minor"])


def recount_all(subscriptions: Sequence[Subscription], day: date) -> None:
    """Revenue of locked subscriptions of one company follows, from that day on, their terms of it: no day of the past.
    However many they are, in as many statements."""
    earning = [one for one in subscriptions if one.state in moves.EARNING]
    if earning:
        worth = holding.worth(earning, day)
        movements.reprice(
            company=earning[0].company,
            worth=[(one, slot, worth[slot.pk]) for one in earning for slot in one.slots.all()],
            effective_on=day,
            cause="subscription.change",
        )


def waits(subscription: Subscription) -> bool:
    """Whether its trial may not go on: then only what has no trial falls due before its end."""
    return subscription.state in (State.PENDING, State.TRIAL) and not starting.converts(subscription)


def keep_waiting(subscription: Subscription) -> None:
    """Plans a subscription that waits, in memory: nothing of what is on trial falls due."""
    if waits(subscription):
        positions = holding.positions(subscription)
        subscription.next_bill_on = due.next_due(subscription, positions, before=subscription.paid_from_on)


def _step(subscription: Subscription, day: date, worth: dict[int, int], moved: Moved) -> None:
    """One move, in memory, in effect on that day."""
    if subscription.ends_on is not None and day > subscription.ends_on:
        _end(subscription, moved)
    elif _only_discounts(subscription, day):
        _reprice(subscription, day, moved)
    elif subscription.state == State.PENDING and subscription.start_on <= day:
        if day < subscription.paid_from_on:
            moves.move(subscription, State.TRIAL)
            moved.note(subscription, "trialing", day)
        else:
            _activate(subscription, "started", worth, moved)
    elif subscription.state == State.TRIAL and subscription.paid_from_on <= day:
        _end_trial(subscription, worth, moved)
    elif standing.pauses_on(subscription, day):
        _pause(subscription, moved)
    elif standing.resumes_on(subscription, day):
        _resume(subscription, day, moved)
    elif any(change.effective_on <= day for change in standing.planned_changes(subscription)):
        _change(subscription, moved)
    elif subscription.term_ends_on is not None and subscription.term_ends_on < day:
        subscription.term_start_on, subscription.term_ends_on = terms.running_term(subscription, day)
        moved.note(subscription, "renewed" if subscription.term_ends_on is not None else "term_over", day)


def _change(subscription: Subscription, moved: Moved) -> None:
    """The first of its planned changes takes effect; its terms are written already."""
    change = standing.planned_changes(subscription).pop(0)
    if change_columns.moves_anchor(subscription, change.values):
        moved.pinned += retiming.pin_anchor(subscription)
    moved.supplies_other(subscription, change_columns.put(subscription, change.values, change.effective_on))
    moved.note(subscription, "changed", change.effective_on)
    moved.closed.append((subscription.pk, ChangeKind(change.kind), change.effective_on))


def _recount(subscription: Subscription, day: date, moved: Moved) -> None:
    """Where terms begin on that day, revenue follows them."""
    began = any(held.from_on == day for slot in subscription.slots.all() for held in slot.terms.all())
    if began and subscription.state in moves.EARNING:
        worth = holding.worth_of(subscription, day, moved.rates)
        _earn(subscription, worth, day, "subscription.change", moved)


def _only_discounts(subscription: Subscription, day: date) -> bool:
    """Whether nothing of its state or term moves that day, and a discount begins or ends with a period."""
    own, of_discounts = standing.next_move(subscription), discounted.next_move(subscription)
    return of_discounts is not None and of_discounts <= day and (own is None or own > day)


def _reprice(subscription: Subscription, day: date, moved: Moved) -> None:
    """Discounts begin or end with a period of that day: revenue is what they leave of the prices from then on."""
    if subscription.state in moves.EARNING:
        # Terms agreed since, in a late tick, count already.
        began = [held.from_on for slot in subscription.slots.all() for held in slot.terms.all()]
        on = moved.day if any(day < first <= moved.day for first in began) else day
        worth = holding.worth_of(subscription, on, moved.rates)
        _earn(subscription, worth, on, "subscription.discount", moved)
    for discount in discounted.live(subscription):
        if discount.next_change_on is not None and discount.next_change_on <= day:
            if discounted.is_over(subscription, discount, day):
                discount.next_change_on, discount.ended_at = None, moved.at
                moved.note(subscription, "discount_over", day)
            else:
                discounted.plan_next(subscription, discount, day)
            moved.discounts[discount.pk] = discount


def _activate(subscription: Subscription, what: str, worth: dict[int, int], moved: Moved) -> None:
    moves.move(subscription, State.ACTIVE)
    _earn(subscription, worth, subscription.paid_from_on, f"subscription.{what}", moved)
    moved.note(subscription, what, subscription.paid_from_on)


def _end_trial(subscription: Subscription, worth: dict[int, int], moved: Moved) -> None:
    day = subscription.paid_from_on
    if starting.converts(subscription):
        _activate(subscription, "converted", worth, moved)
    elif subscription.plan is not None and subscription.plan.trial_end == Plan.TrialEnd.PAUSE:
        subscription.paused_from_on, subscription.resumes_on = day, None
        _pause(subscription, moved)
    else:
        subscription.ends_on, subscription.end_kind = day - ONE_DAY, EndKind.CANCEL
        subscription.end_reason = subscription.end_reason or "trial_ended"
        _end(subscription, moved)


def _pause(subscription: Subscription, moved: Moved) -> None:
    """Its pause begins: nothing is charged or earned from that day on."""
    day = subscription.paused_from_on
    assert day is not None
    # Changes agreed since it was planned may have written days that are charged.
    keeps = moved.keeps_anchor(subscription)
    resting.lay(subscription, Standing.PAUSED, day, until=subscription.resumes_on, keep_anchor=keeps)
    moves.move(subscription, State.PAUSED)
    _earn(subscription, {}, day, "subscription.pause", moved)
    moved.note(subscription, "paused", day)
    moved.closed.append((subscription.pk, ChangeKind.PAUSE, day))


def _resume(subscription: Subscription, day: date, moved: Moved) -> None:
    """Its pause ends: terms hold again; where they are counted anew, the subscription is counted with them."""
    moves.move(subscription, State.ACTIVE)
    if resting.is_counted_anew(subscription, day):
        moved.pinned += retiming.pin_anchor(subscription)
        subscription.anchor_on, subscription.anchor_month_day = day, day.day
        subscription.anchor_rule, subscription.anchor_day = AnchorRule.ANNIVERSARY, None
        subscription.term_start_on, subscription.term_ends_on = terms.running_term(subscription, day)
    subscription.paused_from_on = subscription.resumes_on = None
    worth = holding.worth_of(subscription, day, moved.rates)
    _earn(subscription, worth, day, "subscription.resume", moved)
    moved.note(subscription, "resumed", day)
    moved.closed.append((subscription.pk, ChangeKind.RESUME, day))


def _end(subscription: Subscription, moved: Moved) -> None:
    assert subscription.ends_on is not None
    after = subscription.ends_on + ONE_DAY
    to = standing.ended_state(subscription)
    moves.move(subscription, to)
    # An end dated back into a trial takes away what was earned from the first paid day on.
    _earn(subscription, {}, max(after, subscription.paid_from_on), "subscription.end", moved, subscription.end_reason)
    moved.note(subscription, to.value, after)
    if any(due.has_unused_days(subscription, slot) for slot in subscription.slots.all()):
        moved.ended.append(subscription)
    if standing.planned_changes(subscription) or subscription.paused_from_on is not None:
        moved.dropped.append(subscription.pk)


def _earn(
    subscription: Subscription, worth: dict[int, int], on: date, cause: str, moved: Moved, reason: str = ""
) -> None:
    """Every slot earns what `worth` says, from that day on."""
    for slot in subscription.slots.all():
        minor = worth.get(slot.pk, 0)
        moved.changes.append(
            Change(subscription, slot, minor - slot.mrr_minor, on, cause, reason, stops=not worth and on < moved.day)
        )
        slot.mrr_minor = minor


def _park(company: Company, customer_id: int, time_zone: str, day: date, error: Exception, at: datetime) -> int:
    detail = f"{type(error).__name__}: {error}".replace("\0", "")[:500]
    rows = Subscription.objects.filter(
        company=company, customer_id=customer_id, time_zone=time_zone, next_move_on__lte=day
    )
    return rows.update(parked_at=at, parked_code=PARKED, parked_detail=detail)
