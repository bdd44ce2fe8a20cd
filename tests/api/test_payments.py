"""Payments, account credit and refunds over the API. The open invoice is 11.90."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db
TRANSFER = {"currency": "EUR", "method": "transfer", "received_on": "2026-03-10"}


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company)


@pytest.fixture
def invoice(api, company, customer):
    from tests.factories import a_plan

    sent = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    return api.post("subscriptions", sent).body["issued"][0]["id"]


def test_a_payment_pays_and_the_rest_becomes_credit(api, customer, invoice):
    sent = {**TRANSFER, "customer": customer.ref, "amount": "15.00"}
    seen = api.post("payments/preview", sent).body
    assert (seen["before"]["open"], seen["after"]["open"], seen["after"]["credit"]) == ("11.90", "0.00", "3.10")
    made = api.post("payments", {**sent, "preview_token": seen["preview_token"]})
    assert made.status_code == 201
    assert made["Location"] == f"/api/v1/payments/{made.body['id']}"
    assert (made.body["allocated"], made.body["to_credit"], made.body["left"]) == ("11.90", "3.10", "0.00")
    assert made.body["allocations"] == [{"invoice": invoice, "amount": "11.90", "allocated_on": "2026-03-10"}]
    assert api.get(f"invoices/{invoice}").body["status"] == "paid"
    assert api.get(f"customers/{customer.ref}/balance").body["data"] == [
        {"currency": "EUR", "open": "0.00", "overdue": "0.00", "credit": "3.10"}
    ]


def test_a_payment_sent_twice_is_recorded_once(api, invoice):
    sent = {**TRANSFER, "invoice": invoice, "amount": "5.00"}
    first, again = (api.post("payments", sent, **{"Idempotency-Key": "bank-1"}) for _ in range(2))
    assert first.content == again.content
    assert api.get(f"invoices/{invoice}").body["open"] == "6.90"


@pytest.mark.parametrize("amount", ["0", "0.00", "-1.00", "0.001", "1e3", "NaN", 5])
def test_an_amount_that_cannot_be_paid_is_pointed_at(api, invoice, amount):
    answer = api.post("payments", {**TRANSFER, "invoice": invoice, "amount": amount})
    assert (answer.status_code, answer.body["errors"][0]["pointer"]) == (422, "/amount")


def test_a_payment_of_an_unknown_customer_is_allocated_later(api, customer, invoice):
    ref = api.post("payments", {**TRANSFER, "amount": "11.90", "reference": "?"}).body["id"]
    assert api.get(f"payments/{ref}").body["left"] == "11.90"
    path = f"payments/{ref}/allocate"
    assert api.post(f"{path}/preview", {"customer": customer.ref}).body["after"]["open"] == "0.00"
    assert api.post(path, {"customer": customer.ref}).body["left"] == "0.00"


def test_a_returned_payment_opens_what_it_paid(api, invoice):
    ref = api.post("payments", {**TRANSFER, "invoice": invoice, "amount": "11.90"}).body["id"]
    assert api.post(f"payments/{ref}/take-back/preview", {"reason": "R-1"}).body["after"]["open"] == "11.90"
    assert api.post(f"payments/{ref}/take-back", {"reason": "R-1"}).body["status"] == "returned"
    assert api.get(f"invoices/{invoice}").body["status"] == "open"


def test_credit_is_paid_out_in_two_steps(api, customer, invoice):
    api.post("payments", {**TRANSFER, "customer": customer.ref, "amount": "15.00"})
    sent = {"currency": "EUR", "amount": "3.10", "reason": "asked"}
    assert api.post(f"customers/{customer.ref}/refunds/preview", sent).body["after"]["to_pay_out"] == "3.10"
    asked = api.post(f"customers/{customer.ref}/refunds", sent)
    assert (asked.status_code, asked.body["status"]) == (201, "pending")
    path = asked["Location"].removeprefix("/api/v1/")
    assert api.post(f"{path}/settle", {"paid_on": "2026-03-10", "reference": "S-1"}).body["status"] == "settled"
    assert api.get("refunds?status=settled").body["data"][0]["paid_on"] == "2026-03-10"


def test_a_refund_that_is_canceled_leaves_the_credit(api, customer, invoice):
    api.post("payments", {**TRANSFER, "customer": customer.ref, "amount": "15.00"})
    sent = {"currency": "EUR", "amount": "3.10", "reason": "asked"}
    ref = api.post(f"customers/{customer.ref}/refunds", sent).body["id"]
    assert api.post(f"refunds/{ref}/cancel", {"reason": "kept"}).body["status"] == "canceled"
    assert api.get(f"customers/{customer.ref}/balance").body["data"][0]["credit"] == "3.10"


def test_more_credit_than_there_is_is_not_paid_out(api, customer):
    answer = api.post(f"customers/{customer.ref}/refunds", {"currency": "EUR", "amount": "1.00", "reason": "x"})
    assert (answer.body["code"], answer.body["errors"][0]["pointer"]) == ("credit.too_little", "/amount")


def test_credit_pays_when_told_to(api, company, customer, invoice):
    api.post("payments", {**TRANSFER, "customer": customer.ref, "amount": "31.90"})
    line = {"description": "x", "unit_amount": "10", "tax_category": "standard-general"}
    answer = api.post(f"customers/{customer.ref}/apply-credit", {"currency": "EUR"})
    assert answer.body["data"] == [{"currency": "EUR", "open": "0.00", "overdue": "0.00", "credit": "20.00"}]
    draft = api.post("invoices", {"customer": customer.ref, "currency": "EUR", "lines": [line]}).body["id"]
    assert api.post(f"invoices/{draft}/issue").body["credit_used"] == "11.90"


def test_payments_are_filtered(api, invoice):
    ref = api.post("payments", {**TRANSFER, "invoice": invoice, "amount": "1.00", "reference": "B-7"}).body["id"]

    def found(query):
        return [row["id"] for row in api.get(f"payments?{query}").body["data"]]

    assert found(f"invoice={invoice}&method=transfer&reference=B-7&received_on[lte]=2026-03-10") == [ref]
    assert found("status[in]=returned,failed") == []
