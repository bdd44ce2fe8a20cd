"""Captures and refunds (v2/payments): the only place of the PayPal half where money moves.

A capture is COMPLETED, PENDING, DECLINED, and by what went back PARTIALLY_REFUNDED or REFUNDED. Money is booked when a
capture or a refund becomes COMPLETED, and not before. PayPal keeps its fee when money goes back.
"""

from __future__ import annotations

from standins.providers.paypal_desk import MERCHANT, PROVIDER, Desk, instant, new_transaction_id, text
from standins.providers.paypal_errors import DESCRIPTIONS, Json, unprocessable
from standins.providers.paypal_money import fee, money, read_amount
from standins.providers.paypal_reporting import (
    CHARGEBACK,
    CHECKOUT,
    REFUND,
    REVERSAL,
    SAVED,
    Entry,
    record,
    settle_entry,
)
from standins.providers.paypal_wallets import Wallet
from standins.providers.store import Thing
from standins.providers.wire import Answer

DECLINE_REASONS = {
    "insufficient_funds": "INSUFFICIENT_FUNDS",
    "account_restricted": "PAYER_ACCOUNT_RESTRICTED",
    "account_closed": "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "fraudulent": "TRANSACTION_REFUSED",
}
EVENTS = {
    "COMPLETED": ("PAYMENT.CAPTURE.COMPLETED", "A payment was completed"),
    "PENDING": ("PAYMENT.CAPTURE.PENDING", "A payment is pending"),
    "DECLINED": ("PAYMENT.CAPTURE.DENIED", "A payment was denied"),
}
CODES = {"refund": REFUND, "return": REVERSAL, "lost_dispute": CHARGEBACK}


def status_of(gross: int, back: int, was: str) -> str:
    """The state of a capture of which `back` minor units went back; one that isn't completed keeps its own."""
    if was in ("PENDING", "DECLINED", "FAILED"):
        return was
    return "COMPLETED" if back == 0 else "REFUNDED" if back >= gross else "PARTIALLY_REFUNDED"


def refusal(desk: Desk, wallet: Wallet, planned: list[str] | None = None) -> str:
    """The issue with which a payment by this wallet is refused now, "" when it goes through.

    What the fault plan wants comes first; `planned` is the kind and reason it wanted when the order was made.
    """
    wanted = desk.call.outcome
    kind, reason = (wanted.kind, wanted.reason) if wanted else planned or ("", "")
    if kind == "authentication_required":
        return "PAYER_ACTION_REQUIRED"
    if kind:
        known = reason in DESCRIPTIONS or reason.isupper()
        return reason if known else DECLINE_REASONS.get(reason, "INSTRUMENT_DECLINED")
    return wallet.declines or ("PAYER_ACTION_REQUIRED" if wallet.action else "")


def check_invoices(desk: Desk, order: Thing) -> None:
    """Refuse a second payment for an invoice id, as PayPal does unless the merchant has allowed it."""
    if desk.tx.setting("paypal.duplicate_invoices", "block") == "allow":
        return
    for number, unit in enumerate(order.body["purchase_units"]):
        if unit.get("invoice_id") and desk.find("invoice", unit["invoice_id"]):
            field = f"/purchase_units/@{number}/invoice_id"
            raise unprocessable("DUPLICATE_INVOICE_ID", field, unit["invoice_id"])


def take(desk: Desk, order: Thing, unit: Json, wallet: Wallet) -> Thing:
    """Make the capture of one unit of an order, in the state the wallet gives it."""
    currency, gross = read_amount(unit["amount"], "/amount")
    shown: Json = {
        "id": new_transaction_id(),
        "status": wallet.captures,
        "amount": money(currency, gross),
        "final_capture": True,
        "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["UNAUTHORIZED_TRANSACTION"]},
        "payee": dict(MERCHANT),
        "supplementary_data": {"related_ids": {"order_id": order.id}},
        "create_time": instant(desk.now),
        "update_time": instant(desk.now),
    }
    shown |= {name: unit[name] for name in ("invoice_id", "custom_id") if name in unit}
    if wallet.captures == "PENDING":
        shown["status_details"] = {"reason": "ECHECK"}
    private = {
        "unit": unit["reference_id"],
        "currency": currency,
        "gross": gross,
        "back": 0,
        "waiting": 0,
        "refunds": wallet.refunds,
        "email": wallet.email,
        "payer_id": wallet.payer_id,
        "name": f"{wallet.given_name} {wallet.surname}",
        "key": desk.request_id,
    }
    if wallet.captures == "COMPLETED":
        private["fee"] = fee(currency, gross)
    capture = desk.new("capture", shown["id"], shown, private, customer=unit.get("custom_id", ""), parent=order.id)
    if wallet.captures != "DECLINED" and (invoice := unit.get("invoice_id")):
        desk.new("invoice", invoice, {"capture": capture.id}, {})
    code = SAVED if order.private.get("vault_id") else CHECKOUT
    state = {"COMPLETED": "S", "PENDING": "P", "DECLINED": "D"}[wallet.captures]
    record(desk, Entry(capture, capture.id, code, gross, private.get("fee", 0), state, order.id, "ODR"))
    _entered(desk, capture)
    return capture


def settle(desk: Desk, capture: Thing, status: str) -> None:
    """A pending capture comes to its end: COMPLETED (money moves now) or DECLINED."""
    if capture.body["status"] != "PENDING":
        raise ValueError(f"the capture is {capture.body['status']}, not pending")
    capture.body["status"] = status
    capture.body.pop("status_details", None)
    if status == "COMPLETED":
        capture.private["fee"] = fee(capture.private["currency"], capture.private["gross"])
    desk.put(capture)
    settle_entry(desk, capture.id, "S" if status == "COMPLETED" else "D", capture.private.get("fee", 0))
    if status == "DECLINED" and (invoice := capture.body.get("invoice_id")):
        desk.tx.drop(PROVIDER, "invoice", invoice)
    _entered(desk, capture)


def _entered(desk: Desk, capture: Thing) -> None:
    """What happens when a capture enters its state: money for a completed one, an event for all."""
    private, status = capture.private, capture.body["status"]
    if status == "COMPLETED":
        desk.tx.book(
            PROVIDER,
            "charge",
            capture.id,
            at=desk.now,
            amount=private["gross"],
            currency=private["currency"],
            customer=capture.body.get("custom_id", ""),
            invoice=capture.body.get("invoice_id", ""),
            payment=capture.id,
            fee=private["fee"],
            metadata={"order": capture.parent, "reference_id": private["unit"]},
            key=private["key"],
        )
    type, summary = EVENTS[status]
    desk.emit(type, "capture", "2.0", summary, show_capture(desk, capture), capture.id)


def show_capture(desk: Desk, capture: Thing) -> Json:
    """The capture as PayPal shows it, with what the merchant gets of it once it is completed."""
    private, path = capture.private, f"/v2/payments/captures/{capture.id}"
    shown = dict(capture.body)
    if "fee" in private:
        shown["seller_receivable_breakdown"] = {
            "gross_amount": money(private["currency"], private["gross"]),
            "paypal_fee": money(private["currency"], private["fee"]),
            "net_amount": money(private["currency"], private["gross"] - private["fee"]),
        }
    shown["links"] = [
        desk.link("self", path),
        desk.link("refund", f"{path}/refund", "POST"),
        desk.link("up", f"/v2/checkout/orders/{capture.parent}"),
    ]
    return shown


def get_capture(desk: Desk) -> Answer:
    """GET /v2/payments/captures/{id}."""
    return Answer(200, show_capture(desk, desk.get("capture", desk.call.params["id"])))


def refund(desk: Desk) -> Answer:
    """POST /v2/payments/captures/{id}/refund: all that is left without an amount, else the amount."""
    capture = desk.get("capture", desk.call.params["id"])
    body, private = desk.body(), capture.private
    left = private["gross"] - private["back"] - private["waiting"]
    _may_refund(desk, capture, left)
    currency, amount = private["currency"], left
    if body.get("amount") is not None:
        currency, amount = read_amount(body["amount"], "/amount")
    if currency != private["currency"]:
        raise unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH", "/amount/currency_code", currency)
    if amount > left:
        raise unprocessable("REFUND_AMOUNT_EXCEEDED", "/amount/value", body["amount"]["value"])
    notes = {name: text(body, name, "", longest) for name, longest in (("invoice_id", 127), ("custom_id", 127))}
    notes["note_to_payer"] = text(body, "note_to_payer", "", 255)
    made = give_back(desk, capture, amount, kind="refund", status=private["refunds"], notes=notes)
    shown = show_refund(desk, made)
    if not desk.wants_all():
        shown = {name: shown[name] for name in ("id", "status", "links")}
    return Answer(201, shown)


def _may_refund(desk: Desk, capture: Thing, left: int) -> None:
    if capture.body["status"] == "PENDING":
        raise unprocessable("PENDING_CAPTURE")
    if capture.body["status"] == "DECLINED":
        raise unprocessable("REFUND_NOT_ALLOWED")
    if dispute := open_dispute(desk, capture):
        chargeback = dispute.body["dispute_life_cycle_stage"] == "CHARGEBACK"
        raise unprocessable("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK" if chargeback else "TRANSACTION_DISPUTED")
    if left <= 0:
        raise unprocessable("CAPTURE_FULLY_REFUNDED")


def open_dispute(desk: Desk, capture: Thing) -> Thing | None:
    """The case that is open on a capture, if any."""
    cases = desk.children("dispute", capture.id)
    return next((one for one in cases if one.body["status"] != "RESOLVED"), None)


def give_back(desk: Desk, capture: Thing, amount: int, *, kind: str, status: str, notes: Json) -> Thing:
    """Make a refund (the merchant's) or a reversal (PayPal's) of minor units, completed or pending."""
    currency = capture.private["currency"]
    shown: Json = {
        "id": new_transaction_id(),
        "status": status,
        "amount": money(currency, amount),
        "create_time": instant(desk.now),
        "update_time": instant(desk.now),
    }
    inherited = {name: capture.body[name] for name in ("invoice_id", "custom_id") if name in capture.body}
    shown |= inherited | {name: value for name, value in notes.items() if value}
    if status == "PENDING":
        shown["status_details"] = {"reason": "ECHECK"}
    private = {"amount": amount, "currency": currency, "kind": kind, "key": desk.request_id}
    made = desk.new("refund", shown["id"], shown, private, parent=capture.id)
    capture.private["waiting"] += amount
    state = "S" if status == "COMPLETED" else "P"
    record(desk, Entry(capture, made.id, CODES[kind], -amount, 0, state, capture.id, "TXN"))
    if status == "COMPLETED":
        _gone_back(desk, capture, made)
    else:
        desk.put(capture)
        desk.emit("PAYMENT.REFUND.PENDING", "refund", "2.0", "A refund is pending", show_refund(desk, made), made.id)
    return made


def settle_refund(desk: Desk, made: Thing, status: str) -> None:
    """A pending refund comes to its end: COMPLETED (money moves now) or FAILED."""
    if made.body["status"] != "PENDING":
        raise ValueError(f"the refund is {made.body['status']}, not pending")
    capture = desk.get("capture", made.parent)
    made.body["status"] = status
    made.body.pop("status_details", None)
    desk.put(made)
    settle_entry(desk, made.id, "S" if status == "COMPLETED" else "D", 0)
    if status == "COMPLETED":
        _gone_back(desk, capture, made)
        return
    capture.private["waiting"] -= made.private["amount"]
    desk.put(capture)
    desk.emit("PAYMENT.REFUND.FAILED", "refund", "2.0", "A refund failed", show_refund(desk, made), made.id)


def _gone_back(desk: Desk, capture: Thing, made: Thing) -> None:
    """Money went back to the payer: booked (a lost dispute's was booked when it was opened), counted, told."""
    amount, kind = made.private["amount"], made.private["kind"]
    capture.private["waiting"] -= amount
    capture.private["back"] += amount
    capture.body["status"] = status_of(capture.private["gross"], capture.private["back"], capture.body["status"])
    made.private["total"] = capture.private["back"]
    desk.put(made)
    desk.put(capture)
    if kind != "lost_dispute":
        desk.tx.book(
            PROVIDER,
            "refund" if kind == "refund" else "return",
            made.id,
            at=desk.now,
            amount=-amount,
            currency=capture.private["currency"],
            customer=capture.body.get("custom_id", ""),
            invoice=capture.body.get("invoice_id", ""),
            payment=capture.id,
            metadata={"order": capture.parent},
            key=made.private["key"],
        )
    type = "PAYMENT.CAPTURE.REFUNDED" if kind == "refund" else "PAYMENT.CAPTURE.REVERSED"
    summary = "A payment was refunded" if kind == "refund" else "A payment was reversed"
    desk.emit(type, "refund", "2.0", summary, show_refund(desk, made), made.id)


def show_refund(desk: Desk, made: Thing) -> Json:
    """The refund as PayPal shows it."""
    currency, amount = made.private["currency"], made.private["amount"]
    total = made.private.get("total", amount)
    breakdown = {
        "gross_amount": money(currency, amount),
        "paypal_fee": money(currency, 0),
        "net_amount": money(currency, amount),
        "total_refunded_amount": money(currency, total),
    }
    links = [
        desk.link("self", f"/v2/payments/refunds/{made.id}"),
        desk.link("up", f"/v2/payments/captures/{made.parent}"),
    ]
    return {**made.body, "seller_payable_breakdown": breakdown, "links": links}


def get_refund(desk: Desk) -> Answer:
    """GET /v2/payments/refunds/{id}."""
    return Answer(200, show_refund(desk, desk.get("refund", desk.call.params["id"])))
