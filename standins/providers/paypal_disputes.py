"""Disputes (v1/customer/disputes): opened by the payer (the control door), answered by the merchant, decided by PayPal.

Opening one puts a hold on the money, which is booked at once; winning gives it back, losing turns the hold into a
reversal and moves nothing more. While a case is open the payment can't be refunded: accepting the claim is the way.
"""

from __future__ import annotations

import secrets

from standins.providers import paypal_payments as payments
from standins.providers.paypal_desk import MERCHANT, PROVIDER, Desk, instant, integer, new_transaction_id, seconds
from standins.providers.paypal_errors import Json, unprocessable
from standins.providers.paypal_money import money
from standins.providers.paypal_reporting import CHARGEBACK_FEE, HOLD, RELEASE, Entry, record
from standins.providers.store import Thing
from standins.providers.wire import Answer

REASONS = (
    "CANCELED_RECURRING_BILLING",
    "CREDIT_NOT_PROCESSED",
    "DUPLICATE_TRANSACTION",
    "INCORRECT_AMOUNT",
    "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED",
    "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
    "OTHER",
    "UNAUTHORISED",
)
STAGES = ("INQUIRY", "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION")
ANSWER_WITHIN = 10 * 24 * 3600
SUMMARY = ("dispute_id", "create_time", "update_time", "reason", "status", "dispute_state", "dispute_amount") + (
    "dispute_life_cycle_stage",
    "dispute_channel",
    "disputed_transactions",
)


def open_case(desk: Desk, capture: Thing, *, reason: str, stage: str, amount: int | None, fee: int) -> Thing:
    """The payer disputes a payment. `amount` in minor units; without one what is left of it, or all if nothing is."""
    if reason not in REASONS or stage not in STAGES:
        raise ValueError(f"reason is one of {REASONS}, stage one of {STAGES}")
    if "fee" not in capture.private or payments.open_dispute(desk, capture):
        raise ValueError("only a completed payment without an open case can be disputed")
    private = capture.private
    amount = amount or (private["gross"] - private["back"]) or private["gross"]
    currency = private["currency"]
    disputed: Json = {
        "seller_transaction_id": capture.id,
        "create_time": capture.body["create_time"],
        "transaction_status": "COMPLETED",
        "gross_amount": capture.body["amount"],
        "buyer": {"name": private["name"]},
        "seller": {"email": MERCHANT["email_address"], "merchant_id": MERCHANT["merchant_id"]},
    }
    for name, ours in (("invoice_number", "invoice_id"), ("custom", "custom_id")):
        if ours in capture.body:
            disputed[name] = capture.body[ours]
    shown: Json = {
        "dispute_id": f"PP-D-{secrets.randbelow(10**9):09d}",
        "create_time": instant(desk.now),
        "update_time": instant(desk.now),
        "disputed_transactions": [disputed],
        "reason": reason,
        "status": "WAITING_FOR_SELLER_RESPONSE",
        "dispute_state": "REQUIRED_ACTION",
        "dispute_amount": money(currency, amount),
        "dispute_life_cycle_stage": stage,
        "dispute_channel": "EXTERNAL" if stage == "CHARGEBACK" else "INTERNAL",
        "seller_response_due_date": instant(desk.now + ANSWER_WITHIN),
    }
    about = {"amount": amount, "currency": currency, "fee": fee}
    case = desk.new("dispute", shown["dispute_id"], shown, about, parent=capture.id)
    _book(desk, capture, case, "dispute", -amount, fee)
    record(desk, Entry(capture, new_transaction_id(), HOLD, -amount, 0, "S", capture.id, "TXN"))
    if fee:
        record(desk, Entry(capture, new_transaction_id(), CHARGEBACK_FEE, -fee, 0, "S", capture.id, "TXN"))
    _tell(desk, case, "CUSTOMER.DISPUTE.CREATED", "A case was opened")
    return case


def resolve(desk: Desk, case: Thing, *, winner: str) -> None:
    """PayPal decides for `buyer` or `seller`."""
    if case.body["status"] == "RESOLVED":
        raise unprocessable("DISPUTE_ALREADY_RESOLVED")
    if winner not in ("buyer", "seller"):
        raise ValueError("winner is buyer or seller")
    capture, amount = desk.get("capture", case.parent), case.private["amount"]
    case.body |= {"status": "RESOLVED", "dispute_state": "RESOLVED"}
    back = amount if winner == "buyer" else 0
    case.body["dispute_outcome"] = {
        "outcome_code": "RESOLVED_BUYER_FAVOUR" if winner == "buyer" else "RESOLVED_SELLER_FAVOUR",
        "amount_refunded": money(case.private["currency"], back),
    }
    case.body.pop("seller_response_due_date", None)
    desk.put(case)
    record(desk, Entry(capture, new_transaction_id(), RELEASE, amount, 0, "S", capture.id, "TXN"))
    if winner == "seller":
        _book(desk, capture, case, "dispute_won", amount, 0)
    else:
        payments.give_back(desk, capture, amount, kind="lost_dispute", status="COMPLETED", notes={})
    _tell(desk, case, "CUSTOMER.DISPUTE.RESOLVED", "A case was resolved")


def list_cases(desk: Desk) -> Answer:
    """GET /v1/customer/disputes: newest first, up to 50 a page, the next page by the link `next`."""
    given = desk.call.request.arguments()
    size = integer(given, "page_size", 10, 50)
    created = {"gte": seconds(given["start_time"], "start_time")} if given.get("start_time") else None
    where = {"$.dispute_state": given["dispute_state"]} if given.get("dispute_state") else None
    page = desk.tx.find(
        PROVIDER,
        "dispute",
        parent=given.get("disputed_transaction_id"),
        created=created,
        where=where,
        after=given.get("next_page_token", ""),
        limit=size,
    )
    items = []
    for case in page.things:
        short = {name: case.body[name] for name in SUMMARY}
        items.append({**short, "links": [desk.link("self", f"/v1/customer/disputes/{case.id}")]})
    rest = "".join(f"&{name}={value}" for name, value in given.items() if name not in ("page_size", "next_page_token"))
    path = f"/v1/customer/disputes?page_size={size}{rest}"
    links = [desk.link("self", path)]
    if page.more:
        links.append(desk.link("next", f"{path}&next_page_token={page.things[-1].id}"))
    return Answer(200, {"items": items, "links": links})


def get_case(desk: Desk) -> Answer:
    """GET /v1/customer/disputes/{id}."""
    return Answer(200, show(desk, desk.get("dispute", desk.call.params["id"])))


def accept_claim(desk: Desk) -> Answer:
    """POST /v1/customer/disputes/{id}/accept-claim: the merchant gives in; the payer gets the money."""
    case = desk.get("dispute", desk.call.params["id"])
    resolve(desk, case, winner="buyer")
    return Answer(200, {"links": [desk.link("self", f"/v1/customer/disputes/{case.id}")]})


def provide_evidence(desk: Desk) -> Answer:
    """POST /v1/customer/disputes/{id}/provide-evidence: PayPal looks into it; the evidence itself isn't read."""
    case = desk.get("dispute", desk.call.params["id"])
    if case.body["status"] != "WAITING_FOR_SELLER_RESPONSE":
        raise unprocessable("ACTION_NOT_ALLOWED_IN_CURRENT_DISPUTE_STATE")
    case.body |= {"status": "UNDER_REVIEW", "dispute_state": "UNDER_PAYPAL_REVIEW"}
    case.body.pop("seller_response_due_date", None)
    desk.put(case)
    _tell(desk, case, "CUSTOMER.DISPUTE.UPDATED", "A case was updated")
    return Answer(200, {"links": [desk.link("self", f"/v1/customer/disputes/{case.id}")]})


def show(desk: Desk, case: Thing) -> Json:
    """The case as PayPal shows it, with the acts that are open to the merchant as links."""
    path = f"/v1/customer/disputes/{case.id}"
    links = [desk.link("self", path)]
    if case.body["status"] == "WAITING_FOR_SELLER_RESPONSE":
        links.append(desk.link("provide_evidence", f"{path}/provide-evidence", "POST"))
    if case.body["status"] != "RESOLVED":
        links.append(desk.link("accept_claim", f"{path}/accept-claim", "POST"))
    return {**case.body, "links": links}


def _book(desk: Desk, capture: Thing, case: Thing, kind: str, amount: int, fee: int) -> None:
    desk.tx.book(
        PROVIDER,
        kind,
        case.id,
        at=desk.now,
        amount=amount,
        currency=case.private["currency"],
        customer=capture.body.get("custom_id", ""),
        invoice=capture.body.get("invoice_id", ""),
        payment=capture.id,
        fee=fee,
        metadata={"order": capture.parent},
    )


def _tell(desk: Desk, case: Thing, type: str, summary: str) -> None:
    desk.emit(type, "dispute", "1.0", summary, show(desk, case), case.id)
