"""Discounts, codes and campaigns: what can be made, what is refused, what archiving stops."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from catalog.models import Campaign, Discount, OfferCode
from catalog.services import discounts
from core.models import AuditEntry, Event
from core.refusal import Refused

from .given import AT, BY


def a_discount(company, **changes):
    values = {"code": "tenth", "name": {"de": "Ein Zehntel", "en": "A tenth"}, "percent": Decimal(10)}
    return discounts.create_discount(company=company, **(values | changes), by=BY, at=AT)


def test_a_percent_is_made_with_audit_and_event(company):
    discount = a_discount(company)
    assert (discount.percent, discount.amount_minor, discount.duration) == (Decimal(10), None, "forever")
    assert AuditEntry.objects.filter(verb="discount.create", subject_id=discount.pk).count() == 1
    event = Event.objects.get(type="discount.created")
    assert (event.data["id"], event.data["percent"]) == (discount.ref, "10")


def test_an_amount_has_its_currency(company):
    discount = a_discount(company, percent=None, amount_minor=500, currency="EUR", duration="periods", periods=3)
    discount.refresh_from_db()
    assert (discount.amount_minor, discount.currency, discount.periods) == (500, "EUR", 3)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"percent": None}, "discount.percent_or_amount"),
        ({"amount_minor": 100, "currency": "EUR"}, "discount.percent_or_amount"),
        ({"currency": "EUR"}, "discount.percent_or_amount"),
        ({"percent": Decimal(0)}, "discount.percent_range"),
        ({"percent": Decimal("100.001")}, "discount.percent_range"),
        ({"percent": Decimal("1.2345")}, "number.places"),
        ({"percent": None, "amount_minor": 0, "currency": "EUR"}, "number.range"),
        ({"percent": None, "amount_minor": 100, "currency": ""}, "currency.unknown"),
        ({"duration": "periods"}, "discount.periods"),
        ({"duration": "once", "periods": 2}, "discount.periods"),
        ({"duration": "weekly"}, "field.choice"),
        ({"scope": "product"}, "discount.target"),
        ({"scope": "price"}, "discount.target"),
        ({"name": {"en": "Only English"}}, "catalog.text_missing"),
        ({"code": "a b"}, "catalog.code_form"),
    ],
)
def test_what_contradicts_itself_is_refused(company, changes, code):
    with pytest.raises(Refused) as refused:
        a_discount(company, **changes)
    assert refused.value.code == code
    assert not Discount.objects.exists()


def test_a_product_without_its_scope_is_refused(company, product):
    with pytest.raises(Refused) as refused:
        a_discount(company, product=product)
    assert refused.value.code == "discount.target"
    assert a_discount(company, scope="product", product=product).product == product


def test_a_discounts_code_is_given_once(company):
    a_discount(company)
    with pytest.raises(Refused) as refused:
        a_discount(company)
    assert (refused.value.code, refused.value.field) == ("catalog.code_taken", "code")


def test_only_the_name_of_a_discount_changes(company):
    discount = a_discount(company)
    renamed = discounts.rename_discount(discount=discount, name={"de": "Zehn Prozent"}, by=BY, at=AT)
    assert renamed.name == {"de": "Zehn Prozent"}
    discounts.rename_discount(discount=discount, name={"de": "Zehn Prozent"}, by=BY, at=AT)
    assert AuditEntry.objects.filter(verb="discount.update").count() == 1


def test_a_code_is_kept_in_upper_case_and_given_once(company):
    discount = a_discount(company)
    offer = discounts.create_code(discount=discount, code=" spring26 ", total_limit=5, by=BY, at=AT)
    assert (offer.code, offer.total_limit, offer.use_count) == ("SPRING26", 5, 0)
    with pytest.raises(Refused) as refused:
        discounts.create_code(discount=discount, code="Spring26", by=BY, at=AT)
    assert refused.value.code == "catalog.code_taken"


def test_a_codes_last_day_is_not_before_its_first(company):
    with pytest.raises(Refused) as refused:
        discounts.create_code(
            discount=a_discount(company), code="X", valid_from=date(2026, 5, 2), valid_until=date(2026, 5, 1),
            by=BY, at=AT,
        )  # fmt: skip
    assert refused.value.code == "offer_code.days"


def test_an_archived_discount_gets_no_more_codes(company):
    discount = discounts.archive_discount(discount=a_discount(company), by=BY, at=AT)
    assert discounts.archive_discount(discount=discount, by=BY, at=AT).archived_at == AT
    assert AuditEntry.objects.filter(verb="discount.archive").count() == 1
    with pytest.raises(Refused) as refused:
        discounts.create_code(discount=discount, code="X", by=BY, at=AT)
    assert refused.value.code == "discount.archived"


def test_a_code_and_a_campaign_are_archived(company):
    campaign = discounts.create_campaign(company=company, code="spring", name="Spring", by=BY, at=AT)
    discount = a_discount(company, campaign=campaign)
    offer = discounts.create_code(discount=discount, code="X", by=BY, at=AT)
    discounts.archive_code(code=offer, by=BY, at=AT)
    campaign = discounts.archive_campaign(campaign=campaign, by=BY, at=AT)
    assert OfferCode.objects.get().archived_at == AT
    assert Campaign.objects.get().archived_at == AT
    with pytest.raises(Refused):
        a_discount(company, code="later", campaign=campaign)
