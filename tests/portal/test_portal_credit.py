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
