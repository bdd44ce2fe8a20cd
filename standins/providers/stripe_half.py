"""The Stripe half: who is let in, which key makes a request the same, how answers and webhooks are marked."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from standins.providers import (
    stripe_checkout,
    stripe_control,
    stripe_customers,
    stripe_hooks,
    stripe_pages,
    stripe_payments,
    stripe_refunds,
    stripe_setup,
)
from standins.providers.store import new_id
from standins.providers.stripe_desk import API_VERSION
from standins.providers.stripe_errors import error, invalid, trouble
from standins.providers.wire import Answer, Request, Router, Trouble


class Stripe:
    """The provider half with the name `stripe`; keys start with `sk_test_` or `rk_test_`, live ones are refused."""

    name = "stripe"

    def __init__(self) -> None:
        self.router = Router()
        for part in (
            stripe_payments,
            stripe_customers,
            stripe_setup,
            stripe_refunds,
            stripe_hooks,
            stripe_checkout,
            stripe_pages,
            stripe_control,
        ):
            part.routes(self.router)

    def admit(self, request: Request) -> Answer | None:
        """401 without a test key; 400 for another version of the API or too long a key."""
        given = request.headers.get("authorization", "")
        scheme, _, secret = given.partition(" ")
        if scheme.lower() == "basic":
            try:
                secret = base64.b64decode(secret).decode().split(":")[0]
            except ValueError:
                secret = ""
        if not secret:
            return error(401, "invalid_request_error", "You did not provide an API key.")
        if not secret.startswith(("sk_test_", "rk_test_")):
            shown = f"{secret[:8]}{'*' * 8}{secret[-4:]}"
            return error(401, "invalid_request_error", f"Invalid API Key provided: {shown}")
        if (version := request.headers.get("stripe-version", API_VERSION)) != API_VERSION:
            return invalid(f"Invalid Stripe API version: {version}. This stand-in speaks {API_VERSION}.")
        if len(request.headers.get("idempotency-key", "")) > 255:
            return error(400, "idempotency_error", "An idempotency key has up to 255 characters.")
        return None

    def idempotency_key(self, request: Request) -> str:
        """Only POST requests have one."""
        return request.headers.get("idempotency-key", "") if request.method == "POST" else ""

    def fingerprint(self, request: Request, operation: str) -> str:
        """The path and the body: anything else may differ between two tries."""
        return hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()

    def trouble(self, what: Trouble, request: Request) -> Answer:
        """Stripe's error objects."""
        return trouble(what, request.method, request.path)

    def finish(self, request: Request, answer: Answer, *, replayed: bool) -> None:
        """Request ids, the version, the idempotency key and the mark of a replay."""
        headers = answer.headers
        if replayed:
            headers["Idempotent-Replayed"] = "true"
            headers["Original-Request"] = headers.get("Request-Id", "")
        headers["Request-Id"] = new_id("req_", 14)
        headers["Stripe-Version"] = API_VERSION
        if key := request.headers.get("idempotency-key"):
            headers["Idempotency-Key"] = key

    def signature(
        self, endpoint: Mapping[str, Any], event_id: str, body: bytes, at: int, *, forged: bool
    ) -> dict[str, str]:
        """`Stripe-Signature: t=...,v1=...`, the HMAC-SHA256 of `t.body` with the endpoint's secret."""
        secret = "whsec_forged" if forged else str(endpoint["secret"])
        digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={at},v1={digest}", "User-Agent": "Stripe/1.0"}
