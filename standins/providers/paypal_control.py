"""What payers, banks and PayPal itself do, asked for through the control door under /_control/paypal/.

Each call answers the thing it changed. What makes no sense now (settling what isn't pending) is answered 400 with
`error`. The calls are listed in `add_routes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from standins.providers import paypal_disputes as disputes
from standins.providers import paypal_orders as orders
from standins.providers import paypal_payments as payments
from standins.providers import paypal_vault as vault
from standins.providers.paypal_desk import PROVIDER, Desk, handler
from standins.providers.paypal_errors import Json
from standins.providers.paypal_money import money, read_amount
from standins.providers.paypal_wallets import BEHAVIOURS, PAYS, Wallet, ready
from standins.providers.wire import Answer, Router

SETTINGS = {"duplicate_invoices": ("block", "allow")}
BEHAVES = {"declines": str, "action": bool, "captures": str, "refunds": str}
ENDS = ("COMPLETED", "DECLINED", "FAILED")


def add_routes(router: Router) -> None:
    """The calls of the control door."""
    calls: list[tuple[str, str, Callable[[Desk], Answer]]] = [
        ("POST", "orders/{id}/approve", approve_order),
        ("POST", "orders/{id}/void", void_order),
        ("POST", "setup-tokens/{id}/approve", approve_setup),
        ("POST", "payment-tokens/{id}", change_token),
        ("POST", "payment-tokens/{id}/remove", remove_token),
        ("GET", "captures", list_captures),
        ("POST", "captures/{id}", change_capture),
        ("POST", "captures/{id}/settle", settle_capture),
        ("POST", "captures/{id}/reverse", reverse_capture),
        ("POST", "refunds/{id}/settle", settle_refund),
        ("POST", "disputes", open_dispute),
        ("POST", "disputes/{id}/resolve", resolve_dispute),
        ("POST", "settings", change_settings),
    ]
    for method, path, act in calls:
        router.add(method, f"/_control/paypal/{path}", handler(act), door="control")


def approve_order(desk: Desk) -> Answer:
    """{"email", "kind"?}: the payer agrees without the page."""
    given, order = desk.body(), desk.get("order", desk.call.params["id"])
    wallet = ready(given.get("email", "payer@example.org"), _kind(given))
    orders.approve(desk, order, wallet)
    return Answer(200, orders.show(desk, order, everything=True) | {"PayerID": wallet.payer_id})


def void_order(desk: Desk) -> Answer:
    """The order is given up."""
    order = desk.get("order", desk.call.params["id"])
    orders.void(desk, order)
    return Answer(200, orders.show(desk, order, everything=True))


def approve_setup(desk: Desk) -> Answer:
    """{"email", "kind"?}: the payer agrees without the page."""
    given, setup = desk.body(), desk.get("setup_token", desk.call.params["id"])
    vault.approve_setup(desk, setup, ready(given.get("email", "payer@example.org"), _kind(given)))
    return Answer(200, vault.show_setup(desk, setup))


def change_token(desk: Desk) -> Answer:
    """{"declines"?: ISSUE or "", "action"?: bool, "captures"?: COMPLETED|PENDING|DECLINED, "refunds"?}: from now on."""
    token, given = desk.get("payment_token", desk.call.params["id"]), desk.body()
    if not given or any(name not in BEHAVES or not isinstance(given[name], BEHAVES[name]) for name in given):
        raise ValueError(f"give some of {sorted(BEHAVES)}")
    if given.get("captures", PAYS) not in (PAYS, "COMPLETED", "PENDING", "DECLINED"):
        raise ValueError("captures is COMPLETED, PENDING or DECLINED")
    if given.get("refunds", PAYS) not in (PAYS, "COMPLETED", "PENDING"):
        raise ValueError("refunds is COMPLETED or PENDING")
    token.private["wallet"] = Wallet(**(token.private["wallet"] | given)).as_json()
    desk.put(token)
    return Answer(200, {"id": token.id, "wallet": token.private["wallet"]})


def remove_token(desk: Desk) -> Answer:
    """The payer takes the merchant's permission back on PayPal's site."""
    token = desk.get("payment_token", desk.call.params["id"])
    vault.remove(desk, token)
    return Answer(200, {"id": token.id, "removed": True})


def list_captures(desk: Desk) -> Answer:
    """?custom_id= or ?invoice_id=: the captures there are, newest first, whatever their state."""
    given = desk.call.request.arguments()
    where = {"$.invoice_id": given["invoice_id"]} if "invoice_id" in given else None
    found = desk.tx.find(PROVIDER, "capture", customer=given.get("custom_id"), where=where, limit=1000)
    return Answer(200, {"captures": [payments.show_capture(desk, one) for one in found.things]})


def change_capture(desk: Desk) -> Answer:
    """{"refunds": "PENDING" or "COMPLETED"}: the state in which the capture's refunds begin from now on."""
    capture, given = desk.get("capture", desk.call.params["id"]), desk.body()
    if set(given) != {"refunds"} or given["refunds"] not in ("COMPLETED", "PENDING"):
        raise ValueError("refunds is COMPLETED or PENDING")
    capture.private["refunds"] = given["refunds"]
    desk.put(capture)
    return Answer(200, payments.show_capture(desk, capture))


def settle_capture(desk: Desk) -> Answer:
    """{"status": "COMPLETED" or "DECLINED"}: an eCheck is cleared or bounces."""
    capture = desk.get("capture", desk.call.params["id"])
    payments.settle(desk, capture, _end(desk.body(), ENDS[:2]))
    return Answer(200, payments.show_capture(desk, capture))


def reverse_capture(desk: Desk) -> Answer:
    """{"amount"?: "10.00"}: PayPal or the payer's bank takes money back, without a case; all there is left."""
    capture, given = desk.get("capture", desk.call.params["id"]), desk.body()
    private = capture.private
    left = private["gross"] - private["back"] - private["waiting"]
    amount = _amount(given, private["currency"]) or left
    if "fee" not in private or not 0 < amount <= left:
        raise ValueError(f"{left} minor units are left to reverse")
    made = payments.give_back(desk, capture, amount, kind="return", status="COMPLETED", notes={})
    return Answer(200, payments.show_refund(desk, made))


def settle_refund(desk: Desk) -> Answer:
    """{"status": "COMPLETED" or "FAILED"}: a pending refund comes to its end."""
    made = desk.get("refund", desk.call.params["id"])
    payments.settle_refund(desk, made, _end(desk.body(), ("COMPLETED", "FAILED")))
    return Answer(200, payments.show_refund(desk, made))


def open_dispute(desk: Desk) -> Answer:
    """{"capture", "reason"?, "stage"?, "amount"?: "10.00", "fee"?: "14.00"}: the payer opens a case."""
    given = desk.body()
    capture = desk.get("capture", given["capture"])
    currency = capture.private["currency"]
    fee = {"amount": given["fee"]} if given.get("fee") else {}
    case = disputes.open_case(
        desk,
        capture,
        reason=given.get("reason", "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"),
        stage=given.get("stage", "INQUIRY"),
        amount=_amount(given, currency) or None,
        fee=_amount(fee, currency),
    )
    return Answer(200, disputes.show(desk, case))


def resolve_dispute(desk: Desk) -> Answer:
    """{"winner": "buyer" or "seller"}: PayPal decides a case."""
    case = desk.get("dispute", desk.call.params["id"])
    disputes.resolve(desk, case, winner=desk.body()["winner"])
    return Answer(200, disputes.show(desk, case))


def change_settings(desk: Desk) -> Answer:
    """{"duplicate_invoices": "block" or "allow"}: whether an invoice id may be paid twice; PayPal's default is no."""
    for name, value in desk.body().items():
        if value not in SETTINGS.get(name, ()):
            raise ValueError(f"settings are {SETTINGS}")
        desk.tx.set(f"paypal.{name}", value)
    return Answer(200, {name: desk.tx.setting(f"paypal.{name}", values[0]) for name, values in SETTINGS.items()})


def _kind(given: Json) -> str:
    kind = given.get("kind", "")
    if kind and kind not in BEHAVIOURS:
        raise ValueError(f"kind is one of {sorted(BEHAVIOURS)}")
    return str(kind)


def _end(given: Json, allowed: tuple[str, ...]) -> str:
    if given.get("status") not in allowed:
        raise ValueError(f"status is one of {allowed}")
    return str(given["status"])


def _amount(given: Json, currency: str) -> int:
    """Minor units of a decimal string; 0 when there is none."""
    value: Any = given.get("amount")
    return read_amount({**money(currency, 0), "value": value}, "/amount")[1] if value else 0
