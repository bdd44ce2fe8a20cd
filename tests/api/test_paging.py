"""Pages by cursor: every row once, whatever is added meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test.utils import CaptureQueriesContext

from .caller import BY, NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def seven(company):
    """Seven customers, two of each instant, so that ties are met."""
    from customers.services.customers import create_customer

    at = [NOW + timedelta(minutes=number // 2) for number in range(7)]
    return [create_customer(company=company, name=f"C{n}", by=BY, at=at[n]).ref for n in range(7)]


def walk(api, query):
    found, after = [], ""
    while True:
        body = api.get(f"customers?{query}{after}").body
        found += [row["id"] for row in body["data"]]
        if not body["has_more"]:
            assert body["next"] is None
            return found
        after = f"&after={body['next']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_every_row_comes_once_and_newest_first(api, seven, limit):
    assert walk(api, f"limit={limit}") == seven[::-1]


def test_a_row_added_meanwhile_moves_no_page(api, company, seven):
    from customers.services.customers import create_customer

    first = api.get("customers?limit=3").body
    create_customer(company=company, name="new", by=BY, at=NOW + timedelta(days=1))
    second = api.get(f"customers?limit=3&after={first['next']}").body
    assert [row["id"] for row in second["data"]] == seven[1:4][::-1]


def test_a_cursor_of_another_company_is_refused(api, other_company, seven):
    from customers.services.customers import create_customer

    theirs = create_customer(company=other_company, name="theirs", by=BY, at=NOW).ref
    assert api.get(f"customers?after={theirs}").status_code == 422


def test_filters_hold_on_every_page(api, seven):
    since = (NOW + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
    assert walk(api, f"limit=2&created[gte]={since}") == seven[2:][::-1]


def test_several_values_are_asked_for_with_in(api, seven):
    assert walk(api, "kind[in]=company,person") == seven[::-1]
    assert walk(api, "kind[in]=person") == []


def test_a_long_page_asks_no_more_than_a_short_one(api, seven, django_assert_num_queries):
    from django.db import connection

    api.get("customers")
    with CaptureQueriesContext(connection) as short:
        api.get("customers?limit=1&expand=contacts")
    with CaptureQueriesContext(connection) as long:
        api.get("customers?limit=50&expand=contacts")
    assert len(long) == len(short) <= 6
