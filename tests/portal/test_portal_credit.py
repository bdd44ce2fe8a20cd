"""What a customer sees of granted and prepaid credit."""

from __future__ import annotations

from datetime import date

from django.urls import reverse

from tests import factories
from tests.portal.houses import TODAY


def test_home_shows_credit_that_can_still_be_used_in_its_order(ada, house):
    from billing.services import granting

    common = {"customer": house.customer, "currency": "EUR", "by": factories.BY}
    at = factories.at_noon(TODAY)
    for minor, until in ((500, None), (300, date(2026, 6, 30)), (200, TODAY)):
        granting.grant(**common, amount_minor=minor, expires_on=until, reason="secret thoughts", at=at)
    shown = ada.get(reverse("portal:home"))
    assert [row.amount_minor for row in shown.context["credit_rows"]] == [200, 300, 500]
    factories.set_clock(house.company, date(2026, 1, 11))
    shown = ada.get(reverse("portal:home"))
    assert [row.amount_minor for row in shown.context["credit_rows"]] == [300, 500]
    page = shown.content.decode()
    assert "Credit granted to you:" in page
    # Why it was granted is for colleagues.
    assert "secret thoughts" not in page


def test_a_refund_stands_on_its_credit_note_and_among_the_credit_notes(ada, house):
    from billing.models import CreditNote
    from billing.services import account_credit, crediting, payments

    at, day = factories.at_noon(TODAY), TODAY
    payments.record(
        company=house.company, customer=house.customer, amount_minor=house.invoice.gross_minor, currency="EUR",
        method="transfer", received_on=day, invoice=house.invoice, by=factories.BY, at=at,
    )  # fmt: skip
    crediting.credit_invoice(invoice=house.invoice, reason="Not used", by=factories.BY, at=at)
    refund = account_credit.refund_credit(
        customer=house.customer, currency="EUR", amount_minor=1000, reason="Not used", by=factories.BY, at=at
    )
    note = CreditNote.objects.get()
    for path in (f"credit-notes/{note.ref}/", "credit-notes/"):
        page = ada.get(f"/portal/{path}").content.decode()
        assert "Refund on its way" in page
        assert "€10.00" in page
    account_credit.settle_refund(refund=refund, paid_on=day, by=factories.BY, at=at)
    page = ada.get(f"/portal/credit-notes/{note.ref}/").content.decode()
    assert "Refunded" in page
    assert "Refund on its way" not in page
