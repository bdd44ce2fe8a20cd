"""Money in over the API: tries, methods, gateways, refunds, disputes, dunning, the bank. The open invoice is 11.90."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest

from tests.backoffice import money
from tests.factories import BY

from .caller import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company)


@pytest.fixture
def office(company, customer) -> Any:
    return SimpleNamespace(company=company, customer=customer, at=NOW)


@pytest.fixture
def gateway(office) -> Any:
    return money.an_account(office)


@pytest.fixture
def invoice(api, company, customer) -> Any:
    from billing.models import Invoice
    from tests.factories import a_plan

    sent = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    ref = api.post("subscriptions", sent).body["issued"][0]["id"]
    return Invoice.by_ref(Invoice.objects.select_related("balance", "customer"), ref)


def test_a_preview_says_what_would_be_collected_by_which_method(api, office, gateway, invoice):
    method = money.a_method(office, gateway)
    seen = api.post(f"invoices/{invoice.ref}/pay/preview", {}).body
    assert (seen["amount"], seen["payment_method"], seen["label"]) == ("11.90", method.ref, "Visa •••• 4242")
    assert api.get("attempts").body["data"] == []


def test_without_a_method_nothing_is_collected(api, invoice):
    assert api.post(f"invoices/{invoice.ref}/pay", {}).body["code"] == "method.none"


def test_collecting_twice_under_one_key_answers_the_same(api, office, gateway, invoice):
    money.a_method(office, gateway)
    first, again = (api.post(f"invoices/{invoice.ref}/pay", {}, **{"Idempotency-Key": "pay-1"}) for _ in range(2))
    assert first.status_code == 201
    assert again["Idempotent-Replayed"] == "true"
    assert first.content == again.content
    other = api.post(f"invoices/{invoice.ref}/pay/preview", {}, **{"Idempotency-Key": "pay-1"})
    assert (other.status_code, other.body["code"]) == (422, "idempotency_key_reused")
    assert [row["id"] for row in api.get(f"attempts?invoice={invoice.ref}").body["data"]] == [first.body["id"]]


def test_a_method_of_another_customer_pays_nothing(api, company, office, gateway, invoice):
    from tests.factories import a_customer

    method = money.a_method(office, gateway, "9999", customer=a_customer(company))
    answer = api.post(f"invoices/{invoice.ref}/pay", {"payment_method": method.ref})
    assert (answer.status_code, answer.body["code"]) == (422, "method.other_customer")
    assert api.get("attempts").body["data"] == []


def test_a_try_says_why_it_failed_in_words(api, office, gateway, invoice):
    row = money.a_try(office, invoice, money.a_method(office, gateway), "failed", reason="expired_method")
    shown = api.get(f"attempts/{row.ref}").body
    assert (shown["reason"], shown["reason_text"]) == ("expired_method", "the card has expired")
    assert [one["id"] for one in api.get("attempts?state=failed").body["data"]] == [row.ref]


def test_what_never_reached_the_provider_is_canceled_at_once(api, office, gateway, invoice):
    row = money.a_try(office, invoice, money.a_method(office, gateway), "created")
    assert api.post(f"attempts/{row.ref}/cancel").body["state"] == "canceled"
    assert api.post(f"attempts/{row.ref}/look-up").body["state"] == "canceled"


def test_methods_are_read_chosen_and_removed(api, office, gateway):
    first, second = money.a_method(office, gateway), money.a_method(office, gateway, "1111")
    rows = api.get(f"payment-methods?customer={office.customer.ref}").body["data"]
    assert {row["id"]: row["is_default"] for row in rows} == {first.ref: True, second.ref: False}
    assert api.post(f"payment-methods/{second.ref}/make-default").body["is_default"] is True
    assert api.post(f"payment-methods/{second.ref}/remove").body["status"] == "removed"
    assert api.get(f"payment-methods/{first.ref}").body["is_default"] is True


def test_a_link_to_add_a_method_names_the_customer(api, customer):
    from billing.services import pay_links

    url = api.post(f"customers/{customer.ref}/set-up-link").body["url"]
    assert pay_links.read_method(url.rstrip("/").rpartition("/")[2], on=NOW.date()) == customer


def test_gateways_show_no_secret(api, gateway):
    answer = api.get(f"gateways/{gateway.ref}")
    assert (answer.body["kind"], answer.body["is_active"]) == ("stripe", True)
    assert "sk_test" not in answer.content.decode()


def test_a_message_that_can_not_be_applied_stays(api, gateway):
    row = money.a_message(gateway)
    answer = api.post(f"gateways/{gateway.ref}/events/{row.external_id}/replay")
    assert answer.status_code == 409
    assert api.get(f"gateways/{gateway.ref}/events").body["data"][0]["id"] == "evt_1"
    assert api.get(f"gateways/{gateway.ref}/events?state=done").body["data"] == []


def test_credit_of_a_payment_is_given_back_and_no_more_than_it(api, office):
    sent = {"customer": office.customer.ref, "amount": "20.00", "currency": "EUR", "method": "transfer",
            "received_on": "2026-03-10"}  # fmt: skip
    ref = api.post("payments", sent).body["id"]
    body = {"amount": "15.00", "reason": "Paid twice"}
    seen = api.post(f"payments/{ref}/refund/preview", body).body
    assert seen["after"]["to_pay_out"] == "15.00"
    made = api.post(f"payments/{ref}/refund", body | {"preview_token": seen["preview_token"]})
    assert (made.body["payment"], made.body["gateway"], made.body["status"]) == (ref, None, "pending")
    assert api.post(f"payments/{ref}/refund", body).body["code"] == "refund.above_payment"


def test_disputes_are_listed_with_what_they_cost(api, office, gateway):
    from billing.models import Reversal
    from billing.services import payments

    payment = payments.record(
        company=office.company, customer=office.customer, amount_minor=5000, currency="EUR", method="card",
        received_on=NOW.date(), by=BY, at=NOW,
    )  # fmt: skip
    row = Reversal.objects.create(
        company=office.company, payment=payment, gateway=gateway, kind="dispute", external_id="dp_1", currency="EUR",
        amount_minor=5000, fee_minor=1500, taken_on=NOW.date(), created_at=NOW,
    )  # fmt: skip
    (shown,) = api.get(f"disputes?payment={payment.ref}&state=open").body["data"]
    assert (shown["id"], shown["amount"], shown["fee"]) == (row.ref, "50.00", "15.00")
    assert api.get(f"disputes/{row.ref}").body["payment"] == payment.ref


def test_policies_are_made_replaced_and_switched_off(api):
    sent = {"name": "Ours", "customer_group": "vip", "steps": [{"days": 10, "action": "mail", "level": 1}]}
    made = api.post("dunning-policies", sent)
    assert (made.status_code, made.body["steps"][0]["days"]) == (201, 10)
    again = api.post("dunning-policies", sent)
    assert again.body["code"] == "dunning.policy_taken"
    path = f"dunning-policies/{made.body['id']}"
    changed = api.post(f"{path}/replace", sent | {"steps": [{"days": 3, "action": "claim", "fee": "5.00"}]})
    assert (changed.body["id"], changed.body["steps"][0]["fee"]) == (made.body["id"], "5.00")
    assert api.post(f"{path}/switch-off").body["is_active"] is False
    assert api.get(path).body["is_active"] is False
    assert made.body["id"] not in [row["id"] for row in api.get("dunning-policies?is_active=true").body["data"]]


@pytest.fixture
def case(office, invoice) -> Any:
    from datetime import timedelta

    office.company.clock_at = NOW + timedelta(days=40)
    office.company.save(update_fields=["clock_at"])
    office.at = office.company.clock_at
    return money.a_case(office, 1190)


def test_a_case_is_promised_resumed_paused_and_a_step_skipped(api, case):
    path = f"dunning-cases/{case.ref}"
    day = case.company.clock_at.date().isoformat()
    promised = api.post(f"{path}/promise", {"until": day}).body
    assert (promised["state"], promised["promised_on"], promised["overdue"]) == ("promised", day, "11.90")
    assert api.post(f"{path}/resume").body["state"] == "open"
    assert api.post(f"{path}/pause", {"reason": "Looked into"}).body["state"] == "paused"
    entries = [entry["action"] for entry in api.get(path).body["entries"]]
    assert entries[-3:] == ["promise", "resume", "pause"]
    assert api.post(f"{path}/skip", {"reason": "Known"}).status_code == 200
    assert [row["id"] for row in api.get("dunning-cases?state=paused").body["data"]] == [case.ref]


def test_a_statement_is_read_in_once(api, company):
    csv = "Buchungstag;Betrag;Währung;Name;Verwendungszweck\n10.03.2026;11,90;EUR;Ada;Danke\n"
    sent = {"content": base64.b64encode(csv.encode()).decode(), "name": "k.csv", "currency": "EUR",
            "account": "DE89370400440532013000"}  # fmt: skip
    first, again = api.post("bank-statements", sent), api.post("bank-statements", sent)
    assert (first.status_code, first.body["new"], again.body["new"]) == (201, 1, 0)
    (line,) = api.get("bank-lines").body["data"]
    assert (line["amount"], line["name"]) == ("11.90", "Ada")
    aside = api.post(f"bank-lines/{line['id']}/set-aside", {"reason": "Rent"})
    assert (aside.body["state"], aside.body["note"]) == ("ignored", "Rent")
    assert api.post(f"bank-lines/{line['id']}/undo", {"reason": "No"}).body["state"] in ("open", "suggested")
    assert api.post(f"bank-lines/{line['id']}/confirm", {"suggestion": 40}).body["code"] == "bank_line.choice"


def test_junk_is_no_statement(api):
    answer = api.post("bank-statements", {"content": base64.b64encode(b"junk").decode(), "name": "x"})
    assert answer.body["code"].startswith("bank.")


def test_a_file_of_debits_is_shown_and_canceled(api, office):
    gateway = money.an_account(office, "sepa")
    row = money.a_batch(office, gateway)
    assert api.get(f"debit-batches/{row.ref}").body["message_id"] == "DD1"
    content = api.get(f"debit-batches/{row.ref}/file").body["content"]
    assert base64.b64decode(content) == b"<Document/>"
    assert api.post(f"debit-batches/{row.ref}/cancel", {}).body["state"] == "canceled"


def test_without_an_account_no_file_is_made(api):
    assert api.post("debit-batches/make", {}).body["code"] == "attempt.no_way"


def a_waiting_refund(office: Any) -> Any:
    """5.00 of credit to be paid out by hand, to the account of a mandate."""
    from billing.services import account_credit, payments
    from tests.money.debits import a_creditor, a_mandate

    day = NOW.date()
    a_mandate(office.customer, a_creditor(office.company), on=day)
    payments.record(company=office.company, customer=office.customer, amount_minor=500, currency="EUR", by=BY, at=NOW,
                    method="transfer", received_on=day)  # fmt: skip
    return account_credit.refund_credit(
        customer=office.customer, currency="EUR", amount_minor=500, reason="Overpaid", by=BY, at=NOW
    )


def test_a_pay_out_file_is_made_and_fetched_again(api, office):
    refund = a_waiting_refund(office)
    made = api.post("payout-files", {})
    assert made.status_code == 201
    assert [(row["id"], row["status"]) for row in made.body["refunds"]] == [(refund.ref, "sent")]
    content = base64.b64decode(api.get(f"payout-files/{made.body['id']}/file").body["content"])
    assert b'<InstdAmt Ccy="EUR">5.00</InstdAmt>' in content
    assert made.body["message_id"].encode() in content
    listed = api.get("payout-files").body["data"]
    assert [(row["id"], row["refunds"]) for row in listed] == [(made.body["id"], None)]
    assert api.post("payout-files", {}).body["code"] == "refund.not_payable"


def test_a_pay_out_file_taken_apart_lets_its_refunds_wait_again(api, office):
    refund = a_waiting_refund(office)
    made = api.post("payout-files", {"refunds": [refund.ref]}).body
    assert api.post(f"payout-files/{made['id']}/take-apart").body["refunds"] == []
    assert api.get(f"refunds/{refund.ref}").body["status"] == "pending"


def test_another_file_is_no_pay_out_file(api, office):
    batch = money.a_batch(office, money.an_account(office, "sepa"))
    assert api.get(f"payout-files/{batch.file.ref}/file").status_code == 404
