"""The steps of dunning, done one at a time: retry, mail, alert, claim, suspend, cancel, write off, hand over.

The rule that matters: each step reads the balance again under the customer's lock, in the transaction that records it;
nothing goes out for what is paid, disputed, promised, paused or under way, and the entry says so once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction

from billing.gateways import reasons
from billing.models import Attempt, DunningCase, DunningEntry, DunningStep, Gateway, Invoice, PaymentMethod, Reversal
from billing.services import (
    acts,
    acts_pausing,
    attempts,
    claims,
    collecting,
    dunning_letters,
    dunning_words,
    lateness,
    receivables,
)
from billing.services import dunning_following as following
from billing.services.lateness import Late
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.refusal import Refused
from subscriptions.models import Subscription
from subscriptions.services import moves

log = structlog.get_logger(__name__)
Action, Result, State = DunningStep.Action, DunningEntry.Result, DunningCase.State
SYSTEM: Final = following.SYSTEM
#: After a lack of money the next try waits for the 1st or 15th, when those are so near: people are paid then.
PAY_DAYS: Final = (1, 15)
PAY_DAY_NEAR: Final = timedelta(days=3)
#: Said in the event of a step.
PAST: Final = {
    Action.RETRY: "retried", Action.MAIL: "reminded", Action.ALERT: "alerted", Action.CLAIM: "claimed",
    Action.SUSPEND: "suspended", Action.CANCEL: "canceled", Action.WRITE_OFF: "written_off",
    Action.HAND_OVER: "handed_over",
}  # fmt: skip
#: Of these a missed day's are not made up: only the last one due is done.
ONLY_LAST: Final = {Action.MAIL: "later_level", Action.RETRY: "later_retry"}
CANCEL_REASON: Final = "not_paid"


@dataclass(slots=True)
class Came:
    """What came of a step. Not `is_over`: it waits, or failed, and the next tick tries again."""

    result: str = Result.DONE
    reason: str = ""
    amount_minor: int = 0
    attempt_id: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    is_over: bool = True


def carry_on(*, case_id: int, at: datetime, by: Actor = SYSTEM) -> list[DunningEntry]:
    """Does the steps of a case whose day has come, each in a transaction of its own. The entries it wrote.

    Repeated, or twice at a time: each step once.
    """
    written: list[DunningEntry] = []
    tried: set[int] = set()
    while True:
        with transaction.atomic():
            entry, is_done = _next(case_id, tried, at, by=by)
        if entry is not None:
            written.append(entry)
        if is_done:
            return written


def do_now(*, case: DunningCase, by: Actor, at: datetime) -> DunningEntry:
    """A person does the next step at once, whatever its day. Refuses `dunning.not_open`, `dunning.no_step`, and
    `dunning.stopped` where nothing may go out."""
    with transaction.atomic():
        held, late, today = _read(case.pk, at, by=by)
        if held is None or held.state != State.OPEN:
            raise Refused("dunning.not_open", state=_state_of(case.pk))
        step = next((one for one in following.steps_of(held) if str(one.pk) not in held.handled), None)
        if step is None:
            raise Refused("dunning.no_step")
        asked, stop = _may(held, late)
        if stop:
            raise Refused("dunning.stopped", reason=dunning_words.reason_words(stop))
        came = _do(held, step, asked, today, at, by=by, is_forced=True)
        entry = _keep(held, step, came, today, at, by=by)
        following.refresh(held.customer, held.currency, held, at, by=by)
    return entry


def skip(*, case: DunningCase, reason: str, by: Actor, at: datetime) -> DunningEntry:
    """A person passes the next step over. Needs a reason; refuses `dunning.not_open` and `dunning.no_step`."""
    receivables.reasoned(reason)
    with transaction.atomic():
        held, _late, today = _read(case.pk, at, by=by)
        if held is None:
            raise Refused("dunning.not_open", state=_state_of(case.pk))
        step = next((one for one in following.steps_of(held) if str(one.pk) not in held.handled), None)
        if step is None:
            raise Refused("dunning.no_step")
        came = Came(Result.SKIPPED, "by_hand", facts={"why": reason})
        return _keep(held, step, came, today, at, by=by, reason=reason)


def _state_of(case_id: int) -> str:
    return str(DunningCase.objects.get(pk=case_id).get_state_display())


def _read(case_id: int, at: datetime, *, by: Actor) -> tuple[DunningCase | None, list[Late], date]:
    """The case as it is under the locks, unless it is closed now; what is late; today."""
    whose = DunningCase.objects.values_list("customer_id", "currency").get(pk=case_id)
    customer = following.locked_customer(whose[0])
    today = clock.day_in(at, customer.company.time_zone)
    case = following.held_case(customer, whose[1])
    if case is not None and case.pk != case_id:
        return None, [], today
    case = following.refresh(customer, whose[1], case, at, by=by)
    if case is None or case.pk != case_id:
        return None, [], today
    return case, lateness.read(customer.company, customer.pk, whose[1], today), today


def _next(case_id: int, tried: set[int], at: datetime, *, by: Actor) -> tuple[DunningEntry | None, bool]:
    """Does the next due step that wasn't tried yet; the entry, and whether nothing is left to do."""
    case, late, today = _read(case_id, at, by=by)
    if case is None:
        return None, True
    due = [step for step in following.due_steps(case, today) if step.pk not in tried]
    if not due:
        return None, True
    step = due[0]
    tried.add(step.pk)
    asked, stop = _may(case, late)
    if stop:
        return _wait(case, step, Came(Result.SKIPPED, stop, is_over=False), today, at), False
    if step.action in ONLY_LAST and any(later.action == step.action for later in due[1:]):
        came = Came(Result.SKIPPED, ONLY_LAST[Action(step.action)])
    else:
        came = _do(case, step, asked, today, at, by=by)
    if not came.is_over:
        return _wait(case, step, came, today, at), False
    entry = _keep(case, step, came, today, at, by=by)
    following.refresh(case.customer, case.currency, case, at, by=by)
    point("dunning.step")
    return entry, False


def _may(case: DunningCase, late: Sequence[Late]) -> tuple[list[Late], str]:
    """What may be asked for now, or why nothing may."""
    if case.state != State.OPEN:
        return [], str(case.state)
    asked = [one for one in late if not one.stop]
    if not asked:
        return [], next(stop for stop in lateness.STOPS if any(one.stop == stop for one in late))
    if sum(one.open_minor for one in asked) < case.policy.grace_minor:
        return [], "below_minimum"
    return asked, ""


def _wait(case: DunningCase, step: DunningStep, came: Came, today: date, at: datetime) -> DunningEntry | None:
    """Says once for each reason why a step isn't done yet; it stays to be done."""
    if not came.reason:
        return None
    told = case.entries.filter(
        step=step, counts_from_on=case.counts_from_on, reason=came.reason[:60], result=came.result
    )
    if told.exists():
        return None
    return following.write_entry(case, step.action, came.result, today, at, reason=came.reason, step=step,
                                 facts=came.facts)  # fmt: skip


def _keep(
    case: DunningCase, step: DunningStep, came: Came, today: date, at: datetime, *, by: Actor, reason: str = ""
) -> DunningEntry:
    """Records the step, and that it is over."""
    entry = following.write_entry(
        case, step.action, came.result, today, at, reason=came.reason, amount_minor=came.amount_minor, step=step,
        attempt_id=came.attempt_id, facts=came.facts,
    )  # fmt: skip
    if came.is_over:
        case.handled = {**case.handled, str(step.pk): today.isoformat() if came.result == Result.DONE else ""}
        case.steps_done = len(case.handled)
        case.next_step_on = following.next_step_on(case)
        following.save(case)
    facts = {"step": step.action, "days": step.days, "level": step.level, "amount_minor": came.amount_minor}
    if came.result == Result.DONE:
        following.tell(case, step.action, PAST[Action(step.action)], facts, by=by, at=at, reason=reason)
    elif reason:
        following.tell(case, "skip", "step_skipped", facts, by=by, at=at, reason=reason)
    return entry


def _do(
    case: DunningCase, step: DunningStep, late: Sequence[Late], today: date, at: datetime, *, by: Actor,
    is_forced: bool = False,
) -> Came:  # fmt: skip
    """Does a step, or passes it over; what fails is taken back whole and tried again by the next tick."""
    match step.action:
        case Action.RETRY:
            return _retry(case, late, today, at, by=by, is_forced=is_forced)
        case Action.MAIL:
            return _mail(case, step, late, today, at)
        case Action.ALERT | Action.HAND_OVER:
            return _alert(case, step, late, today, at)
        case Action.CLAIM:
            return _claim(case, step, late, today, at, by=by)
        case Action.SUSPEND:
            return _each(late, lambda one: _suspend(one, step, by=by, at=at))
        case Action.CANCEL:
            return _each(late, lambda one: _cancel(one, step, by=by, at=at))
        case _:
            return _write_off(late, by=by, at=at)


def _mail(case: DunningCase, step: DunningStep, late: Sequence[Late], today: date, at: datetime) -> Came:
    open_claims = claims.open_of(case.customer_id, case.currency)
    message = dunning_letters.remind(
        case=case, level=step.level, late=late, claims=open_claims, on=today, at=at
    )  # fmt: skip
    if message is None:
        return Came(Result.SKIPPED, "no_recipient")
    facts = {"message": message.pk, "level": step.level, "invoices": [one.invoice.pk for one in late][:50]}
    return Came(amount_minor=sum(one.open_minor for one in late), facts=facts)


def _alert(case: DunningCase, step: DunningStep, late: Sequence[Late], today: date, at: datetime) -> Came:
    message = dunning_letters.tell_colleagues(
        case=case, late=late, claims=claims.open_of(case.customer_id, case.currency),
        is_handed_over=step.action == Action.HAND_OVER, on=today, at=at,
    )  # fmt: skip
    facts = {"message": message.pk if message else None, "invoices": [one.invoice.pk for one in late][:50]}
    return Came(amount_minor=sum(one.open_minor for one in late), facts=facts)


def _claim(case: DunningCase, step: DunningStep, late: Sequence[Late], today: date, at: datetime, *, by: Actor) -> Came:
    made = claims.make(case=case, step=step, late=late, on=today, by=by, at=at)
    if not made.claims:
        return Came(Result.SKIPPED, "rate_missing" if made.days_without_rate else "nothing_to_claim")
    facts = {"claims": [claim.pk for claim in made.claims][:50], "days_without_rate": made.days_without_rate}
    return Came(amount_minor=sum(claim.amount_minor for claim in made.claims), facts=facts)


def _write_off(late: Sequence[Late], *, by: Actor, at: datetime) -> Came:
    for one in late:
        receivables.write_off(invoice=one.invoice, reason="not paid", by=by, at=at)
    facts = {"invoices": [one.invoice.pk for one in late][:50]}
    return Came(amount_minor=sum(one.open_minor for one in late), facts=facts)


def _each(late: Sequence[Late], verb: Callable[[Subscription], Any]) -> Came:
    """Acts on every subscription that the invoices bill. One that refuses stops nobody; then the step is tried again.

    `verb` answers None for a subscription it has nothing to do with.
    """
    ids = lateness.subscriptions_of([one.invoice.pk for one in late])
    done: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for subscription in Subscription.objects.filter(pk__in=ids).order_by("pk"):
        try:
            with transaction.atomic():
                told = verb(subscription)
        except Exception as error:  # noqa: BLE001  the other subscriptions' steps are done all the same
            failed[str(subscription.pk)] = error.code if isinstance(error, Refused) else type(error).__name__
            log.warning("dunning_act_failed", subscription=subscription.pk, error=str(error)[:300])
            continue
        if told is not None:
            done[str(subscription.pk)] = told
    facts: dict[str, Any] = {"subscriptions": done, **({"failed": failed} if failed else {})}
    if failed and not done:
        return Came(Result.FAILED, next(iter(failed.values())), facts=facts, is_over=False)
    if not done:
        return Came(Result.SKIPPED, "nothing_to_do")
    return Came(amount_minor=sum(one.open_minor for one in late), facts=facts)


def _suspend(subscription: Subscription, step: DunningStep, *, by: Actor, at: datetime) -> str | None:
    """The day service stops; None where it can't be suspended (on trial, paused, ended, suspended already)."""
    if subscription.state != Subscription.State.ACTIVE:
        return None
    held = acts_pausing.suspend(
        subscription=subscription, suspended_billing=step.suspended_billing or None, reason=CANCEL_REASON, by=by, at=at
    ).subscription
    return held.suspended_from_on.isoformat() if held.suspended_from_on is not None else None


def _cancel(subscription: Subscription, step: DunningStep, *, by: Actor, at: datetime) -> dict[str, str] | None:
    """Its last day and what becomes of unused days; None where it has ended.

    Who doesn't pay is let go whatever the term: the contract's earliest end doesn't bind.
    """
    if subscription.state in moves.ENDED:
        return None
    held = acts.cancel(
        subscription=subscription, timing="now", unused=step.end_unused or None, reason=CANCEL_REASON, override=True,
        override_reason=CANCEL_REASON, by=by, at=at,
    ).subscription  # fmt: skip
    return {"ends_on": held.ends_on.isoformat() if held.ends_on else "", "unused": held.end_unused or ""}


def _retry(case: DunningCase, late: Sequence[Late], today: date, at: datetime, *, by: Actor, is_forced: bool) -> Came:
    """Tries again to collect what may come this time: a soft reason, or another method than last time.

    One method is tried again for an invoice as often as the policy has retries: money that a bank credits and takes
    back each time begins the days anew, not the tries.
    """
    invoices = [one.invoice for one in late]
    most = sum(step.action == Action.RETRY for step in following.steps_of(case))
    methods = collecting.methods_for(invoices)
    may: list[tuple[Invoice, PaymentMethod]] = []
    why: list[str] = []
    refused: list[tuple[Attempt, str]] = []
    waits = False
    for invoice in invoices:
        method = methods.get(invoice.pk)
        last = Attempt.objects.filter(invoice=invoice).order_by("-pk").first()
        reason = _last_reason(last)
        if last is not None and reasons.kind_of(reason) == reasons.HARD:
            refused.append((last, reason))
        if method is None:
            why.append("hard_decline" if reasons.kind_of(reason) == reasons.HARD else "no_method")
        elif last is not None and not _is_new(method, last) and reasons.kind_of(reason) != reasons.SOFT:
            why.append("hard_decline" if reasons.kind_of(reason) == reasons.HARD else "customer_must_act")
        elif last is not None and not is_forced and _tries(invoice, method) >= most:
            why.append("tries_over")
        else:
            waits = waits or (reason == "insufficient_funds" and _waits_for_pay_day(today))
            may.append((invoice, method))
    if waits and not is_forced:
        return Came(Result.SKIPPED, "", is_over=False)
    made = list(_opened(case, may, today, at, by=by))
    if not made:
        if "hard_decline" in why:
            dunning_letters.ask_for_method(refused, at=at)
        return Came(Result.SKIPPED, min(why, default="nothing_to_do"))
    return Came(
        amount_minor=sum(attempt.amount_minor for attempt in made), attempt_id=made[0].pk,
        facts={"attempts": [attempt.pk for attempt in made]},
    )  # fmt: skip


def _opened(
    case: DunningCase, may: Sequence[tuple[Invoice, PaymentMethod]], today: date, at: datetime, *, by: Actor
) -> Iterator[Attempt]:
    company = case.customer.company
    balances = receivables.lock_balances(company, [invoice.pk for invoice, _ in may])
    for invoice, method in may:
        is_debit = method.gateway.kind == Gateway.Kind.SEPA
        try:
            yield attempts.open_attempt(
                invoice=invoice, balance=balances[invoice.pk], gateway=method.gateway, method=method,
                origin=Attempt.Origin.RETRY, by=by, at=at,
                collect_on=collecting.debit_day(invoice, method.gateway, today) if is_debit else None,
            )  # fmt: skip
        except Refused as refused:
            log.info("not_retried", invoice=invoice.pk, why=refused.code)


def _last_reason(last: Attempt | None) -> str:
    """Why the last try brought nothing, or why its money was taken back."""
    if last is None:
        return ""
    if last.state == Attempt.State.CANCELED and last.expires_at is not None:
        return last.reason or "abandoned"
    if last.state != Attempt.State.SETTLED:
        return last.reason
    taken = Reversal.objects.filter(payment__attempt=last).order_by("-pk").first()
    if taken is None:
        return ""
    return "refused_by_customer" if taken.kind == Reversal.Kind.DISPUTE else taken.reason


def _tries(invoice: Invoice, method: PaymentMethod) -> int:
    """How often dunning has tried the invoice again with this method since it was given."""
    rows = Attempt.objects.filter(invoice=invoice, method=method, origin=Attempt.Origin.RETRY)
    if method.consented_at is not None:
        rows = rows.filter(created_at__gte=method.consented_at)
    return rows.count()


def _is_new(method: PaymentMethod, last: Attempt) -> bool:
    """Whether the method is another one than the last try's, or was given anew since."""
    if method.pk != last.method_id:
        return True
    return bool(method.consented_at and last.closed_at and method.consented_at > last.closed_at)


def _waits_for_pay_day(today: date) -> bool:
    """Whether the 1st or 15th is near, but not yet here.

    >>> (
    ...     _waits_for_pay_day(date(2026, 1, 13)),
    ...     _waits_for_pay_day(date(2026, 1, 15)),
    ...     _waits_for_pay_day(date(2026, 1, 9)),
    ... )
    (True, False, False)
    """
    days = (today + timedelta(days=count) for count in range(1, PAY_DAY_NEAR.days + 1))
    return today.day not in PAY_DAYS and any(day.day in PAY_DAYS for day in days)
