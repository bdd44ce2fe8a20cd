"""Direct debits that came back: refused before they were credited, or returned after it, however late the bank says so.

The rule that matters: the bank's word is taken whenever it comes, once per its own id; what it says of account or
mandate decides whether the method is asked again.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from django.db import transaction

from billing.gateways import reasons
from billing.gateways.base import Answer, Outcome
from billing.models import Attempt, Gateway, Mandate, Payment, PaymentMethod, Reversal
from billing.services import attempts, books, debit_files, mandates, payment_methods, receivables, reversing
from billing.services.books import Entry
from core.actors import Actor
from core.models import Company
from core.refusal import Refused

State = Attempt.State
#: Codes that end the mandate itself: the bank knows none, or its holder is gone.
ENDS_MANDATE: Final = frozenset({"MD01", "MD02", "MD07"})
#: Codes after which the account isn't debited again until somebody says so: another account, a talk with the customer.
BREAKS_METHOD: Final = frozenset(
    {"AC01", "AC04", "AC06", "AC13", "AG01", "MD06", "MS02", "RC01", "RR01", "RR02", "RR03", "RR04", "SL01"}
)


def take_return(
    *,
    company: Company,
    end_to_end_id: str = "",
    mandate_reference: str = "",
    amount_minor: int | None = None,
    code: str,
    on: date,
    fee_minor: int = 0,
    external_id: str = "",
    was_credited: bool = False,
    by: Actor,
    at: datetime,
) -> Reversal | Attempt:
    """A debit came back: found by its end-to-end id, else by mandate and amount, the newest that fits.

    Before it was credited the attempt fails, after it its payment is taken back (the `Reversal`). `was_credited`: the
    bank booked it in before; what we didn't know of is settled first. `amount_minor` without its fee. `external_id`:
    the bank's own id of the return; told again, under it or another, nothing more happens. Refuses `debit.unknown`.
    """
    code = code.strip().upper()
    reason = reasons.SEPA_CODES.get(code, "other")
    attempt = _find(company, end_to_end_id, mandate_reference, amount_minor)
    debit_files.acknowledge(attempt=attempt, by=by, at=at)
    with transaction.atomic():
        receivables.lock_customer(company, attempt.customer_id)
        attempt.refresh_from_db(fields=["state"])
        payment = _payment_of(attempt)
        if payment is None and was_credited:
            debit_files.settle(attempt=attempt, on=min(attempt.collect_on or on, on), by=by, at=at)
            payment = _payment_of(attempt)
        known = Reversal.objects.filter(payment=payment, kind=Reversal.Kind.RETURN).first() if payment else None
        if known is not None:
            # A debit comes back once, whatever the ids and however many statements tell of it.
            return known
        if payment is None:
            found: Reversal | Attempt = _refuse(attempt, reason, code, fee_minor, on, by=by, at=at)
        else:
            mark = external_id or f"{debit_files.end_to_end_id(attempt)}:return"
            found = reversing.take_return(
                payment=payment, gateway=attempt.gateway, external_id=mark, reason=reason, detail=code, on=on,
                amount_minor=amount_minor, fee_minor=fee_minor, by=by, at=at,
            )  # fmt: skip
        _follow(attempt, code, reason, by=by, at=at)
    return found


def _find(company: Company, end_to_end_id: str, reference: str, amount_minor: int | None) -> Attempt:
    found = debit_files.attempt_of(company, end_to_end_id) if end_to_end_id else None
    if found is None and reference and amount_minor:
        rows = Attempt.objects.filter(
            company=company, gateway__kind=Gateway.Kind.SEPA, amount_minor=amount_minor, batch__isnull=False,
            method__in=Mandate.objects.filter(company=company, reference=reference).values("method"),
            state__in=[*debit_files.UNDER_WAY, State.SETTLED],
        ).exclude(payment__reversals__kind=Reversal.Kind.RETURN)  # fmt: skip
        found = rows.select_related("invoice__company", "gateway", "method").order_by("-collect_on", "-pk").first()
    if found is None:
        raise Refused("debit.unknown", reference=end_to_end_id or reference)
    return found


def _payment_of(attempt: Attempt) -> Payment | None:
    return Payment.objects.filter(attempt_id=attempt.pk).select_related("company", "gateway").first()


def _refuse(attempt: Attempt, reason: str, code: str, fee_minor: int, on: date, *, by: Actor, at: datetime) -> Attempt:
    """Never credited: the attempt fails, and the bank must be told of an amendment once more."""
    was = attempt.state
    done = attempts.apply(
        attempt_id=attempt.pk, answer=Answer(Outcome.DECLINED, reason=reason, detail=code), by=by, at=at
    )
    if done.state != State.FAILED or was == State.FAILED:
        return done
    amended = Mandate.objects.filter(method_id=attempt.method_id, ended_on__isnull=True, amends__isnull=False)
    for mandate in amended.select_related("amends"):
        assert mandate.amends is not None
        taken = Attempt.objects.filter(
            method_id=attempt.method_id, state=State.SETTLED, collect_on__gt=mandate.amends.ended_on
        )
        if not taken.exists():
            mandate.is_amendment_told = False
            mandate.save(update_fields=["is_amendment_told"])
    if fee_minor:
        company = attempt.invoice.company
        amounts = [("fee", attempt.currency, fee_minor), ("cash", attempt.currency, -fee_minor)]
        day = receivables.booking_day(company, on)
        books.post(company=company, entries=[Entry(amounts, day, attempt.customer_id, "attempt", attempt.pk)])
    return done


def _follow(attempt: Attempt, code: str, reason: str, *, by: Actor, at: datetime) -> None:
    """What the code means for mandate and method."""
    method = attempt.method
    if method is None:
        return
    if code in ENDS_MANDATE:
        mandate = mandates.in_force(method)
        if mandate is not None:
            mandates.end(mandate=mandate, reason=reason, by=by, at=at)
        return
    if code not in BREAKS_METHOD:
        return
    method = PaymentMethod.objects.select_for_update(of=("self",)).select_related("customer__company").get(pk=method.pk)
    if method.status == PaymentMethod.Status.ACTIVE:
        method.status, method.reason = PaymentMethod.Status.BROKEN, reason
        method.save(update_fields=["status", "reason"])
        payment_methods.tell(method, "lose", "lost", by=by, at=at)
