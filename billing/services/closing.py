"""Closing an attempt of which the provider says nothing: one person proposes an end with proof, another agrees.

The rule that matters: nobody closes one alone; and what the provider says later still counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from billing.gateways.base import Answer, Outcome
from billing.models import Attempt
from billing.services import attempts, receivables
from core.actors import Actor
from core.models import Company, StoredFile
from core.refusal import Refused

State = Attempt.State
#: What may be closed by hand: sent, and its end not known. What waits for the customer can be canceled.
CLOSABLE: Final = (State.SENT, State.PENDING, State.UNKNOWN)
ENDS: Final = {
    State.SETTLED: Outcome.SETTLED,
    State.FAILED: Outcome.DECLINED,
    State.CANCELED: Outcome.CANCELED,
}


def _locked(attempt: Attempt) -> Attempt:
    receivables.lock_customer(Company.objects.get(pk=attempt.company_id), attempt.customer_id)
    rows = Attempt.objects.select_for_update(of=("self",))
    return rows.select_related("invoice__company", "customer", "gateway", "method").get(pk=attempt.pk)


def propose_close(*, attempt: Attempt, state: str, proof: StoredFile, by: Actor, at: datetime) -> Attempt:
    """Proposes how the attempt ended. The same person may change the proposal; it waits for another to agree.

    Refuses `attempt.not_open` and an end that is none (`field.choice`).
    """
    if state not in ENDS:
        raise Refused("field.choice", field="state", value=state, choices=", ".join(ENDS))
    if proof.company_id != attempt.company_id:
        raise Refused("not_found", field="proof")
    with transaction.atomic():
        attempt = _locked(attempt)
        _check(attempt)
        attempt.proposed_state, attempt.proposed_by, attempt.closing_proof = state, _who(by), proof
        attempt.save(update_fields=["proposed_state", "proposed_by", "closing_proof"])
        attempts.tell(attempt, "propose_close", "close_proposed", by=by, at=at)
    return attempt


def drop_proposal(*, attempt: Attempt, by: Actor, at: datetime) -> Attempt:
    """Takes a proposal away. Without one: nothing happens."""
    with transaction.atomic():
        attempt = _locked(attempt)
        if attempt.proposed_state:
            attempt.proposed_state, attempt.proposed_by, attempt.closing_proof = "", "", None
            attempt.save(update_fields=["proposed_state", "proposed_by", "closing_proof"])
            attempts.tell(attempt, "drop_close", "close_dropped", by=by, at=at)
    return attempt


def confirm_close(*, attempt: Attempt, state: str, by: Actor, at: datetime) -> Attempt:
    """Closes the attempt as another person proposed; `state` is the end that was seen. Settled: the money is recorded.

    Refuses `attempt.no_proposal` (none, or another one than was seen) and `attempt.second_person`.
    """
    with transaction.atomic():
        attempt = _locked(attempt)
        if not attempt.proposed_state or attempt.proposed_state != state:
            raise Refused("attempt.no_proposal")
        if attempt.proposed_by == _who(by):
            raise Refused("attempt.second_person")
        _check(attempt)
        answer = Answer(
            ENDS[State(state)],
            # Its own id stands for money of which no id is known, so that it is never taken for another's.
            money_id=attempt.external_id or attempt.ref,
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            reason="other" if state == State.FAILED else "",
        )
        return attempts.apply(attempt_id=attempt.pk, answer=answer, by=by, at=at)


def _check(attempt: Attempt) -> None:
    if attempt.state not in CLOSABLE:
        raise Refused("attempt.not_open", state=attempt.get_state_display())


def _who(by: Actor) -> str:
    """Names a person so that two of one name are two."""
    return f"{by.kind}:{by.id} {by.label}"[:120]


def proposer_of(attempt: Attempt) -> str:
    """The name of who proposed, as people know it."""
    return attempt.proposed_by.partition(" ")[2]
