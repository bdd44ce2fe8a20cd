"""What becomes of a payment at PayPal's stand-in: refunds, eChecks, reversals, cases, the list of movements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.standins.paypal_process import Json, Standin, captured, fresh, refusal, request_id, running

CAPTURES = "v2/payments/captures"
CASES = "v1/customer/disputes"
WHOLE = {"Prefer": "return=representation"}


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with running(tmp_path_factory.mktemp("paypal")) as one:
        yield one


def eur(value: str) -> Json:
    return {"amount": {"currency_code": "EUR", "value": value}}


def refund(standin: Standin, capture: Json, body: Json | None = None, **headers: str) -> Json:
    answer: Json = standin.api().post(f"{CAPTURES}/{capture['id']}/refund", body or {}, request_id() | WHOLE | headers)
    return answer


def status(standin: Standin, capture: Json) -> str:
    return str(standin.api().get(f"{CAPTURES}/{capture['id']}")["status"])


def amounts(standin: Standin, capture: Json) -> list[tuple[str, int]]:
    return [(row["kind"], row["amount"]) for row in standin.ledger(payment=capture["id"])]


def movements(standin: Standin, **wanted: str) -> list[Json]:
    """The account's movements of the last days, oldest first."""
    now = standin.now()
    span = (
        f"start_date={now - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}&end_date={now + timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"
    )
    rest = "".join(f"&{name}={value}" for name, value in wanted.items())
    found = standin.api().get(f"v1/reporting/transactions?{span}&page_size=500{rest}")
    return [one["transaction_info"] for one in found["transaction_details"]][::-1]


def moved(standin: Standin, capture: Json) -> list[tuple[str, str, str]]:
    """Code, amount and state of the movements about a capture's invoice."""
    about = [one for one in movements(standin) if one.get("invoice_id") == capture["invoice_id"]]
    return [
        (one["transaction_event_code"], one["transaction_amount"]["value"], one["transaction_status"]) for one in about
    ]


def a_capture(standin: Standin, kind: str = "pays", value: str = "10.00") -> Json:
    return captured(standin, kind, value=value, invoice_id=fresh("INV"), custom_id=fresh("cus"))


def test_a_refund_without_an_amount_gives_back_all(standin: Standin) -> None:
    capture = a_capture(standin)
    made = refund(standin, capture)
    assert (made["status"], made["amount"]["value"]) == ("COMPLETED", "10.00")
    assert status(standin, capture) == "REFUNDED"
    assert amounts(standin, capture) == [("charge", 1000), ("refund", -1000)]
    assert standin.events(made["id"]) == ["PAYMENT.CAPTURE.REFUNDED"]


def test_partial_refunds_add_up(standin: Standin) -> None:
    capture = a_capture(standin)
    refund(standin, capture, eur("4.00"))
    assert status(standin, capture) == "PARTIALLY_REFUNDED"
    second = refund(standin, capture)
    assert second["amount"]["value"] == "6.00"
    assert second["seller_payable_breakdown"]["total_refunded_amount"]["value"] == "10.00"
    assert status(standin, capture) == "REFUNDED"


def test_a_refund_above_what_is_left_is_refused(standin: Standin) -> None:
    capture = a_capture(standin)
    refund(standin, capture, eur("4.00"))
    url = f"{CAPTURES}/{capture['id']}/refund"
    assert refusal(lambda: standin.api().post(url, eur("6.01"), request_id())) == (422, "REFUND_AMOUNT_EXCEEDED")
    refund(standin, capture)
    assert refusal(lambda: standin.api().post(url, {}, request_id())) == (422, "CAPTURE_FULLY_REFUNDED")


def test_a_refund_has_its_captures_currency(standin: Standin) -> None:
    url = f"{CAPTURES}/{a_capture(standin)['id']}/refund"
    dollars = {"amount": {"currency_code": "USD", "value": "1.00"}}
    assert refusal(lambda: standin.api().post(url, dollars, request_id())) == (422, "REFUND_CAPTURE_CURRENCY_MISMATCH")


def test_a_repeated_refund_gives_back_once(standin: Standin) -> None:
    capture, key = a_capture(standin), request_id()
    url = f"{CAPTURES}/{capture['id']}/refund"
    first = standin.api().post(url, eur("3.00"), key)
    assert standin.api().post(url, eur("3.00"), key) == first
    assert amounts(standin, capture) == [("charge", 1000), ("refund", -300)]


def test_a_refund_can_be_looked_up(standin: Standin) -> None:
    made = refund(standin, a_capture(standin), eur("3.00") | {"note_to_payer": "Sorry"})
    assert standin.api().get(f"v2/payments/refunds/{made['id']}") == made
    assert made["note_to_payer"] == "Sorry"


def test_a_pending_refund_moves_money_when_it_is_settled(standin: Standin) -> None:
    capture = a_capture(standin, "slow-refund")
    made = refund(standin, capture, eur("4.00"))
    assert (made["status"], made["status_details"]) == ("PENDING", {"reason": "ECHECK"})
    assert amounts(standin, capture) == [("charge", 1000)]
    url = f"{CAPTURES}/{capture['id']}/refund"
    assert refusal(lambda: standin.api().post(url, eur("6.01"), request_id()))[1] == "REFUND_AMOUNT_EXCEEDED"
    standin.control(f"paypal/refunds/{made['id']}/settle", {"status": "COMPLETED"})
    assert amounts(standin, capture) == [("charge", 1000), ("refund", -400)]
    assert standin.events(made["id"]) == ["PAYMENT.REFUND.PENDING", "PAYMENT.CAPTURE.REFUNDED"]


def test_a_failed_refund_leaves_the_money_where_it_is(standin: Standin) -> None:
    capture = a_capture(standin)
    standin.control(f"paypal/captures/{capture['id']}", {"refunds": "PENDING"})
    made = refund(standin, capture)
    standin.control(f"paypal/refunds/{made['id']}/settle", {"status": "FAILED"})
    assert status(standin, capture) == "COMPLETED"
    assert amounts(standin, capture) == [("charge", 1000)]
    assert refund(standin, capture)["amount"]["value"] == "10.00"


def test_an_echeck_is_pending_and_moves_money_when_it_clears(standin: Standin) -> None:
    capture = a_capture(standin, "echeck")
    assert (capture["status"], capture["status_details"]) == ("PENDING", {"reason": "ECHECK"})
    assert "seller_receivable_breakdown" not in capture
    url = f"{CAPTURES}/{capture['id']}/refund"
    assert refusal(lambda: standin.api().post(url, {}, request_id())) == (422, "PENDING_CAPTURE")
    assert moved(standin, capture) == [("T0006", "10.00", "P")]
    standin.control(f"paypal/captures/{capture['id']}/settle", {"status": "COMPLETED"})
    assert amounts(standin, capture) == [("charge", 1000)]
    assert moved(standin, capture) == [("T0006", "10.00", "S")]
    assert standin.events(capture["id"]) == ["PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.COMPLETED"]


def test_an_echeck_that_bounces_never_moved_money(standin: Standin) -> None:
    capture = a_capture(standin, "echeck")
    standin.control(f"paypal/captures/{capture['id']}/settle", {"status": "DECLINED"})
    assert status(standin, capture) == "DECLINED"
    assert amounts(standin, capture) == []
    assert standin.events(capture["id"]) == ["PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.DENIED"]
    captured(standin, invoice_id=capture["invoice_id"])  # the invoice may be paid another way


def test_a_reversal_takes_money_back_without_the_merchant(standin: Standin) -> None:
    capture = a_capture(standin)
    made = standin.control(f"paypal/captures/{capture['id']}/reverse", {})
    assert amounts(standin, capture) == [("charge", 1000), ("return", -1000)]
    assert standin.events(made["id"]) == ["PAYMENT.CAPTURE.REVERSED"]
    assert status(standin, capture) == "REFUNDED"


def open_case(standin: Standin, capture: Json, **given: Any) -> Json:
    return standin.control("paypal/disputes", {"capture": capture["id"], **given})


def test_a_case_holds_the_money_and_a_won_one_gives_it_back(standin: Standin) -> None:
    capture = a_capture(standin)
    case = open_case(standin, capture, reason="UNAUTHORISED")
    assert (case["status"], case["dispute_amount"]["value"]) == ("WAITING_FOR_SELLER_RESPONSE", "10.00")
    assert case["disputed_transactions"][0]["invoice_number"] == capture["invoice_id"]
    assert amounts(standin, capture) == [("charge", 1000), ("dispute", -1000)]
    standin.api().post(f"{CASES}/{case['dispute_id']}/provide-evidence", {"evidences": []})
    assert standin.api().get(f"{CASES}/{case['dispute_id']}")["status"] == "UNDER_REVIEW"
    standin.control(f"paypal/disputes/{case['dispute_id']}/resolve", {"winner": "seller"})
    assert amounts(standin, capture) == [("charge", 1000), ("dispute", -1000), ("dispute_won", 1000)]
    assert standin.events(case["dispute_id"]) == [
        "CUSTOMER.DISPUTE.CREATED",
        "CUSTOMER.DISPUTE.UPDATED",
        "CUSTOMER.DISPUTE.RESOLVED",
    ]
    assert status(standin, capture) == "COMPLETED"


def test_a_lost_case_moves_the_money_once_and_reverses_the_capture(standin: Standin) -> None:
    capture = a_capture(standin)
    case = open_case(standin, capture, stage="CHARGEBACK", fee="14.00")
    standin.control(f"paypal/disputes/{case['dispute_id']}/resolve", {"winner": "buyer"})
    assert amounts(standin, capture) == [("charge", 1000), ("dispute", -1000)]
    assert [row["fee"] for row in standin.ledger(payment=capture["id"])] == [69, 1400]
    outcome = standin.api().get(f"{CASES}/{case['dispute_id']}")["dispute_outcome"]
    assert (outcome["outcome_code"], outcome["amount_refunded"]["value"]) == ("RESOLVED_BUYER_FAVOUR", "10.00")
    assert status(standin, capture) == "REFUNDED"
    assert moved(standin, capture) == [
        ("T0006", "10.00", "S"),
        ("T1110", "-10.00", "S"),
        ("T0106", "-14.00", "S"),
        ("T1111", "10.00", "S"),
        ("T1201", "-10.00", "S"),
    ]


def test_an_accepted_claim_is_lost(standin: Standin) -> None:
    capture = a_capture(standin)
    case = open_case(standin, capture)
    standin.api().post(f"{CASES}/{case['dispute_id']}/accept-claim", {"note": "Our fault"})
    assert standin.api().get(f"{CASES}/{case['dispute_id']}")["status"] == "RESOLVED"
    assert status(standin, capture) == "REFUNDED"


@pytest.mark.parametrize(
    ("stage", "issue"),
    [("INQUIRY", "TRANSACTION_DISPUTED"), ("CHARGEBACK", "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")],
)
def test_a_payment_with_an_open_case_is_not_refunded(standin: Standin, stage: str, issue: str) -> None:
    capture = a_capture(standin)
    open_case(standin, capture, stage=stage)
    url = f"{CAPTURES}/{capture['id']}/refund"
    assert refusal(lambda: standin.api().post(url, {}, request_id())) == (422, issue)


def test_a_chargeback_after_a_refund_takes_the_money_a_second_time(standin: Standin) -> None:
    capture = a_capture(standin)
    refund(standin, capture)
    open_case(standin, capture, stage="CHARGEBACK")
    assert amounts(standin, capture) == [("charge", 1000), ("refund", -1000), ("dispute", -1000)]


def test_cases_are_listed_in_pages(standin: Standin) -> None:
    capture = a_capture(standin, value="30.00")
    opened = []
    for _ in range(3):
        case = open_case(standin, capture, amount="5.00")
        standin.control(f"paypal/disputes/{case['dispute_id']}/resolve", {"winner": "seller"})
        opened.append(case["dispute_id"])
    path, seen = f"{CASES}?page_size=2&disputed_transaction_id={capture['id']}", []
    while path:
        page = standin.api().get(path)
        seen.append([one["dispute_id"] for one in page["items"]])
        path = next((one["href"] for one in page["links"] if one["rel"] == "next"), "").removeprefix(standin.url + "/")
    assert seen == [[opened[2], opened[1]], [opened[0]]]


def test_the_movements_say_fee_customer_and_invoice(standin: Standin) -> None:
    capture = a_capture(standin)
    made = refund(standin, capture, eur("2.00"))
    about = [one for one in movements(standin) if one.get("invoice_id") == capture["invoice_id"]]
    assert [(one["transaction_id"], one.get("fee_amount", {}).get("value")) for one in about] == [
        (capture["id"], "-0.69"),
        (made["id"], None),
    ]
    assert about[1]["paypal_reference_id"] == capture["id"]
    assert about[0]["custom_field"] == capture["custom_id"]
    (alone,) = movements(standin, transaction_id=made["id"])
    assert alone["transaction_event_code"] == "T1107"


def test_the_movements_add_up_to_the_ledger(standin: Standin) -> None:
    one, two = a_capture(standin), a_capture(standin, value="20.00")
    refund(standin, one, eur("1.00"))
    case = open_case(standin, two, fee="14.00", stage="CHARGEBACK")
    standin.control(f"paypal/disputes/{case['dispute_id']}/resolve", {"winner": "buyer"})
    invoices = {one["invoice_id"], two["invoice_id"]}
    told = sum(
        Decimal(m["transaction_amount"]["value"]) + Decimal(m.get("fee_amount", {}).get("value", 0))
        for m in movements(standin)
        if m.get("invoice_id") in invoices
    )
    rows = [row for row in standin.ledger() if row["invoice"] in invoices]
    assert told * 100 == sum(row["amount"] - row["fee"] for row in rows) == 931 - 100 + 1901 - 2000 - 1400


def test_the_movements_come_in_pages(standin: Standin) -> None:
    for _ in range(3):
        a_capture(standin)
    now = standin.now()
    path = (
        f"v1/reporting/transactions?start_date={now:%Y-%m-%dT00:00:00Z}&end_date={now:%Y-%m-%dT23:59:59Z}&page_size=2"
    )
    first = standin.api().get(path)
    assert first["total_pages"] == -(-first["total_items"] // 2)
    seen, page = [], first
    while True:
        seen += [one["transaction_info"]["transaction_id"] for one in page["transaction_details"]]
        following = [one["href"] for one in page["links"] if one["rel"] == "next"]
        if not following:
            break
        page = standin.api().get(following[0].removeprefix(standin.url + "/"))
    assert len(seen) == len(set(seen)) == first["total_items"]


def test_a_search_spans_31_days_at_most(standin: Standin) -> None:
    path = "v1/reporting/transactions?start_date=2026-01-01T00:00:00Z&end_date=2026-02-01T00:00:01Z"
    assert refusal(lambda: standin.api().get(path)) == (400, "INVALID_PARAMETER_VALUE")
    assert refusal(lambda: standin.api().get("v1/reporting/transactions")) == (400, "MISSING_REQUIRED_PARAMETER")
