"""Where money moves at Stripe: each function books the ledger, writes the balance and tells by events, in one go."""

from __future__ import annotations

from standins.providers.store import Thing
from standins.providers.stripe_cards import Decline, card_of
from standins.providers.stripe_desk import P, changed, emit, fetch, write
from standins.providers.stripe_errors import invalid
from standins.providers.stripe_money_shapes import (
    DISPUTE_FEE,
    NO_MINOR,
    balance_transaction,
    dispute,
    payment_fee,
    refund,
)
from standins.providers.wire import Call, Refused

LATE_BALANCE = "stripe late balance"
EXCHANGE = "stripe exchange"
KIND_OF = {"card": ("charge", "charge"), "sepa_debit": ("payment", "charge")}


def movement_of(call: Call, movement: Thing) -> Thing:
    """Writes a movement on the account, in the account's own currency where the desk was told of an exchange."""
    told = (call.tx.setting(EXCHANGE) or {}).get(movement.body["currency"])
    if told:
        body, rate = movement.body, float(told["rate"])
        body.update(currency=told["currency"], exchange_rate=rate)
        body.update({name: round(body[name] * rate) for name in ("amount", "fee")})
        body["net"] = body["amount"] - body["fee"]
        for detail in body["fee_details"]:
            detail.update(amount=body["fee"], currency=told["currency"])
    return write(call, movement)


def book(call: Call, kind: str, thing: Thing, charge: Thing, amount: int, fee: int = 0) -> None:
    """One row in the ledger of money, with the charge's customer, invoice and metadata."""
    metadata = {**charge.body["metadata"], **(thing.body.get("metadata") or {})}
    call.tx.book(
        P,
        kind,
        thing.id,
        at=call.now,
        amount=amount,
        currency=charge.body["currency"],
        customer=charge.customer,
        invoice=metadata.get("invoice", ""),
        payment=charge.id,
        fee=fee,
        metadata=metadata,
        key=call.key,
    )


def take(call: Call, intent: Thing, charge: Thing) -> None:
    """The money arrives: the charge succeeds, and the payment with it."""
    type = charge.body["payment_method_details"]["type"]
    country = charge.body["payment_method_details"][type]["country"] or ""
    amount, currency = charge.body["amount"], charge.body["currency"]
    fee = min(amount, payment_fee(amount, currency, type, country))
    kind, category = KIND_OF[type]
    movement = movement_of(
        call, balance_transaction(call.now, charge, kind, category, amount, fee, charge.body["description"])
    )
    outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    if type == "sepa_debit":
        outcome.update(risk_level="not_assessed")
        outcome.pop("risk_score")
    charge.body.update(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=amount,
        balance_transaction=None if call.tx.setting(LATE_BALANCE) else movement.id,
        outcome=outcome,
        receipt_url=f"{call.world.pages.get(P, '')}/receipts/{charge.id}",
    )
    charge.private["movement"] = movement.id
    write(call, charge)
    book(call, "charge", charge, charge, amount, fee)
    intent.body.update(
        status="succeeded",
        amount_received=amount,
        latest_charge=charge.id,
        next_action=None,
        last_payment_error=None,
    )
    write(call, intent)
    emit(call, "charge.succeeded", charge)
    emit(call, "payment_intent.succeeded", intent)
    card = card_of(fetch(call, "payment_method", charge.body["payment_method"]).private.get("number", ""))
    if card and card.after == "dispute":
        open_dispute(call, charge, amount, "fraudulent")


def tell_balance(call: Call, charge: Thing) -> None:
    """A charge whose balance transaction was held back learns of it, as happens some seconds later at Stripe."""
    before = changed(charge, balance_transaction=charge.private["movement"])
    write(call, charge)
    emit(call, "charge.updated", charge, before)


def fail(call: Call, intent: Thing, charge: Thing, method: Thing, decline: Decline) -> None:
    """The money does not arrive: the charge fails and the payment wants another method."""
    charge.body.update(
        status="failed",
        failure_code=decline.code,
        failure_message=decline.message,
        outcome={
            "advice_code": decline.advice,
            "network_advice_code": None,
            "network_decline_code": decline.network_code,
            "network_status": "declined_by_network",
            "reason": decline.reason,
            "risk_level": "normal",
            "risk_score": 12,
            "seller_message": "The bank did not take the payment.",
            "type": "issuer_declined",
        },
    )
    write(call, charge)
    intent.body["latest_charge"] = charge.id
    turn_down(call, intent, method, decline, charge=charge.id)
    emit(call, "charge.failed", charge)


def turn_down(call: Call, intent: Thing, method: Thing, decline: Decline, charge: str | None = None) -> None:
    """The payment goes back to wanting a method, and says why."""
    intent.body.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_payment_error={
            "advice_code": decline.advice,
            "code": decline.code,
            "decline_code": decline.reason,
            "message": decline.message,
            "network_decline_code": decline.network_code,
            "payment_method": method.body,
            "type": "card_error" if method.body["type"] == "card" else "invalid_request_error",
        }
        | ({"charge": charge} if charge else {}),
    )
    write(call, intent)
    emit(call, "payment_intent.payment_failed", intent)


def give_back(call: Call, charge: Thing, amount: int | None, reason: str | None, metadata: dict[str, str]) -> Thing:
    """Refund a charge, in part or whole; refused when it would be more than is left, or is disputed."""
    body = charge.body
    left = body["amount_captured"] - body["amount_refunded"]
    if body["status"] != "succeeded":
        raise Refused(invalid(f"This charge ({charge.id}) can't be refunded: it is {body['status']}.", param="charge"))
    if left <= 0:
        message = f"Charge {charge.id} has already been refunded."
        raise Refused(invalid(message, code="charge_already_refunded", charge=charge.id))
    if body["disputed"]:
        message = f"Charge {charge.id} has been charged back; cannot issue a refund."
        raise Refused(invalid(message, code="charge_disputed", charge=charge.id))
    amount = left if amount is None else amount
    if amount <= 0:
        raise Refused(invalid("Invalid positive integer", code="parameter_invalid_integer", param="amount"))
    if amount > left:
        message = (
            f"Refund amount ({_words(amount, body['currency'])}) is greater than unrefunded amount on charge"
            f" ({_words(left, body['currency'])})"
        )
        raise Refused(invalid(message, param="amount"))
    thing = refund(call.now, charge, amount, reason, metadata)
    card = card_of(fetch(call, "payment_method", body["payment_method"]).private.get("number", ""))
    thing.private["fails"] = bool(card and card.after == "refund_fails")
    if card and card.after == "refund_pends":
        thing.body.update(status="pending", pending_reason="processing")
    kind = "refund" if body["payment_method_details"]["type"] == "card" else "payment_refund"
    movement = movement_of(call, balance_transaction(call.now, thing, kind, "refund", -amount, 0, "REFUND FOR CHARGE"))
    thing.body["balance_transaction"] = movement.id
    write(call, thing)
    book(call, "refund", thing, charge, -amount)
    refunded = body["amount_refunded"] + amount
    before = changed(charge, amount_refunded=refunded, refunded=refunded == body["amount_captured"])
    write(call, charge)
    emit(call, "refund.created", thing)
    emit(call, "charge.refunded", charge, before)
    return thing


def settle_refund(call: Call, thing: Thing, fails: bool, reason: str = "expired_or_canceled_card") -> None:
    """A pending refund arrives, or one (pending or already called succeeded) comes back."""
    charge = fetch(call, "charge", thing.body["charge"])
    if thing.body["status"] not in ("pending", "succeeded") or (not fails and thing.body["status"] != "pending"):
        raise ValueError(f"refund {thing.id} is {thing.body['status']}")
    if not fails:
        before = changed(thing, status="succeeded")
        thing.body.pop("pending_reason", None)
        write(call, thing)
        emit(call, "refund.updated", thing, before)
        emit(call, "charge.refund.updated", thing, before)
        return
    amount = thing.body["amount"]
    movement = balance_transaction(call.now, thing, "refund_failure", "refund_failure", amount, 0, "REFUND FAILURE")
    movement_of(call, movement)
    before = changed(thing, status="failed", failure_reason=reason, failure_balance_transaction=movement.id)
    thing.body.pop("pending_reason", None)
    write(call, thing)
    book(call, "refund_failed", thing, charge, amount)
    charge.body.update(amount_refunded=charge.body["amount_refunded"] - amount, refunded=False)
    write(call, charge)
    emit(call, "refund.updated", thing, before)
    emit(call, "charge.refund.updated", thing, before)
    emit(call, "refund.failed", thing, before)


def open_dispute(call: Call, charge: Thing, amount: int | None, reason: str, *, returned: bool = False) -> Thing:
    """The customer's bank takes the money back. `returned` is a SEPA return: lost at once, booked as a return."""
    body = charge.body
    if body["status"] != "succeeded" or body["disputed"]:
        raise ValueError(f"charge {charge.id} is {'disputed' if body['disputed'] else body['status']}")
    amount = amount or body["amount"] - body["amount_refunded"] or body["amount"]  # banks do dispute what was refunded
    if not 0 < amount <= body["amount"]:
        raise ValueError(f"a dispute of charge {charge.id} is about 1 to {body['amount']}")
    thing = dispute(call.now, charge, amount, reason)
    unit = 1 if body["currency"] in NO_MINOR else 100
    fee = DISPUTE_FEE * unit // 100 if not returned else 350 * unit // 100
    kind = "return" if returned else "dispute"
    movement = balance_transaction(call.now, thing, "adjustment", "dispute", -amount, fee, f"Chargeback of {charge.id}")
    thing.body["balance_transactions"] = [movement_of(call, movement).body]
    if returned:
        thing.body["status"] = "lost"
        thing.body["evidence_details"]["due_by"] = None
    charge.body["disputed"] = True
    write(call, charge)
    write(call, thing)
    book(call, kind, thing, charge, -amount, fee)
    emit(call, "charge.dispute.created", thing)
    emit(call, "charge.dispute.funds_withdrawn", thing)
    if returned:
        emit(call, "charge.dispute.closed", thing)
    return thing


def close_dispute(call: Call, thing: Thing, won: bool) -> None:
    """The dispute is decided; a won one brings the money (not the fee) back."""
    if thing.body["status"] in ("won", "lost"):
        raise ValueError(f"dispute {thing.id} is already {thing.body['status']}")
    before = changed(thing, status="won" if won else "lost")
    charge = fetch(call, "charge", thing.body["charge"])
    if won:
        amount = thing.body["amount"]
        text = f"Chargeback reversal of {charge.id}"
        movement = balance_transaction(call.now, thing, "adjustment", "dispute_reversal", amount, 0, text)
        thing.body["balance_transactions"].append(movement_of(call, movement).body)
        write(call, thing)
        book(call, "dispute_won", thing, charge, amount)
        emit(call, "charge.dispute.funds_reinstated", thing)
    write(call, thing)
    emit(call, "charge.dispute.closed", thing, before)


def _words(amount: int, currency: str) -> str:
    return f"{amount} {currency.upper()}" if currency in NO_MINOR else f"{amount / 100:,.2f} {currency.upper()}"
