"""Checkout sessions: a hosted page that takes one payment (and may save the method) or only saves a method."""

from __future__ import annotations

from typing import Any

from standins.providers.store import Thing, new_id
from standins.providers.stripe_cards import Decline
from standins.providers.stripe_confirm import fail_authentication, pay, set_up, wants_challenge
from standins.providers.stripe_customers import alive, from_form
from standins.providers.stripe_desk import P, answer, changed, emit, fetch, listing, write
from standins.providers.stripe_errors import invalid
from standins.providers.stripe_form import Form, currency
from standins.providers.stripe_payments import types_of
from standins.providers.stripe_setup import stop
from standins.providers.stripe_shapes import customer, fingerprint, mandate, payment_intent, setup_intent
from standins.providers.wire import Answer, Call, Refused, Router

HOUR = 3600
KIND = "checkout.session"


def routes(router: Router) -> None:
    """Add the paths of this file."""
    for method, path, handler, operation in (
        ("POST", "/v1/checkout/sessions", create, "checkout.sessions.create"),
        ("GET", "/v1/checkout/sessions", list_sessions, "checkout.sessions.list"),
        ("GET", "/v1/checkout/sessions/{id}", retrieve, "checkout.sessions.retrieve"),
        ("GET", "/v1/checkout/sessions/{id}/line_items", line_items, "checkout.sessions.line_items"),
        ("POST", "/v1/checkout/sessions/{id}/expire", expire, "checkout.sessions.expire"),
    ):
        router.add(method, path, handler, operation=operation)


def _lines(form: Form) -> tuple[list[dict[str, Any]], str, int]:
    """The lines of a payment, its currency and total."""
    lines, money, total = [], "", 0
    for row in form.rows("line_items"):
        price = row.inner("price_data")
        if not price.values:
            raise Refused(invalid("Only `price_data` is offered here, not `price`.", param="line_items"))
        own = currency(price)
        if money and own != money:
            raise Refused(invalid("All lines must have the same currency.", param="line_items"))
        money, quantity = own, row.number("quantity", 1) or 0
        price.needed("unit_amount")
        unit = price.number("unit_amount") or 0
        if unit < 0 or quantity < 1:
            raise Refused(invalid("Invalid non-negative integer", param="line_items"))
        total += unit * quantity
        lines.append(
            {
                "id": new_id("li_1"),
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": unit * quantity,
                "amount_tax": 0,
                "amount_total": unit * quantity,
                "currency": own,
                "description": price.inner("product_data").needed("name"),
                "price": None,
                "quantity": quantity,
            }
        )
    return lines, money, total


def create(call: Call) -> Answer:
    """POST /v1/checkout/sessions"""
    form = Form.of(call.request, "checkout.sessions.create")
    mode = form.choice("mode", ("payment", "setup"), "payment")
    form.needed("success_url")
    lines, money, total = _lines(form)
    if mode == "payment" and total < 50:
        raise Refused(
            invalid("The total must be at least 0.50 or its worth.", code="amount_too_small", param="line_items")
        )
    if mode == "setup":
        money = currency(form) if form.has("currency") else ""
    ends = form.number("expires_at", call.now + 24 * HOUR) or 0
    if not call.now + HOUR // 2 <= ends <= call.now + 24 * HOUR:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise Refused(invalid(message, param="expires_at"))
    id = new_id("cs_test_a1", 56)
    owner = form.text("customer")
    email = form.text("customer_email")
    if owner:
        email = alive(call, owner).body["email"]
    allowed = types_of(form, money or "eur")
    body: dict[str, Any] = {
        "id": id,
        "object": KIND,
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": total if mode == "payment" else None,
        "amount_total": total if mode == "payment" else None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": form.text("billing_address_collection"),
        "cancel_url": form.text("cancel_url"),
        "client_reference_id": form.text("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": call.now,
        "currency": money or None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": owner,
        "customer_creation": None if owner else form.text("customer_creation", "if_required"),
        "customer_details": {
            "address": None,
            "business_name": None,
            "email": email,
            "individual_name": None,
            "name": None,
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": None,
        }
        if email or owner
        else None,
        "customer_email": form.text("customer_email"),
        "discounts": [],
        "excluded_payment_method_types": allowed["excluded_payment_method_types"],
        "expires_at": ends,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": form.text("locale"),
        "metadata": form.metadata(),
        "mode": mode,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": allowed["payment_method_types"],
        "payment_status": "unpaid" if mode == "payment" else "no_payment_required",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": form.text("submit_type"),
        "subscription": None,
        "success_url": form.needed("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0} if mode == "payment" else None,
        "ui_mode": "hosted_page",
        "url": f"{call.world.pages.get(P, '')}/c/pay/{id}",
        "wallet_options": None,
    }
    if "allowed_payment_method_types" in allowed:
        body["allowed_payment_method_types"] = allowed["allowed_payment_method_types"]
    kept = {"line_items": lines, "challenge": wants_challenge(form)}
    thing = Thing(KIND, id, body, kept, customer=owner or "", created=call.now)
    data = form.inner("payment_intent_data" if mode == "payment" else "setup_intent_data")
    thing.private["asked"] = {
        "metadata": data.metadata(),
        "description": data.text("description"),
        "setup_future_usage": data.choice("setup_future_usage", ("off_session", "on_session")),
    }
    if mode == "setup":
        intent = setup_intent(call.now)
        intent.body.update(customer=owner, metadata=data.metadata(), description=data.text("description"))
        intent.body["payment_method_types"] = body["payment_method_types"]
        intent.customer, intent.parent = owner or "", id
        write(call, intent)
        emit(call, "setup_intent.created", intent)
        body["setup_intent"] = intent.id
    write(call, thing)
    return answer(call, body, form)


def current(call: Call, id: str) -> Thing:
    """A session, expired first if its time is over."""
    thing = fetch(call, KIND, id, "session")
    if thing.body["status"] == "open" and thing.body["expires_at"] <= call.now:
        close(call, thing)
    return thing


def close(call: Call, thing: Thing) -> None:
    """Expire an open session: its page is gone and its payment is canceled."""
    thing.body.update(status="expired", url=None)
    write(call, thing)
    for field, kind in (("payment_intent", "payment_intent"), ("setup_intent", "setup_intent")):
        intent = call.tx.get(P, kind, thing.body[field]) if thing.body[field] else None
        if intent and intent.body["status"] in ("requires_payment_method", "requires_confirmation", "requires_action"):
            if kind == "setup_intent":
                stop(call, intent, "abandoned")
                continue
            fields = {"status": "canceled", "canceled_at": call.now, "cancellation_reason": "expired"}
            intent.body.update(fields, next_action=None)
            write(call, intent)
            emit(call, "payment_intent.canceled", intent)
    emit(call, "checkout.session.expired", thing)


def expire_due(call: Call) -> int:
    """Expire every open session whose time is over; how many."""
    things = call.tx.find(P, KIND, where={"$.status": "open"}, limit=100_000).things
    due = [thing for thing in things if thing.body["expires_at"] <= call.now]
    for thing in due:
        close(call, thing)
    return len(due)


def retrieve(call: Call) -> Answer:
    """GET /v1/checkout/sessions/{id}"""
    form = Form.of(call.request, "checkout.sessions.retrieve")
    return answer(call, current(call, call.params["id"]).body, form)


def list_sessions(call: Call) -> Answer:
    """GET /v1/checkout/sessions"""
    form = Form.of(call.request, "checkout.sessions.list")
    expire_due(call)
    where = {f"$.{name}": form.text(name) for name in ("payment_intent", "status") if form.text(name)}
    return listing(call, form, KIND, "/v1/checkout/sessions", customer=form.text("customer"), where=where)


def line_items(call: Call) -> Answer:
    """GET /v1/checkout/sessions/{id}/line_items"""
    thing = fetch(call, KIND, call.params["id"], "session")
    url = f"/v1/checkout/sessions/{thing.id}/line_items"
    return answer(call, {"object": "list", "data": thing.private["line_items"], "has_more": False, "url": url})


def expire(call: Call) -> Answer:
    """POST /v1/checkout/sessions/{id}/expire"""
    form = Form.of(call.request, "checkout.sessions.expire")
    thing = current(call, call.params["id"])
    if thing.body["status"] != "open":
        message = (
            f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {thing.body["status"]}.'
        )
        raise Refused(invalid(message, param="session"))
    close(call, thing)
    return answer(call, thing.body, form)


def submit(call: Call, thing: Thing, details: Form) -> Decline | None:
    """The page's button was pressed: pay or save with what was typed. Raises Refused for details that make no sense.

    The decline if there was one. Else the session is complete, or its intent waits for authentication.
    """
    method = from_form(call, details)
    person = {"name": method.body["billing_details"]["name"], "email": method.body["billing_details"]["email"]}
    intent = intent_of(call, thing, person)
    intent.private.update(return_url=thing.body["url"], challenge=thing.private["challenge"])
    if method.body["type"] == "sepa_debit":
        online = {"ip_address": "127.0.0.1", "user_agent": "Browser"}
        agreed = write(call, mandate(call.now, method, {"type": "online", "online": online}))
        method.private["mandate"] = intent.private["mandate"] = agreed.id
        write(call, method)
    decline = pay(call, intent, method) if intent.kind == "payment_intent" else set_up(call, intent, method)
    finish(call, thing, intent)
    return decline


def intent_of(call: Call, thing: Thing, person: dict[str, Any] | None = None) -> Thing:
    """The payment or set-up of a session; the payment is made when it is first wanted."""
    body = thing.body
    if body["mode"] == "setup":
        return fetch(call, "setup_intent", body["setup_intent"])
    if body["payment_intent"]:
        return fetch(call, "payment_intent", body["payment_intent"])
    asked = thing.private["asked"]
    if not body["customer"] and (body["customer_creation"] == "always" or asked["setup_future_usage"]):
        owner = customer(call.now)
        email = body["customer_email"] or (person or {}).get("email")
        owner.body.update({"email": email, "name": (person or {}).get("name")})
        write(call, owner)
        emit(call, "customer.created", owner)
        body["customer"] = thing.customer = owner.id
    intent = payment_intent(call.now, body["amount_total"], body["currency"])
    intent.body.update(
        asked, customer=body["customer"], payment_method_types=body["payment_method_types"], receipt_email=None
    )
    intent.customer, intent.private = body["customer"] or "", {"session": thing.id}
    write(call, intent)
    emit(call, "payment_intent.created", intent)
    body["payment_intent"] = intent.id
    write(call, thing)
    return intent


def finish(call: Call, thing: Thing, intent: Thing) -> None:
    """Complete a session whose intent got through, or is on its way by SEPA."""
    status = intent.body["status"]
    if thing.body["status"] != "open" or status not in ("succeeded", "processing"):
        return
    method = fetch(call, "payment_method", intent.body["payment_method"])
    billing = method.body["billing_details"]
    details = thing.body["customer_details"] or {
        "address": None,
        "business_name": None,
        "individual_name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }
    details = {**details, "name": billing["name"], "email": details.get("email") or billing["email"]}
    changed(thing, status="complete", url=None, customer_details=details, customer=intent.body["customer"])
    if thing.body["mode"] == "payment":
        thing.body["payment_status"] = "paid" if status == "succeeded" else "unpaid"
    write(call, thing)
    emit(call, "checkout.session.completed", thing)


def authenticated(call: Call, intent: Thing, *, succeeds: bool) -> None:
    """The customer came back from the 3-D Secure page. Raises ValueError when nobody waited for that."""
    if intent.body["status"] != "requires_action":
        raise ValueError(f"{intent.id} is {intent.body['status']}")
    if not succeeds:
        fail_authentication(call, intent)
        return
    method = fetch(call, "payment_method", intent.body["payment_method"])
    if intent.kind == "payment_intent":
        pay(call, intent, method, authenticated=True)
    else:
        set_up(call, intent, method, authenticated=True)
    session = session_of(call, intent)
    if session:
        finish(call, session, intent)


def session_of(call: Call, intent: Thing) -> Thing | None:
    """The Checkout session an intent belongs to; None for one made by the API."""
    id = intent.private.get("session") or (intent.parent if intent.kind == "setup_intent" else "")
    return call.tx.get(P, KIND, id) if id else None


def mark(session: Thing) -> str:
    """A short code of a session for people."""
    return fingerprint(session.id)[:6].upper()
