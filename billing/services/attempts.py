"""Attempts: one try to collect one invoice, from the row that says so to the provider's last word.

The rule that matters: the row is committed before a provider hears of it, only the provider's word moves it on, and
what can't be known is `unknown`. Whoever asks twice, or late, or from two places, finds one attempt and one payment.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from billing.gateways import reasons, registry
from billing.gateways.base import Answer, Outcome
from billing.models import Attempt, Gateway, Invoice, InvoiceBalance, Payment, PaymentMethod
from billing.services import debit_notices, payments, receivables
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.refusal import Refused
from core.services import outbox

State = Attempt.State

#: Only the provider's word leads out of the last three but one way: money that came after all.
MOVES: Final[dict[State, frozenset[State]]] = {
    # One that waits to be sent again may have arrived after all.
    State.CREATED: frozenset(
        {State.SENT, State.PENDING, State.REQUIRES_ACTION, State.SETTLED, State.FAILED, State.CANCELED}
    ),
    State.SENT: frozenset(State) - {State.SENT},
    State.PENDING: frozenset({State.SETTLED, State.FAILED, State.CANCELED, State.UNKNOWN, State.REQUIRES_ACTION}),
    State.UNKNOWN: frozenset(State) - {State.UNKNOWN, State.SENT},
    State.REQUIRES_ACTION: frozenset(
        {State.SENT, State.PENDING, State.UNKNOWN, State.SETTLED, State.FAILED, State.CANCELED}
    ),
    State.SETTLED: frozenset(),
    State.FAILED: frozenset({State.SETTLED, State.PENDING}),
    State.CANCELED: frozenset({State.SETTLED, State.PENDING}),
}
CLOSED: Final = frozenset({State.SETTLED, State.FAILED, State.CANCELED})
#: The outbox row that talks to the provider about an attempt.
KIND: Final = "attempt"
#: A key is good for so long, at most; after that an attempt is only looked up. See `key_life`.
KEY_HOURS: Final = 23
#: When an unknown attempt is looked up: after these times, then daily until a week is over.
LOOK_AFTER: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6))
LOOK_DAYS: Final = 7
#: How long the customer has to confirm.
ACTION_HOURS: Final = 24
PENDING_LOOK: Final = timedelta(days=1)
#: When what never reached the provider is sent again: after 5 minutes, doubling, at most daily.
AGAIN_AFTER: Final = timedelta(minutes=5)

METHODS: Final = {
    Gateway.Kind.STRIPE: Payment.Method.CARD,
    Gateway.Kind.PAYPAL: Payment.Method.PAYPAL,
    Gateway.Kind.SEPA: Payment.Method.DEBIT,
    Gateway.Kind.TRANSFER: Payment.Method.TRANSFER,
    Gateway.Kind.CASH: Payment.Method.CASH,
}


#: The customer pays by itself; nothing is charged.
OFFLINE: Final = (Gateway.Kind.TRANSFER, Gateway.Kind.CASH)


def new_key() -> str:
    """A key that was never given before."""
    return f"trn_{secrets.token_hex(16)}"


def live_of(invoice_id: int) -> Attempt | None:
    """The attempt on the invoice of which nobody knows the end yet."""
    return Attempt.objects.filter(invoice_id=invoice_id, state__in=Attempt.LIVE).first()


def open_attempt(
    *,
    invoice: Invoice,
    balance: InvoiceBalance,
    gateway: Gateway,
    method: PaymentMethod | None,
    origin: str,
    collect_on: date | None = None,
    by: Actor,
    at: datetime,
) -> Attempt:
    """Writes an attempt over all that is due, and the effect that sends it. The caller holds the customer's lock.

    Refuses `attempt.nothing_due`, `attempt.one_alive` and, for a way that takes no such charge, `attempt.no_way`. A
    debit with a collection day is announced to the customer and waits for its file.
    """
    amount = receivables.open_of(balance)
    if balance.status not in receivables.PAYABLE or amount <= 0:
        raise Refused("attempt.nothing_due", field="invoice", number=invoice.number)
    if gateway.kind in OFFLINE or (gateway.kind == Gateway.Kind.SEPA and balance.currency != "EUR"):
        raise Refused("attempt.no_way", field="gateway", gateway=gateway.name)
    if live_of(invoice.pk) is not None:
        raise Refused("attempt.one_alive", field="invoice", number=invoice.number)
    attempt = Attempt.objects.create(
        company_id=invoice.company_id,
        invoice=invoice,
        customer=invoice.customer,
        gateway=gateway,
        method=method,
        origin=origin,
        currency=balance.currency,
        amount_minor=amount,
        key=new_key(),
        collect_on=collect_on,
        created_at=at,
        next_look_at=at if collect_on is None else None,
    )
    tell(attempt, "create", "created", by=by, at=at)
    if collect_on is None:
        wake(attempt)
    else:
        debit_notices.announce(attempt_id=attempt.pk, at=at)
    point("attempt.opened")
    return attempt


def wake(attempt: Attempt, due_at: datetime | None = None) -> None:
    """Has the relay talk to the provider about it; once per state and look.

    Put again, it would do what the attempt's own state asks for: a key is sent once, by `begin`.
    """
    outbox.put(
        company_id=attempt.company_id,
        kind=KIND,
        key=f"{attempt.pk}-{attempt.state}-{attempt.looks}",
        payload={"attempt": attempt.pk},
        due_at=due_at,
    )


def begin(*, attempt_id: int, at: datetime) -> Attempt | None:
    """Commits that the attempt is being sent; None when it must not be (again).

    What was paid otherwise meanwhile is canceled instead, also one that the provider knows nothing of.
    """
    with transaction.atomic():
        attempt, balance = _lock(attempt_id)
        if attempt.state != State.CREATED or attempt.collect_on is not None:
            return None  # a debit with a collection day goes to the bank in its file
        due = receivables.open_of(balance) if balance.status in receivables.PAYABLE else 0
        # A part still due keeps one that was sent: only one attempt is alive, and the rest becomes credit.
        if due <= 0 or (attempt.first_sent_at is None and due < attempt.amount_minor):
            _close(attempt, State.CANCELED, at, reason="")
            attempt.detail = ""
            _save(attempt)
            tell(attempt, "cancel", "canceled", by=SYSTEM, at=at)
            return None
        now = clock.machine_now()
        if attempt.first_sent_at is not None and now - attempt.first_sent_at > key_life(attempt):
            attempt.state = State.UNKNOWN
            attempt.next_look_at = at
            _save(attempt)
            return None
        attempt.state = State.SENT
        attempt.first_sent_at = attempt.first_sent_at or now
        attempt.next_look_at = at + LOOK_AFTER[0]
        _save(attempt)
    return attempt


def apply(*, attempt_id: int, answer: Answer, by: Actor, at: datetime) -> Attempt:
    """Lets the attempt follow what the provider said. Said twice, or late, or out of order: nothing more happens."""
    with transaction.atomic():
        attempt, _ = _lock(attempt_id)
        if answer.external_id and not attempt.external_id:
            attempt.external_id = answer.external_id
        before = State(attempt.state)
        to = _state_after(attempt, answer)
        if to == before and to in CLOSED:
            if to == State.SETTLED and answer.fee_minor:
                payments.learn_fee(attempt=attempt, fee_minor=answer.fee_minor, by=by, at=at)
            return attempt
        if to != before and to not in MOVES[before]:
            return attempt  # an older word than the one we have
        attempt.detail = answer.detail[:300]
        match to:
            case State.SETTLED:
                _settle(attempt, answer, by=by, at=at)
            case State.FAILED | State.CANCELED:
                _close(attempt, to, at, reason=answer.reason)
            case State.REQUIRES_ACTION:
                attempt.state = to
                attempt.action_url = answer.action_url or attempt.action_url
                attempt.expires_at = attempt.expires_at or at + timedelta(hours=ACTION_HOURS)
                attempt.next_look_at = attempt.expires_at
            case State.PENDING:
                attempt.state, attempt.closed_at = to, None
                attempt.next_look_at = at + PENDING_LOOK
            case State.UNKNOWN:
                attempt.state = to
                attempt.next_look_at = next_look(attempt, at)
            case State.CREATED:
                attempt.state = to
                attempt.looks += 1
                attempt.next_look_at = at + min(AGAIN_AFTER * 2 ** min(attempt.looks - 1, 9), timedelta(days=1))
        _save(attempt)
        if attempt.state != before:
            tell(attempt, attempt.state, attempt.state, by=by, at=at)
            _after(attempt, before, by=by, at=at)
        point("attempt.applied")
    return attempt


def key_life(attempt: Attempt) -> timedelta:
    """How long the attempt's provider remembers its key."""
    return timedelta(hours=min(KEY_HOURS, registry.of_kind(attempt.gateway.kind).key_hours))


def begin_taking(*, attempt_id: int, at: datetime) -> Attempt | None:
    """Commits that the money the customer agreed to is asked for; None when the attempt waits for nobody (any more).

    One that was asked for before, and no answer came, is asked for again. From here on nobody can leave it: see
    `leave`.
    """
    with transaction.atomic():
        attempt, balance = _lock(attempt_id)
        is_over = attempt.next_look_at is not None and attempt.next_look_at <= at
        if attempt.state not in (State.REQUIRES_ACTION, State.UNKNOWN) and not (
            attempt.state == State.SENT and is_over
        ):
            return None
        if balance.status not in receivables.PAYABLE or receivables.open_of(balance) <= 0:
            before = State(attempt.state)  # paid another way meanwhile: nothing is taken
            _close(attempt, State.CANCELED, at, reason="")
            _save(attempt)
            tell(attempt, "cancel", "canceled", by=SYSTEM, at=at)
            _after(attempt, before, by=SYSTEM, at=at)
            return None
        attempt.state, attempt.next_look_at = State.SENT, at + LOOK_AFTER[0]
        _save(attempt)
    return attempt


def leave(*, attempt_id: int, reason: str, at: datetime) -> Attempt:
    """Ends an attempt that waits on a page where no money moves unless we ask; one further on is left as it is."""
    with transaction.atomic():
        attempt, _ = _lock(attempt_id)
        if attempt.state == State.REQUIRES_ACTION:
            _close(attempt, State.CANCELED, at, reason=reason)
            _save(attempt)
            tell(attempt, "cancel", "canceled", by=SYSTEM, at=at)
            _after(attempt, State.REQUIRES_ACTION, by=SYSTEM, at=at)
    return attempt


def apply_unsent(*, attempt_id: int, answer: Answer, at: datetime) -> Attempt:
    """Takes back an attempt that no provider ever heard of; one that was sent meanwhile, or stands in a bank file, is
    left as it is."""
    with transaction.atomic():
        attempt, _ = _lock(attempt_id)
        if attempt.state == State.CREATED and attempt.first_sent_at is None and attempt.batch_id is None:
            _close(attempt, State.CANCELED, at, reason=answer.reason)
            _save(attempt)
            tell(attempt, "cancel", "canceled", by=SYSTEM, at=at)
    return attempt


def hand_over(rows: Sequence[Attempt], *, by: Actor, at: datetime) -> None:
    """Debits whose file was given to the bank: they wait for its word. The caller holds their customers' locks."""
    for attempt in rows:
        before = State(attempt.state)
        attempt.state, attempt.closed_at = State.PENDING, None
        attempt.first_sent_at = attempt.first_sent_at or clock.machine_now()
        attempt.next_look_at = None
        _save(attempt)
        tell(attempt, "send", "sent", by=by, at=at)
        _after(attempt, before, by=by, at=at)


def next_look(attempt: Attempt, at: datetime) -> datetime | None:
    """When an unknown attempt is looked up next; None once a person has to close it."""
    if attempt.looks < len(LOOK_AFTER):
        return at + LOOK_AFTER[attempt.looks]
    if attempt.looks < len(LOOK_AFTER) + LOOK_DAYS:
        return at + timedelta(days=1)
    return None


def _state_after(attempt: Attempt, answer: Answer) -> State:
    match answer.outcome:
        case Outcome.SETTLED:
            return State.SETTLED
        case Outcome.PENDING:
            return State.PENDING
        case Outcome.REQUIRES_ACTION | Outcome.APPROVED:
            return State.REQUIRES_ACTION
        case Outcome.DECLINED:
            return State.FAILED
        case Outcome.CANCELED:
            return State.CANCELED
        case Outcome.NOT_SENT:
            return State.CREATED if attempt.state in (State.SENT, State.CREATED) else State(attempt.state)
        case Outcome.ABSENT:
            return _absent(attempt)
        case Outcome.UNKNOWN:
            return State.UNKNOWN


def _absent(attempt: Attempt) -> State:
    """The provider knows nothing of it: sent again while its key is good, else it never was."""
    if attempt.state in CLOSED:
        return State(attempt.state)
    first = attempt.first_sent_at
    fresh = first is not None and clock.machine_now() - first <= key_life(attempt)
    return State.CREATED if fresh else State.CANCELED


def _settle(attempt: Attempt, answer: Answer, *, by: Actor, at: datetime) -> None:
    invoice = attempt.invoice
    company = invoice.company
    external_id = answer.money_id or answer.external_id or attempt.external_id
    # What a provider settles against our request counts in the invoice's currency, in full.
    is_same = not answer.currency or answer.currency == attempt.currency
    amount = answer.amount_minor if is_same and answer.amount_minor else attempt.amount_minor
    _close(attempt, State.SETTLED, at, reason="")
    if Payment.objects.filter(gateway_id=attempt.gateway_id, external_id=external_id).exists():
        return
    settled_on = clock.day_in(answer.settled_at or at, company.time_zone)
    today = clock.day_in(at, company.time_zone)
    payments.record(
        company=company,
        customer=invoice.customer,
        amount_minor=amount,
        currency=attempt.currency,
        method=METHODS[Gateway.Kind(attempt.gateway.kind)],
        received_on=min(settled_on, today),
        invoice=invoice,
        reference=invoice.number,
        taken=payments.Taken(
            gateway=attempt.gateway,
            external_id=external_id,
            attempt=attempt,
            fee_minor=answer.fee_minor,
            settled_currency=answer.settled_currency or ("" if is_same else answer.currency),
            settled_minor=answer.settled_minor if is_same else answer.amount_minor,
        ),
        by=by,
        at=at,
    )


def _close(attempt: Attempt, state: State, at: datetime, *, reason: str) -> None:
    attempt.state, attempt.reason = state, reason
    attempt.closed_at, attempt.next_look_at, attempt.action_url = at, None, ""
    attempt.proposed_state, attempt.proposed_by = "", ""


def _after(attempt: Attempt, before: State, *, by: Actor, at: datetime) -> None:
    """A method that the bank refuses for good is marked; others hear through the event."""
    if attempt.state == State.FAILED and attempt.method_id and reasons.kind_of(attempt.reason) == reasons.HARD:
        PaymentMethod.objects.filter(pk=attempt.method_id, status=PaymentMethod.Status.ACTIVE).update(
            status=PaymentMethod.Status.BROKEN, reason=attempt.reason
        )
    for listener in _listeners:
        listener(attempt, before, by=by, at=at)


#: Told, in the same transaction, when an attempt has moved: mails with a pay link, dunning.
_listeners: list[Any] = []


def when_moved(function: Any) -> Any:
    """Registers `function(attempt, before, *, by, at)`; it is called with the customer locked."""
    if function not in _listeners:
        _listeners.append(function)
    return function


def _lock(attempt_id: int) -> tuple[Attempt, InvoiceBalance]:
    """The attempt and its invoice's balance, locked after the customer."""
    whose = Attempt.objects.select_related("company").only("company", "customer_id").get(pk=attempt_id)
    company = whose.company
    customer = receivables.lock_customer(company, whose.customer_id)
    rows = Attempt.objects.select_for_update(of=("self",)).select_related("invoice", "gateway", "method")
    attempt = rows.get(pk=attempt_id)
    # One company and one customer, read once, wherever they are asked for from here on.
    customer.company = attempt.company = attempt.invoice.company = attempt.gateway.company = company
    attempt.customer = attempt.invoice.customer = customer
    balance = receivables.lock_balances(company, [attempt.invoice_id])[attempt.invoice_id]
    return attempt, balance


def _save(attempt: Attempt) -> None:
    attempt.save(
        update_fields=[
            "state", "external_id", "collect_on", "batch", "action_url", "reason", "detail", "first_sent_at",
            "next_look_at", "looks", "expires_at", "closed_at", "closing_proof", "proposed_state", "proposed_by",
        ]
    )  # fmt: skip


SYSTEM = Actor.system("Collection")


def tell(attempt: Attempt, verb: str, past: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Audit row and event of a move."""
    facts: dict[str, Any] = {
        "state": attempt.state,
        "currency": attempt.currency,
        "amount_minor": attempt.amount_minor,
        "gateway": attempt.gateway_id,
        "reason": attempt.reason,
    }
    data = {
        "id": attempt.ref,
        "customer": attempt.customer.ref,
        "invoice": attempt.invoice.ref,
        "number": attempt.invoice.number,
        "state": attempt.state,
        "currency": attempt.currency,
        "amount_minor": attempt.amount_minor,
        "reason": attempt.reason,
        "origin": attempt.origin,
    }
    receivables.tell(attempt.invoice.company, f"attempt.{verb}", f"attempt.{past}", "attempt", attempt.pk,
                     attempt.customer_id, data, facts, by=by, at=at, reason=reason)  # fmt: skip
