"""Invoices and credit notes over the API. One month costs 10.00 net, 1.90 VAT, 11.90 gross."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company)


@pytest.fixture
def invoice(api, company, customer):
    """The invoice a start of today issues."""
    from tests.factories import a_plan

    sent = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    ref = api.post("subscriptions", sent).body["issued"][0]["id"]
    return api.get(f"invoices/{ref}").body


@pytest.fixture
def draft(api, customer):
    line = {"description": "Set-up", "unit_amount": "250", "quantity": 2, "tax_category": "standard-general"}
    return api.post("invoices", {"customer": customer.ref, "currency": "EUR", "lines": [line]})


def test_an_invoice_shows_amounts_lines_and_balance(invoice):
    assert (invoice["net"], invoice["tax"], invoice["gross"], invoice["open"]) == ("10.00", "1.90", "11.90", "11.90")
    assert (invoice["status"], invoice["issued_on"], invoice["payment_due_on"]) == ("open", "2026-03-10", "2026-03-24")
    line = invoice["lines"][0]
    assert (line["period_start"], line["period_end"], line["unit_amount"]) == ("2026-03-10", "2026-04-10", "10.00")
    assert invoice["tax_rows"] == [
        {"category": "S", "rate": "19", "base": "10.00", "tax": "1.90", "reason": "domestic"}
    ]


def test_a_line_explains_itself_in_the_language_asked_for(api, invoice):
    shown = api.get(f"invoices/{invoice['id']}?expand=explanation").body
    assert shown["lines"][0]["explanation"]
    assert invoice["lines"][0]["explanation"] is None


def test_invoices_are_filtered(api, invoice, customer):
    def found(query):
        return [row["id"] for row in api.get(f"invoices?{query}").body["data"]]

    assert found(f"customer={customer.ref}&status=open") == [invoice["id"]]
    assert found("status[in]=paid,void") == []
    assert found(f"subscription={invoice['lines'][0]['subscription']}") == [invoice["id"]]
    assert found(f"number={invoice['number']}&issued_on[gte]=2026-03-10") == [invoice["id"]]
    assert api.get("invoices").body["data"][0]["lines"] is None
    assert api.get("invoices?expand=lines,customer").body["data"][0]["lines"][0]["net"] == "10.00"


def test_the_pdf_comes_as_a_file(api, invoice):
    answer = api.get(f"invoices/{invoice['id']}/pdf")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-")
    assert invoice["number"] in answer["Content-Disposition"]


def test_a_draft_is_made_changed_issued(api, draft):
    assert (draft.status_code, draft.body["status"], draft.body["gross"]) == (201, "draft", "595.00")
    path = f"invoices/{draft.body['id']}"
    line = {"description": "Set-up", "unit_amount": "100", "tax_category": "standard-general"}
    assert api.put(path, {"lines": [line]}).body["gross"] == "119.00"
    seen = api.post(f"{path}/issue/preview").body
    assert (seen["money_now"], seen["after"]["open"]) == ("119.00", "119.00")
    assert api.get(path).body["number"] == ""
    issued = api.post(f"{path}/issue", {"preview_token": seen["preview_token"]}).body
    assert (issued["status"], issued["number"]) == ("open", "TEST-INV-2026-000001")


def test_a_draft_can_be_deleted_and_an_issued_one_not(api, draft, invoice):
    assert api.delete(f"invoices/{draft.body['id']}").status_code == 204
    assert api.get(f"invoices/{draft.body['id']}").status_code == 404
    assert api.delete(f"invoices/{invoice['id']}").body["code"] == "draft.only"


def test_a_draft_changed_meanwhile_is_not_replaced(api, draft):
    line = {"description": "Set-up", "unit_amount": "1", "tax_category": "standard-general"}
    path = f"invoices/{draft.body['id']}"
    api.put(path, {"lines": [line]})
    answer = api.put(path, {"lines": [line]}, **{"If-Match": draft["ETag"]})
    assert (answer.status_code, answer.body["code"]) == (412, "precondition_failed")


def test_a_draft_says_which_line_is_wrong(api, customer):
    line = {"description": "x", "unit_amount": "1", "tax_category": "standard-general", "period_start": "2026-03-01"}
    answer = api.post("invoices", {"customer": customer.ref, "currency": "EUR", "lines": [line]})
    assert answer.body["errors"][0]["pointer"] == "/lines/0/period_end"


def test_part_of_a_line_is_credited(api, invoice):
    path = f"invoices/{invoice['id']}"
    sent = {"lines": [{"position": 1, "amount": "5.00"}], "reason": "goodwill"}
    seen = api.post(f"{path}/credit/preview", sent).body
    assert (seen["money_now"], seen["before"]["open"], seen["after"]["open"]) == ("-5.95", "11.90", "5.95")
    note = api.post(f"{path}/credit", {**sent, "preview_token": seen["preview_token"]})
    assert (note.status_code, note.body["gross"], note.body["invoice"]) == (201, "5.95", invoice["id"])
    assert note.body["lines"][0]["invoice_line"] == 1
    assert api.get(path).body["lines"][0]["credited"] == "5.00"
    assert api.get(note["Location"].removeprefix("/api/v1/")).body["number"] == note.body["number"]
    assert [row["id"] for row in api.get(f"credit-notes?invoice={invoice['id']}").body["data"]] == [note.body["id"]]


def test_more_than_is_left_is_not_credited(api, invoice):
    answer = api.post(f"invoices/{invoice['id']}/credit", {"gross": "11.91", "reason": "x"})
    assert (answer.status_code, answer.body["code"]) == (422, "credit.above_left")
    assert answer.body["errors"][0]["pointer"] == "/gross"


def test_a_credit_finer_than_the_currency_is_refused(api, invoice):
    sent = {"lines": [{"position": 1, "amount": "0.001"}], "reason": "x"}
    answer = api.post(f"invoices/{invoice['id']}/credit", sent)
    assert answer.body["errors"][0]["pointer"] == "/lines/0/amount"
    assert answer.body["errors"][0]["code"] == "amount_places"


def test_a_credit_that_differs_from_its_preview_is_refused(api, invoice):
    path = f"invoices/{invoice['id']}"
    token = api.post(f"{path}/credit/preview", {"gross": "5.95", "reason": "x"}).body["preview_token"]
    answer = api.post(f"{path}/credit", {"gross": "2.00", "reason": "x", "preview_token": token})
    assert (answer.status_code, answer.body["code"]) == (409, "preview.differs")
    assert api.get(path).body["open"] == "11.90"


def test_a_void_gives_everything_back(api, invoice):
    path = f"invoices/{invoice['id']}"
    note = api.post(f"{path}/void", {"days": "free", "reason": "Wrong customer"}).body
    assert (note["gross"], note["cause"], note["settled"]) == ("11.90", "void", "11.90")
    assert api.get(path).body["status"] == "void"


def test_an_invoice_is_written_off(api, invoice):
    path = f"invoices/{invoice['id']}"
    assert api.post(f"{path}/write-off/preview", {"reason": "Insolvent"}).body["after"]["open"] == "0.00"
    done = api.post(f"{path}/write-off", {"reason": "Insolvent"}).body
    assert (done["status"], done["written_off"], done["open"]) == ("uncollectible", "11.90", "0.00")


def test_an_invoice_is_sent_again(api, invoice, customer):
    sent = api.post(f"invoices/{invoice['id']}/send", {"recipients": ["boss@example.com"]})
    assert (sent.status_code, sent.body["recipients"], sent.body["state"]) == (202, ["boss@example.com"], "waiting")
    assert api.get(f"messages/{sent.body['id']}").body["subject"] == sent.body["subject"]
    assert len(api.get(f"customers/{customer.ref}/messages").body["data"]) == 1


def test_the_same_credit_sent_twice_is_given_once(api, invoice):
    sent = {"gross": "1.19", "reason": "goodwill"}
    path = f"invoices/{invoice['id']}/credit"
    first, again = (api.post(path, sent, **{"Idempotency-Key": "c-1"}) for _ in range(2))
    assert first.content == again.content
    assert api.get(f"invoices/{invoice['id']}").body["credited"] == "1.19"
