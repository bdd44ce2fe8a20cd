"""A code entered by the customer: shown first, then taken.

The subscription of `house` starts on 1 January 2026 at 31.00 net a month (36.89 gross); today is 10 January.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse

from tests import factories
from tests.portal.houses import START, House


@pytest.fixture
def code(company):
    from catalog.services import discounts

    common = {"by": factories.BY, "at": factories.at_noon(START)}
    discount = discounts.create_discount(
        company=company, code="tenth", name={"en": "A tenth"}, percent=Decimal(10), **common
    )
    return discounts.create_code(discount=discount, code="SPRING", customer_limit=1, **common)


def offer_url(house: House) -> str:
    return reverse("portal:offer", args=[house.subscription.ref])


def given(house: House) -> list[str]:
    return list(house.subscription.discounts.values_list("name", flat=True))


def test_the_contract_leads_to_the_code(ada, house):
    page = ada.get(reverse("portal:subscription", args=[house.subscription.ref])).content.decode()
    assert offer_url(house) in page


def test_a_code_shows_the_next_invoices_and_changes_nothing(ada, house, code):
    page = ada.get(f"{offer_url(house)}?code=spring").content.decode()
    # 31.00 less a tenth is 27.90; with 19 % tax, 5.30, it is 33.20.
    assert "€33.20" in page
    assert "Discount “A tenth”, 10%: -€3.10." in page
    code.refresh_from_db()
    assert (given(house), code.use_count) == ([], 0)


def test_the_offer_is_taken_as_it_was_shown(ada, house, code):
    shown = ada.get(f"{offer_url(house)}?code=spring").context["preview"]
    answer = ada.post(offer_url(house), {"code": "spring", "preview_token": shown.token})
    assert (answer.status_code, given(house)) == (302, ["A tenth"])
    page = ada.get(reverse("portal:subscription", args=[house.subscription.ref])).content.decode()
    assert "A tenth" in page


def test_a_code_that_is_none_is_told(ada, house):
    answer = ada.get(f"{offer_url(house)}?code=nope")
    assert answer.status_code == 422
    assert "There is no offer with this code." in answer.content.decode()


def test_what_was_shown_must_still_hold(ada, house, code):
    answer = ada.post(offer_url(house), {"code": "spring", "preview_token": "x"})
    assert (answer.status_code, given(house)) == (422, [])


def test_a_viewer_takes_no_offers(client, house, code):
    client.force_login(house.contact("viewer", "vera@example.com").user)
    assert client.get(offer_url(house)).status_code == 403
    page = client.get(reverse("portal:subscription", args=[house.subscription.ref])).content.decode()
    assert offer_url(house) not in page
