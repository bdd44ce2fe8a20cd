"""Saved wallets at PayPal's stand-in: setup tokens, payment tokens, and what payers do to them later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.paypal_process import (
    Standin,
    a_setup,
    an_order,
    fresh,
    refusal,
    request_id,
    running,
    saved,
    with_wallet,
)

SETUPS, TOKENS, ORDERS = "v3/vault/setup-tokens", "v3/vault/payment-tokens", "v2/checkout/orders"


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


def customer() -> str:
    return fresh("c")[-22:]


def of_setup(id: str) -> dict:
    return {"payment_source": {"token": {"id": id, "type": "SETUP_TOKEN"}}}


def test_a_setup_token_goes_from_the_payers_consent_to_the_vault(standin: Standin) -> None:
    api, who = standin.api(), customer()
    setup = api.post(SETUPS, a_setup(who), request_id())
    assert setup["status"] == "PAYER_ACTION_REQUIRED"
    assert {link["rel"] for link in setup["links"]} == {"approve", "self"}
    standin.control(f"paypal/setup-tokens/{setup['id']}/approve", {"email": "anna@example.org"})
    assert api.get(f"{SETUPS}/{setup['id']}")["status"] == "APPROVED"
    token = api.post(TOKENS, of_setup(setup["id"]), request_id())
    assert api.get(f"{SETUPS}/{setup['id']}")["status"] == "VAULTED"
    assert (token["customer"]["id"], token["payment_source"]["paypal"]["email_address"]) == (who, "anna@example.org")
    assert standin.events(token["id"]) == ["VAULT.PAYMENT-TOKEN.CREATED"]


def test_a_setup_token_without_consent_saves_nothing(standin: Standin) -> None:
    setup = standin.api().post(SETUPS, a_setup(customer()), request_id())
    asked = refusal(lambda: standin.api().post(TOKENS, of_setup(setup["id"]), request_id()))
    assert asked == (422, "PAYER_ACTION_REQUIRED")


def test_a_setup_token_is_used_once_and_its_request_may_be_repeated(standin: Standin) -> None:
    api, key = standin.api(), request_id()
    setup = api.post(SETUPS, a_setup(customer()), request_id())
    standin.control(f"paypal/setup-tokens/{setup['id']}/approve", {"email": "anna@example.org"})
    first = api.post(TOKENS, of_setup(setup["id"]), key)
    assert api.post(TOKENS, of_setup(setup["id"]), key) == first
    assert refusal(lambda: api.post(TOKENS, of_setup(setup["id"]), request_id())) == (422, "SETUP_TOKEN_ALREADY_USED")


def test_an_unknown_setup_token_saves_nothing(standin: Standin) -> None:
    asked = refusal(lambda: standin.api().post(TOKENS, of_setup("5C991763VB2781612"), request_id()))
    assert asked == (422, "SETUP_TOKEN_ID_NOT_FOUND")


def test_a_customers_id_has_22_characters_at_most(standin: Standin) -> None:
    asked = a_setup("c" * 23)
    assert refusal(lambda: standin.api().post(SETUPS, asked, request_id())) == (400, "INVALID_PARAMETER_SYNTAX")


def test_an_order_saves_the_wallet_it_was_paid_with(standin: Standin) -> None:
    api, who = standin.api(), customer()
    order = api.post(ORDERS, an_order(save={"id": who}), request_id())
    standin.control(f"paypal/orders/{order['id']}/approve", {"email": "berta@example.org"})
    paid = api.post(f"{ORDERS}/{order['id']}/capture", {}, request_id())
    vaulted = paid["payment_source"]["paypal"]["attributes"]["vault"]
    assert (vaulted["status"], vaulted["customer"]) == ("VAULTED", {"id": who})
    assert [one["id"] for one in api.get(f"{TOKENS}?customer_id={who}")["payment_tokens"]] == [vaulted["id"]]
    assert api.post(ORDERS, with_wallet(vaulted["id"]), request_id())["status"] == "COMPLETED"


def test_a_declined_order_saves_nothing(standin: Standin) -> None:
    api, who = standin.api(), customer()
    order = api.post(ORDERS, an_order(save={"id": who}), request_id())
    standin.control(f"paypal/orders/{order['id']}/approve", {"email": "b@example.org", "kind": "declined"})
    assert refusal(lambda: api.post(f"{ORDERS}/{order['id']}/capture", {}, request_id()))[0] == 422
    assert api.get(f"{TOKENS}?customer_id={who}")["payment_tokens"] == []


def test_saving_the_same_wallet_again_gives_the_same_token(standin: Standin) -> None:
    who = customer()
    assert saved(standin, customer=who) == saved(standin, customer=who)


def test_a_deleted_wallet_is_gone_told_and_pays_no_more(standin: Standin) -> None:
    api, token = standin.api(), saved(standin)
    assert api.delete(f"{TOKENS}/{token}") == {}
    assert refusal(lambda: api.get(f"{TOKENS}/{token}")) == (404, "INVALID_RESOURCE_ID")
    assert refusal(lambda: api.post(ORDERS, with_wallet(token), request_id())) == (422, "TOKEN_ID_NOT_FOUND")
    assert standin.events(token) == ["VAULT.PAYMENT-TOKEN.CREATED", "VAULT.PAYMENT-TOKEN.DELETED"]


def test_a_payer_removes_a_wallet_at_paypal(standin: Standin) -> None:
    token = saved(standin)
    standin.control(f"paypal/payment-tokens/{token}/remove", {})
    assert standin.events(token)[-1] == "VAULT.PAYMENT-TOKEN.DELETED"
    assert refusal(lambda: standin.api().get(f"{TOKENS}/{token}"))[0] == 404


def test_a_wallet_may_decline_from_now_on_and_recover(standin: Standin) -> None:
    api, token = standin.api(), saved(standin)
    assert api.post(ORDERS, with_wallet(token), request_id())["status"] == "COMPLETED"
    standin.control(f"paypal/payment-tokens/{token}", {"declines": "PAYER_ACCOUNT_RESTRICTED"})
    assert refusal(lambda: api.post(ORDERS, with_wallet(token), request_id())) == (422, "PAYER_ACCOUNT_RESTRICTED")
    standin.control(f"paypal/payment-tokens/{token}", {"declines": ""})
    assert api.post(ORDERS, with_wallet(token), request_id())["status"] == "COMPLETED"


def test_a_wallet_may_pay_by_echeck_from_now_on(standin: Standin) -> None:
    api, token = standin.api(), saved(standin)
    standin.control(f"paypal/payment-tokens/{token}", {"captures": "PENDING"})
    order = api.post(ORDERS, with_wallet(token), request_id())
    assert order["purchase_units"][0]["payments"]["captures"][0]["status"] == "PENDING"


def test_wallets_are_listed_in_pages(standin: Standin) -> None:
    api, who = standin.api(), customer()
    made = []
    for number in range(3):
        setup = api.post(SETUPS, a_setup(who), request_id())
        standin.control(f"paypal/setup-tokens/{setup['id']}/approve", {"email": f"payer{number}@example.org"})
        made.append(api.post(TOKENS, of_setup(setup["id"]), request_id())["id"])
    first = api.get(f"{TOKENS}?customer_id={who}&page_size=2&total_required=true")
    assert (first["total_items"], first["total_pages"]) == (3, 2)
    (following,) = [one["href"] for one in first["links"] if one["rel"] == "next"]
    second = api.get(following.removeprefix(standin.url + "/"))
    seen = [[one["id"] for one in page["payment_tokens"]] for page in (first, second)]
    assert seen == [[made[2], made[1]], [made[0]]]
