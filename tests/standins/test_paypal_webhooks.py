"""Webhooks of PayPal's stand-in: registered, delivered with PayPal's headers, verified, listed, sent again."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta

import pytest

from standins.providers.paypal_notifications import signature
from tests.standins.paypal_process import Json, Receiver, Standin, captured, fresh, refusal, running

HOOKS, EVENTS = "v1/notifications/webhooks", "v1/notifications/webhooks-events"
HEADERS = {
    "transmission_id": "paypal-transmission-id",
    "transmission_time": "paypal-transmission-time",
    "transmission_sig": "paypal-transmission-sig",
    "cert_url": "paypal-cert-url",
    "auth_algo": "paypal-auth-algo",
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


@pytest.fixture
def standin(process: Standin) -> Iterator[Standin]:
    """Nothing is sent until it is flushed; no webhook is registered at the end."""
    process.control("deliveries", {"mode": "held"})
    yield process
    for hook in process.api().get(HOOKS)["webhooks"]:
        process.api().delete(f"{HOOKS}/{hook['id']}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


def register(standin: Standin, receiver: Receiver, *types: str) -> str:
    names = [{"name": name} for name in types or ("*",)]
    return str(standin.api().post(HOOKS, {"url": receiver.url, "event_types": names})["id"])


def verification(standin: Standin, hook: str, headers: dict[str, str], body: bytes) -> str:
    """What the verify call says of a delivery, asked as a merchant asks."""
    asked: Json = {name: headers[header] for name, header in HEADERS.items()}
    asked |= {"webhook_id": hook, "webhook_event": json.loads(body)}
    answer = standin.api().post("v1/notifications/verify-webhook-signature", asked)
    return str(answer["verification_status"])


def test_a_payment_is_told_with_a_delivery_that_verifies(standin: Standin, receiver: Receiver) -> None:
    hook = register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED")
    capture = captured(standin, custom_id="Müller & Søn")
    assert standin.control("deliveries/flush", {}) == {
        "sent": 1,
        "taken": 1,
        "refused": 0,
        "forged": 0,
        "forged_taken": 0,
    }
    ((headers, body),) = receiver.got
    event = json.loads(body)
    assert (event["event_type"], event["resource"]["id"]) == ("PAYMENT.CAPTURE.COMPLETED", capture["id"])
    assert event["resource"]["custom_id"] == "Müller & Søn"
    assert verification(standin, hook, headers, body) == "SUCCESS"


def test_what_is_signed_is_id_time_webhook_and_crc_of_the_raw_body(standin: Standin, receiver: Receiver) -> None:
    hook = standin.control("endpoints", {"provider": "paypal", "url": receiver.url, "secret": "known", "id": "1JE4291"})
    captured(standin)
    standin.control("deliveries/flush", {})
    headers, body = receiver.got[0]
    id, at = headers["paypal-transmission-id"], headers["paypal-transmission-time"]
    assert signature(hook["id"], "known", id, at, body) == headers["paypal-transmission-sig"]
    assert signature(hook["id"], "known", id, at, body + b" ") != headers["paypal-transmission-sig"]
    assert zlib.crc32(body) != zlib.crc32(body + b" ")


@pytest.mark.parametrize("name", [*HEADERS, "webhook_id", "body"])
def test_a_delivery_that_was_changed_fails(standin: Standin, receiver: Receiver, name: str) -> None:
    hook = register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED")
    captured(standin)
    standin.control("deliveries/flush", {})
    headers, body = receiver.got[0]
    if name in HEADERS:
        other = "2026-11-22T00:00:00Z" if name == "transmission_time" else headers[HEADERS[name]] + "x"
        headers = headers | {HEADERS[name]: other}
    hook = "WEBHOOKOFANOTHER" if name == "webhook_id" else hook
    body = body.replace(b'"10.00"', b'"99.00"') if name == "body" else body
    assert verification(standin, hook, headers, body) == "FAILURE"


def test_a_delivery_signed_an_hour_ago_fails(standin: Standin, receiver: Receiver) -> None:
    hook = register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED")
    captured(standin)
    standin.control("deliveries/flush", {})
    headers, body = receiver.got[0]
    known = next(row for row in standin.control("endpoints?provider=paypal")["rows"] if row["id"] == hook)
    old = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(standin.now().timestamp() - 3600))
    made = signature(hook, known["secret"], headers["paypal-transmission-id"], old, body)
    changed = headers | {"paypal-transmission-time": old, "paypal-transmission-sig": made}
    assert verification(standin, hook, changed, body) == "FAILURE"


def test_every_kind_of_forgery_fails_and_the_true_ones_verify(standin: Standin, receiver: Receiver) -> None:
    hook = register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED")
    standin.control("deliveries", {"mode": "held", "forge": 1.0, "seed": 3})
    for _ in range(24):
        captured(standin)
    counts = standin.control("deliveries/flush", {})
    assert (counts["sent"], counts["forged"]) == (48, 24)
    verdicts = [
        verification(standin, hook, headers, body) if HEADERS["auth_algo"] in headers else "UNSIGNED"
        for headers, body in receiver.got
    ]
    assert verdicts.count("SUCCESS") == 24
    assert verdicts.count("FAILURE") > 0 < verdicts.count("UNSIGNED")


def test_only_the_events_a_webhook_asked_for_are_delivered(standin: Standin, receiver: Receiver) -> None:
    register(standin, receiver, "CHECKOUT.ORDER.COMPLETED")
    captured(standin)
    standin.control("deliveries/flush", {})
    assert [json.loads(body)["event_type"] for _, body in receiver.got] == ["CHECKOUT.ORDER.COMPLETED"]


def test_a_dropped_event_is_listed_and_can_be_sent_again(standin: Standin, receiver: Receiver) -> None:
    register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED")
    standin.control("deliveries", {"mode": "held", "drop": 1.0})
    capture = captured(standin)
    assert standin.control("deliveries/flush", {})["sent"] == 0
    (event,) = standin.api().get(f"{EVENTS}?transaction_id={capture['id']}")["events"]
    assert standin.api().post(f"{EVENTS}/{event['id']}/resend", {})["id"] == event["id"]
    standin.control("deliveries/flush", {})
    assert json.loads(receiver.got[0][1]) == event == standin.api().get(f"{EVENTS}/{event['id']}")


def test_events_are_listed_by_time_and_type_in_pages(standin: Standin) -> None:
    captures = [captured(standin)["id"] for _ in range(5)]
    now, form = standin.now(), "%Y-%m-%dT%H:%M:%SZ"
    span = f"start_time={(now - timedelta(minutes=5)).strftime(form)}&end_time={now.strftime(form)}"
    path, seen = f"{EVENTS}?page_size=2&event_type=PAYMENT.CAPTURE.COMPLETED&{span}", list[str]()
    for _ in range(2):
        page = standin.api().get(path)
        assert page["count"] == len(page["events"]) == 2
        seen += [event["resource"]["id"] for event in page["events"]]
        path = next(link["href"] for link in page["links"] if link["rel"] == "next").removeprefix(standin.url + "/")
    assert seen == captures[:0:-1]
    later = standin.now() + timedelta(hours=1)
    assert standin.api().get(f"{EVENTS}?start_time={later:%Y-%m-%dT%H:%M:%SZ}")["events"] == []


def test_a_webhook_is_registered_listed_and_deleted(standin: Standin, receiver: Receiver) -> None:
    hook = register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED", "CUSTOMER.DISPUTE.CREATED")
    (listed,) = standin.api().get(HOOKS)["webhooks"]
    assert (listed["id"], [one["name"] for one in listed["event_types"]]) == (
        hook,
        ["PAYMENT.CAPTURE.COMPLETED", "CUSTOMER.DISPUTE.CREATED"],
    )
    assert standin.api().delete(f"{HOOKS}/{hook}") == {}
    assert standin.api().get(HOOKS)["webhooks"] == []


def test_an_address_is_registered_once_and_only_for_events_there_are(standin: Standin, receiver: Receiver) -> None:
    register(standin, receiver)
    asked = {"url": receiver.url, "event_types": [{"name": "*"}]}
    assert refusal(lambda: standin.api().post(HOOKS, asked)) == (400, "WEBHOOK_URL_ALREADY_EXISTS")
    unknown = {"url": receiver.url + fresh("x"), "event_types": [{"name": "PAYMENT.NOTHING"}]}
    assert refusal(lambda: standin.api().post(HOOKS, unknown)) == (400, "INVALID_PARAMETER_VALUE")


def test_a_merchant_that_fails_is_told_again(standin: Standin, receiver: Receiver) -> None:
    register(standin, receiver, "PAYMENT.CAPTURE.COMPLETED")
    receiver.status = 500
    captured(standin)
    assert standin.control("deliveries/flush", {})["refused"] == 1
    receiver.status = 200
    assert standin.control("deliveries/flush", {})["taken"] == 1
    first, second = receiver.got
    assert first[1] == second[1]
    assert first[0]["paypal-transmission-id"] != second[0]["paypal-transmission-id"]
