"""Webhooks (v1/notifications): who is told, what was told, and whether a delivery is PayPal's.

What is signed is what PayPal signs; the key is not PayPal's, which nobody else can have (see `signature`). So only this
process can verify a delivery, by the same call a merchant would make at PayPal. Other than PayPal that call refuses
what was signed more than a quarter of an hour ago.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
import zlib
from collections.abc import Mapping
from typing import Any

from standins.providers.paypal_desk import PROVIDER, Desk, instant, integer, new_transaction_id, seconds
from standins.providers.paypal_errors import Json, bad_request, not_found
from standins.providers.wire import Answer

CERTIFICATE = "https://standin.example/v1/notifications/certs/CERT-STANDIN"
ALGORITHM = "SHA256withRSA"
FRESH_SECONDS = 15 * 60
MOST_WEBHOOKS = 10
EVENT_TYPES = (
    "*",
    "CHECKOUT.ORDER.APPROVED",
    "CHECKOUT.ORDER.COMPLETED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
    "PAYMENT.REFUND.FAILED",
    "PAYMENT.REFUND.PENDING",
    "VAULT.PAYMENT-TOKEN.CREATED",
    "VAULT.PAYMENT-TOKEN.DELETED",
    "CUSTOMER.DISPUTE.CREATED",
    "CUSTOMER.DISPUTE.RESOLVED",
    "CUSTOMER.DISPUTE.UPDATED",
)
TO_VERIFY = ("auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time", "webhook_id")


def signature(webhook_id: str, secret: str, transmission_id: str, at: str, body: bytes) -> str:
    """The signature of one delivery, over PayPal's own text: `transmission id|time|webhook id|CRC-32 of the raw body`.

    PayPal signs it with RSA and publishes a certificate. Here it is HMAC-SHA-256 with the webhook's own secret; still
    the headers name PayPal's algorithm and a certificate, but there is none to fetch.
    """
    message = f"{transmission_id}|{at}|{webhook_id}|{zlib.crc32(body)}"
    return base64.b64encode(hmac.digest(secret.encode(), message.encode(), hashlib.sha256)).decode()


def headers(endpoint: Mapping[str, Any], body: bytes, at: int, *, forged: bool) -> dict[str, str]:
    """The headers PayPal sends with a delivery; `forged` signs with a secret that isn't the webhook's."""
    transmission_id, when = str(uuid.uuid4()), instant(at)
    secret = secrets.token_hex() if forged else endpoint["secret"]
    return {
        "PAYPAL-TRANSMISSION-ID": transmission_id,
        "PAYPAL-TRANSMISSION-TIME": when,
        "PAYPAL-TRANSMISSION-SIG": signature(endpoint["id"], secret, transmission_id, when, body),
        "PAYPAL-CERT-URL": CERTIFICATE,
        "PAYPAL-AUTH-ALGO": ALGORITHM,
        "PAYPAL-AUTH-VERSION": "v2",
        "User-Agent": "PayPal/AUHD-1.0-1",
    }


def verify(desk: Desk) -> Answer:
    """POST /v1/notifications/verify-webhook-signature.

    The event comes as JSON, not as bytes; written again in the form in which deliveries are sent it gives the same
    bytes, unless somebody changed it.
    """
    given = desk.body()
    for name in TO_VERIFY:
        if not isinstance(given.get(name), str) or not given[name]:
            raise bad_request("MISSING_REQUIRED_PARAMETER", f"/{name}")
    if not isinstance(given.get("webhook_event"), dict):
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/webhook_event")
    when = seconds(given["transmission_time"], "/transmission_time")
    webhook = next((one for one in desk.tx.endpoints(PROVIDER) if one["id"] == given["webhook_id"]), None)
    good = False
    if webhook and given["cert_url"] == CERTIFICATE and given["auth_algo"] == ALGORITHM:
        body = json.dumps(given["webhook_event"], ensure_ascii=False, separators=(",", ":")).encode()
        wanted = signature(webhook["id"], webhook["secret"], given["transmission_id"], given["transmission_time"], body)
        fresh = abs(time.time() - when) <= FRESH_SECONDS
        good = fresh and hmac.compare_digest(wanted.encode(), given["transmission_sig"].encode())
    return Answer(200, {"verification_status": "SUCCESS" if good else "FAILURE"})


def create(desk: Desk) -> Answer:
    """POST /v1/notifications/webhooks. Unlike PayPal it takes addresses without TLS: everything runs on one machine."""
    given = desk.body()
    url, types = given.get("url"), given.get("event_types")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise bad_request("INVALID_PARAMETER_SYNTAX" if url else "MISSING_REQUIRED_PARAMETER", "/url", url)
    if not isinstance(types, list) or not types:
        raise bad_request("MISSING_REQUIRED_PARAMETER", "/event_types")
    names = [one.get("name") if isinstance(one, dict) else None for one in types]
    for number, name in enumerate(names):
        if name not in EVENT_TYPES:
            raise bad_request("INVALID_PARAMETER_VALUE", f"/event_types/{number}/name", name)
    known = desk.tx.endpoints(PROVIDER)
    if any(one["url"] == url for one in known):
        raise bad_request("WEBHOOK_URL_ALREADY_EXISTS", "/url", url)
    if len(known) >= MOST_WEBHOOKS:
        raise bad_request("WEBHOOK_NUMBER_LIMIT_EXCEEDED", "/url")
    id = new_transaction_id()
    desk.tx.add_endpoint(PROVIDER, id, url, secrets.token_hex(24), [str(name) for name in names])
    return Answer(201, _show(desk, _endpoint(desk, id)))


def list_webhooks(desk: Desk) -> Answer:
    """GET /v1/notifications/webhooks."""
    return Answer(200, {"webhooks": [_show(desk, one) for one in desk.tx.endpoints(PROVIDER)]})


def get_webhook(desk: Desk) -> Answer:
    """GET /v1/notifications/webhooks/{id}."""
    return Answer(200, _show(desk, _endpoint(desk, desk.call.params["id"])))


def delete(desk: Desk) -> Answer:
    """DELETE /v1/notifications/webhooks/{id}."""
    desk.tx.drop_endpoint(PROVIDER, _endpoint(desk, desk.call.params["id"])["id"])
    return Answer(204)


def list_events(desk: Desk) -> Answer:
    """GET /v1/notifications/webhooks-events: newest first, both edges of the range within it."""
    given = desk.call.request.arguments()
    size = integer(given, "page_size", 10, 300)
    created = {
        sign: seconds(given[name], name) for name, sign in (("start_time", "gte"), ("end_time", "lte")) if name in given
    }
    found, more = desk.tx.events(
        PROVIDER,
        types=[given["event_type"]] if given.get("event_type") else None,
        object_id=given.get("transaction_id", ""),
        created=created,
        after=given.get("next_page_token", ""),
        limit=size,
    )
    kept = "".join(f"&{name}={given[name].replace('+', '%2B')}" for name in given if name not in _PAGING)
    path = f"/v1/notifications/webhooks-events?page_size={size}{kept}"
    links = [desk.link("self", path)]
    if more:
        links.append(desk.link("next", f"{path}&next_page_token={found[-1]['id']}"))
    return Answer(200, {"events": found, "count": len(found), "links": links})


_PAGING = ("page_size", "next_page_token")


def get_event(desk: Desk) -> Answer:
    """GET /v1/notifications/webhooks-events/{id}."""
    return Answer(200, _event(desk))


def resend(desk: Desk) -> Answer:
    """POST /v1/notifications/webhooks-events/{id}/resend: to every webhook that takes it."""
    event = _event(desk)
    desk.call.world.deliverer.resend(desk.tx, PROVIDER, event["id"])
    return Answer(202, event)


def _event(desk: Desk) -> Json:
    event = desk.tx.event(PROVIDER, desk.call.params["id"])
    if event is None:
        raise not_found("event_id", desk.call.params["id"])
    return event


def _endpoint(desk: Desk, id: str) -> dict[str, Any]:
    for one in desk.tx.endpoints(PROVIDER):
        if one["id"] == id:
            return one
    raise not_found("webhook_id", id)


def _show(desk: Desk, endpoint: Mapping[str, Any]) -> Json:
    path = f"/v1/notifications/webhooks/{endpoint['id']}"
    return {
        "id": endpoint["id"],
        "url": endpoint["url"],
        "event_types": [{"name": name, "status": "ENABLED"} for name in endpoint["types"]],
        "links": [desk.link("self", path), desk.link("delete", path, "DELETE")],
    }
