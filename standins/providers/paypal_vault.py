"""Saved wallets (v3/vault): setup tokens the payer agrees to, payment tokens made of them or of a paid order.

A setup token is PAYER_ACTION_REQUIRED -> APPROVED -> VAULTED and is used up once. A payment token lives until it is
deleted by the merchant or removed by the payer; both are told by an event.
"""

from __future__ import annotations

import re
from typing import Any

from standins.providers.paypal_desk import PROVIDER, Desk, instant, integer, new_transaction_id, new_vault_id
from standins.providers.paypal_errors import Json, bad_request, unprocessable
from standins.providers.paypal_wallets import Wallet
from standins.providers.store import Thing
from standins.providers.wire import Answer

CUSTOMER = re.compile(r"[0-9a-zA-Z_-]{1,22}")
WALLET_FIELDS = ("description", "usage_type", "usage_pattern", "customer_type")


def read_customer(given: Any, field: str) -> Json:
    """The customer of a request: PayPal's own id (22 characters at most), the merchant's beside it; {} for none."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad_request("INVALID_PARAMETER_SYNTAX", field)
    read: Json = {}
    if given.get("id") is not None:
        if not isinstance(given["id"], str) or not CUSTOMER.fullmatch(given["id"]):
            raise bad_request("INVALID_PARAMETER_SYNTAX", f"{field}/id", given["id"])
        read["id"] = given["id"]
    if given.get("merchant_customer_id") is not None:
        read["merchant_customer_id"] = str(given["merchant_customer_id"])[:64]
    return read


def create_setup(desk: Desk) -> Answer:
    """POST /v3/vault/setup-tokens: for a PayPal wallet only; the payer has to agree."""
    body = desk.body()
    source = body.get("payment_source")
    if not isinstance(source, dict) or not isinstance(source.get("paypal"), dict):
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/payment_source/paypal")
    given = source["paypal"]
    context = given.get("experience_context") or {}
    for name in ("return_url", "cancel_url"):
        if not context.get(name):
            raise bad_request("MISSING_REQUIRED_PARAMETER", f"/payment_source/paypal/experience_context/{name}")
    if not given.get("usage_type"):
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/payment_source/paypal/usage_type")
    customer = read_customer(body.get("customer"), "/customer")
    customer.setdefault("id", new_vault_id()[:10])
    shown: Json = {
        "id": new_transaction_id(),
        "customer": customer,
        "status": "PAYER_ACTION_REQUIRED",
        "payment_source": {"paypal": {name: given[name] for name in WALLET_FIELDS if given.get(name)}},
    }
    urls = {name: str(context[name]) for name in ("return_url", "cancel_url")}
    setup = desk.new("setup_token", shown["id"], shown, urls, customer=customer["id"])
    return Answer(201, show_setup(desk, setup))


def get_setup(desk: Desk) -> Answer:
    """GET /v3/vault/setup-tokens/{id}."""
    return Answer(200, show_setup(desk, desk.get("setup_token", desk.call.params["id"])))


def show_setup(desk: Desk, setup: Thing) -> Json:
    """The setup token as PayPal shows it."""
    links = [desk.link("self", f"/v3/vault/setup-tokens/{setup.id}")]
    if setup.body["status"] == "PAYER_ACTION_REQUIRED":
        links.insert(0, desk.link("approve", f"/agreements/approve?approval_session_id={setup.id}"))
    if setup.body["status"] == "APPROVED":
        links.append(desk.link("confirm", "/v3/vault/payment-tokens", "POST"))
    return {**setup.body, "links": links}


def approve_setup(desk: Desk, setup: Thing, wallet: Wallet) -> None:
    """The payer agrees on PayPal's page."""
    if setup.body["status"] not in ("PAYER_ACTION_REQUIRED", "APPROVED"):
        raise unprocessable("SETUP_TOKEN_ALREADY_USED")
    setup.body["status"] = "APPROVED"
    setup.body["payment_source"]["paypal"] |= wallet.shown()
    setup.private["wallet"] = wallet.as_json()
    desk.put(setup)


def create_token(desk: Desk) -> Answer:
    """POST /v3/vault/payment-tokens: makes a saved wallet of a setup token the payer agreed to."""
    source = desk.body().get("payment_source")
    token = source.get("token") if isinstance(source, dict) else None
    if not isinstance(token, dict) or not isinstance(token.get("id"), str):
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/payment_source/token/id")
    if token.get("type") != "SETUP_TOKEN":
        raise bad_request("INVALID_PARAMETER_VALUE", "/payment_source/token/type", token.get("type"))
    setup = desk.find("setup_token", token["id"])
    if setup is None:
        raise unprocessable("SETUP_TOKEN_ID_NOT_FOUND", "/payment_source/token/id", token["id"])
    if setup.body["status"] == "VAULTED":
        raise unprocessable("SETUP_TOKEN_ALREADY_USED", "/payment_source/token/id", token["id"])
    if setup.body["status"] != "APPROVED":
        raise unprocessable("PAYER_ACTION_REQUIRED", "/payment_source/token/id", token["id"])
    setup.body["status"] = "VAULTED"
    desk.put(setup)
    kept = {name: setup.body["payment_source"]["paypal"].get(name) for name in WALLET_FIELDS}
    about = {"customer": setup.body["customer"], **{name: value for name, value in kept.items() if value}}
    saved = save_wallet(desk, Wallet(**setup.private["wallet"]), about)
    return Answer(201, show_token(desk, saved))


def save_wallet(desk: Desk, wallet: Wallet, about: Json, *, order_id: str = "") -> Thing:
    """Keep a wallet. One payer has one token per customer: saving the same again gives the token there is."""
    customer = dict(about["customer"])
    customer.setdefault("id", new_vault_id()[:10])
    wallet = wallet.when_saved()
    for old in desk.tx.find(PROVIDER, "payment_token", customer=customer["id"], limit=1000).things:
        if old.private["wallet"]["payer_id"] == wallet.payer_id:
            old.private["wallet"] = wallet.as_json()
            return desk.put(old)
    paypal = {name: about[name] for name in WALLET_FIELDS if about.get(name)} | wallet.shown()
    paypal["payer_id"] = wallet.payer_id
    shown: Json = {"id": new_vault_id(), "customer": customer, "payment_source": {"paypal": paypal}}
    private = {"wallet": wallet.as_json(), "order_id": order_id, "created": instant(desk.now)}
    token = desk.new("payment_token", shown["id"], shown, private, customer=customer["id"])
    resource = {**show_token(desk, token), "time_created": private["created"]}
    if order_id:
        resource["metadata"] = {"order_id": order_id}
    _tell(desk, "VAULT.PAYMENT-TOKEN.CREATED", "A payment token was created", resource)
    return token


def usable(desk: Desk, vault_id: str) -> Thing:
    """The saved wallet of an id; refused when there is none (any more)."""
    token = desk.find("payment_token", vault_id)
    if token is None:
        raise unprocessable("TOKEN_ID_NOT_FOUND", "/payment_source/paypal/vault_id", vault_id)
    return token


def show_token(desk: Desk, token: Thing) -> Json:
    """The payment token as PayPal shows it."""
    return {**token.body, "links": _links(desk, token)}


def brief(desk: Desk, token: Thing) -> Json:
    """What an order says of the token it made."""
    order = token.private["order_id"]
    up = [desk.link("up", f"/v2/checkout/orders/{order}")] if order else []
    return {
        "id": token.id,
        "status": "VAULTED",
        "customer": token.body["customer"],
        "links": [*_links(desk, token), *up],
    }


def get_token(desk: Desk) -> Answer:
    """GET /v3/vault/payment-tokens/{id}."""
    return Answer(200, show_token(desk, desk.get("payment_token", desk.call.params["id"])))


def delete_token(desk: Desk) -> Answer:
    """DELETE /v3/vault/payment-tokens/{id}."""
    remove(desk, desk.get("payment_token", desk.call.params["id"]))
    return Answer(204)


def remove(desk: Desk, token: Thing) -> None:
    """Forget a saved wallet, whoever wished it."""
    desk.tx.drop(PROVIDER, "payment_token", token.id)
    resource = {**show_token(desk, token), "time_deleted": instant(desk.now)}
    _tell(desk, "VAULT.PAYMENT-TOKEN.DELETED", "A payment token was deleted", resource)


def list_tokens(desk: Desk) -> Answer:
    """GET /v3/vault/payment-tokens?customer_id=: a customer's saved wallets, in pages of up to 5."""
    given = desk.call.request.arguments()
    customer = given.get("customer_id", "")
    if not CUSTOMER.fullmatch(customer):
        raise bad_request("MISSING_REQUIRED_PARAMETER", "customer_id", customer, "query")
    size, page = integer(given, "page_size", 5, 5), integer(given, "page", 1, 10)
    all_of_them = desk.tx.find(PROVIDER, "payment_token", customer=customer, limit=1000).things
    shown = all_of_them[(page - 1) * size : page * size]
    last = max(1, -(-len(all_of_them) // size))
    path = f"/v3/vault/payment-tokens?customer_id={customer}&page_size={size}&page="
    wanted = {"self": page, "first": 1, "last": last} | ({"next": page + 1} if page < last else {})
    answer: Json = {
        "customer": {"id": customer},
        "payment_tokens": [show_token(desk, one) for one in shown],
        "links": [desk.link(rel, f"{path}{number}") for rel, number in wanted.items()],
    }
    if given.get("total_required") == "true":
        answer |= {"total_items": len(all_of_them), "total_pages": last}
    return Answer(200, answer)


def _links(desk: Desk, token: Thing) -> list[Json]:
    path = f"/v3/vault/payment-tokens/{token.id}"
    return [desk.link("self", path), desk.link("delete", path, "DELETE")]


def _tell(desk: Desk, type: str, summary: str, resource: Json) -> None:
    desk.emit(type, "payment_token", "3.0", summary, resource, resource["id"])
