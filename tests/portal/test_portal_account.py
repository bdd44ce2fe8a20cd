"""The customer's own statement of account: on the page and as a file."""

from __future__ import annotations

from django.urls import reverse


def test_the_account_shows_what_is_owed_and_downloads_as_a_file(ada, house):
    answer = ada.get(reverse("portal:account"))
    text = answer.content.decode()
    assert house.invoice.number in text
    assert answer.context["account"].closing_minor == house.invoice.gross_minor
    paper = ada.get(reverse("portal:account") + answer.context["pdf_url"])
    assert paper["Content-Type"] == "application/pdf"
    assert paper["Content-Disposition"].startswith('attachment; filename="statement-')
    assert paper.content.startswith(b"%PDF")


def test_invoices_lead_to_the_account(ada):
    assert reverse("portal:account") in ada.get(reverse("portal:invoices")).content.decode()


def test_rubbish_in_the_address_is_said_and_no_fault(ada):
    assert ada.get(reverse("portal:account") + "?first=rubbish&currency=XX").status_code == 422
