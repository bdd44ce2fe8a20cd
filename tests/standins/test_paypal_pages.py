"""The pages on which a payer agrees at PayPal's stand-in, as a browser without script uses them; and their wallets."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
import requests

from standins.providers.paypal_money import fee, money
from standins.providers.paypal_pages import back_to
from standins.providers.paypal_payments import status_of
from standins.providers.paypal_wallets import BEHAVIOURS, KINDS, ready
from tests.standins.paypal_process import Standin, a_setup, an_order, fresh, refusal, request_id, running, with_wallet

ORDERS = "v2/checkout/orders"


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


def link(thing: dict, rel: str) -> str:
    return next(one["href"] for one in thing["links"] if one["rel"] == rel)


def submit(address: str, **fields: str) -> requests.Response:
    """Open a page and send its form with what was typed, as a browser would."""
    page = requests.get(address, timeout=10)
    assert page.status_code == 200
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', page.text)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', page.text))
    base = "/".join(address.split("/")[:3])
    return requests.post(base + action, data=hidden | fields, timeout=10, allow_redirects=False)


def test_a_payer_pays_and_comes_back_with_token_and_payer(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order("12.34"), request_id())
    assert "12.34 EUR" in requests.get(link(order, "payer-action"), timeout=10).text
    sent = submit(link(order, "payer-action"), email="anna@example.org", kind="pays")
    payer = ready("anna@example.org").payer_id
    assert sent.status_code == 303
    assert sent.headers["Location"] == f"https://shop.example/back?x=1&token={order['id']}&PayerID={payer}"
    assert standin.api().get(f"{ORDERS}/{order['id']}")["status"] == "APPROVED"


def test_a_payer_cancels_and_comes_back_with_the_token(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(), request_id())
    page = requests.get(link(order, "payer-action"), timeout=10).text
    (where,) = re.findall(r'id="cancel" href="([^"]+)"', page)
    assert html.unescape(where) == f"https://shop.example/no?token={order['id']}"
    assert standin.api().get(f"{ORDERS}/{order['id']}")["status"] == "PAYER_ACTION_REQUIRED"


def test_a_payer_whose_wallet_declines_can_choose_another(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(), request_id())
    submit(link(order, "payer-action"), email="declined@example.org", kind="")
    capture = f"{ORDERS}/{order['id']}/capture"
    assert refusal(lambda: standin.api().post(capture, {}, request_id())) == (422, "INSTRUMENT_DECLINED")
    submit(link(order, "payer-action"), email="anna@example.org", kind="")
    assert standin.api().post(capture, {}, request_id())["status"] == "COMPLETED"


def test_a_payer_without_an_address_is_asked_again(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(), request_id())
    again = submit(link(order, "payer-action"), email="", kind="")
    assert (again.status_code, 'role="alert"' in again.text) == (200, True)


def test_a_paid_order_has_no_page_any_more(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(), request_id())
    submit(link(order, "payer-action"), email="anna@example.org")
    standin.api().post(f"{ORDERS}/{order['id']}/capture", {}, request_id())
    assert requests.get(link(order, "payer-action"), timeout=10).status_code == 404


def test_a_payer_agrees_to_be_charged_later(standin: Standin) -> None:
    who = fresh("c")[-22:]
    setup = standin.api().post("v3/vault/setup-tokens", a_setup(who), request_id())
    sent = submit(link(setup, "approve"), email="anna@example.org", kind="later-declined")
    arguments = dict(re.findall(r"[?&]([^=]+)=([^&]+)", sent.headers["Location"]))
    assert sent.headers["Location"].startswith("https://shop.example/saved?")
    assert arguments["token"] == arguments["approval_token_id"] == setup["id"]
    source = {"payment_source": {"token": {"id": setup["id"], "type": "SETUP_TOKEN"}}}
    token = standin.api().post("v3/vault/payment-tokens", source, request_id())["id"]
    asked = with_wallet(token)
    assert refusal(lambda: standin.api().post(ORDERS, asked, request_id())) == (422, "INSTRUMENT_DECLINED")


def test_what_a_merchant_wrote_is_shown_as_text(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(description="<script>alert(1)</script>"), request_id())
    page = requests.get(link(order, "payer-action"), timeout=10).text
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_return_address_keeps_its_own_arguments() -> None:
    assert back_to("https://a.example/b?c=d&e=#f", {"token": "T 1"}) == "https://a.example/b?c=d&e=&token=T+1#f"


def test_every_kind_of_wallet_has_words_and_can_be_chosen_by_address() -> None:
    assert set(KINDS) == set(BEHAVIOURS)
    assert all(ready(f"{kind}@example.org") == ready(f"{kind}@example.org", kind) for kind in KINDS)


def test_the_same_address_is_the_same_payer() -> None:
    assert ready("Anna@Example.org").payer_id == ready("anna@example.org", "echeck").payer_id
    assert re.fullmatch("[2-9A-HJ-NP-Z]{13}", ready("anna@example.org").payer_id)


@pytest.mark.parametrize(
    ("currency", "gross", "kept"), [("EUR", 1000, 69), ("EUR", 11900, 395), ("JPY", 1000, 70), ("EUR", 20, 20)]
)
def test_a_fee_is_a_share_and_a_fixed_part_and_never_above_the_payment(currency: str, gross: int, kept: int) -> None:
    assert fee(currency, gross) == kept


@pytest.mark.parametrize(
    ("currency", "minor", "value"), [("EUR", 5, "0.05"), ("EUR", -1050, "-10.50"), ("JPY", 1000, "1000")]
)
def test_money_is_written_with_its_digits(currency: str, minor: int, value: str) -> None:
    assert money(currency, minor) == {"currency_code": currency, "value": value}


@pytest.mark.parametrize(
    ("back", "was", "now"),
    [
        (0, "COMPLETED", "COMPLETED"),
        (1, "COMPLETED", "PARTIALLY_REFUNDED"),
        (100, "PARTIALLY_REFUNDED", "REFUNDED"),
        (150, "REFUNDED", "REFUNDED"),
        (0, "PENDING", "PENDING"),
        (0, "DECLINED", "DECLINED"),
    ],
)
def test_a_captures_state_follows_what_went_back(back: int, was: str, now: str) -> None:
    assert status_of(100, back, was) == now
