"""Credit, drafts of billing and replaced invoices over the API. One month costs 10.00 net, 1.90 VAT, 11.90 gross."""

from __future__ import annotations

from datetime import date

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
    return api.get(f"invoices/{api.post('subscriptions', sent).body['issued'][0]['id']}").body


@pytest.fixture
def waiting(company, customer):
    """A draft of a run."""
    from billing.models import Invoice
    from billing.services import running
    from tests.factories import BY, a_plan, a_subscription

    company.draft_hours = 48
    company.save(update_fields=["draft_hours"])
    on = date(2026, 3, 10)
    a_subscription(company, customer, a_plan(company), on=on)
    started = running.start(company=company, on=on, by=BY, at=company.clock_at)
    running.work(started)
    return Invoice.objects.get(company=company)


def grant(api, customer, **changes):
    sent = {"amount": "4.00", "currency": "EUR", "reason": "goodwill"} | changes
    return api.post(f"customers/{customer.ref}/credits", sent)


def test_credit_is_granted_listed_and_taken_back(api, customer):
    given = grant(api, customer, expires_on="2026-12-31")
    assert (given.status_code, given.body["source"], given.body["left"]) == (201, "granted", "4.00")
    assert given["Location"] == f"/api/v1/credits/{given.body['id']}"
    [listed] = api.get(f"credits?customer={customer.ref}&source=granted").body["data"]
    assert (listed["id"], listed["expires_on"], listed["tax_rate"]) == (given.body["id"], "2026-12-31", None)
    path = f"credits/{given.body['id']}"
    back = api.post(f"{path}/reverse", {"reason": "by mistake"}).body
    assert (back["left"], back["lapsed"], api.get(path).body["lapsed"]) == ("0.00", "4.00", "4.00")
    assert api.post(f"{path}/reverse", {"reason": "again"}).body["code"] == "credit.nothing_unused"


def test_granted_credit_lowers_the_next_invoice(api, customer, company):
    from tests.factories import a_plan

    grant(api, customer)
    sent = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    issued = api.post("subscriptions", sent).body["issued"][0]
    shown = api.get(f"invoices/{issued['id']}?expand=explanation").body
    # 10.00 - 4.00 = 6.00, with 1.14 of tax.
    assert (shown["net"], shown["gross"], shown["credit_used"]) == ("6.00", "7.14", "0.00")
    assert "Granted credit lowers it by €4.00." in shown["lines"][0]["explanation"]


def test_a_pack_is_sold_as_it_was_previewed(api, customer):
    sent = {"amount": "110", "price": "100", "currency": "EUR", "tax_category": "standard-electronic"}
    path = f"customers/{customer.ref}/credit-packs"
    seen = api.post(f"{path}/preview", sent).body
    assert (seen["money_now"], seen["after"]["open"], seen["after"]["credit"]) == ("119.00", "119.00", "110.00")
    sold = api.post(path, {**sent, "preview_token": seen["preview_token"]})
    assert (sold.status_code, sold.body["net"], sold.body["status"]) == (201, "100.00", "open")
    rows = api.get(f"credits?customer={customer.ref}").body["data"]
    assert sorted((row["source"], row["left"], row["tax_rate"]) for row in rows) == [
        ("granted", "10.00", None),
        ("prepaid", "100.00", "19"),
    ]
    assert {row["invoice"] for row in rows} == {sold.body["id"]}
    # A pack is no money that could be paid out, or pay an invoice.
    assert api.get(f"customers/{customer.ref}/balance").body["data"] == [
        {"currency": "EUR", "open": "119.00", "overdue": "0.00", "credit": "0.00"}
    ]


def test_an_invoice_is_replaced_as_it_was_previewed(api, invoice):
    path = f"invoices/{invoice['id']}/replace"
    sent = {"how": "issue", "po_reference": "PO 9", "reason": "wrong reference"}
    seen = api.post(f"{path}/preview", sent).body
    assert sorted((row["kind"], row["gross"]) for row in seen["documents"]) == [
        ("credit_note", "11.90"), ("invoice", "11.90"),
    ]  # fmt: skip
    done = api.post(path, {**sent, "preview_token": seen["preview_token"]})
    assert (done.status_code, done.body["credit_note"]["cause"]) == (201, "replace")
    new = done.body["invoice"]
    assert (new["replaces"], new["po_reference"], new["status"]) == (invoice["id"], "PO 9", "open")
    old = api.get(f"invoices/{invoice['id']}").body
    assert (old["status"], old["replaced_by"]) == ("void", [new["id"]])


def test_a_credit_note_by_gross_amount_is_exact(api, invoice):
    note = api.post(f"invoices/{invoice['id']}/credit", {"gross": "5.00", "reason": "late"}).body
    # 5.00 x 19 / 119 = 0.798.
    assert (note["net"], note["tax"], note["gross"]) == ("4.20", "0.80", "5.00")


def test_drafts_of_billing_are_listed_with_their_window_edited_and_issued(api, waiting):
    [row] = api.get("invoices?status=draft").body["data"]
    assert (row["id"], row["waits_for"], row["issue_after_at"][:10]) == (waiting.ref, "window", "2026-03-12")
    line = {"of": 1, "amount": "8.50", "reason": "as agreed"}
    changed = api.put(f"invoices/{waiting.ref}", {"lines": [line]}).body
    assert (changed["net"], changed["waits_for"], changed["issue_after_at"]) == ("8.50", "", None)
    issued = api.post(f"invoices/{waiting.ref}/issue", {}).body
    assert (issued["status"], issued["net"]) == ("open", "8.50")


def test_a_draft_of_billing_is_issued_like_one_by_hand(api, waiting):
    seen = api.post(f"invoices/{waiting.ref}/issue/preview", {}).body
    issued = api.post(f"invoices/{waiting.ref}/issue", {"preview_token": seen["preview_token"]})
    assert (issued.status_code, issued.body["id"], issued.body["gross"]) == (200, waiting.ref, "11.90")


def test_drafts_are_approved_together(api, waiting):
    assert api.post("invoices/approve", {"ids": []}).body == {"data": [], "skipped": []}
    seen = api.post("invoices/approve/preview", {"all": True}).body
    assert (seen["totals"], seen["skipped"]) == ([{"currency": "EUR", "count": 1, "gross": "11.90"}], [])
    differs = api.post("invoices/approve", {"all": True, "preview_token": "0" * 64})
    assert (differs.status_code, differs.body["code"]) == (409, "preview.differs")
    [issued] = api.post("invoices/approve", {"all": True, "preview_token": seen["preview_token"]}).body["data"]
    assert (issued["id"], issued["number"]) == (waiting.ref, "TEST-INV-2026-000001")


def test_drafts_that_can_not_be_issued_are_named_with_the_reason(api, waiting):
    from subscriptions.models import Subscription

    Subscription.objects.update(parked_at=waiting.created_at, parked_code="x", parked_detail="Look at it")
    for answer in (api.post("invoices/approve/preview", {"all": True}), api.post("invoices/approve", {"all": True})):
        [left] = answer.body["skipped"]
        assert (left["invoice"], left["code"]) == (waiting.ref, "draft.not_issued")
        assert "Look at it" in left["reason"]


def test_a_line_that_is_left_out_may_stay_free(api, waiting):
    line = {"description": "Set-up", "unit_amount": "1", "tax_category": "standard-general"}
    assert api.put(f"invoices/{waiting.ref}", {"lines": [line], "removed": "free"}).body["net"] == "1.00"
    assert api.put(f"invoices/{waiting.ref}", {"lines": [{"of": 9}]}).status_code == 422
