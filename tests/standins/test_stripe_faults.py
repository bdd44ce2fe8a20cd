"""Each kind of fault: what the client sees, what was really done, what a second try with the same key meets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from ops import processes
from standins.providers.faults import KINDS
from tests.standins.stripe_process import Standin, charge, fresh_invoice, running, saved

PAID = [("charge", 1999)]


@pytest.mark.parametrize(
    ("kind", "error", "done", "second"),
    [
        ("hang_before", stripe.APIConnectionError, [], "succeeded"),
        ("hang_after", stripe.APIConnectionError, PAID, "succeeded"),
        ("reset_before", stripe.APIConnectionError, [], "succeeded"),
        ("reset_after", stripe.APIConnectionError, PAID, "succeeded"),
        ("error_500_before", stripe.APIError, [], "succeeded"),
        ("error_500_after", stripe.APIError, PAID, "error"),
        ("unavailable", stripe.APIError, [], "succeeded"),
        ("rate_limited", stripe.RateLimitError, [], "succeeded"),
        ("malformed", stripe.APIError, PAID, "succeeded"),
        ("empty", stripe.APIError, PAID, "succeeded"),
    ],
)
def test_a_fault_hides_what_was_done_and_the_key_finds_it(
    shop: Standin, kind: str, error: type[stripe.StripeError], done: list[tuple[str, int]], second: str
) -> None:
    client, hasty = shop.client(), shop.client(timeout=0.7)
    customer, method = saved(client)
    invoice = fresh_invoice()
    shop.faults({"kind": kind, "operation": "payment_intents.create", "quota": 1, "seconds": 3})
    with pytest.raises(error):
        charge(hasty if kind.startswith("hang") else client, customer, method, invoice, key=invoice)
    # Who hangs up early hears nothing: what was begun may still be under way.
    processes.wait_until(lambda: shop.control("faults")["spent"][kind] == 1 and shop.moved(invoice=invoice) == done, 20)
    assert shop.moved(invoice=invoice) == done
    assert shop.control("faults")["spent"][kind] == 1
    if second == "error":  # as Stripe has it: a 500 is kept under its key; only looking up tells
        with pytest.raises(stripe.APIError) as caught:
            charge(client, customer, method, invoice, key=invoice)
        assert caught.value.headers["Idempotent-Replayed"] == "true"
        found = client.v1.payment_intents.search({"query": f"metadata['invoice']:'{invoice}'"})
        assert [intent.status for intent in found.data] == ["succeeded"]
    else:
        assert charge(client, customer, method, invoice, key=invoice).status == second
    assert shop.moved(invoice=invoice) == PAID


@pytest.mark.parametrize(
    ("status", "kind"), [(500, "error_500_before"), (503, "unavailable"), (429, "rate_limited"), (200, "empty")]
)
def test_a_fault_has_the_status_of_the_real_one(shop: Standin, status: int, kind: str) -> None:
    shop.faults({"kind": kind, "quota": 1})
    headers = {"Authorization": "Bearer sk_test_shop"}
    answer = requests.get(f"{shop.url}/v1/customers", headers=headers, timeout=30)
    assert answer.status_code == status
    assert (answer.content == b"") is (kind == "empty")


def test_the_sdks_own_retries_charge_once(shop: Standin) -> None:
    customer, method = saved(shop.client())
    client = shop.client(retries=3, timeout=3)
    invoice = fresh_invoice()
    shop.faults(
        {"kind": "hang_after", "operation": "payment_intents.create", "quota": 1, "seconds": 10},
        {"kind": "reset_before", "operation": "payment_intents.create", "quota": 1},
        {"kind": "unavailable", "operation": "payment_intents.create", "quota": 1},
    )
    assert charge(client, customer, method, invoice).status == "succeeded"
    assert shop.moved(invoice=invoice) == PAID
    spent = shop.control("faults")["spent"]
    assert {kind: n for kind, n in spent.items() if n} == {"hang_after": 1, "reset_before": 1, "unavailable": 1}


def test_a_decline_can_be_ordered_by_reason(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    shop.faults({"kind": "decline", "reason": "do_not_honor", "quota": 1})
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer, method)
    assert caught.value.error.decline_code == "do_not_honor"
    assert charge(client, customer, method).status == "succeeded"


def test_authentication_can_be_ordered(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    shop.faults({"kind": "authentication_required", "quota": 2})
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer, method)
    assert (caught.value.http_status, caught.value.code) == (402, "authentication_required")
    waiting = charge(client, customer, method, off_session=False, return_url="https://shop.example/")
    assert waiting.status == "requires_action"
    shop.control("stripe/authentication", {"intent": waiting.id})
    assert client.v1.payment_intents.retrieve(waiting.id).status == "succeeded"


def test_what_ends_a_payment_is_not_ordered_of_a_mere_read(shop: Standin, client: stripe.StripeClient) -> None:
    shop.faults({"kind": "decline", "quota": 1}, {"kind": "unavailable", "quota": 1, "provider": "paypal"})
    client.v1.customers.list()
    assert shop.control("faults")["spent"]["decline"] == 0


def test_what_ends_a_payment_waits_for_its_confirmation(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    shop.faults({"kind": "decline", "reason": "lost_card", "quota": 1})
    made = charge(client, customer, method, confirm=False, off_session=None)
    assert made.status == "requires_confirmation"
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.confirm(made.id, {"off_session": True})
    assert caught.value.error.decline_code == "lost_card"


def test_a_campaign_of_faults_neither_loses_nor_doubles_a_payment(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    kinds = [kind for kind in KINDS if kind != "slow"]
    shop.faults(
        *(
            {"kind": kind, "quota": 4, "rate": 0.3, "seconds": 1, "reason": "insufficient_funds"}
            | {"operation": "payment_intents.create"}
            for kind in kinds
        ),
        seed=7,
    )

    def collect(invoice: str) -> str:
        """As a careful merchant does: the same key until there is a word, a new key after a no, a look after a 500."""
        own = shop.client(timeout=0.4)
        for attempt in range(40):
            for _ in range(100):  # never a new key before there is a word
                try:
                    return charge(own, customer, method, invoice, key=f"{invoice}-{attempt}").id
                except stripe.CardError:
                    break
                except stripe.APIError as error:
                    if error.http_status == 500 and error.headers.get("Idempotent-Replayed"):
                        query = f"metadata['invoice']:'{invoice}' AND status:'succeeded'"
                        return own.v1.payment_intents.search({"query": query}).data[0].id
                except stripe.StripeError:
                    pass
        return "never"

    invoices = [fresh_invoice() for _ in range(120)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(collect, invoices))
    rows = shop.ledger(customer=customer)
    assert sorted(row["invoice"] for row in rows) == sorted(invoices)
    assert "never" not in ids
    assert {row["amount"] for row in rows} == {1999}
    spent = shop.control("faults")["spent"]
    assert {kind: spent[kind] for kind in kinds} == dict.fromkeys(kinds, 4)


def test_a_slow_answer_is_still_the_answer(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    shop.faults({"kind": "slow", "quota": 1, "seconds": 0.2, "operation": "payment_intents.*"})
    assert charge(client, customer, method).status == "succeeded"


def test_quotas_skips_and_rates_are_kept_to(shop: Standin, client: stripe.StripeClient) -> None:
    shop.faults(
        {"kind": "rate_limited", "operation": "customers.list", "skip": 2, "quota": 3},
        {"kind": "unavailable", "operation": "events.list", "rate": 0.5},
    )

    def seen(act: Any) -> str:
        return "".join(_works(act) for _ in range(8))

    assert seen(client.v1.customers.list) == "++---+++"
    pattern = seen(client.v1.events.list)
    assert set(pattern) == {"+", "-"}
    report = shop.control("faults")
    assert report["left"] == {"rate_limited": 0, "unavailable": None}
    assert report["spent"]["unavailable"] == pattern.count("-")
    shop.faults({"kind": "unavailable", "operation": "events.list", "rate": 0.5})
    first = seen(client.v1.events.list)
    shop.faults({"kind": "unavailable", "operation": "events.list", "rate": 0.5})
    assert seen(client.v1.events.list) == first
    shop.faults({"kind": "unavailable", "operation": "events.list", "rate": 0.5}, seed=2)
    assert seen(client.v1.events.list) != first


def _works(act: Any) -> str:
    try:
        act()
    except stripe.StripeError:
        return "-"
    return "+"


def test_a_rule_that_makes_no_sense_is_refused(shop: Standin) -> None:
    for rule in ({"kind": "earthquake"}, {"kind": "slow", "colour": "red"}):
        shop.control("faults", {"rules": [rule]}, status=400)


def test_every_kind_is_counted(shop: Standin) -> None:
    assert set(shop.control("faults")["spent"]) == set(KINDS)


def test_a_plan_can_come_from_a_file(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"seed": 3, "rules": [{"kind": "unavailable", "quota": 1}]}')
    with running(tmp_path / "folder", "--faults", str(plan)) as standin:
        client = standin.client()
        assert [_works(client.v1.customers.list) for _ in range(2)] == ["-", "+"]
