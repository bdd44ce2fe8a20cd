"""Payment intents: create, confirm, change, cancel, list, search; and the charges they made."""

from __future__ import annotations

import re
from typing import Any

from standins.providers.store import Thing
from standins.providers.stripe_confirm import accept_mandate, check_method, pay, wants_challenge
from standins.providers.stripe_customers import alive, from_form, usable
from standins.providers.stripe_desk import P, answer, changed, emit, fetch, limit_of, listing, write
from standins.providers.stripe_errors import invalid
from standins.providers.stripe_form import Form, confirms, currency
from standins.providers.stripe_money_shapes import NO_MINOR
from standins.providers.stripe_shapes import payment_intent
from standins.providers.wire import Answer, Call, Charges, Handler, Refused, Router

CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
PLAIN = ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group")
TYPES = ("card", "sepa_debit")
MOST = 99_999_999


def routes(router: Router) -> None:
    """Add the paths of this file."""
    table: tuple[tuple[str, str, Handler, str, Charges], ...] = (
        ("POST", "/v1/payment_intents", create, "payment_intents.create", confirms),
        ("GET", "/v1/payment_intents", list_intents, "payment_intents.list", False),
        ("GET", "/v1/payment_intents/search", search, "payment_intents.search", False),
        ("GET", "/v1/payment_intents/{id}", retrieve, "payment_intents.retrieve", False),
        ("POST", "/v1/payment_intents/{id}", update, "payment_intents.update", False),
        ("POST", "/v1/payment_intents/{id}/confirm", confirm, "payment_intents.confirm", True),
        ("POST", "/v1/payment_intents/{id}/cancel", cancel, "payment_intents.cancel", False),
        ("GET", "/v1/charges", list_charges, "charges.list", False),
        ("GET", "/v1/charges/{id}", retrieve_charge, "charges.retrieve", False),
        ("POST", "/v1/charges/{id}", update_charge, "charges.update", False),
    )
    for method, path, handler, operation, charges in table:
        router.add(method, path, handler, operation=operation, charges=charges)


def types_of(form: Form, money: str) -> dict[str, Any]:
    """The fields that say which methods an intent takes."""
    allowed = form.words("allowed_payment_method_types")
    excluded = form.words("excluded_payment_method_types") or []
    offered = [type for type in TYPES if type == "card" or money == "eur"]
    if allowed is not None and (set(allowed) - set(TYPES) or not allowed):
        message = "The payment method types must be among card and sepa_debit here."
        raise Refused(invalid(message, param="allowed_payment_method_types"))
    if allowed and "sepa_debit" in allowed and money != "eur":
        message = "The payment method type sepa_debit only takes eur."
        raise Refused(invalid(message, param="allowed_payment_method_types"))
    automatic = form.inner("automatic_payment_methods")
    redirects = automatic.choice("allow_redirects", ("always", "never"), "always")
    fields: dict[str, Any] = {
        "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True},
        "excluded_payment_method_types": excluded or None,
        "payment_method_types": [type for type in allowed or offered if type not in excluded],
    }
    return fields | ({"allowed_payment_method_types": allowed} if allowed else {})


def amount_of(form: Form, money: str) -> int:
    """The amount in minor units, within the bounds of a payment."""
    form.needed("amount")
    amount = form.number("amount") or 0
    if amount < (50 if money not in NO_MINOR else 50):
        message = "Amount must be at least 0.50 or its worth."
        raise Refused(invalid(message, code="amount_too_small", param="amount"))
    if amount > MOST:
        raise Refused(invalid("Amount must be no more than 999,999.99", code="amount_too_large", param="amount"))
    return amount


def create(call: Call) -> Answer:
    """POST /v1/payment_intents"""
    form = Form.of(call.request, "payment_intents.create")
    money = currency(form)
    intent = payment_intent(call.now, amount_of(form, money), money)
    body = intent.body
    if form.choice("capture_method", ("automatic", "automatic_async", "manual")) == "manual":
        raise Refused(invalid("Manual capture is not offered here.", param="capture_method"))
    body.update(types_of(form, money), metadata=form.metadata(), **{name: form.text(name) for name in PLAIN})
    body["capture_method"] = form.text("capture_method", "automatic_async")
    body["setup_future_usage"] = form.choice("setup_future_usage", ("off_session", "on_session"))
    method, confirming = put_down(
        call, form, intent, only_confirmed=("off_session", "return_url", "mandate", "mandate_data",
                                            "error_on_requires_action"), code="payment_intent_invalid_parameter",
    )  # fmt: skip
    return _confirm(call, form, intent, method) if confirming else answer(call, body, form)


def put_down(
    call: Call, form: Form, intent: Thing, *, only_confirmed: tuple[str, ...], code: str = ""
) -> tuple[Thing | None, bool]:
    """Writes a new intent, of a payment or a set-up, with its customer and method.

    Returns the method, if any, and whether it is to be confirmed at once; `only_confirmed` go with that alone.
    """
    body = intent.body
    if wanted := form.text("customer"):
        body["customer"] = intent.customer = alive(call, wanted).id
    confirming = form.flag("confirm")
    for name in only_confirmed:
        if form.has(name) and not confirming:
            message = f"You can only use `{name}` when `confirm` is true."
            raise Refused(invalid(message, code=code, param=name))
    method = method_of(call, form, intent)
    if method:
        body.update(payment_method=method.id, status="requires_confirmation")
    write(call, intent)
    emit(call, f"{intent.kind}.created", intent)
    return method, confirming


def method_of(call: Call, form: Form, intent: Thing) -> Thing | None:
    """The method a form names or describes, checked; None when it does neither."""
    wanted = form.text("payment_method")
    if wanted is None and not form.has("payment_method_data"):
        return None
    method = usable(call, wanted) if wanted else from_form(call, form.inner("payment_method_data"))
    check_method(call, intent, method)
    return method


def needs_a_way_back(form: Form, body: dict[str, Any], name: str) -> str:
    """Why an intent (`name` it) can't be confirmed without a `return_url`; empty when it can."""
    may_redirect = body["automatic_payment_methods"]["allow_redirects"] == "always"
    if not may_redirect or body.get("allowed_payment_method_types") or form.text("return_url"):
        return ""
    return (
        f"This {name} takes payment methods that might redirect your customer: provide a `return_url`, or set"
        " `automatic_payment_methods[allow_redirects]` to `never`."
    )


def _confirm(call: Call, form: Form, intent: Thing, method: Thing | None) -> Answer:
    body = intent.body
    if method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise Refused(invalid(message, code="payment_intent_unexpected_state", payment_intent=body))
    off_session = form.values.get("off_session") in ("true", "one_off", "recurring")
    if message := needs_a_way_back(form, body, "PaymentIntent"):
        raise Refused(invalid(message, code="payment_intent_invalid_parameter", param="return_url"))
    intent.private = {
        "off_session": off_session,
        "return_url": form.text("return_url"),
        "strict": form.flag("error_on_requires_action"),
        "mandate": accept_mandate(call, form, intent, method),
        "challenge": wants_challenge(form),
    }
    if future := form.choice("setup_future_usage", ("off_session", "on_session")):
        body["setup_future_usage"] = future
    decline = pay(call, intent, method)
    if decline is None:
        return answer(call, body, form)
    return decline.answer(
        payment_intent=body,
        charge=body["latest_charge"],
        payment_method=method.body,
        payment_method_type=method.body["type"],
    )


def confirm(call: Call) -> Answer:
    """POST /v1/payment_intents/{id}/confirm"""
    form = Form.of(call.request, "payment_intents.confirm")
    intent = fetch(call, "payment_intent", call.params["id"], "intent")
    status = intent.body["status"]
    _own_way(intent)
    if status not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        why = (
            "it has already succeeded after being previously confirmed" if status == "succeeded" else f"it is {status}"
        )
        message = f"You cannot confirm this PaymentIntent because {why}."
        raise Refused(invalid(message, code="payment_intent_unexpected_state", payment_intent=intent.body))
    method = method_of(call, form, intent)
    if method is None and intent.body["payment_method"]:
        method = fetch(call, "payment_method", intent.body["payment_method"], "payment_method")
        check_method(call, intent, method)
    return _confirm(call, form, intent, method)


def retrieve(call: Call) -> Answer:
    """GET /v1/payment_intents/{id}"""
    text = call.request.query
    form = Form.of(call.request, "payment_intents.retrieve") if "client_secret" not in text else None
    return answer(call, fetch(call, "payment_intent", call.params["id"], "intent").body, form)


def update(call: Call) -> Answer:
    """POST /v1/payment_intents/{id}: words at any time, money and method only before it is confirmed."""
    form = Form.of(call.request, "payment_intents.update")
    intent = fetch(call, "payment_intent", call.params["id"], "intent")
    body = intent.body
    if form.has("metadata"):
        changed(intent, metadata=form.metadata(before=body["metadata"]))
    changed(intent, **{name: form.text(name) for name in PLAIN if form.has(name)})
    early = {"amount", "currency", "customer", "payment_method", "setup_future_usage"} & set(form.values)
    if early and body["status"] not in ("requires_payment_method", "requires_confirmation"):
        message = f"This PaymentIntent's {min(early)} could not be updated because it is {body['status']}."
        raise Refused(invalid(message, code="payment_intent_unexpected_state", param=min(early), payment_intent=body))
    if "currency" in early:
        body["currency"] = currency(form)
    if "amount" in early:
        body["amount"] = amount_of(form, body["currency"])
    if "customer" in early:
        body["customer"] = intent.customer = alive(call, form.needed("customer")).id
    if "setup_future_usage" in early:
        body["setup_future_usage"] = form.choice("setup_future_usage", ("off_session", "on_session"))
    if method := method_of(call, form, intent):
        body.update(payment_method=method.id, status="requires_confirmation")
    write(call, intent)
    return answer(call, body, form)


def cancel(call: Call) -> Answer:
    """POST /v1/payment_intents/{id}/cancel"""
    form = Form.of(call.request, "payment_intents.cancel")
    intent = fetch(call, "payment_intent", call.params["id"], "intent")
    _own_way(intent)
    stop(call, intent, form.choice("cancellation_reason", REASONS))
    return answer(call, intent.body, form)


def _own_way(intent: Thing) -> None:
    """Refused when the payment belongs to a Checkout session: that is paid on its page, or expired."""
    if intent.private.get("session") and intent.body["status"] in CANCELABLE:
        message = "You can't confirm or cancel the PaymentIntent of a Checkout Session. Expire the Session instead."
        raise Refused(invalid(message, code="payment_intent_unexpected_state", payment_intent=intent.body))


def stop(call: Call, intent: Thing, reason: str | None) -> None:
    """Cancel a payment; refused when it was paid, is on its way or is canceled already."""
    status = intent.body["status"]
    if status not in CANCELABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one"
            f" of the following statuses may be canceled: {', '.join(CANCELABLE)}."
        )
        raise Refused(invalid(message, code="payment_intent_unexpected_state", payment_intent=intent.body))
    intent.body.update(status="canceled", canceled_at=call.now, cancellation_reason=reason, next_action=None)
    write(call, intent)
    emit(call, "payment_intent.canceled", intent)


def list_intents(call: Call) -> Answer:
    """GET /v1/payment_intents"""
    form = Form.of(call.request, "payment_intents.list")
    return listing(call, form, "payment_intent", "/v1/payment_intents", customer=form.text("customer"))


CLAUSE = re.compile(r"""\s*(metadata\[['"](?P<key>[^'"]+)['"]\]|(?P<name>\w+))\s*:\s*['"]?(?P<value>[^'"]*?)['"]?\s*""")


def search(call: Call) -> Answer:
    """GET /v1/payment_intents/search: clauses `metadata['invoice']:'x'` or `status:'succeeded'`, joined by AND."""
    form = Form.of(call.request, "payment_intents.search")
    where: dict[str, Any] = {}
    for clause in re.split(r"\s+AND\s+", form.needed("query")):
        seen = CLAUSE.fullmatch(clause)
        if not seen or (seen["name"] and seen["name"] not in ("amount", "currency", "customer", "status")):
            raise Refused(invalid(f"We were unable to parse your search query: {clause}", param="query"))
        path = f'$.metadata."{seen["key"]}"' if seen["key"] else f"$.{seen['name']}"
        where[path] = int(seen["value"]) if seen["name"] == "amount" else seen["value"]
    offset = max(0, form.number("page") or 0)
    limit = limit_of(form)
    page = call.tx.find(P, "payment_intent", where=where, limit=limit, offset=offset)
    body = {
        "object": "search_result",
        "data": [thing.body for thing in page.things],
        "has_more": page.more,
        "next_page": str(offset + limit) if page.more else None,
        "url": "/v1/payment_intents/search",
    }
    return answer(call, body, form)


def retrieve_charge(call: Call) -> Answer:
    """GET /v1/charges/{id}"""
    form = Form.of(call.request, "charges.retrieve")
    return answer(call, fetch(call, "charge", call.params["id"]).body, form)


def update_charge(call: Call) -> Answer:
    """POST /v1/charges/{id}"""
    form = Form.of(call.request, "charges.update")
    thing = fetch(call, "charge", call.params["id"])
    fields: dict[str, Any] = {name: form.text(name) for name in ("description", "receipt_email") if form.has(name)}
    before = changed(thing, metadata=form.metadata(before=thing.body["metadata"]), **fields)
    write(call, thing)
    emit(call, "charge.updated", thing, before)
    return answer(call, thing.body, form)


def list_charges(call: Call) -> Answer:
    """GET /v1/charges"""
    form = Form.of(call.request, "charges.list")
    return listing(
        call, form, "charge", "/v1/charges", customer=form.text("customer"), parent=form.text("payment_intent")
    )
