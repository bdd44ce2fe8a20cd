"""Dunning as others call it: the tick, what a person does with a case, and the board.

The rule that matters: a case is only ever touched under its customer's lock, and follows what is open, not the clock:
a tick that is late, early or doubled changes nothing that was due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Sum
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy as _

from billing.models import Attempt, DunningCase, DunningEntry, Reversal
from billing.services import dunning_following, dunning_steps, lateness, receivables, sending
from billing.services.dunning_board import Board, Lane, board
from billing.services.dunning_following import LIVE, follow
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from subscriptions.models import Subscription

__all__ = ["Board", "Lane", "board", "follow", "give_up", "pause", "promise", "resume_case", "skip_step", "step_now"]

log = structlog.get_logger(__name__)
State, Result = DunningCase.State, DunningEntry.Result
EVERY: Final = timedelta(minutes=15)
#: Days a promise or a pause may reach ahead.
AHEAD: Final = 366
#: How long the tick looks after a dispute that was decided.
DECIDED: Final = timedelta(days=30)


def promise(*, case: DunningCase, until: date, reason: str = "", by: Actor, at: datetime) -> DunningCase:
    """The customer promised to pay by that day; until it is over nothing goes out. The same promise again: nothing.

    Refuses a day before today or too far ahead (`dunning.day_range`) and a closed case (`dunning.not_open`).
    """

    def change(held: DunningCase, today: date) -> bool:
        _check_day(until, today)
        if held.state == State.PROMISED and held.promised_on == until:
            return False
        held.state, held.promised_on, held.paused_until_on = State.PROMISED, until, None
        return True

    return _change(case, change, "promise", "promised", {"until": until.isoformat()}, reason, by=by, at=at)


def pause(*, case: DunningCase, until: date | None = None, reason: str, by: Actor, at: datetime) -> DunningCase:
    """Nothing goes out until that day is over, or until somebody ends the pause. Needs a reason."""
    receivables.reasoned(reason)

    def change(held: DunningCase, today: date) -> bool:
        if until is not None:
            _check_day(until, today)
        if held.state == State.PAUSED and held.paused_until_on == until:
            return False
        held.state, held.paused_until_on, held.promised_on = State.PAUSED, until, None
        return True

    facts = {"until": until.isoformat() if until is not None else None}
    return _change(case, change, "pause", "paused", facts, reason, by=by, at=at)


def resume_case(*, case: DunningCase, reason: str = "", by: Actor, at: datetime) -> DunningCase:
    """Ends a pause or drops a promise: dunning goes on with the next step. Neither: nothing happens."""

    def change(held: DunningCase, today: date) -> bool:
        if held.state == State.OPEN:
            return False
        held.state, held.promised_on, held.paused_until_on = State.OPEN, None, None
        return True

    return _change(case, change, "resume", "went_on", {}, reason, by=by, at=at)


def give_up(*, case: DunningCase, reason: str, by: Actor, at: datetime) -> DunningCase:
    """Closes the case by hand although money is open. What is late by now starts no other case. Needs a reason.

    What is open stays open; `receivables.write_off` gives the money up. A case given up already: nothing happens.
    """
    receivables.reasoned(reason)
    if DunningCase.objects.filter(pk=case.pk, state=State.GIVEN_UP).exists():
        return DunningCase.objects.get(pk=case.pk)

    def change(held: DunningCase, today: date) -> bool:
        held.state, held.closed_at = State.GIVEN_UP, at
        held.promised_on = held.paused_until_on = None
        return True

    return _change(case, change, "give_up", "given_up", {}, reason, by=by, at=at)


def step_now(*, case: DunningCase, by: Actor, at: datetime) -> DunningEntry:
    """Does the next step at once; see `dunning_steps.do_now`. Never inside a transaction: a retry is sent."""
    entry = dunning_steps.do_now(case=case, by=by, at=at)
    _send(case.company, [entry], at)
    return entry


def skip_step(*, case: DunningCase, reason: str, by: Actor, at: datetime) -> DunningEntry:
    """Passes the next step over; see `dunning_steps.skip`."""
    return dunning_steps.skip(case=case, reason=reason, by=by, at=at)


def _check_day(until: date, today: date) -> None:
    if not today <= until <= today + timedelta(days=AHEAD):
        raise Refused("dunning.day_range", field="until", day=until)


def _change(
    case: DunningCase, change: Callable[[DunningCase, date], bool], action: str, past: str, facts: dict[str, Any],
    reason: str, *, by: Actor, at: datetime,
) -> DunningCase:  # fmt: skip
    """One act of a person on a case that is there, with entry, audit row and event."""
    with transaction.atomic():
        customer = dunning_following.locked_customer(case.customer_id)
        held = dunning_following.held_case(customer, case.currency)
        if held is None or held.pk != case.pk:
            state = DunningCase.objects.get(pk=case.pk).get_state_display()
            raise Refused("dunning.not_open", state=state)
        today = clock.day_in(at, customer.company.time_zone)
        if not change(held, today):
            return held
        held.next_step_on = None if held.state == State.GIVEN_UP else dunning_following.next_step_on(held)
        if reason:
            held.note = reason[:500]
        dunning_following.save(held)
        dunning_following.write_entry(held, action, Result.DONE, today, at, facts={**facts, "why": reason[:500],
                                      "by": by.label})  # fmt: skip
        dunning_following.tell(held, action, past, facts, by=by, at=at, reason=reason)
    return held


@ticks.tick(
    "billing.dunning", order=40, every=EVERY, title=_("Dunning"),
    text=_("Opens, moves on and closes dunning cases and does the steps that are due."),
)  # fmt: skip
def dunning_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Cases opened, moved on and closed; steps done. One that fails stops nobody."""
    today = clock.day_in(at, company.time_zone)
    live = DunningCase.objects.filter(company=company, state__in=LIVE)
    rows = list(live.values_list("pk", "customer_id", "currency", "overdue_minor"))
    before = {row[0] for row in rows}
    opened = failed = 0
    for customer_id, currency in _to_follow(company, today, {(row[1], row[2]): row[3] for row in rows}):
        try:
            case = follow(customer_id, currency, at)
            opened += case is not None and case.pk not in before
        except Exception as error:  # noqa: BLE001  the next tick asks again
            log.warning("case_not_followed", customer=customer_id, error=f"{type(error).__name__}: {error}"[:300])
            failed += 1
    if not before and not opened:
        return {"opened": 0, "steps": 0, "failed": failed}
    steps: list[DunningEntry] = []
    due = live.filter(Q(next_step_on__lte=today) | Q(state__in=[State.PROMISED, State.PAUSED]))
    for case_id in list(due.order_by("pk").values_list("pk", flat=True)):
        try:
            steps += dunning_steps.carry_on(case_id=case_id, at=at)
        except Exception as error:  # noqa: BLE001
            log.warning("steps_not_done", case=case_id, error=f"{type(error).__name__}: {error}"[:300])
            failed += 1
    _send(company, steps, at)
    return {"opened": opened, "steps": sum(step.result == Result.DONE for step in steps), "failed": failed}


def _to_follow(company: Company, today: date, known: dict[tuple[int, str], int]) -> list[tuple[int, str]]:
    """Customers and currencies whose case isn't what is open: to be opened, moved on or closed, or service is back.

    `known` are the cases that are there, with what was overdue in them when last looked at.
    """
    late = lateness.of_company(company, today)
    same: dict[str, Any] = {"customer_id": OuterRef("customer_id"), "currency": OuterRef("currency")}
    live = DunningCase.objects.filter(state__in=LIVE, **same)
    closed_on = TruncDate("closed_at", tzinfo=clock.zone(company.time_zone))
    given_up = DunningCase.objects.filter(state=State.GIVEN_UP, **same).alias(closed_on=closed_on)
    given_up = given_up.filter(closed_on__gt=OuterRef("payment_due_on"))
    returned = Q(invoice__allocations__amount_minor__lt=0)
    new = late.filter(~Exists(live), ~lateness.being_paid()).filter(~Exists(given_up) | returned)
    found = set(new.values_list("customer_id", "currency").distinct())
    if known:
        rows: Any = late.filter(Exists(live)).values_list("customer_id", "currency")
        sums = {(customer, currency): int(total) for customer, currency, total in
                rows.annotate(total=Sum("open_minor")).order_by()}  # fmt: skip
        found |= {key for key, minor in known.items() if sums.get(key, 0) != minor}
        # A dispute that is lost changes no sum, but the day that is counted from.
        decided = Reversal.objects.filter(
            company=company, kind=Reversal.Kind.DISPUTE, closed_on__gte=today - DECIDED
        ).values_list("payment__customer_id", "currency")
        found |= set(decided) & set(known)
    waiting = dunning_following.to_reinstate(company, today)
    if waiting:
        found |= set(Subscription.objects.filter(pk__in=waiting).values_list("customer_id", "currency"))
    return sorted(found)


def _send(company: Company, entries: list[DunningEntry], at: datetime) -> None:
    """In a test company, whose clock stands still, retries are sent at once; a live one's relay does it."""
    if company.is_live:
        return
    for entry in entries:
        for attempt_id in entry.facts.get("attempts", ()):
            if Attempt.objects.filter(pk=attempt_id, collect_on__isnull=True).exists():
                sending.send(attempt_id=attempt_id, at=at)
