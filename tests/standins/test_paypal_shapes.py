"""The shapes of PayPal's published specification, as facts, and every object the stand-in shows held against them.

Read from its OpenAPI documents (orders 2, payments 2, vault 3, webhooks 1, disputes 1, transaction search 1): what is
required, which values there are, which form a value has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.standins.paypal_process import (
    Json,
    Receiver,
    Standin,
    a_setup,
    an_order,
    captured,
    fresh,
    refused,
    request_id,
    running,
    saved,
)

INSTANT = (
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
)
MONEY = r"((-?[0-9]+)|(-?([0-9]+)?[.][0-9]+))"
METHODS = {"GET", "POST", "PUT", "DELETE", "HEAD", "CONNECT", "OPTIONS", "PATCH"}
ORDER = {"CREATED", "SAVED", "APPROVED", "VOIDED", "COMPLETED", "PAYER_ACTION_REQUIRED"}
CAPTURE = {"COMPLETED", "DECLINED", "PARTIALLY_REFUNDED", "PENDING", "REFUNDED", "FAILED"}
REFUND = {"CANCELLED", "FAILED", "PENDING", "COMPLETED"}
PENDING_BECAUSE = {"BUYER_COMPLAINT", "CHARGEBACK", "ECHECK", "INTERNATIONAL_WITHDRAWAL", "OTHER", "PENDING_REVIEW"}
NAMES = {
    400: "INVALID_REQUEST",
    404: "RESOURCE_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    422: "UNPROCESSABLE_ENTITY",
}
DISPUTE_SUMMARY = {
    "dispute_id",
    "reason",
    "status",
    "dispute_state",
    "dispute_life_cycle_stage",
    "dispute_channel",
    "dispute_amount",
    "create_time",
    "update_time",
}


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


def held(value: Any, name: str = "") -> None:
    """What holds for every object: links, money and instants have their form, wherever they stand."""
    if isinstance(value, list):
        for one in value:
            held(one, name)
    elif isinstance(value, dict):
        if "currency_code" in value:
            assert set(value) == {"currency_code", "value"}
            assert re.fullmatch(MONEY, value["value"]) and len(value["value"]) <= 32
            assert re.fullmatch("[A-Z]{3}", value["currency_code"])
        if {"href", "rel"} & set(value):
            assert {"href", "rel"} <= set(value) and value.get("method", "GET") in METHODS
        for key, one in value.items():
            held(one, key)
    elif name.endswith(("_time", "_date", "_datetime")) or name in ("time_created", "time_deleted"):
        assert re.fullmatch(INSTANT, value), (name, value)


def rels(thing: Json) -> set[str]:
    return {link["rel"] for link in thing["links"]}


def test_an_order_has_the_published_shape(standin: Standin) -> None:
    for prefer in ({}, {"Prefer": "return=representation"}):
        order = standin.api().post("v2/checkout/orders", an_order(), request_id() | prefer)
        held(order)
        assert {"id", "status", "links"} <= set(order) and order["status"] in ORDER
        assert re.fullmatch(r"[A-Z0-9]{17}", order["id"])
    whole = standin.api().get(f"v2/checkout/orders/{order['id']}")
    held(whole)
    assert {"id", "intent", "status", "purchase_units", "payment_source", "create_time", "links"} <= set(whole)
    assert {"reference_id", "amount", "payee"} <= set(whole["purchase_units"][0])


@pytest.mark.parametrize("kind", ["pays", "echeck", "refused"])
def test_a_capture_has_the_published_shape(standin: Standin, kind: str) -> None:
    id = captured(standin, kind, invoice_id=fresh("INV"), custom_id="cus_1")["id"]
    capture = standin.api().get(f"v2/payments/captures/{id}")
    held(capture)
    assert capture["status"] in CAPTURE
    assert {"id", "amount", "final_capture", "seller_protection", "create_time", "update_time"} <= set(capture)
    assert {"self", "refund", "up"} == rels(capture)
    assert re.fullmatch("[2-9A-HJ-NP-Z]{13}", capture["payee"]["merchant_id"])
    assert capture["supplementary_data"]["related_ids"]["order_id"] in capture["links"][2]["href"]
    assert ("seller_receivable_breakdown" in capture) == (kind == "pays")
    if kind == "pays":
        assert {"gross_amount", "paypal_fee", "net_amount"} <= set(capture["seller_receivable_breakdown"])
    if kind == "echeck":
        assert capture["status_details"]["reason"] in PENDING_BECAUSE


def test_a_refund_has_the_published_shape(standin: Standin) -> None:
    id = captured(standin)["id"]
    made = standin.api().post(f"v2/payments/captures/{id}/refund", {}, request_id())
    assert set(made) == {"id", "status", "links"}
    whole = standin.api().get(f"v2/payments/refunds/{made['id']}")
    held(whole)
    assert whole["status"] in REFUND and rels(whole) == {"self", "up"}
    assert {"gross_amount", "paypal_fee", "net_amount", "total_refunded_amount"} <= set(
        whole["seller_payable_breakdown"]
    )


def test_a_setup_token_and_a_payment_token_have_the_published_shape(standin: Standin) -> None:
    setup = standin.api().post("v3/vault/setup-tokens", a_setup("customer_4029352050"), request_id())
    held(setup)
    assert {"id", "customer", "status", "payment_source", "links"} == set(setup)
    assert re.fullmatch("[0-9A-Z_]+", setup["status"])
    token = standin.api().get(f"v3/vault/payment-tokens/{saved(standin, customer='customer_1')}")
    held(token)
    assert {"id", "customer", "payment_source", "links"} == set(token)
    assert re.fullmatch("[0-9a-zA-Z_-]{1,36}", token["id"]) and rels(token) == {"self", "delete"}
    page = standin.api().get("v3/vault/payment-tokens?customer_id=customer_1")
    held(page)
    assert {"customer", "payment_tokens", "links"} <= set(page) and {"self", "first", "last"} <= rels(page)


def test_a_webhook_and_its_event_have_the_published_shape(standin: Standin) -> None:
    receiver = Receiver()
    try:
        hook = standin.api().post("v1/notifications/webhooks", {"url": receiver.url, "event_types": [{"name": "*"}]})
        held(hook)
        assert {"id", "url", "event_types", "links"} == set(hook)
        assert all(one["name"] for one in hook["event_types"])
        capture = captured(standin)
        (event,) = standin.api().get(f"v1/notifications/webhooks-events?transaction_id={capture['id']}")["events"]
        standin.api().delete(f"v1/notifications/webhooks/{hook['id']}")
    finally:
        receiver.close()
    held(event)
    assert {"id", "create_time", "resource_type", "event_version", "event_type", "summary", "resource"} <= set(event)
    assert re.fullmatch(r"[0-9]+\.[0-9]+", event["event_version"])
    assert re.fullmatch(r"[0-9]+\.[0-9]+", event["resource_version"])
    assert rels(event) == {"self", "resend"}


def test_a_case_has_the_published_shape(standin: Standin) -> None:
    capture = captured(standin)
    made = standin.control("paypal/disputes", {"capture": capture["id"]})
    case = standin.api().get(f"v1/customer/disputes/{made['dispute_id']}")
    held(case)
    assert set(case) >= DISPUTE_SUMMARY
    assert case["disputed_transactions"][0]["seller_transaction_id"] == capture["id"]
    assert rels(case) == {"self", "provide_evidence", "accept_claim"}
    (listed,) = standin.api().get(f"v1/customer/disputes?disputed_transaction_id={capture['id']}")["items"]
    held(listed)
    assert set(listed) >= DISPUTE_SUMMARY


def test_a_movement_has_the_published_shape(standin: Standin) -> None:
    captured(standin, invoice_id=fresh("INV"), custom_id="cus_1")
    form, now = "%Y-%m-%dT%H:%M:%SZ", standin.now()
    span = f"start_date={(now - timedelta(days=1)).strftime(form)}&end_date={now.strftime(form)}"
    found = standin.api().get(f"v1/reporting/transactions?{span}&fields=all")
    held(found)
    assert {"transaction_details", "account_number", "page", "total_items", "total_pages", "links"} <= set(found)
    for one in found["transaction_details"]:
        info = one["transaction_info"]
        assert re.fullmatch("[a-zA-Z0-9]{1,24}", info["transaction_id"])
        assert info["paypal_reference_id_type"] in {"ODR", "TXN", "SUB", "PAP"}
        assert re.fullmatch("T[0-9]{4}", info["transaction_event_code"])
        assert info["transaction_status"] in {"D", "P", "S", "V"}
        assert re.fullmatch("[a-zA-Z0-9_'\\-., \":;!?]{1,127}", info.get("invoice_id", "x"))
        assert set(one) == {"transaction_info", "payer_info"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "v2/checkout/orders", {"intent": "CAPTURE"}),
        ("POST", "v2/checkout/orders", {}),
        ("GET", "v2/checkout/orders/UNKNOWN0000000001", None),
        ("GET", "v2/payments/captures/UNKNOWN0000000001", None),
        ("GET", "v2/payments/refunds/UNKNOWN0000000001", None),
        ("POST", "v3/vault/payment-tokens", {"payment_source": {"token": {"id": "X", "type": "SETUP_TOKEN"}}}),
        ("GET", "v3/vault/payment-tokens", None),
        ("GET", "v1/notifications/webhooks/UNKNOWN", None),
        ("GET", "v1/notifications/webhooks-events/UNKNOWN", None),
        ("GET", "v1/customer/disputes/UNKNOWN", None),
        ("GET", "v1/reporting/transactions", None),
    ],
)
def test_a_refusal_has_the_published_shape(standin: Standin, method: str, path: str, body: Json | None) -> None:
    api = standin.api()
    status, error = refused(lambda: api.get(path) if method == "GET" else api.post(path, body))
    held(error)
    assert error["name"] == NAMES[status]
    assert {"name", "message", "debug_id", "details", "links"} == set(error)
    assert all(detail["issue"] and detail["description"] for detail in error["details"])
    assert all(detail.get("location", "body") in {"body", "path", "query", "header"} for detail in error["details"])


def test_an_idempotent_answer_is_200_where_the_first_was_201(standin: Standin) -> None:
    headers = {"Authorization": f"Bearer {standin.api().get_access_token()}", **request_id()}
    url = f"{standin.url}/v2/checkout/orders"
    answers = [requests.post(url, json=an_order(), headers=headers, timeout=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    assert all(answer.headers["PayPal-Debug-Id"] for answer in answers)


def test_what_has_no_body_is_answered_204(standin: Standin) -> None:
    headers = {"Authorization": f"Bearer {standin.api().get_access_token()}"}
    answer = requests.delete(f"{standin.url}/v3/vault/payment-tokens/{saved(standin)}", headers=headers, timeout=10)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_login_has_the_published_shape(standin: Standin) -> None:
    token = standin.api().get_token_hash()
    assert {"scope", "access_token", "token_type", "app_id", "expires_in", "nonce"} == set(token)
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 32400)
