"""The statement of account at the office: the year so far, the paper, days the wrong way round, who may see it."""

from __future__ import annotations

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(office):
    office.start()
    return reverse("backoffice:customer-account", args=[office.customer.ref])


def test_the_page_shows_the_year_so_far_and_the_paper_the_same(office, address):
    from billing.models import Invoice

    invoice = Invoice.objects.get(customer=office.customer)
    answer = office.client().get(address)
    account = answer.context["account"]
    assert (account.opening_minor, account.closing_minor) == (0, invoice.gross_minor)
    assert invoice.number in answer.content.decode()
    paper = office.client().get(address + answer.context["pdf_url"])
    assert paper["Content-Type"] == "application/pdf"
    assert paper.content.startswith(b"%PDF")


def test_days_the_wrong_way_round_are_said_at_the_field(office, address):
    answer = office.client().get(address + "?first=2026-03-02&last=2026-03-01")
    assert answer.status_code == 422
    assert "The last day lies before the first." in answer.content.decode()


def test_who_may_not_see_invoices_sees_no_account(office, address):
    from core.rights import ROLES

    shut = [role for role, (_name, rights) in ROLES.items() if "invoice.read" not in rights]
    assert {office.client(role).get(address).status_code for role in shut} <= {403}
