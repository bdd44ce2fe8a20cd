"""The door for providers' messages: only what is signed is stored, and no answer tells what is known."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from core import clock
from tests.money.providers import SECRET, a_company, a_gateway

pytestmark = pytest.mark.django_db
EVENT = {
    "id": "evt_1", "object": "event", "type": "customer.created", "created": 1_767_268_800, "livemode": False,
    "api_version": "2025-01-27.acacia", "data": {"object": {"id": "cus_1", "object": "customer"}},
    "pending_webhooks": 0, "request": None,
}  # fmt: skip


@pytest.fixture
def gateway(providers):
    return a_gateway(a_company(), providers)


def signed(body, secret=SECRET, at=None):
    at = int(at or clock.machine_now().timestamp())
    mark = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mark}"


def send(client, gateway, body, signature, where=None):
    return client.post(
        where or f"/webhooks/{gateway.ref}/", body, content_type="application/json",
        headers={"stripe-signature": signature, "cookie": "a=b"},
    )  # fmt: skip


def test_a_signed_message_is_stored_then_acknowledged_and_once(client, gateway):
    from billing.models import GatewayEvent

    body = json.dumps(EVENT).encode()
    for _ in range(2):
        answer = send(client, gateway, body, signed(body))
        assert (answer.status_code, answer.content) == (200, b"")
    row = GatewayEvent.objects.get()
    assert bytes(row.body) == body
    assert (row.external_id, row.type, row.source) == ("evt_1", "customer.created", "webhook")
    assert "Cookie" not in row.headers


def test_a_message_told_again_after_its_effect_was_dropped_makes_none(client, gateway):
    from billing.models import GatewayEvent
    from core.models import Outbox
    from core.services import outbox

    body = json.dumps(EVENT).encode()
    send(client, gateway, body, signed(body))
    assert outbox.relay(worker="test", kinds=["gateway_event"]).done == 1
    assert GatewayEvent.objects.get().state == "ignored"
    Outbox.objects.filter(kind="gateway_event", state="done").delete()
    assert send(client, gateway, body, signed(body)).status_code == 200
    assert not Outbox.objects.filter(kind="gateway_event").exists()


@pytest.mark.parametrize("how", ["other secret", "changed", "old", "none"])
def test_what_is_not_signed_by_the_provider_is_refused_and_not_kept(client, gateway, how):
    from billing.models import GatewayEvent

    body = json.dumps(EVENT).encode()
    signature = {
        "other secret": signed(body, "whsec_forged"),
        "changed": signed(body + b" "),
        "old": signed(body, at=clock.machine_now().timestamp() - 400),
        "none": "",
    }[how]
    answer = send(client, gateway, body, signature)
    assert (answer.status_code, answer.content) == (400, b"")
    assert not GatewayEvent.objects.exists()


def test_an_unknown_gateway_is_not_found(client, gateway):
    body = json.dumps(EVENT).encode()
    for ref in ("gwy_aaaaaaaaaaaaaaaaaaaaaaaaaa", "1", str(gateway.pk)):
        assert send(client, gateway, body, signed(body), f"/webhooks/{ref}/").status_code == 404


def test_too_large_a_message_is_not_read(client, gateway):
    body = b"x" * 1_000_001
    assert send(client, gateway, body, signed(body)).status_code == 413


def test_looking_is_not_sending(client, gateway):
    assert client.get(f"/webhooks/{gateway.ref}/").status_code == 405
