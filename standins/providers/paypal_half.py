"""PayPal's half: its routes, who is let in, and what its answers look like around the handlers.

Any client id is let in with the secret it was first seen with; another secret is refused. Bearers are signed, not
stored, so they outlive the process. There is one merchant account, whatever the client id. Request ids
(`PayPal-Request-Id`) count per client and operation, as at PayPal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from standins.providers import (
    paypal_control,
    paypal_disputes,
    paypal_notifications,
    paypal_orders,
    paypal_pages,
    paypal_payments,
    paypal_reporting,
    paypal_vault,
)
from standins.providers.paypal_desk import handler, new_debug_id
from standins.providers.paypal_errors import MESSAGES, NotLoggedInError, PayPalError, unprocessable
from standins.providers.wire import Answer, Call, Refused, Request, Router, Trouble

TOKEN_PATH = "/v1/oauth2/token"  # noqa: S105  a path
TOKEN_SECONDS = 32400
TOKEN_KEY = b"stand-in bearers"
NAMES: dict[str, tuple[int, str]] = {
    "not_found": (404, "RESOURCE_NOT_FOUND"),
    "internal": (500, "INTERNAL_SERVER_ERROR"),
    "unavailable": (503, "SERVICE_UNAVAILABLE"),
    "rate_limited": (429, "RATE_LIMIT_REACHED"),
    "key_in_use": (409, "RESOURCE_CONFLICT"),
    "bad_body": (400, "INVALID_REQUEST"),
}


class PayPal:
    """The half of `wire.Provider` that speaks PayPal."""

    name = "paypal"
    keeps_server_errors = False  # a request id whose answer was a 500 is answered again with what really happened

    def __init__(self) -> None:
        self.router = Router()
        self.refused_before = 0.0
        add_routes(self.router)
        self.router.add("POST", TOKEN_PATH, self.log_in, operation="oauth2.token")
        self.router.add("POST", "/_control/paypal/log-out", self.log_out, door="control")

    # Who is let in

    def log_in(self, call: Call) -> Answer:
        """POST /v1/oauth2/token: client credentials only."""
        try:
            client, secret = _credentials(call.request)
            if call.request.fields().get("grant_type") != "client_credentials":
                return Answer(400, {"error": "unsupported_grant_type", "error_description": "Not a grant type here"})
            digest = hashlib.sha256(f"{client}:{secret}".encode()).hexdigest()
            if call.tx.setting(f"paypal.client.{client}", digest) != digest:
                raise NotLoggedInError("invalid_client", "Client Authentication failed")
            call.tx.set(f"paypal.client.{client}", digest)
        except NotLoggedInError as error:
            raise Refused(Answer(401, error.body())) from None
        lasts = int(call.tx.setting("paypal.token_seconds", TOKEN_SECONDS))
        body = {
            "scope": "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/vault/*",
            "access_token": bearer(client, time.time(), lasts),
            "token_type": "Bearer",
            "app_id": "APP-STANDIN0000000001",
            "expires_in": lasts,
            "nonce": secrets.token_urlsafe(24),
        }
        return Answer(200, body)

    def log_out(self, call: Call) -> Answer:
        """{"seconds"?}: every bearer there is expires now; those to come live for `seconds` (default nine hours)."""
        lasts = int(call.request.json().get("seconds", TOKEN_SECONDS))
        call.tx.set("paypal.token_seconds", lasts)
        self.refused_before = time.time()
        return Answer(200, {"refused_before": self.refused_before, "seconds": lasts})

    def admit(self, request: Request) -> Answer | None:
        """401 without a bearer that is good now; the token endpoint looks for itself."""
        if request.path == TOKEN_PATH:
            return None
        try:
            self._check(request)
        except NotLoggedInError as error:
            return Answer(401, error.body())
        return None

    def _check(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NotLoggedInError("invalid_token", "The token passed in was not found in the system")
        read = read_bearer(token)
        if read is None:
            raise NotLoggedInError("invalid_token", "Token signature verification failed")
        _, issued, expires = read
        if time.time() >= expires or issued <= self.refused_before:
            raise NotLoggedInError("invalid_token", "The token has expired")

    # Request ids

    def idempotency_key(self, request: Request) -> str:
        """`client:operation:id` of a writing request that has an id."""
        id = request.headers.get("paypal-request-id", "")
        if not id or request.method != "POST" or request.path == TOKEN_PATH:
            return ""
        found = self.router.find(request.method, request.path)
        known = read_bearer(request.headers.get("authorization", "").partition(" ")[2])
        return f"{known[0] if known else ''}:{found[0].operation if found else request.path}:{id}"

    def fingerprint(self, request: Request, operation: str) -> str:
        """Path and body, whatever the order of the body's fields."""
        try:
            body = json.dumps(request.json(), sort_keys=True).encode()
        except ValueError:
            body = request.body
        return hashlib.sha256(f"{operation} {request.path} ".encode() + body).hexdigest()

    # Answers

    def trouble(self, what: Trouble, request: Request) -> Answer:
        """PayPal's words for what the common parts met."""
        if what == "key_mismatch":
            return Answer(422, unprocessable("PAYPAL_REQUEST_ID_PREVIOUSLY_USED").body(new_debug_id()))
        status, name = NAMES[what]
        if status < 500 and name in MESSAGES:
            issue = {"key_in_use": "PREVIOUS_REQUEST_IN_PROGRESS", "bad_body": "MALFORMED_REQUEST_JSON"}.get(what, name)
            details = [{"issue": issue, "description": MESSAGES[name]}]
            return Answer(status, PayPalError(status, name, details).body(new_debug_id()))
        words = {"unavailable": "Service Unavailable.", "rate_limited": "Too many requests."}
        body = {"name": name, "message": words.get(what) or MESSAGES[name], "debug_id": new_debug_id(), "links": []}
        return Answer(status, body, {"Retry-After": "1"} if what == "rate_limited" else {})

    def finish(self, request: Request, answer: Answer, *, replayed: bool) -> None:
        """The debug id; and 200 for what is answered a second time and was made the first."""
        answer.headers.setdefault("PayPal-Debug-Id", new_debug_id())
        if replayed and answer.status == 201:
            answer.status = 200

    def signature(
        self, endpoint: Mapping[str, Any], event_id: str, body: bytes, at: int, *, forged: bool
    ) -> dict[str, str]:
        """The headers of a delivery."""
        return paypal_notifications.headers(endpoint, body, at, forged=forged)


def bearer(client: str, issued: float, lasts: int) -> str:
    """A bearer: who, since when, until when, signed."""
    payload = json.dumps([client, issued, issued + lasts, secrets.token_hex(4)]).encode()
    mark = hmac.digest(TOKEN_KEY, payload, hashlib.sha256)[:12]
    return "A21AA" + base64.urlsafe_b64encode(mark + payload).decode().rstrip("=")


def read_bearer(token: str) -> tuple[str, float, float] | None:
    """Client id, instant of issue and of expiry of a bearer made here; None for another one."""
    coded = token.removeprefix("A21AA")
    try:
        raw = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    except (binascii.Error, ValueError):
        return None
    mark, payload = raw[:12], raw[12:]
    if not hmac.compare_digest(mark, hmac.digest(TOKEN_KEY, payload, hashlib.sha256)[:12]):
        return None
    client, issued, expires, _ = json.loads(payload)
    return client, issued, expires


def _credentials(request: Request) -> tuple[str, str]:
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    try:
        client, colon, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        client = colon = secret = ""
    if kind.lower() != "basic" or not (client and colon and secret):
        raise NotLoggedInError("invalid_client", "Client Authentication failed")
    return client, secret


def add_routes(router: Router) -> None:
    """PayPal's paths, its pages and its control calls."""
    orders, payments, vault = "/v2/checkout/orders", "/v2/payments", "/v3/vault"
    hooks, events = "/v1/notifications/webhooks", "/v1/notifications/webhooks-events"
    cases = "/v1/customer/disputes"
    for method, path, act, operation in (
        ("GET", f"{orders}/{{id}}", paypal_orders.get, "orders.get"),
        ("PATCH", f"{orders}/{{id}}", paypal_orders.patch, "orders.patch"),
        ("GET", f"{payments}/captures/{{id}}", paypal_payments.get_capture, "captures.get"),
        ("POST", f"{payments}/captures/{{id}}/refund", paypal_payments.refund, "captures.refund"),
        ("GET", f"{payments}/refunds/{{id}}", paypal_payments.get_refund, "refunds.get"),
        ("POST", f"{vault}/setup-tokens", paypal_vault.create_setup, "setup_tokens.create"),
        ("GET", f"{vault}/setup-tokens/{{id}}", paypal_vault.get_setup, "setup_tokens.get"),
        ("POST", f"{vault}/payment-tokens", paypal_vault.create_token, "payment_tokens.create"),
        ("GET", f"{vault}/payment-tokens", paypal_vault.list_tokens, "payment_tokens.list"),
        ("GET", f"{vault}/payment-tokens/{{id}}", paypal_vault.get_token, "payment_tokens.get"),
        ("DELETE", f"{vault}/payment-tokens/{{id}}", paypal_vault.delete_token, "payment_tokens.delete"),
        ("POST", hooks, paypal_notifications.create, "webhooks.create"),
        ("GET", hooks, paypal_notifications.list_webhooks, "webhooks.list"),
        ("GET", f"{hooks}/{{id}}", paypal_notifications.get_webhook, "webhooks.get"),
        ("DELETE", f"{hooks}/{{id}}", paypal_notifications.delete, "webhooks.delete"),
        ("GET", events, paypal_notifications.list_events, "events.list"),
        ("GET", f"{events}/{{id}}", paypal_notifications.get_event, "events.get"),
        ("POST", f"{events}/{{id}}/resend", paypal_notifications.resend, "events.resend"),
        ("POST", "/v1/notifications/verify-webhook-signature", paypal_notifications.verify, "webhooks.verify"),
        ("GET", cases, paypal_disputes.list_cases, "disputes.list"),
        ("GET", f"{cases}/{{id}}", paypal_disputes.get_case, "disputes.get"),
        ("POST", f"{cases}/{{id}}/accept-claim", paypal_disputes.accept_claim, "disputes.accept_claim"),
        ("POST", f"{cases}/{{id}}/provide-evidence", paypal_disputes.provide_evidence, "disputes.provide_evidence"),
        ("GET", "/v1/reporting/transactions", paypal_reporting.search, "transactions.search"),
    ):
        router.add(method, path, handler(act), operation=operation)
    # Only an order with a saved wallet takes money when it is made; for others a planned decline waits for the capture.
    router.add("POST", orders, handler(paypal_orders.create), operation="orders.create", charges=True)
    capture = f"{orders}/{{id}}/capture"
    router.add("POST", capture, handler(paypal_orders.capture), operation="orders.capture", charges=True)
    for path, show, answer in (
        ("/checkoutnow", paypal_pages.show_order, paypal_pages.answer_order),
        ("/agreements/approve", paypal_pages.show_setup, paypal_pages.answer_setup),
    ):
        router.add("GET", path, handler(show), door="page")
        router.add("POST", path, handler(answer), door="page")
    paypal_control.add_routes(router)
