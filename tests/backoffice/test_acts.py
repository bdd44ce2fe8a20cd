"""What moves money: shown first, done as shown, refused when the figures changed in between."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.backoffice.conftest import TODAY, Office
from tests.factories import BY


def text_of(answer: HttpResponse) -> str:
    """The words of a page, without marks; hard spaces are spaces."""
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", plain.replace("\xa0", " ").replace("&nbsp;", " "))


def fields_of(answer: HttpResponse) -> dict[str, Any]:
    """What the page's form would send as it stands."""
    form = answer.context["form"]
    data = {name: form[name].value() for name in form.fields}
    sent = {}
    for name, value in data.items():
        if value is None or value is False:
            continue
        sent[name] = value.isoformat() if hasattr(value, "isoformat") else getattr(value, "pk", value)
    return sent


def token_in(answer: HttpResponse) -> str:
    shown = answer.context["shown"]
    assert shown is not None, (answer.context["refused"], answer.context["form"].errors)
    return str(shown.token)


def do(client: Client, url: str, **typed: Any) -> HttpResponse:
    """Previews with what was typed, then does what was shown."""
    fields = fields_of(client.get(url)) | typed
    shown = client.post(url, fields)
    assert shown.status_code == 200, (shown.context["refused"], shown.context["form"].errors)
    return client.post(url, fields | {"step": "do", "preview_token": token_in(shown)})


def start_url(office: Office) -> str:
    return f"{reverse('backoffice:subscription-start')}?customer={office.customer.ref}&plan={office.plan.ref}"


def test_a_start_is_shown_with_its_sum_before_anything_happens(office: Office) -> None:
    from subscriptions.models import Subscription

    answer = office.client().get(start_url(office))
    assert answer.status_code == 200
    assert "€119.00" in text_of(answer)
    assert not Subscription.objects.exists()


def test_a_start_does_what_was_shown(office: Office) -> None:
    from billing.models import Invoice
    from subscriptions.models import Subscription

    item = office.plan.items.get()
    answer = do(office.client(), start_url(office), **{f"quantity_{item.pk}": "3", f"amount_{item.pk}": "80.50"})
    subscription = Subscription.objects.get()
    assert answer["Location"] == reverse("backoffice:subscription", args=[subscription.ref])
    invoice = Invoice.objects.get()
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (24150, 4589, 28739)


def test_a_start_on_figures_that_changed_does_nothing_and_shows_the_new_ones(office: Office) -> None:
    from decimal import Decimal

    from catalog.services import taxes
    from subscriptions.models import Subscription

    client, url = office.client(), start_url(office)
    answer = client.get(url)
    taxes.set_rate(company=office.company, country="DE", level="standard", percent=Decimal(20), valid_from=TODAY,
                   source="test", by=BY, at=office.at)  # fmt: skip
    again = client.post(url, fields_of(answer) | {"step": "do", "preview_token": token_in(answer)})
    assert again.status_code == 422
    assert "The figures have changed since the preview." in text_of(again)
    assert "€120.00" in text_of(again)
    assert not Subscription.objects.exists()


def test_without_a_token_the_act_only_shows(office: Office) -> None:
    from subscriptions.models import Subscription

    client, url = office.client(), start_url(office)
    answer = client.post(url, fields_of(client.get(url)) | {"step": "do"})
    assert answer.status_code == 200
    assert not Subscription.objects.exists()


def test_a_start_in_the_past_needs_the_right_to_date_back(office: Office) -> None:
    client, url = office.client("sales"), start_url(office)
    answer = client.post(url, fields_of(client.get(url)) | {"start_on": "2026-03-01"})
    assert answer.status_code == 422
    assert answer.context["form"].errors == {"start_on": ["You may not date starts back; choose today or a later day."]}
    assert do(office.client("accounting"), url, start_on="2026-03-01").status_code == 302


def test_a_refused_amount_stands_beside_its_field(office: Office) -> None:
    item = office.plan.items.get()
    client, url = office.client(), start_url(office)
    fields = fields_of(client.get(url))
    for amount in ("1E5", "NaN", "-3", "1,234.50", "٣", "1.2.3", "-0"):
        answer = client.post(url, fields | {f"amount_{item.pk}": amount})
        assert answer.status_code == 422, amount
        assert list(answer.context["form"].errors) == [f"amount_{item.pk}"], amount


def test_a_cancellation_of_today_credits_the_unused_days(office: Office) -> None:
    from billing.models import CreditNote

    subscription = office.start()
    url = reverse("backoffice:subscription-cancel", args=[subscription.ref])
    answer = do(office.client(), url, timing="now", unused="credit", override="on", override_reason="Goodwill")
    assert answer.status_code == 302
    subscription.refresh_from_db()
    assert subscription.ends_on == TODAY
    # 30 of 31 days of 100.00, net: 96.77; with 19 % 115.16.
    assert CreditNote.objects.get().gross_minor == 11516


def test_overriding_a_contract_needs_its_right(office: Office) -> None:
    subscription = office.start()
    url = reverse("backoffice:subscription-cancel", args=[subscription.ref])
    client = office.client("support")
    assert "override" not in client.get(url).context["form"].fields
    assert client.post(url, {"timing": "now", "unused": "none", "override": "on"}).status_code == 403


def test_a_planned_end_can_be_taken_back(office: Office) -> None:
    subscription = office.start()
    client = office.client("support")
    do(client, reverse("backoffice:subscription-cancel", args=[subscription.ref]), timing="period_end")
    subscription.refresh_from_db()
    assert subscription.ends_on.isoformat() == "2026-04-14"
    do(client, reverse("backoffice:subscription-undo", args=[subscription.ref]))
    subscription.refresh_from_db()
    assert subscription.ends_on is None


def test_a_payment_pays_its_invoice(office: Office) -> None:
    invoice = office.invoice()
    url = f"{reverse('backoffice:payment-record')}?invoice={invoice.ref}"
    answer = do(office.client("accounting"), url)
    assert answer["Location"] == reverse("backoffice:invoice", args=[invoice.ref])
    invoice.balance.refresh_from_db()
    assert (invoice.balance.status, invoice.balance.paid_minor) == ("paid", 11900)


def test_a_payment_of_nobody_known_waits_until_it_is_allocated(office: Office) -> None:
    from billing.models import Payment

    invoice = office.invoice()
    client = office.client()
    do(client, reverse("backoffice:payment-record") + "?unknown=1", amount="119")
    payment = Payment.objects.get()
    assert payment.balance.left_minor == 11900
    url = f"{reverse('backoffice:payment-allocate', args=[payment.ref])}?customer={office.customer.ref}"
    do(client, url, invoice=invoice.pk, amount="19.00")
    payment.balance.refresh_from_db()
    invoice.balance.refresh_from_db()
    assert (payment.balance.left_minor, invoice.balance.open_minor) == (10000, 10000)


def test_a_payment_taken_back_opens_its_invoice_again(office: Office) -> None:
    from billing.models import Payment

    invoice = office.invoice()
    client = office.client()
    do(client, f"{reverse('backoffice:payment-record')}?invoice={invoice.ref}")
    payment = Payment.objects.get()
    do(client, reverse("backoffice:payment-take-back", args=[payment.ref]), reason="AC04")
    invoice.balance.refresh_from_db()
    assert (invoice.balance.status, invoice.balance.open_minor) == ("open", 11900)


def test_credit_is_paid_out_and_booked(office: Office) -> None:
    from billing.models import Refund

    invoice = office.invoice()
    client = office.client()
    do(client, f"{reverse('backoffice:payment-record')}?invoice={invoice.ref}", amount="150.00")
    do(client, reverse("backoffice:credit-refund", args=[office.customer.ref]), reason="Asked for")
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor) == ("pending", 3100)
    do(client, reverse("backoffice:refund-settle", args=[refund.ref]), reference="SEPA 1")
    refund.refresh_from_db()
    assert (refund.status, refund.reference) == ("settled", "SEPA 1")


@pytest.mark.parametrize(
    ("typed", "gross"),
    [({"how": "whole"}, 11900), ({"how": "amount", "gross": "11.90"}, 1190), ({"how": "lines", "line": "10"}, 1190)],
    ids=["whole", "amount", "by line"],
)
def test_a_credit_note_gives_back_what_was_asked(office: Office, typed: dict[str, str], gross: int) -> None:
    from billing.models import CreditNote

    invoice = office.invoice()
    if "line" in typed:
        typed = {"how": "lines", f"line_{invoice.lines.get().pk}": typed["line"]}
    answer = do(office.client(), reverse("backoffice:invoice-credit", args=[invoice.ref]), reason="Outage", **typed)
    note = CreditNote.objects.get()
    assert answer["Location"] == reverse("backoffice:credit-note", args=[note.ref])
    assert (note.gross_minor, note.reason) == (gross, "Outage")


def test_more_than_is_left_can_not_be_given_back(office: Office) -> None:
    invoice = office.invoice()
    url = reverse("backoffice:invoice-credit", args=[invoice.ref])
    answer = office.client().post(url, {"how": "amount", "gross": "119.01", "reason": "Outage"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["gross"]


def test_a_void_invoice_shows_its_credit_note(office: Office) -> None:
    invoice = office.invoice()
    client = office.client()
    do(client, reverse("backoffice:invoice-void", args=[invoice.ref]), reason="Wrong address")
    page = text_of(client.get(reverse("backoffice:invoice", args=[invoice.ref])))
    assert "TEST-CN-2026-000001" in page
    invoice.balance.refresh_from_db()
    assert invoice.balance.status == "void"


def test_what_is_written_off_is_no_longer_open(office: Office) -> None:
    invoice = office.invoice()
    do(office.client(), reverse("backoffice:invoice-write-off", args=[invoice.ref]), reason="Insolvent")
    invoice.balance.refresh_from_db()
    assert (invoice.balance.status, invoice.balance.written_off_minor) == ("uncollectible", 11900)


def lines(*rows: dict[str, Any]) -> dict[str, Any]:
    sent: dict[str, Any] = {"form-TOTAL_FORMS": len(rows), "form-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        sent |= {f"form-{number}-{name}": value for name, value in row.items()}
    return sent


HEAD = {"currency": "EUR", "tax_behavior": "exclusive", "payment_terms_days": "", "po_reference": "PO 7"}


def test_an_invoice_by_hand_is_written_changed_and_issued(office: Office) -> None:
    from billing.models import Invoice
    from catalog.models import TaxCategory

    client = office.client("accounting")
    product = office.plan.items.get().product
    category = TaxCategory.objects.get(company=office.company, code="standard-general")
    url = f"{reverse('backoffice:draft-create')}?customer={office.customer.ref}"
    first = {"product": product.pk, "quantity": "2", "unit_amount": "49.50"}
    second = {"description": "Travel", "unit_amount": "30", "tax_category": category.pk}
    client.post(url, HEAD | lines(first, second, {}))
    draft = Invoice.objects.get()
    assert (draft.number, draft.net_minor, draft.gross_minor) == ("", 12900, 15351)
    client.post(
        reverse("backoffice:draft-edit", args=[draft.ref]),
        {"payment_terms_days": "30", "po_reference": "PO 8"} | lines(first),
    )
    do(client, reverse("backoffice:draft-issue", args=[draft.ref]))
    draft.refresh_from_db()
    assert (draft.number, draft.gross_minor, draft.po_reference) == ("TEST-INV-2026-000001", 11781, "PO 8")
    assert (draft.payment_due_on - draft.issued_on).days == 30


@pytest.mark.parametrize(
    "row",
    [{}, {"description": "Travel", "unit_amount": "30"}, {"product": "x", "unit_amount": "3"}, {"quantity": "1E5"},
     {"description": "Travel", "quantity": "1"}],
    ids=["none", "untaxed", "no such product", "exponent", "no price"],
)  # fmt: skip
def test_a_draft_that_can_not_be_kept_says_why(office: Office, row: dict[str, Any]) -> None:
    from billing.models import Invoice

    url = f"{reverse('backoffice:draft-create')}?customer={office.customer.ref}"
    answer = office.client().post(url, HEAD | lines(row))
    assert answer.status_code == 422
    assert 'class="error-summary"' in answer.content.decode()
    assert not Invoice.objects.exists()


def test_more_lines_keep_what_was_typed(office: Office) -> None:
    url = f"{reverse('backoffice:draft-create')}?customer={office.customer.ref}"
    answer = office.client().post(url, HEAD | lines({"description": "Travel", "unit_amount": "abc"}) | {"more": "1"})
    assert answer.status_code == 200
    assert len(answer.context["lines"].forms) == 6
    assert answer.context["form"]["po_reference"].value() == "PO 7"
    assert 'value="Travel"' in answer.content.decode()


def test_a_draft_can_be_thrown_away_an_issued_invoice_can_not(office: Office) -> None:
    from billing.models import Invoice

    client = office.client()
    invoice = office.invoice()
    url = f"{reverse('backoffice:draft-create')}?customer={office.customer.ref}"
    product = office.plan.items.get().product
    client.post(url, HEAD | lines({"product": product.pk, "unit_amount": "1"}))
    draft = Invoice.objects.get(issued_on__isnull=True)
    assert client.post(reverse("backoffice:draft-delete", args=[draft.ref])).status_code == 302
    assert client.post(reverse("backoffice:draft-delete", args=[invoice.ref])).status_code == 404
    assert [row.pk for row in Invoice.objects.all()] == [invoice.pk]


def test_the_pdf_is_the_document(office: Office) -> None:
    invoice = office.invoice()
    client = office.client("viewer")
    answer = client.get(reverse("backoffice:invoice-pdf", args=[invoice.ref]))
    assert answer.content.startswith(b"%PDF-")
    assert answer["Content-Disposition"] == 'inline; filename="TEST-INV-2026-000001.pdf"'
    saved = client.get(reverse("backoffice:invoice-pdf", args=[invoice.ref]) + "?download=1")
    assert saved["Content-Disposition"].startswith("attachment")
    assert saved.content == answer.content


def test_a_document_is_sent_again_to_whom_one_says(office: Office) -> None:
    from customers.models import Message

    invoice = office.invoice()
    url = reverse("backoffice:invoice-send", args=[invoice.ref])
    client = office.client()
    assert client.post(url, {"recipients": "not an address"}).status_code == 422
    client.post(url, {"recipients": "boss@windkraft.example"})
    assert Message.objects.get(subject_kind="invoice").recipients == ["boss@windkraft.example"]
    assert "boss@windkraft.example" in text_of(client.get(reverse("backoffice:invoice", args=[invoice.ref])))
