"""Orders (v2/checkout/orders): created, approved by the payer, captured once.

CREATED or PAYER_ACTION_REQUIRED -> APPROVED -> COMPLETED, or VOIDED. An order with a saved wallet is completed within
the call that creates it, or declined and then never was. Money moves in `paypal_payments.take` alone.
"""

from __future__ import annotations

import re
from typing import Any

from standins.providers import paypal_payments as payments
from standins.providers import paypal_vault as vault
from standins.providers.paypal_desk import MERCHANT, Desk, instant, new_transaction_id, text
from standins.providers.paypal_errors import Json, bad_request, outcome, unprocessable
from standins.providers.paypal_money import money, read_amount
from standins.providers.paypal_wallets import Wallet
from standins.providers.store import Thing
from standins.providers.wire import Answer

OPEN = ("CREATED", "PAYER_ACTION_REQUIRED", "APPROVED")
PATCH = re.compile(
    r"/purchase_units/@reference_id=='([^']*)'/(amount|custom_id|invoice_id|description|soft_descriptor)"
)
LONGEST = {"reference_id": 256, "custom_id": 255, "invoice_id": 127, "description": 127, "soft_descriptor": 22}


def create(desk: Desk) -> Answer:
    """POST /v2/checkout/orders."""
    body = desk.body()
    if body.get("intent") is None:
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/intent")
    if body["intent"] != "CAPTURE":
        raise bad_request("INVALID_PARAMETER_VALUE", "/intent", body["intent"])
    units = _units(body.get("purchase_units"))
    source = _source(body)
    if body.get("payment_source") and not desk.call.key:
        raise bad_request("PAYPAL_REQUEST_ID_REQUIRED", "PayPal-Request-Id", location="header")
    shown: Json = {
        "id": new_transaction_id(),
        "intent": "CAPTURE",
        "status": "PAYER_ACTION_REQUIRED" if source["wallet"] else "CREATED",
        "purchase_units": units,
        "create_time": instant(desk.now),
        "update_time": instant(desk.now),
    }
    if source["wallet"]:
        shown["payment_source"] = {"paypal": {}}
    private = {name: source[name] for name in ("return_url", "cancel_url", "vault")}
    order = Thing("order", shown["id"], shown, private, created=desk.now)
    if source["vault_id"]:
        _use_saved(desk, order, source["vault_id"])
        return Answer(201, show(desk, order, everything=desk.wants_all()))
    if desk.call.outcome:  # a decline planned for a payment that comes later
        order.private["planned"] = [desk.call.outcome.kind, desk.call.outcome.reason]
    desk.put(order)
    return Answer(201, show(desk, order, everything=desk.wants_all()))


def get(desk: Desk) -> Answer:
    """GET /v2/checkout/orders/{id}."""
    return Answer(200, show(desk, desk.get("order", desk.call.params["id"]), everything=True))


def capture(desk: Desk) -> Answer:
    """POST /v2/checkout/orders/{id}/capture: takes the money of an approved order, once."""
    order = desk.get("order", desk.call.params["id"])
    source = _source(desk.body())
    if order.body["status"] == "COMPLETED":
        raise unprocessable("ORDER_ALREADY_CAPTURED")
    if order.body["status"] == "VOIDED":
        raise unprocessable("ORDER_VOIDED")
    if order.body["status"] != "APPROVED" and not source["vault_id"]:
        raise unprocessable("ORDER_NOT_APPROVED", links=[_payer_action(desk, order)])
    if source["vault_id"]:
        _use_saved(desk, order, source["vault_id"])
        return Answer(201, show(desk, order, everything=desk.wants_all()))
    wallet = Wallet(**order.private["wallet"])
    issue = payments.refusal(desk, wallet, order.private.pop("planned", None))
    if issue == "PAYER_ACTION_REQUIRED":
        order.body["status"] = "PAYER_ACTION_REQUIRED"
        desk.put(order)
        raise outcome(issue, [_payer_action(desk, order)])
    if issue:
        desk.put(order)
        raise outcome(issue, [{**_payer_action(desk, order), "rel": "redirect"}])
    _complete(desk, order, wallet)
    return Answer(201, show(desk, order, everything=desk.wants_all()))


def patch(desk: Desk) -> Answer:
    """PATCH /v2/checkout/orders/{id}: amount and references of an order that isn't captured."""
    order = desk.get("order", desk.call.params["id"])
    try:
        steps = desk.call.request.json()
    except ValueError:
        raise bad_request("MALFORMED_REQUEST_JSON", "/") from None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise bad_request("INVALID_PARAMETER_SYNTAX", "/")
    if order.body["status"] not in OPEN:
        raise unprocessable("ORDER_COMPLETED_OR_VOIDED")
    for number, step in enumerate(steps):
        _patch(order, step, f"/{number}")
    desk.put(order)
    return Answer(204)


def approve(desk: Desk, order: Thing, wallet: Wallet) -> None:
    """The payer agrees to the order on PayPal's page. May be done again until the order is captured."""
    if order.body["status"] not in OPEN:
        raise unprocessable("ORDER_ALREADY_CAPTURED")
    order.body["status"] = "APPROVED"
    _pay_with(order, wallet)
    order.private["wallet"] = wallet.as_json()
    desk.put(order)
    resource = show(desk, order, everything=True)
    desk.emit("CHECKOUT.ORDER.APPROVED", "checkout-order", "2.0", "The payer approved an order", resource, order.id)


def void(desk: Desk, order: Thing) -> None:
    """Give an order up that was never captured."""
    if order.body["status"] not in OPEN:
        raise unprocessable("ORDER_ALREADY_CAPTURED")
    order.body["status"] = "VOIDED"
    desk.put(order)


def _use_saved(desk: Desk, order: Thing, vault_id: str) -> None:
    """Pay an order with a saved wallet, the payer being away: complete at once, or declined and not kept."""
    token = vault.usable(desk, vault_id)
    wallet = Wallet(**token.private["wallet"])
    issue = payments.refusal(desk, wallet)
    if issue == "PAYER_ACTION_REQUIRED":
        order.body["status"] = "PAYER_ACTION_REQUIRED"
        order.private["vault_id"] = vault_id
        desk.put(order)
        raise outcome(issue, [_payer_action(desk, order)])
    if issue:
        raise outcome(issue, [])
    _pay_with(order, wallet)
    order.private |= {"vault_id": vault_id, "wallet": wallet.as_json()}
    _complete(desk, order, wallet)


def _complete(desk: Desk, order: Thing, wallet: Wallet) -> None:
    payments.check_invoices(desk, order)
    order.body["status"] = "COMPLETED"
    if order.private["vault"] and wallet.captures != "DECLINED":
        token = vault.save_wallet(desk, wallet, order.private["vault"], order_id=order.id)
        order.private["saved"] = token.id
    desk.put(order)
    taken = [payments.take(desk, order, unit, wallet) for unit in order.body["purchase_units"]]
    if any(one.body["status"] == "COMPLETED" for one in taken):
        resource = show(desk, order, everything=True)
        desk.emit("CHECKOUT.ORDER.COMPLETED", "checkout-order", "2.0", "An order was completed", resource, order.id)


def _pay_with(order: Thing, wallet: Wallet) -> None:
    shown = wallet.shown()
    order.body["payer"] = {
        "email_address": shown["email_address"],
        "payer_id": wallet.payer_id,
        "name": shown["name"],
        "address": {"country_code": "DE"},
    }
    order.body["payment_source"] = {"paypal": shown}


def show(desk: Desk, order: Thing, *, everything: bool) -> Json:
    """The order as PayPal shows it: whole, or as short as it is without `Prefer: return=representation`."""
    status = order.body["status"]
    path = f"/v2/checkout/orders/{order.id}"
    links = [desk.link("self", path)]
    if status == "PAYER_ACTION_REQUIRED":
        links.append(_payer_action(desk, order))
    elif status == "CREATED":
        links.append({**_payer_action(desk, order), "rel": "approve"})
    if status in ("CREATED", "APPROVED"):
        links += [desk.link("update", path, "PATCH"), desk.link("capture", f"{path}/capture", "POST")]
    shown = {**order.body, "purchase_units": [dict(unit) for unit in order.body["purchase_units"]]}
    paid_with = shown.get("payment_source", {}).get("paypal")
    if paid_with and (saved := order.private.get("saved")):
        token = desk.find("payment_token", saved)
        if token:
            shown["payment_source"] = {"paypal": {**paid_with, "attributes": {"vault": vault.brief(desk, token)}}}
    if status == "COMPLETED":
        captures = {one.private["unit"]: one for one in desk.children("capture", order.id)}
        for unit in shown["purchase_units"]:
            taken = captures[unit["reference_id"]]
            unit["payments"] = {"captures": [payments.show_capture(desk, taken)]}
            if refunds := desk.children("refund", taken.id):
                unit["payments"]["refunds"] = [payments.show_refund(desk, one) for one in refunds]
    if not everything:
        units = [
            {name: unit[name] for name in ("reference_id", "payments")}
            for unit in shown["purchase_units"]
            if "payments" in unit
        ]
        shown = {name: shown[name] for name in ("id", "status", "payment_source", "payer") if name in shown}
        if units:
            shown["purchase_units"] = units
    return {**shown, "links": links}


def _payer_action(desk: Desk, order: Thing) -> Json:
    return desk.link("payer-action", f"/checkoutnow?token={order.id}")


def _units(given: Any) -> list[Json]:
    if not isinstance(given, list) or not given:
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/purchase_units")
    if len(given) > 10:
        raise bad_request("INVALID_ARRAY_MAX_ITEMS", "/purchase_units")
    units: list[Json] = []
    for number, one in enumerate(given):
        field = f"/purchase_units/@{number}"
        if not isinstance(one, dict):
            raise bad_request("INVALID_PARAMETER_SYNTAX", field)
        currency, minor = read_amount(one.get("amount"), f"{field}/amount")
        unit: Json = {"reference_id": "default", "amount": money(currency, minor), "payee": dict(MERCHANT)}
        for name, longest in LONGEST.items():
            if value := text(one, name, field, longest):
                unit[name] = value
        units.append(unit)
    if len({unit["reference_id"] for unit in units}) < len(units):
        raise unprocessable("DUPLICATE_REFERENCE_ID", "/purchase_units")
    if len({unit["amount"]["currency_code"] for unit in units}) > 1:
        raise unprocessable("CURRENCY_MISMATCH", "/purchase_units")
    return units


def _source(body: Json) -> Json:
    """What the request says of how it is paid: saved wallet, or where the payer is sent back to, and what to save."""
    given = body.get("payment_source") or {}
    context = body.get("application_context") or {}
    if not isinstance(given, dict) or not isinstance(context, dict):
        raise bad_request("INVALID_PARAMETER_SYNTAX", "/payment_source")
    read: Json = {"wallet": "paypal" in given, "vault_id": "", "vault": None}
    if "token" in given:
        token = given["token"]
        if not isinstance(token, dict) or not token.get("id") or not token.get("type"):
            raise bad_request("MISSING_REQUIRED_PARAMETER", "/payment_source/token/id")
        read |= {"wallet": True, "vault_id": str(token["id"])}
    paypal = given.get("paypal") or {}
    if paypal:
        read["vault_id"] = str(paypal.get("vault_id") or read["vault_id"])
        context = paypal.get("experience_context") or context
        attributes = paypal.get("attributes") or {}
        wanted = attributes.get("vault")
        if wanted and wanted.get("store_in_vault") == "ON_SUCCESS":
            customer = vault.read_customer(attributes.get("customer"), "/payment_source/paypal/attributes/customer")
            read["vault"] = {"customer": customer, "usage_type": wanted.get("usage_type", "MERCHANT")}
    elif given and "token" not in given:
        raise bad_request("INVALID_PARAMETER_VALUE", "/payment_source", ",".join(given))
    return read | {name: str(context.get(name) or "") for name in ("return_url", "cancel_url")}


def _patch(order: Thing, step: Json, field: str) -> None:
    seen = PATCH.fullmatch(str(step.get("path", "")))
    if not seen or step.get("op") not in ("add", "replace", "remove"):
        raise unprocessable("NOT_PATCHABLE", f"{field}/path", step.get("path"))
    unit = next((one for one in order.body["purchase_units"] if one["reference_id"] == seen[1]), None)
    if unit is None:
        raise unprocessable("REFERENCE_ID_NOT_FOUND", f"{field}/path", step.get("path"))
    if step["op"] == "remove":
        unit.pop(seen[2], None)
    elif seen[2] == "amount":
        unit["amount"] = money(*read_amount(step.get("value"), f"{field}/value"))
    else:
        unit[seen[2]] = text({"value": step.get("value")}, "value", field, LONGEST[seen[2]])
