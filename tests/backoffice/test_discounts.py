"""Discounts in the back office: made, given, redeemed, taken back, each shown before it happens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.urls import reverse

from catalog.models import Discount, OfferCode
from subscriptions.models import AgreedDiscount
from tests.backoffice.conftest import Office
from tests.backoffice.test_acts import do, fields_of, text_of
from tests.factories import BY


def a_discount(office: Office, **changes: Any) -> Discount:
    from catalog.services import discounts

    values: dict[str, Any] = {"code": "tenth", "name": {"en": "A tenth"}, "percent": Decimal(10)}
    return discounts.create_discount(company=office.company, **(values | changes), by=BY, at=office.at)


def test_a_discount_is_made(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:discount-create")
    sent = fields_of(client.get(url)) | {
        "code": "five", "name__en": "Five off", "amount": "5.00", "currency": "EUR", "duration": "periods",
        "periods": "3", "scope": "everything",
    }  # fmt: skip
    assert client.post(url, sent).status_code == 302
    made = Discount.objects.get()
    assert (made.amount_minor, made.currency, made.periods, made.name) == (500, "EUR", 3, {"en": "Five off"})


def test_a_discount_that_contradicts_itself_is_shown_again(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:discount-create")
    sent = fields_of(client.get(url)) | {"code": "x", "name__en": "X", "percent": "10", "duration": "periods"}
    answer = client.post(url, sent)
    assert answer.status_code == 422
    assert "needs that number" in text_of(answer)


def test_a_code_is_made_and_archived(office: Office) -> None:
    client, discount = office.client(), a_discount(office)
    url = reverse("backoffice:offer-code-create", args=[discount.ref])
    assert client.post(url, {"code": "spring", "total_limit": "5"}).status_code == 302
    offer = OfferCode.objects.get()
    assert (offer.code, offer.total_limit) == ("SPRING", 5)
    client.post(reverse("backoffice:offer-code-archive", args=[offer.ref]))
    offer.refresh_from_db()
    assert offer.archived_at is not None


def test_a_discount_is_given_after_its_preview(office: Office) -> None:
    client, subscription, discount = office.client(), office.start(), a_discount(office)
    url = reverse("backoffice:subscription-give", args=[subscription.ref])
    shown = client.post(url, {"discount": discount.pk})
    # 100.00 a month less a tenth.
    assert "€90.00" in text_of(shown)
    assert not AgreedDiscount.objects.exists()
    assert do(client, url, discount=discount.pk).status_code == 302
    page = text_of(client.get(reverse("backoffice:subscription", args=[subscription.ref])))
    assert "A tenth" in page
    assert AgreedDiscount.objects.get().subscription == subscription


def test_a_code_is_redeemed_after_its_preview_and_its_refusal_is_told(office: Office) -> None:
    from catalog.services import discounts

    client, subscription = office.client(), office.start()
    url = reverse("backoffice:subscription-redeem", args=[subscription.ref])
    assert "There is no offer with this code." in text_of(client.post(url, {"code": "SPRING"}))
    discounts.create_code(discount=a_discount(office), code="SPRING", by=BY, at=office.at)
    assert do(client, url, code="spring").status_code == 302
    assert OfferCode.objects.get().use_count == 1


def test_a_discount_is_taken_back_after_its_preview(office: Office) -> None:
    client, subscription = office.client(), office.start(discounts=[a_discount(office)])
    agreed = AgreedDiscount.objects.get()
    url = reverse("backoffice:agreed-discount-end", args=[agreed.ref])
    assert "€100.00" in text_of(client.get(url))
    assert do(client, url).status_code == 302
    agreed.refresh_from_db()
    assert agreed.until_on is not None
    assert "Take back" not in text_of(client.get(reverse("backoffice:subscription", args=[subscription.ref])))


def test_a_campaign_shows_what_it_brought_and_cost(office: Office) -> None:
    from catalog.services import discounts

    made = discounts.create_campaign(company=office.company, code="spring", name="Spring", by=BY, at=office.at)
    discount = a_discount(office, campaign=made)
    office.start(discounts=[discount])
    client = office.client()
    answer = client.get(reverse("backoffice:campaign", args=[made.ref]))
    effect = answer.context["effect"]
    # One subscription at 100.00 less a tenth; 10.00 off its first invoice.
    assert (effect.subscriptions, effect.mrr, effect.given) == (1, [("EUR", 9000)], [("EUR", 1000)])
    page = text_of(client.get(reverse("backoffice:discount", args=[discount.ref])))
    assert "€10.00" in page


def test_the_list_finds_a_discount_by_its_code_for_customers(office: Office) -> None:
    from catalog.services import discounts

    discount = a_discount(office)
    a_discount(office, code="other")
    discounts.create_code(discount=discount, code="SPRING", by=BY, at=office.at)
    answer = office.client().get(reverse("backoffice:discounts"), {"q": "SPRING"})
    assert [row.pk for row in answer.context["list"].rows] == [discount.pk]


def test_a_campaign_of_many_discounts_is_read_as_quickly_as_one_of_two(office: Office) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from catalog.services import discounts

    made = discounts.create_campaign(company=office.company, code="spring", name="Spring", by=BY, at=office.at)
    client, url = office.client(), reverse("backoffice:campaign", args=[made.ref])
    office.start(discounts=[a_discount(office, campaign=made, code="c0")])
    office.start(discounts=[a_discount(office, campaign=made, code="c1")])

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(url)
        assert {row.code: row.effect.mrr for row in answer.context["discounts"]}["c0"] == [("EUR", 9000)]
        return len(seen)

    few = asked()
    for number in range(2, 7):
        a_discount(office, campaign=made, code=f"c{number}")
    assert asked() == few


def test_a_price_is_said_in_words_on_the_page_of_its_discount(office: Office) -> None:
    price = office.plan.items.get().prices.get()
    discount = a_discount(office, scope="price", price=price, duration="periods", periods=1)
    page = text_of(office.client().get(reverse("backoffice:discount", args=[discount.ref])))
    assert "€100.00 per month · EUR 1" in page
    assert "1 period" in page
    assert "1 periods" not in page
