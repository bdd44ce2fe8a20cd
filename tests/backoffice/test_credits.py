"""Pages of credit, drafts of billing and replaced invoices: what they show, and that they do what they showed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from tests.backoffice.conftest import TODAY
from tests.factories import BY

if TYPE_CHECKING:
    from tests.backoffice.conftest import Office

pytestmark = pytest.mark.django_db


def confirmed(client: Any, url: str, given: dict[str, Any]) -> Any:
    """Sends an act as its preview page asks for it: first shown, then done."""
    shown = client.post(url, given)
    assert shown.status_code == 200, shown.content.decode()[-2000:]
    [token] = set(re.findall(r'name="preview_token" value="([^"]+)"', shown.content.decode()))
    return client.post(url, {**given, "step": "do", "preview_token": token})


def drafted(office: Office) -> Any:
    """A draft of a run."""
    from billing.models import Invoice
    from billing.services import running
    from tests.factories import a_subscription

    company = office.company
    company.draft_hours = 48
    company.save(update_fields=["draft_hours"])
    a_subscription(company, office.customer, office.plan, on=TODAY)
    running.work(running.start(company=company, on=TODAY, by=BY, at=office.at))
    return Invoice.objects.get(company=company)


def test_credit_is_granted_listed_and_taken_back(office: Office) -> None:
    from billing.models import Credit

    client = office.client()
    url = reverse("backoffice:credit-grant", args=[office.customer.ref])
    given = {"amount": "20", "currency": "EUR", "expires_on": "", "reason": "Goodwill"}
    assert confirmed(client, url, given).status_code == 302
    credit = Credit.objects.get(customer=office.customer)
    assert (credit.source, credit.amount_minor, credit.reason) == ("granted", 2000, "Goodwill")
    tab = reverse("backoffice:customer", args=[office.customer.ref]) + "?tab=payments"
    assert "Goodwill" in client.get(tab).content.decode()
    back = reverse("backoffice:credit-reverse", args=[credit.ref])
    assert confirmed(client, back, {"reason": "By mistake"}).status_code == 302
    credit.balance.refresh_from_db()
    assert credit.balance.left_minor == 0


def test_a_pack_is_sold(office: Office) -> None:
    from billing.models import Credit, Invoice
    from catalog.models import TaxCategory

    category = TaxCategory.objects.get(company=office.company, code="standard-general")
    given = {"amount": "100", "price": "", "currency": "EUR", "tax_category": category.pk, "expires_on": "",
             "description": "", "po_reference": ""}  # fmt: skip
    url = reverse("backoffice:credit-sell", args=[office.customer.ref])
    assert confirmed(office.client(), url, given).status_code == 302
    invoice = Invoice.objects.get(company=office.company)
    assert (invoice.net_minor, invoice.gross_minor) == (10000, 11900)
    assert Credit.objects.get(invoice=invoice).source == "prepaid"


def test_drafts_show_their_window_and_many_are_issued_at_once(office: Office) -> None:
    draft = drafted(office)
    client = office.client()
    page = client.get(reverse("backoffice:invoices") + "?state=draft").content.decode()
    assert f'name="row" value="{draft.ref}"' in page
    assert "Issued by itself" in page
    url, chosen = reverse("backoffice:drafts-approve"), {"row": [draft.ref, "inv_nonsense", "x"]}
    shown = client.post(url, chosen)
    assert type(draft).objects.get(company=office.company).number == ""
    assert shown.context["totals"] == [("EUR", 1, draft.gross_minor)]
    answer = client.post(url, {**chosen, "step": "do", "preview_token": shown.context["token"]})
    assert answer.status_code == 302
    issued = type(draft).objects.get(company=office.company)
    assert (issued.public_id, issued.number) == (draft.public_id, "TEST-INV-2026-000001")


def test_drafts_that_stay_are_shown_with_the_reason(office: Office) -> None:
    from subscriptions.models import Subscription

    draft = drafted(office)
    Subscription.objects.update(parked_at=office.at, parked_code="x", parked_detail="No price in this currency")
    client, url = office.client(), reverse("backoffice:drafts-approve")
    shown = client.post(url, {"row": [draft.ref]})
    assert shown.context["totals"] == []
    assert "No price in this currency" in shown.content.decode()
    assert 'value="do"' not in shown.content.decode()


def test_drafts_that_come_out_otherwise_are_shown_again(office: Office) -> None:
    draft = drafted(office)
    client, url = office.client(), reverse("backoffice:drafts-approve")
    token = client.post(url, {"row": []}).context["token"]
    answer = client.post(url, {"row": [draft.ref], "step": "do", "preview_token": token})
    assert (answer.status_code, answer.context["totals"]) == (422, [("EUR", 1, draft.gross_minor)])
    assert type(draft).objects.get(company=office.company).number == ""


def test_a_draft_of_billing_is_edited(office: Office) -> None:
    draft = drafted(office)
    client, url = office.client(), reverse("backoffice:draft-edit", args=[draft.ref])
    [line] = draft.lines.all()
    assert 'name="form-0-of" value="1"' in client.get(url).content.decode()
    given = {
        "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-of": "1", "form-0-description": "Reduced",
        "form-0-quantity": str(line.quantity), "form-0-unit_amount": str(line.unit_amount), "form-0-amount": "1.50",
        "form-0-reason": "Outage", "payment_terms_days": "14", "payment_terms_from": "month_end", "po_reference": "",
        "removed": "bill_again",
    }  # fmt: skip
    assert client.post(url, given).status_code == 302
    draft.refresh_from_db()
    assert (draft.net_minor, draft.waits_for, draft.terms_days, draft.terms_from) == (150, "", 14, "month_end")
    shown = client.get(reverse("backoffice:invoice", args=[draft.ref])).content.decode()
    assert "Outage" in shown


def test_a_line_is_taken_out_of_a_draft_of_billing(office: Office) -> None:
    draft = drafted(office)
    product = draft.lines.get().product
    given = {
        "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "1", "form-0-of": "1", "form-0-quantity": "1",
        "form-0-unit_amount": "1", "form-0-gone": "on", "form-1-product": str(product.pk), "form-1-unit_amount": "5",
        "payment_terms_days": "", "payment_terms_from": "", "po_reference": "", "removed": "free",
    }  # fmt: skip
    url = reverse("backoffice:draft-edit", args=[draft.ref])
    assert office.client().post(url, given).status_code == 302
    assert [line.amount_minor for line in draft.lines.all()] == [500]


def test_an_invoice_is_replaced(office: Office) -> None:
    from billing.models import Invoice

    office.start()
    old = Invoice.objects.get(company=office.company)
    client, url = office.client(), reverse("backoffice:invoice-replace", args=[old.ref])
    given = {"how": "issue", "po_reference": "PO 9", "reason": "Wrong reference"}
    assert confirmed(client, url, given).status_code == 302
    new = Invoice.objects.get(replaces=old)
    assert (new.po_reference, new.gross_minor) == ("PO 9", old.gross_minor)
    for one, other in ((old, new), (new, old)):
        assert other.number in client.get(reverse("backoffice:invoice", args=[one.ref])).content.decode()
