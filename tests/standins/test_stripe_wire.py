"""What every call to Stripe's stand-in has in common: keys, errors, idempotency, lists, expansion, a killed process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from ops import processes
from tests.standins.stripe_process import ROOT, Standin, charge, fresh_invoice, running, saved


def body(invoice: str) -> dict[str, str]:
    """A payment as it goes over the wire."""
    return {
        "amount": "1999",
        "currency": "eur",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
        "metadata[invoice]": invoice,
    }


def post(standin: Standin, path: str, given: dict[str, str], key: str = "", timeout: float = 30) -> requests.Response:
    headers = {"Authorization": "Bearer sk_test_shop"} | ({"Idempotency-Key": key} if key else {})
    return requests.post(standin.url + path, data=given, headers=headers, timeout=timeout)


@pytest.mark.parametrize("key", ["", "wrong", "sk_live_1234567890abcd"])
def test_only_a_test_key_is_let_in(shop: Standin, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = requests.get(f"{shop.url}/v1/customers", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "invalid_request_error")
    if key:
        with pytest.raises(stripe.AuthenticationError):
            shop.client(key).v1.customers.list()


def test_what_is_not_there_is_404(client: stripe.StripeClient) -> None:
    for act, id in (
        (client.v1.customers.retrieve, "cus_none"),
        (client.v1.payment_intents.retrieve, "pi_none"),
        (client.v1.refunds.retrieve, "re_none"),
        (client.v1.events.retrieve, "evt_none"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            act(id)
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.invoices.list()
    assert caught.value.http_status == 404


def test_an_answer_names_its_request_and_version(shop: Standin) -> None:
    answer = post(shop, "/v1/customers", {"name": "Ada"}, key="named-1")
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"
    assert answer.headers["Idempotency-Key"] == "named-1"
    assert "Idempotent-Replayed" not in answer.headers


def test_another_version_is_refused(shop: Standin) -> None:
    headers = {"Authorization": "Bearer sk_test_shop", "Stripe-Version": "2020-08-27"}
    answer = requests.get(f"{shop.url}/v1/customers", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_the_same_key_gives_the_same_answer(shop: Standin) -> None:
    invoice = fresh_invoice()
    first, second = (post(shop, "/v1/payment_intents", body(invoice), key=invoice) for _ in range(2))
    assert first.json()["status"] == "succeeded"
    assert first.content == second.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"]
    assert shop.moved(invoice=invoice) == [("charge", 1999)]


def test_without_a_key_two_requests_are_two_payments(shop: Standin) -> None:
    invoice = fresh_invoice()
    for _ in range(2):
        post(shop, "/v1/payment_intents", body(invoice))
    assert shop.moved(invoice=invoice) == [("charge", 1999)] * 2
    assert shop.control(f"money?by=invoice&invoice={invoice}")["rows"][0]["charges"] == 2


def test_the_same_key_with_other_parameters_is_refused(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    invoice = fresh_invoice()
    charge(client, customer, method, invoice, key=invoice)
    with pytest.raises(stripe.IdempotencyError) as caught:
        charge(client, customer, method, invoice, key=invoice, amount=2000)
    assert caught.value.http_status == 400
    assert shop.moved(invoice=invoice) == [("charge", 1999)]


def test_a_decline_is_kept_under_its_key(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    invoice = fresh_invoice()
    shop.script(method, "insufficient_funds")
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            charge(client, customer, method, invoice, key=invoice)
        assert caught.value.error.decline_code == "insufficient_funds"
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert charge(client, customer, method, invoice, key=f"{invoice}-2").status == "succeeded"


def test_a_refused_request_is_not_kept_under_its_key(shop: Standin) -> None:
    invoice = fresh_invoice()
    wrong = post(shop, "/v1/payment_intents", body(invoice) | {"amount": "1"}, key=invoice)
    right = post(shop, "/v1/payment_intents", body(invoice), key=invoice)
    assert (wrong.status_code, right.status_code) == (400, 200)
    assert shop.moved(invoice=invoice) == [("charge", 1999)]


def test_a_key_is_forgotten_after_a_day(shop: Standin) -> None:
    invoice = fresh_invoice()
    post(shop, "/v1/payment_intents", body(invoice), key=invoice)
    shop.control("clock", {"advance": 24 * 3600 - 60})
    assert post(shop, "/v1/payment_intents", body(invoice), key=invoice).headers["Idempotent-Replayed"] == "true"
    shop.control("clock", {"advance": 120})
    assert "Idempotent-Replayed" not in post(shop, "/v1/payment_intents", body(invoice), key=invoice).headers
    assert shop.moved(invoice=invoice) == [("charge", 1999)] * 2


def test_a_key_in_use_is_409(shop: Standin) -> None:
    invoice = fresh_invoice()
    shop.faults({"kind": "slow", "quota": 1, "seconds": 4, "contains": invoice})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, shop, "/v1/payment_intents", body(invoice), invoice)
        assert processes.wait_until(lambda: shop.control("faults")["spent"]["slow"] == 1, 3)
        second = post(shop, "/v1/payment_intents", body(invoice), key=invoice)
        assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
        assert first.result().json()["status"] == "succeeded"
    assert shop.moved(invoice=invoice) == [("charge", 1999)]


def test_twenty_at_once_with_one_key_charge_once(shop: Standin) -> None:
    invoice = fresh_invoice()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(shop, "/v1/payment_intents", body(invoice), invoice), range(20)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1
    assert shop.moved(invoice=invoice) == [("charge", 1999)]


def test_a_list_is_paged_both_ways(client: stripe.StripeClient) -> None:
    email = f"{fresh_invoice()}@example.com"
    ids = [client.v1.customers.create({"email": email}).id for _ in range(5)][::-1]
    first = client.v1.customers.list({"email": email, "limit": 2})
    assert ([row.id for row in first.data], first.has_more) == (ids[:2], True)
    second = client.v1.customers.list({"email": email, "limit": 2, "starting_after": ids[1]})
    assert [row.id for row in second.data] == ids[2:4]
    back = client.v1.customers.list({"email": email, "limit": 2, "ending_before": ids[4]})
    assert [row.id for row in back.data] == ids[2:4]
    assert [row.id for row in first.auto_paging_iter()] == ids
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.list({"limit": 101})


def test_fields_are_expanded_on_request(client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    made = charge(client, customer, method)
    assert made.customer == customer
    opened: Any = client.v1.payment_intents.retrieve(
        made.id,
        {"expand": ["customer", "payment_method", "latest_charge.balance_transaction", "latest_charge.refunds"]},
    )
    assert (opened.customer.email, opened.payment_method.card.last4) == ("a@example.com", "4242")
    assert (opened.latest_charge.balance_transaction.net, opened.latest_charge.refunds.data) == (1909, [])
    listed = client.v1.payment_intents.list({"customer": customer, "expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.object == "charge"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.retrieve(made.id, {"expand": ["colour"]})
    assert caught.value.param == "expand"


def test_metadata_is_added_changed_and_taken_away(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    changed = client.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(customer.id, {"metadata": {"k" * 41: "x"}})


def test_a_customer_is_created_changed_and_deleted(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    named = client.v1.customers.update(
        customer, {"name": "Ada", "invoice_settings": {"default_payment_method": method}}
    )
    assert (named.name, named.invoice_settings.default_payment_method) == ("Ada", method)
    client.v1.payment_methods.detach(method)
    assert client.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_methods.attach(method, {"customer": customer})
    assert caught.value.code == "payment_method_unexpected_state"
    kept = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer})
    listed = client.v1.customers.payment_methods.list(customer, {"type": "card"})
    assert [row.id for row in listed.data] == [kept.id]
    assert client.v1.customers.delete(customer).deleted is True
    assert client.v1.customers.retrieve(customer).deleted is True
    assert client.v1.payment_methods.retrieve(kept.id).customer is None
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    assert caught.value.code == "resource_missing"
    assert shop.events(customer) == ["customer.created", "customer.updated", "customer.deleted"]


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Standin]:
    """A process that may be killed."""
    with running(tmp_path / "killed") as standin:
        yield standin


def test_what_was_answered_outlives_the_process(alone: Standin) -> None:
    client = alone.client()
    customer, method = saved(client)
    paid = charge(client, customer, method, "in_kill", key="in_kill")
    alone.control("clock", {"advance": 3600})
    ahead = alone.control("clock")["ahead"]
    alone.faults({"kind": "rate_limited", "quota": 5, "operation": "customers.list"})
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.list()
    alone.kill()
    alone.start()
    again = charge(client, customer, method, "in_kill", key="in_kill")
    assert again.id == paid.id
    assert alone.moved() == [("charge", 1999)]
    assert alone.control("clock")["ahead"] == ahead
    assert (alone.control("faults")["spent"]["rate_limited"], alone.control("faults")["left"]) == (
        1,
        {"rate_limited": 4},
    )
    assert "payment_intent.succeeded" in alone.events(paid.id)


def test_a_folder_has_one_process(alone: Standin) -> None:
    command = [sys.executable, "-m", "standins.providers", "--folder", str(alone.folder)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (second.returncode, "in use" in second.stderr) == (1, True)


def test_killed_in_the_middle_of_payments_nothing_is_lost_or_doubled(alone: Standin) -> None:
    answered: dict[str, str] = {}
    sent: list[str] = []
    stop = threading.Event()

    def pay(worker: int) -> None:
        number = 0
        while not stop.is_set():
            invoice = f"in_{worker}_{number}"
            number += 1
            sent.append(invoice)
            try:
                answered[invoice] = post(alone, "/v1/payment_intents", body(invoice), key=invoice).json()["id"]
            except requests.RequestException:
                return

    threads = [threading.Thread(target=pay, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    processes.wait_until(lambda: len(answered) > 20, 60)
    alone.kill()
    stop.set()
    for thread in threads:
        thread.join()
    alone.start()
    booked = [row["invoice"] for row in alone.ledger()]
    assert len(answered) > 20
    assert len(booked) == len(set(booked))
    assert set(answered) <= set(booked) <= set(sent)
    for invoice in sent:
        again = post(alone, "/v1/payment_intents", body(invoice), key=invoice).json()["id"]
        assert answered.get(invoice, again) == again
    assert sorted(row["invoice"] for row in alone.ledger()) == sorted(sent)
    pairs = alone.client().v1.events.list({"type": "charge.succeeded", "limit": 100}).auto_paging_iter()
    assert sorted(event.data.object["metadata"]["invoice"] for event in pairs) == sorted(sent)
