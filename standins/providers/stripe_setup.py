"""Setup intents and mandates: saving a method so that it can be charged while the customer is away."""

from __future__ import annotations

from standins.providers.store import Thing
from standins.providers.stripe_confirm import accept_mandate, set_up
from standins.providers.stripe_desk import answer, changed, emit, fetch, listing, write
from standins.providers.stripe_errors import invalid
from standins.providers.stripe_form import Form, confirms
from standins.providers.stripe_payments import method_of, needs_a_way_back, put_down, types_of
from standins.providers.stripe_shapes import setup_intent
from standins.providers.wire import Answer, Call, Charges, Handler, Refused, Router

REASONS = ("abandoned", "duplicate", "requested_by_customer")


def routes(router: Router) -> None:
    """Add the paths of this file."""
    table: tuple[tuple[str, str, Handler, str, Charges], ...] = (
        ("POST", "/v1/setup_intents", create, "setup_intents.create", confirms),
        ("GET", "/v1/setup_intents", list_intents, "setup_intents.list", False),
        ("GET", "/v1/setup_intents/{id}", retrieve, "setup_intents.retrieve", False),
        ("POST", "/v1/setup_intents/{id}", update, "setup_intents.update", False),
        ("POST", "/v1/setup_intents/{id}/confirm", confirm, "setup_intents.confirm", True),
        ("POST", "/v1/setup_intents/{id}/cancel", cancel, "setup_intents.cancel", False),
        ("GET", "/v1/mandates/{id}", retrieve_mandate, "mandates.retrieve", False),
    )
    for method, path, handler, operation, charges in table:
        router.add(method, path, handler, operation=operation, charges=charges)


def create(call: Call) -> Answer:
    """POST /v1/setup_intents"""
    form = Form.of(call.request, "setup_intents.create")
    intent = setup_intent(call.now)
    body = intent.body
    body.update(types_of(form, "eur"), metadata=form.metadata(), description=form.text("description"))
    body["usage"] = form.choice("usage", ("off_session", "on_session"), "off_session")
    method, confirming = put_down(call, form, intent, only_confirmed=("return_url", "mandate_data"))
    return _confirm(call, form, intent, method) if confirming else answer(call, body, form)


def _confirm(call: Call, form: Form, intent: Thing, method: Thing | None) -> Answer:
    body = intent.body
    if method is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise Refused(invalid(message, code="setup_intent_unexpected_state", setup_intent=body))
    if message := needs_a_way_back(form, body, "SetupIntent"):
        raise Refused(invalid(message, param="return_url"))
    intent.private = {
        "return_url": form.text("return_url"),
        "mandate": accept_mandate(call, form, intent, method),
    }
    decline = set_up(call, intent, method)
    if decline is None:
        return answer(call, body, form)
    return decline.answer(setup_intent=body, payment_method=method.body, payment_method_type=method.body["type"])


def confirm(call: Call) -> Answer:
    """POST /v1/setup_intents/{id}/confirm"""
    form = Form.of(call.request, "setup_intents.confirm")
    intent = fetch(call, "setup_intent", call.params["id"], "intent")
    if intent.body["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        message = f"You cannot confirm this SetupIntent because it has a status of {intent.body['status']}."
        raise Refused(invalid(message, code="setup_intent_unexpected_state", setup_intent=intent.body))
    method = method_of(call, form, intent)
    if method is None and intent.body["payment_method"]:
        method = fetch(call, "payment_method", intent.body["payment_method"], "payment_method")
    return _confirm(call, form, intent, method)


def retrieve(call: Call) -> Answer:
    """GET /v1/setup_intents/{id}"""
    form = Form.of(call.request, "setup_intents.retrieve")
    return answer(call, fetch(call, "setup_intent", call.params["id"], "intent").body, form)


def update(call: Call) -> Answer:
    """POST /v1/setup_intents/{id}"""
    form = Form.of(call.request, "setup_intents.update")
    intent = fetch(call, "setup_intent", call.params["id"], "intent")
    if form.has("metadata"):
        changed(intent, metadata=form.metadata(before=intent.body["metadata"]))
    if form.has("description"):
        changed(intent, description=form.text("description"))
    write(call, intent)
    return answer(call, intent.body, form)


def cancel(call: Call) -> Answer:
    """POST /v1/setup_intents/{id}/cancel"""
    form = Form.of(call.request, "setup_intents.cancel")
    intent = fetch(call, "setup_intent", call.params["id"], "intent")
    stop(call, intent, form.choice("cancellation_reason", REASONS))
    return answer(call, intent.body, form)


def stop(call: Call, intent: Thing, reason: str | None) -> None:
    """Cancel a set-up; refused when it has ended."""
    if intent.body["status"] in ("succeeded", "canceled", "processing"):
        message = f"You cannot cancel this SetupIntent because it has a status of {intent.body['status']}."
        raise Refused(invalid(message, code="setup_intent_unexpected_state", setup_intent=intent.body))
    intent.body.update(status="canceled", cancellation_reason=reason, next_action=None)
    write(call, intent)
    emit(call, "setup_intent.canceled", intent)


def list_intents(call: Call) -> Answer:
    """GET /v1/setup_intents"""
    form = Form.of(call.request, "setup_intents.list")
    method = form.text("payment_method")
    where = {"$.payment_method": method} if method else None
    return listing(call, form, "setup_intent", "/v1/setup_intents", customer=form.text("customer"), where=where)


def retrieve_mandate(call: Call) -> Answer:
    """GET /v1/mandates/{id}"""
    form = Form.of(call.request, "mandates.retrieve")
    return answer(call, fetch(call, "mandate", call.params["id"]).body, form)
