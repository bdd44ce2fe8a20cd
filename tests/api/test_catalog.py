"""Products, plans, prices and tax rates over the API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(api):
    return api.post("products", {"code": "seat", "name": {"en": "Seat"}, "tax_category": "standard-electronic"}).body


def plan_of(product, **changes):
    price = {"currency": "EUR", "unit_amount": "12.50", "valid_from": "2026-01-01"}
    return {"code": "team", "name": {"en": "Team"}, "items": [{"product": product["id"], "prices": [price]}], **changes}


def test_a_product_is_created_changed_and_archived(api, product):
    assert product["tax_category"] == "standard-electronic"
    changed = api.patch(f"products/{product['id']}", {"unit_name": {"en": "seat"}}).body
    assert changed["unit_name"] == {"en": "seat"}
    assert api.post(f"products/{product['id']}/archive").body["archived_at"] == "2026-03-10T09:00:00Z"
    assert api.get("products?archived=false").body["data"] == []
    assert api.post(f"products/{product['id']}/restore").body["archived_at"] is None


def test_an_unknown_tax_category_is_named(api):
    answer = api.post("products", {"code": "seat", "name": {"en": "Seat"}, "tax_category": "nothing"})
    assert answer.status_code == 422
    assert answer.body["errors"] == [
        {"pointer": "/tax_category", "code": "invalid_ref", "message": "There is nothing with this id here."}
    ]


def test_a_plan_is_created_published_and_retired(api, product):
    made = api.post("plans", plan_of(product, trial_days=14, minimum_count=12))
    assert made.status_code == 201
    assert (made.body["status"], made.body["trial_days"], made.body["minimum_count"]) == ("draft", 14, 12)
    assert made.body["items"][0]["prices"][0]["unit_amount"] == "12.50"
    ref = made.body["id"]
    assert api.post(f"plans/{ref}/publish").body["status"] == "on_sale"
    assert api.post(f"plans/{ref}/retire").body["status"] == "retired"


def test_a_price_gets_a_further_version(api, product):
    item = api.post("plans", plan_of(product)).body["items"][0]["id"]
    body = {"currency": "EUR", "unit_amount": "13.9900", "valid_from": "2026-06-01"}
    prices = api.post(f"plan-items/{item}/prices", body).body["items"][0]["prices"]
    assert [(price["version"], price["unit_amount"]) for price in prices] == [(2, "13.99"), (1, "12.50")]


def test_a_plan_shows_its_product_whole_when_asked(api, product):
    ref = api.post("plans", plan_of(product)).body["id"]
    assert api.get(f"plans/{ref}").body["items"][0]["product"] == product["id"]
    assert api.get(f"plans/{ref}?expand=product").body["items"][0]["product"]["code"] == "seat"


def test_plans_are_found_by_the_product_they_sell(api, product):
    ref = api.post("plans", plan_of(product)).body["id"]
    assert [plan["id"] for plan in api.get(f"plans?product={product['id']}").body["data"]] == [ref]


def test_items_are_added_and_archived(api, product):
    ref = api.post("plans", plan_of(product)).body["id"]
    other = api.post("products", {"code": "box", "name": {"en": "Box"}, "tax_category": "standard-general"}).body
    items = api.post(f"plans/{ref}/items", {"product": other["id"], "quantity": 2}).body["items"]
    assert [(item["product"], item["quantity"]) for item in items] == [(product["id"], "1"), (other["id"], "2")]
    archived = api.post(f"plan-items/{items[1]['id']}/archive").body["items"][1]
    assert archived["archived_at"] == "2026-03-10T09:00:00Z"


@pytest.mark.parametrize("amount", ["1E5", "NaN", "-0", "١٢", "", " 1", "1,5", 1.5, 10, None, "-3", "99999999999"])
def test_an_amount_has_one_form(api, product, amount):
    plan = plan_of(product)
    plan["items"][0]["prices"][0]["unit_amount"] = amount
    answer = api.post("plans", plan)
    assert answer.status_code == 422
    assert answer.body["errors"][0]["pointer"] == "/items/0/prices/0/unit_amount"


def test_tax_rates_are_listed_filtered_and_paged(api):
    first = api.get("tax-rates?country=DE&limit=1").body
    assert first["has_more"] is True
    second = api.get(f"tax-rates?country=DE&limit=1&after={first['next']}").body
    assert second["data"][0]["id"] != first["data"][0]["id"]
    body = {"country": "DE", "level": "standard", "percent": "20.5", "valid_from": "2031-01-01", "source": "law"}
    made = api.post("tax-rates", body)
    assert (made.status_code, made.body["percent"]) == (201, "20.5")
    assert api.get("tax-rates?valid_from[gte]=2030-01-01").body["data"] == [made.body]


def test_tax_categories_are_listed(api):
    assert "standard-electronic" in [row["code"] for row in api.get("tax-categories").body["data"]]
