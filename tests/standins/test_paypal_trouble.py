"""PayPal's stand-in when things go wrong: bearers, faults of every kind, kill -9, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from paypalrestsdk.exceptions import ClientError, ServerError, UnauthorizedAccess

from tests.standins.paypal_process import (
    Standin,
    an_order,
    approved,
    captured,
    fresh,
    refusal,
    refused,
    request_id,
    running,
    saved,
    with_wallet,
)

ORDERS = "v2/checkout/orders"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


@pytest.fixture
def standin(process: Standin) -> Iterator[Standin]:
    yield process
    process.control("faults", {"rules": []})


def bearer(standin: Standin) -> str:
    return str(standin.api().get_access_token())


def look(standin: Standin, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{standin.url}/v1/notifications/webhooks", headers=headers, timeout=10)


def test_a_bearer_opens_the_door(standin: Standin) -> None:
    assert look(standin, bearer(standin)).status_code == 200


def test_a_client_with_another_secret_is_refused(standin: Standin) -> None:
    standin.api("shop-a", "right").get_access_token()
    with pytest.raises(UnauthorizedAccess) as error:
        standin.api("shop-a", "wrong").get_access_token()
    assert '"invalid_client"' in error.value.content


@pytest.mark.parametrize("token", ["", "A21AAanything", "nonsense"])
def test_a_bearer_of_nobody_is_refused(standin: Standin, token: str) -> None:
    answer = look(standin, token)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


def test_a_changed_bearer_is_refused(standin: Standin) -> None:
    token = bearer(standin)
    assert look(standin, token[:40] + ("A" if token[40] != "A" else "B") + token[41:]).status_code == 401


def test_an_expired_bearer_is_refused_and_the_sdk_fetches_another(standin: Standin) -> None:
    api = standin.api()
    old = api.get_access_token()
    standin.control("paypal/log-out", {})
    assert look(standin, old).json()["error"] == "invalid_token"
    assert "webhooks" in api.get("v1/notifications/webhooks")
    assert api.get_access_token() != old


def test_a_bearer_lives_as_long_as_it_says(standin: Standin) -> None:
    standin.control("paypal/log-out", {"seconds": 0})
    try:
        assert look(standin, bearer(standin)).status_code == 401
    finally:
        standin.control("paypal/log-out", {})


def test_a_path_there_is_none_of_is_404(standin: Standin) -> None:
    assert refusal(lambda: standin.api().get("v2/checkout/nothing")) == (404, "RESOURCE_NOT_FOUND")


BEFORE = ("hang_before", "reset_before", "error_500_before", "unavailable", "rate_limited")
AFTER = ("hang_after", "reset_after", "error_500_after", "malformed", "empty")


def attempt(standin: Standin, token: str, invoice: str, key: dict[str, str]) -> object:
    """A payment with a saved wallet: its order, or what the client saw instead."""
    try:
        return standin.api().post(ORDERS, with_wallet(token, invoice_id=invoice), key)
    except (requests.RequestException, ServerError, ClientError, ValueError) as error:
        return error


@pytest.mark.parametrize("kind", BEFORE)
def test_a_fault_before_the_effect_leaves_nothing_and_the_repetition_pays(standin: Standin, kind: str) -> None:
    token, invoice, key = saved(standin), fresh("INV"), request_id()
    standin.control("faults", {"rules": [{"kind": kind, "quota": 1, "operation": "orders.create", "seconds": 0.1}]})
    assert isinstance(attempt(standin, token, invoice, key), Exception)
    assert standin.ledger(invoice=invoice) == []
    assert attempt(standin, token, invoice, key)["status"] == "COMPLETED"
    assert len(standin.ledger(invoice=invoice)) == 1


@pytest.mark.parametrize("kind", AFTER)
def test_a_fault_after_the_effect_leaves_the_payment_and_the_repetition_pays_no_second_time(
    standin: Standin, kind: str
) -> None:
    token, invoice, key = saved(standin), fresh("INV"), request_id()
    standin.control("faults", {"rules": [{"kind": kind, "quota": 1, "operation": "orders.create", "seconds": 0.1}]})
    seen = attempt(standin, token, invoice, key)
    assert isinstance(seen, Exception) or seen == {}
    assert len(standin.ledger(invoice=invoice)) == 1
    again = attempt(standin, token, invoice, key)
    assert again["status"] == "COMPLETED"
    assert len(standin.ledger(invoice=invoice)) == 1


def test_too_many_requests_say_when_to_come_back(standin: Standin) -> None:
    token = bearer(standin)
    standin.control("faults", {"rules": [{"kind": "rate_limited", "quota": 1}]})
    answer = look(standin, token)
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["name"]) == (
        429,
        "1",
        "RATE_LIMIT_REACHED",
    )


def test_a_slow_answer_is_a_good_one(standin: Standin) -> None:
    token = bearer(standin)
    standin.control("faults", {"rules": [{"kind": "slow", "quota": 1, "seconds": 0.3}]})
    answer = look(standin, token)
    assert (answer.status_code, answer.elapsed.total_seconds() >= 0.3) == (200, True)


@pytest.mark.parametrize(
    "path",
    [
        "v1/oauth2/token",
        "v2/checkout/orders",
        "v2/payments/captures/X/refund",
        "v3/vault/setup-tokens",
        "v3/vault/payment-tokens",
        "v1/notifications/webhooks",
        "v1/notifications/verify-webhook-signature",
        "v1/customer/disputes/X/accept-claim",
    ],
)
def test_every_family_can_fail(standin: Standin, path: str) -> None:
    headers = {"Authorization": f"Bearer {bearer(standin)}"}
    standin.control("faults", {"rules": [{"kind": "unavailable", "quota": 1, "provider": "paypal"}]})
    answer = requests.post(f"{standin.url}/{path}", json={}, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["name"]) == (503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("reason", "issue"),
    [("", "INSTRUMENT_DECLINED"), ("insufficient_funds", "INSUFFICIENT_FUNDS"), ("CARD_EXPIRED", "CARD_EXPIRED")],
)
def test_a_planned_decline_has_its_reason(standin: Standin, reason: str, issue: str) -> None:
    asked = with_wallet(saved(standin), invoice_id=fresh("INV"))
    standin.control("faults", {"rules": [{"kind": "decline", "quota": 1, "reason": reason}]})
    assert refusal(lambda: standin.api().post(ORDERS, asked, request_id())) == (422, issue)


def test_a_decline_planned_for_an_order_comes_with_its_capture_and_once(standin: Standin) -> None:
    invoice = fresh("INV")
    standin.control("faults", {"rules": [{"kind": "decline", "quota": 1, "operation": "orders.create"}]})
    id = approved(standin, invoice_id=invoice)
    capture = f"{ORDERS}/{id}/capture"
    assert refusal(lambda: standin.api().post(capture, {}, request_id())) == (422, "INSTRUMENT_DECLINED")
    assert standin.ledger(invoice=invoice) == []
    assert standin.api().post(capture, {}, request_id())["status"] == "COMPLETED"


def test_a_planned_challenge_asks_for_the_payer(standin: Standin) -> None:
    asked = with_wallet(saved(standin), invoice_id=fresh("INV"))
    standin.control("faults", {"rules": [{"kind": "authentication_required", "quota": 1}]})
    status, body = refused(lambda: standin.api().post(ORDERS, asked, request_id()))
    assert (status, body["details"][0]["issue"]) == (422, "PAYER_ACTION_REQUIRED")
    assert "payer-action" in {link["rel"] for link in body["links"]}


def test_twenty_payments_of_one_invoice_at_once_take_the_money_once(standin: Standin) -> None:
    invoice = fresh("INV")
    ids = [approved(standin, invoice_id=invoice) for _ in range(20)]

    def pay(id: str) -> str:
        try:
            return str(standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())["status"])
        except ClientError as error:
            return str(error.response.status_code)

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(pay, ids)) == ["422"] * 19 + ["COMPLETED"]
    assert len(standin.ledger(invoice=invoice)) == 1


def test_twenty_repetitions_at_once_take_the_money_once(standin: Standin) -> None:
    invoice, token, key = fresh("INV"), saved(standin), request_id()
    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(lambda _: attempt(standin, token, invoice, key), range(20)))
    paid = {one["id"] for one in seen if isinstance(one, dict)}
    busy = [one.response.status_code for one in seen if not isinstance(one, dict)]
    assert len(paid) == 1 and set(busy) <= {409}
    assert len(standin.ledger(invoice=invoice)) == 1


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    with running(tmp_path) as standin:
        invoice, key = fresh("INV"), request_id()
        token, api = saved(standin), standin.api()
        first = api.post(ORDERS, with_wallet(token, invoice_id=invoice), key)
        waiting = api.post(ORDERS, an_order(), request_id())["id"]
        standin.kill()
        standin.start()
        assert api.post(ORDERS, with_wallet(token, invoice_id=invoice), key) == first
        assert [row["amount"] for row in standin.ledger(invoice=invoice)] == [1000]
        assert api.get(f"{ORDERS}/{waiting}")["status"] == "PAYER_ACTION_REQUIRED"
        standin.control(f"paypal/orders/{waiting}/approve", {"email": "a@example.org"})
        assert api.post(f"{ORDERS}/{waiting}/capture", {}, request_id())["status"] == "COMPLETED"


def test_kill_9_in_the_middle_of_payments_loses_none_that_was_answered(tmp_path: Path) -> None:
    with running(tmp_path) as standin:
        token = saved(standin)
        jobs = [(fresh("INV"), request_id()) for _ in range(120)]

        def pay(job: tuple[str, dict[str, str]]) -> bool:
            if job is jobs[40]:
                standin.kill()
            return isinstance(attempt(standin, token, *job), dict)

        with ThreadPoolExecutor(4) as pool:
            answered = list(pool.map(pay, jobs))
        assert 0 < sum(answered) < 120
        standin.start()
        booked = [row["invoice"] for row in standin.ledger()]
        assert {job[0] for job, was in zip(jobs, answered, strict=True) if was} <= set(booked)
        for job in jobs:
            assert attempt(standin, token, *job)["status"] == "COMPLETED"
        assert sorted(row["invoice"] for row in standin.ledger()) == sorted(job[0] for job in jobs)


def test_the_same_fault_plan_meets_the_same_requests(tmp_path: Path) -> None:
    seen = []
    for run in ("one", "two"):
        with running(tmp_path / run) as standin:
            rules = [{"kind": "unavailable", "rate": 0.4, "operation": "captures.get"}]
            capture = captured(standin)["id"]
            standin.control("faults", {"seed": 7, "rules": rules})
            headers = {"Authorization": f"Bearer {bearer(standin)}"}
            url = f"{standin.url}/v2/payments/captures/{capture}"
            seen.append([requests.get(url, headers=headers, timeout=10).status_code for _ in range(20)])
    assert seen[0] == seen[1]
    assert set(seen[0]) == {200, 503}
