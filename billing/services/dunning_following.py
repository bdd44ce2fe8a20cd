"""Cases follow what is open: opened when something is late, moved on, closed when nothing is; service comes back.

The rule that matters: everything is read again under the customer's lock; asked twice, late or from two places at
once, there is one case, and money counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Max, Q

from billing.models import (
    Allocation,
    DunningCase,
    DunningEntry,
    DunningStep,
    InvoiceBalance,
    InvoiceLine,
    Payment,
)
from billing.services import acts_pausing, claims, dunning_policies, lateness, payments, receivables
from billing.services.lateness import DISPUTED, PENDING, Late
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from customers.models import Customer
from subscriptions.models import Subscription

log = structlog.get_logger(__name__)
State, Result, Action = DunningCase.State, DunningEntry.Result, DunningStep.Action
SYSTEM: Final = Actor.system("Dunning")
#: States in which a case is there.
LIVE: Final = (State.OPEN, State.PROMISED, State.PAUSED)
ONE_DAY: Final = timedelta(days=1)
#: Steps that can't be taken lightly: they keep their distance from the last word to the customer.
GRAVE: Final = frozenset({Action.SUSPEND, Action.CANCEL, Action.WRITE_OFF, Action.HAND_OVER})


def follow(customer_id: int, currency: str, at: datetime, *, by: Actor = SYSTEM) -> DunningCase | None:
    """Opens, moves on or closes the customer's case in a currency, counts the money that came, and has service back.

    The open case, if there is one now. Repeated: nothing happens.
    """
    with transaction.atomic():
        customer = locked_customer(customer_id)
        case = held_case(customer, currency)
        return refresh(customer, currency, case, at, by=by)


def locked_customer(customer_id: int) -> Customer:
    """The customer's row, locked, with its company."""
    company = _company_of(customer_id)
    customer = receivables.lock_customer(company, customer_id)
    customer.company = company
    return customer


def _company_of(customer_id: int) -> Company:
    found = Customer.objects.select_related("company").filter(pk=customer_id).first()
    if found is None:
        raise Refused("not_found", field="customer")
    return found.company


def held_case(customer: Customer, currency: str) -> DunningCase | None:
    """The open case, locked; the caller holds the customer."""
    rows = DunningCase.objects.filter(customer=customer, currency=currency, state__in=LIVE)
    case = rows.select_for_update(of=("self",)).select_related("policy").first()
    if case is not None:
        case.customer = customer
    return case


def refresh(
    customer: Customer, currency: str, case: DunningCase | None, at: datetime, *, by: Actor = SYSTEM
) -> DunningCase | None:
    """`follow` for who holds the customer and the case already."""
    today = clock.day_in(at, customer.company.time_zone)
    late = lateness.read(customer.company, customer.pk, currency, today)
    _count_money(customer, currency, case, today, at)
    if case is None:
        # Money on its way, a debit the bank has yet to answer, is no failed payment: it opens no case.
        asked_for = any(one.stop != PENDING for one in late)
        case = _open(customer, currency, late, today, at, by=by) if asked_for else None
    elif not late:
        _close(case, today, at, by=by)
        case = None
    else:
        _over(case, late, today, at, by=by)
        _move_on(case, late, today)
    reinstate(customer, currency, today, at, by=by)
    return case


def _open(
    customer: Customer, currency: str, late: Sequence[Late], today: date, at: datetime, *, by: Actor
) -> DunningCase | None:
    policy = dunning_policies.policy_for(customer, at=at)
    overdue = sum(one.open_minor for one in late)
    if overdue < policy.grace_minor:
        return None
    case = DunningCase(
        company_id=customer.company_id, customer=customer, policy=policy, currency=currency,
        counts_from_on=counts_from(late), opened_minor=overdue, overdue_minor=overdue, opened_at=at,
        seen_allocation_id=Allocation.objects.aggregate(last=Max("pk"))["last"] or 0,
    )  # fmt: skip
    case.next_step_on = next_step_on(case)
    case.save()
    tell(case, "open", "opened", {"counts_from_on": case.counts_from_on.isoformat()}, by=by, at=at)
    return case


def counts_from(late: Sequence[Late]) -> date:
    """The oldest day, of what is not disputed unless all is."""
    return min([one.counts_from_on for one in late if one.stop != DISPUTED] or [one.counts_from_on for one in late])


def _move_on(case: DunningCase, late: Sequence[Late], today: date) -> None:
    """The case counts from what is the oldest now. What was asked for before that day came for it, is asked again."""
    oldest = counts_from(late)
    if oldest > case.counts_from_on:
        reached = {str(step.pk) for step in steps_of(case) if step.days <= (today - oldest).days}
        # It may have counted from that day before.
        before = case.entries.filter(counts_from_on=oldest, result=Result.DONE, action__in=Action.values)
        reached |= {str(id_) for id_ in before.values_list("step_id", flat=True)}
        case.handled = {id_: day for id_, day in case.handled.items() if id_ in reached}
        case.steps_done = len(case.handled)
    case.counts_from_on = oldest
    case.overdue_minor = sum(one.open_minor for one in late)
    case.next_step_on = next_step_on(case)
    save(case)


def _over(case: DunningCase, late: Sequence[Late], today: date, at: datetime, *, by: Actor) -> None:
    """A promise whose day is over, and a pause that has ended, stop nothing any more."""
    overdue = sum(one.open_minor for one in late)
    if case.state == State.PROMISED and case.promised_on is not None and case.promised_on < today:
        write_entry(case, "broken", Result.DONE, today, at, open_minor=overdue,
                    facts={"promised_on": case.promised_on.isoformat()})  # fmt: skip
        case.state, case.promised_on = State.OPEN, None
        tell(case, "break_promise", "promise_broken", {"overdue_minor": overdue}, by=by, at=at)
    elif case.state == State.PAUSED and case.paused_until_on is not None and case.paused_until_on < today:
        write_entry(case, "pause_over", Result.DONE, today, at, open_minor=overdue)
        case.state, case.paused_until_on = State.OPEN, None
        tell(case, "end_pause", "pause_ended", {"overdue_minor": overdue}, by=by, at=at)


def _close(case: DunningCase, today: date, at: datetime, *, by: Actor) -> None:
    """Nothing is late any more: paid, or given up where it was written off."""
    step = next(iter(due_steps(case, today)), None)
    if step is not None:
        write_entry(case, step.action, Result.SKIPPED, today, at, reason="paid", step=step)
    given_up = case.entries.filter(action=Action.WRITE_OFF, result=Result.DONE).exists() and not _paid_last(case)
    case.state = State.GIVEN_UP if given_up else State.PAID
    case.closed_at, case.next_step_on, case.promised_on, case.paused_until_on = at, None, None, None
    case.overdue_minor = 0
    save(case)
    tell(case, "close", "closed", {"recovered_minor": case.recovered_minor}, by=by, at=at)


def _paid_last(case: DunningCase) -> bool:
    """Whether money came after the write-off, which then was not the end."""
    last = case.entries.filter(Q(action=Action.WRITE_OFF, result=Result.DONE) | Q(action="paid")).order_by("-pk")
    return last.values_list("action", flat=True).first() == "paid"


def steps_of(case: DunningCase) -> list[DunningStep]:
    """The steps of the case's policy, in order."""
    return list(case.policy.steps.all())


def due_on(case: DunningCase, step: DunningStep, steps: Sequence[DunningStep]) -> date:
    """The day of a step. A grave one comes no nearer to the last word before it than the policy says."""
    day = case.counts_from_on + timedelta(days=step.days)
    if step.action not in GRAVE:
        return day
    for before in reversed(steps[: [one.pk for one in steps].index(step.pk)]):
        done = case.handled.get(str(before.pk))
        if done and before.action != Action.RETRY:
            return max(day, date.fromisoformat(done) + timedelta(days=step.days - before.days))
    return day


def due_steps(case: DunningCase, today: date) -> list[DunningStep]:
    """The steps not yet done whose day has come, in order."""
    steps = steps_of(case)
    return [step for step in steps if str(step.pk) not in case.handled and due_on(case, step, steps) <= today]


def next_step_on(case: DunningCase) -> date | None:
    """Day of the next step; none after the last one and in a pause without an end."""
    steps = steps_of(case)
    days = [due_on(case, step, steps) for step in steps if str(step.pk) not in case.handled]
    first = min(days, default=None)
    if first is None or (case.state == State.PAUSED and case.paused_until_on is None):
        return None
    if case.state == State.PROMISED and case.promised_on is not None:
        return max(first, case.promised_on + ONE_DAY)
    if case.state == State.PAUSED and case.paused_until_on is not None:
        return max(first, case.paused_until_on + ONE_DAY)
    return first


def save(case: DunningCase) -> None:
    """Writes what moves in a case."""
    case.save(
        update_fields=[
            "state", "counts_from_on", "steps_done", "handled", "next_step_on", "promised_on", "paused_until_on",
            "note", "overdue_minor", "recovered_minor", "seen_allocation_id", "closed_at", "policy",
        ]
    )  # fmt: skip


def write_entry(
    case: DunningCase, action: str, result: str, today: date, at: datetime, *, reason: str = "",
    open_minor: int | None = None, amount_minor: int = 0, step: DunningStep | None = None,
    attempt_id: int | None = None, facts: dict[str, Any] | None = None,
) -> DunningEntry:  # fmt: skip
    """Keeps what happened in a case."""
    return DunningEntry.objects.create(
        company_id=case.company_id, case=case, action=action, step=step, step_days=step.days if step else None,
        counts_from_on=case.counts_from_on, result=result, reason=reason[:60],
        open_minor=case.overdue_minor if open_minor is None else open_minor, amount_minor=amount_minor,
        attempt_id=attempt_id, facts=facts or {}, on=today, at=at,
    )  # fmt: skip


def tell(
    case: DunningCase, verb: str, past: str, facts: dict[str, Any], *, by: Actor, at: datetime, reason: str = ""
) -> None:
    """Audit row and event of something in a case."""
    facts = {"state": case.state, "currency": case.currency, "overdue_minor": case.overdue_minor, **facts}
    data = {"id": case.ref, "customer": case.customer.ref, **facts}
    receivables.tell(case.customer.company, f"dunning.{verb}", f"dunning.{past}", "dunning_case", case.pk,
                     case.customer_id, data, facts, by=by, at=at, reason=reason)  # fmt: skip


def _count_money(customer: Customer, currency: str, case: DunningCase | None, today: date, at: datetime) -> None:
    """Counts money allocated since for the customer's last case, and takes out what was taken back."""
    if case is None:
        cases = DunningCase.objects.filter(customer=customer, currency=currency).order_by("-pk")
        case = cases.select_for_update(of=("self",)).first()
    if case is None:
        return
    new = Allocation.objects.filter(
        pk__gt=case.seen_allocation_id, payment__isnull=False, invoice__customer=customer, invoice__currency=currency
    ).values_list("pk", "payment_id", "amount_minor", "allocated_on", "invoice__balance__payment_due_on")
    found = list(new.order_by("pk"))
    if not found:
        return
    case.seen_allocation_id = found[-1][0]
    takes_more = case.state != State.PAID
    paid = [row for row in found if row[2] > 0 and takes_more and row[3] > row[4]]
    counted = {row[1] for row in paid}
    if any(row[2] < 0 for row in found):
        for facts in case.entries.filter(action="paid").values_list("facts", flat=True):
            counted |= set(facts.get("payments", ()))
    gone = [row for row in found if row[2] < 0 and row[1] in counted]
    for action, these in (("paid", paid), ("returned", gone)):
        amount = sum(row[2] for row in these)
        if amount:
            case.recovered_minor += amount
            write_entry(case, action, Result.DONE, today, at, amount_minor=amount, step=_last_step(case),
                        facts={"payments": sorted({row[1] for row in these})})  # fmt: skip
    DunningCase.objects.filter(pk=case.pk).update(
        seen_allocation_id=case.seen_allocation_id, recovered_minor=case.recovered_minor
    )


def _last_step(case: DunningCase) -> DunningStep | None:
    rows = case.entries.filter(result=Result.DONE, action__in=Action.values, step__isnull=False).order_by("-pk")
    entry = rows.select_related("step").first()
    return entry.step if entry is not None else None


def reinstate(customer: Customer, currency: str, today: date, at: datetime, *, by: Actor) -> list[int]:
    """Ends the suspensions that dunning began and whose invoices are all paid. Ids of the subscriptions.

    One that can't be taken up stays suspended and stops nobody; the next tick tries again.
    """
    ids = to_reinstate(customer.company, today, customer_id=customer.pk, currency=currency)
    done: dict[str, str] = {}
    for subscription in Subscription.objects.filter(pk__in=ids).order_by("pk"):
        try:
            with transaction.atomic():
                acts_pausing.reinstate(subscription=subscription, reason="paid", by=by, at=at)
        except Exception as error:  # noqa: BLE001  the money stays recorded whatever becomes of the service
            log.warning("not_reinstated", subscription=subscription.pk, error=f"{type(error).__name__}: {error}"[:300])
            continue
        done[str(subscription.pk)] = today.isoformat()
    if done:
        last = DunningCase.objects.filter(customer=customer, currency=currency).order_by("-pk").first()
        if last is not None:
            last.customer = customer
            write_entry(last, "resumed", Result.DONE, today, at, facts={"subscriptions": done})
            tell(last, "reinstate", "resumed", {"subscriptions": len(done)}, by=by, at=at)
    return [int(id_) for id_ in done]


def to_reinstate(
    company: Company, today: date, *, customer_id: int | None = None, currency: str | None = None
) -> list[int]:
    """Subscriptions that dunning suspended and that no overdue or written-off invoice holds any more."""
    rows = Subscription.objects.filter(company=company, state=Subscription.State.SUSPENDED)
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    if currency is not None:
        rows = rows.filter(currency=currency)
    suspended = dict(rows.values_list("pk", "suspended_from_on"))
    if not suspended:
        return []
    entries = DunningEntry.objects.filter(
        company=company, action=Action.SUSPEND, result=Result.DONE,
        case__customer__in=rows.values("customer_id"),
    )  # fmt: skip
    ours: set[int] = set()
    for facts in entries.values_list("facts", flat=True):
        for id_, day in facts.get("subscriptions", {}).items():
            begun = suspended.get(int(id_))
            if begun is not None and begun.isoformat() == day:
                ours.add(int(id_))
    Status = InvoiceBalance.Status
    held = InvoiceLine.objects.filter(subscription_id__in=ours).filter(
        Q(invoice__balance__status=Status.UNCOLLECTIBLE)
        | Q(invoice__balance__status=Status.OPEN, invoice__balance__open_minor__gt=0,
            invoice__balance__payment_due_on__lt=today)
    )  # fmt: skip
    return sorted(ours - set(held.values_list("subscription_id", flat=True)))


@payments.when_money_came
def after_payment(payment: Payment, *, by: Actor, at: datetime) -> None:
    """What money left pays claims; the case follows at once. What fails here is done by the next tick."""
    if payment.customer_id is None:
        return
    # Claims are made in cases, so without one there is nothing to do.
    if not DunningCase.objects.filter(customer_id=payment.customer_id, currency=payment.currency).exists():
        return
    try:
        with transaction.atomic():
            claims.pay_from(payment, by=by, at=at)
            follow(payment.customer_id, payment.currency, at, by=by)
    except Exception as error:  # noqa: BLE001  money that came is recorded whatever follows from it
        log.warning("dunning_did_not_follow", payment=payment.pk, error=f"{type(error).__name__}: {error}"[:300])
