"""Stripe's error answers, by type, code and status."""

from __future__ import annotations

from typing import Any

from standins.providers.wire import Answer, Trouble

NAMES = {"payment_intent": "payment_intent", "checkout.session": "checkout.session"}


def error(status: int, type: str, message: str, **more: Any) -> Answer:
    """An error answer; what is None or empty is left out, as Stripe does."""
    body = {"message": message, "type": type, **{name: value for name, value in more.items() if value}}
    if code := more.get("code"):
        body["doc_url"] = f"https://stripe.com/docs/error-codes/{str(code).replace('_', '-')}"
    return Answer(status, {"error": body})


def invalid(message: str, *, code: str = "", param: str = "", **more: Any) -> Answer:
    """400: the request makes no sense, or not now."""
    return error(400, "invalid_request_error", message, code=code, param=param, **more)


def missing(kind: str, id: str, param: str) -> Answer:
    """404 when the path names it, as `param` id or intent; 400 when another parameter does."""
    status = 404 if param in ("id", "intent", "charge_path", "refund", "dispute", "session") else 400
    name = {"charge_path": "id"}.get(param, param)
    words = kind.replace("payment_method", "PaymentMethod").replace("_", " ")
    if kind in ("payment_intent", "setup_intent"):
        words = kind
    return error(status, "invalid_request_error", f"No such {words}: '{id}'", code="resource_missing", param=name)


def card_error(code: str, decline_code: str, message: str, **more: Any) -> Answer:
    """402: the card was declined or needs authentication."""
    return error(402, "card_error", message, code=code, decline_code=decline_code, **more)


def trouble(what: Trouble, method: str, path: str) -> Answer:
    """The answers to what the common parts met or made."""
    if what == "not_found":
        message = f"Unrecognized request URL ({method}: {path})."
        return error(404, "invalid_request_error", message)
    if what == "rate_limited":
        message = "Too many requests in a short time; wait and try again with an exponential backoff."
        return error(429, "invalid_request_error", message, code="rate_limit")
    if what == "key_in_use":
        message = "Another request with this idempotency key is being worked on."
        return error(409, "idempotency_error", message, code="idempotency_key_in_use")
    if what == "key_mismatch":
        message = "Keys for idempotent requests can only be used with the same parameters they were first used with."
        return error(400, "idempotency_error", message)
    if what == "unavailable":
        return error(503, "api_error", "The service is not available at the moment.")
    if what == "bad_body":
        return error(400, "invalid_request_error", "The body could not be read.")
    answer = error(500, "api_error", "An unknown error occurred.")
    answer.headers["Stripe-Should-Retry"] = "false"
    return answer
