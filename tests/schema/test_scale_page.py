"""What the page on scale says about the schema is what the database says; what it promises about it holds."""

from __future__ import annotations

import pytest

from benchmarks import sharding
from benchmarks.sharding import Place

pytestmark = pytest.mark.django_db


def test_the_page_shows_the_schema_as_it_is() -> None:
    """After a migration: `python -m ops with python -m benchmarks.sharding --write`, and look what it says."""
    assert sharding.in_page(sharding.PAGE.read_text()) == sharding.report(sharding.read())


def test_what_a_company_owns_is_spread_and_what_nobody_owns_is_copied() -> None:
    tables = sharding.read()
    assert tables["billing_invoice"].place is Place.SPREAD
    assert tables["core_auditdetail"].place is Place.FOLLOWS
    assert {tables[name].place for name in ("core_company", "core_user", "billing_exchangerate")} == {Place.EVERYWHERE}


def test_no_copied_table_but_that_of_companies_points_to_a_spread_one() -> None:
    tables = sharding.read()
    out = {name for name, table in tables.items() if sharding.keys_out(table, tables)}
    assert out == {sharding.ROOT_TABLE}


def test_a_constraint_that_holds_across_companies_is_found(db: None) -> None:
    """A planted one, of a table that otherwise resists in nothing."""
    from django.db import connection

    assert sharding.resists(sharding.read()["billing_account"], sharding.read())["unique"] == []
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX planted ON billing_account (code)")
    assert sharding.resists(sharding.read()["billing_account"], sharding.read())["unique"] == ["planted"]


def test_a_reference_without_the_company_is_found(db: None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE billing_account ADD COLUMN run_id bigint CONSTRAINT planted REFERENCES billing_billingrun"
        )
    tables = sharding.read()
    assert sharding.keys_across(tables["billing_account"], tables) == ["planted"]
