"""Orders at PayPal's stand-in: created, approved by the payer, captured once; amounts; request ids."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
WHOLE = {"Prefer": "return=representation"}


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


def rels(order: dict) -> set[str]:
    return {link["rel"] for link in order["links"]}


def test_an_order_waits_for_its_payer(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(), request_id())
    assert (order["status"], rels(order)) == ("PAYER_ACTION_REQUIRED", {"self", "payer-action"})


def test_an_order_without_a_payment_source_is_created_with_a_link_to_approve(standin: Standin) -> None:
    asked = an_order()
    del asked["payment_source"]
    order = standin.api().post(ORDERS, asked)
    assert (order["status"], rels(order)) == ("CREATED", {"self", "approve", "update", "capture"})


def test_an_order_that_is_not_approved_is_not_captured(standin: Standin) -> None:
    order = standin.api().post(ORDERS, an_order(), request_id())
    assert refusal(lambda: standin.api().post(f"{ORDERS}/{order['id']}/capture", {}, request_id())) == (
        422,
        "ORDER_NOT_APPROVED",
    )
    assert standin.ledger(invoice=order["id"]) == []


def test_a_capture_that_came_too_early_may_be_repeated_with_its_request_id(standin: Standin) -> None:
    order, key = standin.api().post(ORDERS, an_order(), request_id()), request_id()
    assert refusal(lambda: standin.api().post(f"{ORDERS}/{order['id']}/capture", {}, key))[0] == 422
    standin.control(f"paypal/orders/{order['id']}/approve", {"email": "a@example.org"})
    assert standin.api().post(f"{ORDERS}/{order['id']}/capture", {}, key)["status"] == "COMPLETED"


def test_an_approved_order_is_captured_and_its_money_booked_with_customer_and_invoice(standin: Standin) -> None:
    invoice = fresh("INV")
    capture = captured(standin, value="119.00", invoice_id=invoice, custom_id="cus_1")
    (row,) = standin.ledger(invoice=invoice)
    assert (row["kind"], row["amount"], row["currency"], row["customer"], row["payment"], row["fee"]) == (
        "charge",
        11900,
        "eur",
        "cus_1",
        capture["id"],
        395,  # 2.99 % of 119.00 is 3.558, and 0.39
    )
    assert row["key"].startswith("req-")
    assert capture["seller_receivable_breakdown"] == {
        "gross_amount": {"currency_code": "EUR", "value": "119.00"},
        "paypal_fee": {"currency_code": "EUR", "value": "3.95"},
        "net_amount": {"currency_code": "EUR", "value": "115.05"},
    }


def test_the_events_of_a_payment_come_in_its_order(standin: Standin) -> None:
    id = approved(standin)
    order = standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())
    assert standin.events(id) == ["CHECKOUT.ORDER.APPROVED", "CHECKOUT.ORDER.COMPLETED"]
    capture = order["purchase_units"][0]["payments"]["captures"][0]
    assert standin.events(capture["id"]) == ["PAYMENT.CAPTURE.COMPLETED"]


def test_an_order_is_captured_once(standin: Standin) -> None:
    id = approved(standin)
    standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())
    again = refusal(lambda: standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id()))
    assert again == (422, "ORDER_ALREADY_CAPTURED")


def test_a_repeated_request_id_gives_the_same_answer_and_charges_once(standin: Standin) -> None:
    invoice = fresh("INV")
    id, key = approved(standin, invoice_id=invoice), request_id()
    first = standin.api().post(f"{ORDERS}/{id}/capture", {}, key)
    assert standin.api().post(f"{ORDERS}/{id}/capture", {}, key) == first
    assert len(standin.ledger(invoice=invoice)) == 1


def test_a_repeated_creation_gives_the_same_order(standin: Standin) -> None:
    asked, key = an_order(), request_id()
    assert standin.api().post(ORDERS, asked, key)["id"] == standin.api().post(ORDERS, asked, key)["id"]


def test_a_request_id_with_another_body_is_refused(standin: Standin) -> None:
    key = request_id()
    standin.api().post(ORDERS, an_order("10.00"), key)
    other = refusal(lambda: standin.api().post(ORDERS, an_order("11.00"), key))
    assert other == (422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED")


def test_a_request_id_counts_by_operation(standin: Standin) -> None:
    key = request_id()
    order = standin.api().post(ORDERS, an_order(), key)
    standin.control(f"paypal/orders/{order['id']}/approve", {"email": "a@example.org"})
    assert standin.api().post(f"{ORDERS}/{order['id']}/capture", {}, key)["status"] == "COMPLETED"


def test_a_payment_source_needs_a_request_id(standin: Standin) -> None:
    assert refusal(lambda: standin.api().post(ORDERS, an_order())) == (400, "PAYPAL_REQUEST_ID_REQUIRED")


def test_an_invoice_is_paid_once(standin: Standin) -> None:
    invoice = fresh("INV")
    captured(standin, invoice_id=invoice)
    second = approved(standin, invoice_id=invoice)
    refusal_ = refusal(lambda: standin.api().post(f"{ORDERS}/{second}/capture", {}, request_id()))
    assert refusal_ == (422, "DUPLICATE_INVOICE_ID")
    assert len(standin.ledger(invoice=invoice)) == 1


def test_an_invoice_may_be_paid_twice_when_the_merchant_allows_it(standin: Standin) -> None:
    standin.control("paypal/settings", {"duplicate_invoices": "allow"})
    try:
        invoice = fresh("INV")
        captured(standin, invoice_id=invoice)
        captured(standin, invoice_id=invoice)
    finally:
        standin.control("paypal/settings", {"duplicate_invoices": "block"})
    assert len(standin.ledger(invoice=invoice)) == 2


@pytest.mark.parametrize(
    ("currency", "value", "answer"),
    [
        ("EUR", "10.001", (422, "DECIMAL_PRECISION")),
        ("JPY", "1000.00", (422, "DECIMALS_NOT_SUPPORTED")),
        ("HUF", "5000.5", (422, "DECIMALS_NOT_SUPPORTED")),
        ("EUR", "0.00", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("EUR", "-1.00", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("XXX", "1.00", (422, "INVALID_CURRENCY_CODE")),
        ("EUR", "10,00", (400, "INVALID_PARAMETER_SYNTAX")),
        ("EUR", 10, (400, "INVALID_PARAMETER_SYNTAX")),
    ],
)
def test_an_amount_of_a_wrong_form_is_refused(
    standin: Standin, currency: str, value: str, answer: tuple[int, str]
) -> None:
    assert refusal(lambda: standin.api().post(ORDERS, an_order(value, currency), request_id())) == answer


@pytest.mark.parametrize(
    ("currency", "value", "shown", "minor"), [("JPY", "1000", "1000", 1000), ("EUR", "10.5", "10.50", 1050)]
)
def test_an_amount_is_shown_with_its_currencys_digits(
    standin: Standin, currency: str, value: str, shown: str, minor: int
) -> None:
    invoice = fresh("INV")
    capture = captured(standin, value=value, currency=currency, invoice_id=invoice)
    assert capture["amount"] == {"currency_code": currency, "value": shown}
    assert [row["amount"] for row in standin.ledger(invoice=invoice)] == [minor]


def test_a_declined_wallet_takes_no_money_and_leaves_the_order_to_another_try(standin: Standin) -> None:
    invoice = fresh("INV")
    id = approved(standin, "declined", invoice_id=invoice)
    status, body = refused(lambda: standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id()))
    assert (status, body["name"], body["details"][0]["issue"]) == (422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED")
    assert {link["rel"] for link in body["links"]} == {"information_link", "redirect"}
    assert standin.ledger(invoice=invoice) == []
    standin.control(f"paypal/orders/{id}/approve", {"email": "b@example.org", "kind": "pays"})
    assert standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())["status"] == "COMPLETED"


def test_a_decline_is_kept_under_its_request_id(standin: Standin) -> None:
    id, key = approved(standin, "declined"), request_id()
    first = refused(lambda: standin.api().post(f"{ORDERS}/{id}/capture", {}, key))
    standin.control(f"paypal/orders/{id}/approve", {"email": "b@example.org", "kind": "pays"})
    assert refused(lambda: standin.api().post(f"{ORDERS}/{id}/capture", {}, key)) == first


def test_a_capture_itself_may_be_declined(standin: Standin) -> None:
    invoice = fresh("INV")
    capture = captured(standin, "refused", invoice_id=invoice)
    assert capture["status"] == "DECLINED"
    assert standin.events(capture["id"]) == ["PAYMENT.CAPTURE.DENIED"]
    assert standin.ledger(invoice=invoice) == []


def test_an_order_shows_its_short_form_unless_the_whole_is_wanted(standin: Standin) -> None:
    assert "purchase_units" not in standin.api().post(ORDERS, an_order(), request_id())
    whole = standin.api().post(ORDERS, an_order(custom_id="cus_9"), request_id() | WHOLE)
    assert whole["purchase_units"][0]["custom_id"] == "cus_9"


def test_an_open_order_can_be_changed_and_a_captured_one_cannot(standin: Standin) -> None:
    id = approved(standin, value="10.00")
    unit = "/purchase_units/@reference_id=='default'"
    changes = [
        {"op": "replace", "path": f"{unit}/amount", "value": {"currency_code": "EUR", "value": "12.00"}},
        {"op": "add", "path": f"{unit}/invoice_id", "value": fresh("INV")},
    ]
    assert standin.api().patch(f"{ORDERS}/{id}", changes) == {}
    captured_order = standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())
    assert captured_order["purchase_units"][0]["payments"]["captures"][0]["amount"]["value"] == "12.00"
    assert refusal(lambda: standin.api().patch(f"{ORDERS}/{id}", changes)) == (422, "ORDER_COMPLETED_OR_VOIDED")


def test_a_voided_order_takes_no_money(standin: Standin) -> None:
    id = approved(standin)
    assert standin.control(f"paypal/orders/{id}/void", {})["status"] == "VOIDED"
    assert refusal(lambda: standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())) == (422, "ORDER_VOIDED")


def test_an_unknown_order_is_not_found(standin: Standin) -> None:
    assert refusal(lambda: standin.api().get(f"{ORDERS}/5O190127TN364715T")) == (404, "INVALID_RESOURCE_ID")


def test_an_order_of_two_units_makes_two_captures(standin: Standin) -> None:
    asked = an_order("10.00", reference_id="a")
    asked["purchase_units"].append({"amount": {"currency_code": "EUR", "value": "5.00"}, "reference_id": "b"})
    id = standin.api().post(ORDERS, asked, request_id())["id"]
    standin.control(f"paypal/orders/{id}/approve", {"email": "a@example.org"})
    standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())
    units = standin.api().get(f"{ORDERS}/{id}")["purchase_units"]
    shown = {unit["reference_id"]: unit["payments"]["captures"][0]["amount"]["value"] for unit in units}
    assert shown == {"a": "10.00", "b": "5.00"}


def test_a_saved_wallet_pays_at_once(standin: Standin) -> None:
    invoice = fresh("INV")
    order = standin.api().post(ORDERS, with_wallet(saved(standin), "25.00", invoice_id=invoice), request_id())
    assert order["status"] == "COMPLETED"
    assert [row["amount"] for row in standin.ledger(invoice=invoice)] == [2500]


def test_a_saved_wallet_may_be_named_as_a_token(standin: Standin) -> None:
    source = {"payment_source": {"token": {"id": saved(standin), "type": "BILLING_AGREEMENT"}}}
    assert standin.api().post(ORDERS, an_order() | source, request_id())["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "issue"), [("later-declined", "INSTRUMENT_DECLINED"), ("later-funds", "INSUFFICIENT_FUNDS")]
)
def test_a_saved_wallet_may_decline(standin: Standin, kind: str, issue: str) -> None:
    invoice = fresh("INV")
    asked = with_wallet(saved(standin, kind), invoice_id=invoice)
    assert refusal(lambda: standin.api().post(ORDERS, asked, request_id())) == (422, issue)
    assert standin.ledger(invoice=invoice) == []


def test_a_saved_wallet_may_ask_for_its_owner_and_be_paid_after_that(standin: Standin) -> None:
    asked = with_wallet(saved(standin, "later-action"))
    status, body = refused(lambda: standin.api().post(ORDERS, asked, request_id()))
    assert (status, body["details"][0]["issue"]) == (422, "PAYER_ACTION_REQUIRED")
    (href,) = [link["href"] for link in body["links"] if link["rel"] == "payer-action"]
    id = href.partition("token=")[2]
    assert standin.api().get(f"{ORDERS}/{id}")["status"] == "PAYER_ACTION_REQUIRED"
    standin.control(f"paypal/orders/{id}/approve", {"email": "a@example.org"})
    assert standin.api().post(f"{ORDERS}/{id}/capture", {}, request_id())["status"] == "COMPLETED"
