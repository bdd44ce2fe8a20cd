"""Raw attacks on what usage, discounts, credit, drafts, VAT ids and sandboxes rest on: each one is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import TODAY, a_company, a_subscription
from tests.schema.houses import a_full_company
from tests.schema.test_every_table import FROZEN, FROZEN_IN_PART
from tests.schema.test_guards import refused

pytestmark = pytest.mark.django_db

#: What may move in tables of balances and payments, the generated columns with it.
NAMED = {
    "billing_creditbalance": {"used_minor", "refunded_minor", "lapsed_minor", "left_minor"},
    "billing_invoicebalance": {
        "status", "paid_minor", "credit_used_minor", "credited_minor", "settled_by_credit_notes_minor",
        "written_off_minor", "open_minor", "closed_on", "sent_at",
    },
    "billing_linecredit": {"credited_minor"},
    "billing_payment": {
        "customer_id", "status", "reference", "note", "fee_minor", "settled_currency", "settled_minor",
    },
    "billing_paymentbalance": {"allocated_minor", "to_credit_minor", "refunded_minor", "left_minor"},
    "billing_refund": {
        "status", "paid_on", "reference", "gateway_id", "payment_id", "key", "external_id", "failure", "first_sent_at",
        "next_look_at", "looks",
    },
}  # fmt: skip


def all_rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def outcome(sql: str) -> str:
    """The name of what refuses it, or that nothing did."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(sql)
            transaction.set_rollback(True)
    except DatabaseError as error:
        diag = getattr(error.__cause__, "diag", None)
        return str(getattr(diag, "constraint_name", None) or error)
    return "nothing refused it"


def test_no_row_of_a_frozen_table_changes_goes_or_is_truncated() -> None:
    a_full_company()
    told = {}
    for table in sorted(FROZEN):
        assert all_rows(f"SELECT count(*) FROM {table}") != [(0,)], table
        for attack in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
            told[attack] = outcome(attack) == f"{table}_is_frozen"
        told[f"TRUNCATE {table}"] = outcome(f"TRUNCATE {table} CASCADE").endswith("_is_frozen")
    assert [attack for attack, is_refused in told.items() if not is_refused] == []


def test_only_the_named_columns_of_a_balance_move() -> None:
    a_full_company()
    told = {}
    for table, named in NAMED.items():
        columns = all_rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER' "
            "AND is_identity = 'NO'",
            table,
        )
        for (column,) in columns:
            if column not in named:
                # Whatever its type: empty, where it was not, or a value that is no row's.
                told[f"{table}.{column}"] = outcome(f"UPDATE {table} SET {column} = {_other(table, column)}")
    assert {what: by for what, by in told.items() if by != what.split(".")[0] + "_is_frozen"} == {}


def _other(table: str, column: str) -> str:
    """An expression of the column's type that is not what stands there."""
    [(kind,)] = all_rows(f"SELECT pg_typeof({column})::text FROM {table} LIMIT 1")
    if kind in ("bigint", "integer", "smallint", "numeric"):
        return f"coalesce({column}, 0) + 1"
    if kind == "date":
        return f"coalesce({column}, '2020-01-01') + 1"
    if kind.startswith("timestamp"):
        return f"coalesce({column}, '2020-01-01') + interval '1 day'"
    if kind == "uuid":
        return "gen_random_uuid()"
    if kind == "boolean":
        return f"NOT {column}"
    return f"left(reverse({column}) || 'xyz', 3)"


@pytest.mark.parametrize("table", sorted(NAMED))
def test_the_named_columns_are_those_and_no_more(table: str) -> None:
    [(arguments,)] = all_rows(
        "SELECT tgargs FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = %s", table, f"{table}_frozen"
    )
    assert {name.decode() for name in bytes(arguments).split(b"\0") if name} == NAMED[table]


def test_no_table_frozen_in_part_is_emptied() -> None:
    a_full_company()
    told = {table: outcome(f"TRUNCATE {table} CASCADE") for table in FROZEN_IN_PART}
    assert {table: by for table, by in told.items() if not by.endswith("_is_frozen")} == {}


def test_no_row_of_a_table_frozen_in_part_goes() -> None:
    from billing.models import Invoice

    company = a_full_company()
    issued = "SELECT id FROM billing_invoice WHERE sequence IS NOT NULL"
    where = {
        "billing_invoice": f"id IN ({issued})",
        "billing_invoiceline": f"invoice_id IN ({issued})",
        "billing_invoicebalance": f"invoice_id IN ({issued})",
        "billing_billeddays": f"line_id IN (SELECT id FROM billing_invoiceline WHERE invoice_id IN ({issued}))",
    }
    assert Invoice.objects.filter(company=company, sequence__isnull=True).exists()
    told = {table: outcome(f"DELETE FROM {table} WHERE {where.get(table, 'true')}") for table in FROZEN_IN_PART}
    assert {table: by for table, by in told.items() if by != f"{table}_is_frozen"} == {}


# Days of drafts


@pytest.fixture
def drafted() -> Any:
    """A subscription whose first invoice waits for approval."""
    from core.models import Company
    from tests.billing.test_settling import bill

    company = a_company()
    Company.objects.filter(pk=company.pk).update(draft_hours=48)
    company.refresh_from_db()
    subscription = a_subscription(company)
    bill(company, TODAY)
    assert all_rows("SELECT status FROM billing_invoicebalance WHERE company_id = %s", company.pk) == [("draft",)]
    return subscription


def test_billed_days_go_with_their_draft(drafted: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_billeddays WHERE company_id = %s", [drafted.company_id])
        assert cursor.rowcount == 1


def test_billed_days_of_a_draft_are_not_widened(drafted: Any) -> None:
    attack = "UPDATE billing_billeddays SET days = daterange(lower(days), upper(days) + 1)"
    assert refused(attack) == "billing_billeddays_is_frozen"


def test_billed_days_stay_once_their_draft_is_issued(drafted: Any) -> None:
    from billing.models import Invoice
    from billing.services import approving
    from tests.factories import BY, at_noon

    approving.issue(invoice=Invoice.objects.get(company=drafted.company), by=BY, at=at_noon(TODAY))
    assert refused("DELETE FROM billing_billeddays") == "billing_billeddays_is_frozen"


def test_days_that_cost_nothing_are_not_deleted() -> None:
    from decimal import Decimal

    from billing.models import BilledDays
    from subscriptions.services.starting import ItemSpec
    from tests.billing.test_settling import bill
    from tests.factories import a_product

    company = a_company()
    a_subscription(company, items=[ItemSpec(a_product(company), unit_amount=Decimal(0))])
    bill(company, TODAY)
    assert BilledDays.objects.get(company=company).line_id is None
    assert refused("DELETE FROM billing_billeddays") == "billing_billeddays_is_frozen"


# What is counted


def _copy(table: str, **changes: str) -> str:
    """The statement that inserts a row of the table again, changed so; figures as SQL."""
    columns = [
        name
        for (name,) in all_rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER' "
            "AND is_identity = 'NO' ORDER BY ordinal_position",
            table,
        )
    ]
    values = [changes.get(name, name) for name in columns]
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} LIMIT 1"


@pytest.mark.parametrize(
    ("table", "changes", "guard"),
    [
        ("subscriptions_usageevent", {}, "usage_event_unique"),
        ("subscriptions_usageday", {}, "usage_day_unique"),
        ("billing_ratedusage", {"kind": "'closed'"}, "rated_usage_closed_once"),
        ("billing_ratedusage", {"end_at": "start_at"}, "rated_usage_window"),
        ("billing_credituse", {"amount_minor": "0"}, "credit_use_is_not_zero"),
        ("subscriptions_agreeddiscount", {"public_id": "gen_random_uuid()", "left_minor": "-1"},
         "agreed_discount_not_overdrawn"),
        ("subscriptions_agreeddiscount", {"public_id": "gen_random_uuid()", "percent": "101"},
         "agreed_discount_percent_range"),
        ("subscriptions_agreeddiscount", {"public_id": "gen_random_uuid()", "percent": "NULL"},
         "agreed_discount_percent_or_amount"),
        ("catalog_discount", {"public_id": "gen_random_uuid()", "code": "'z'", "percent": "NULL", "currency": "'EUR'"},
         "discount_percent_or_amount"),
        ("catalog_discount", {"public_id": "gen_random_uuid()", "code": "'z'", "duration": "'periods'"},
         "discount_periods_counted"),
        ("catalog_offercode", {"public_id": "gen_random_uuid()"}, "offer_code_unique"),
        ("catalog_offercode", {"public_id": "gen_random_uuid()", "code": "'Z'", "total_limit": "1", "use_count": "2"},
         "offer_code_within_limit"),
        ("subscriptions_oneoff", {"public_id": "gen_random_uuid()", "unit_amount": "-1"},
         "one_off_amounts_are_numbers_from_zero"),
        ("subscriptions_usagethreshold", {"cost_minor": "1", "quantity": "1"}, "usage_threshold_quantity_or_cost"),
    ],
)  # fmt: skip
def test_what_is_counted_is_counted_once_and_is_a_number(table: str, changes: dict[str, str], guard: str) -> None:
    a_full_company()
    assert outcome(_copy(table, **changes)) == guard


def test_credit_is_not_overdrawn() -> None:
    a_full_company()
    attack = "UPDATE billing_creditbalance SET lapsed_minor = amount_minor - used_minor - refunded_minor + 1"
    assert outcome(attack) == "credit_balance_not_overdrawn"


def test_one_planned_change_a_day() -> None:
    a_full_company()
    attack = _copy(
        "subscriptions_change", public_id="gen_random_uuid()", status="'planned'", effective_on="'2030-01-01'"
    )
    with connection.cursor() as cursor:
        cursor.execute(attack)
    assert outcome(attack) == "change_one_planned_per_day"


def test_a_one_off_is_billed_by_one_line_that_exists() -> None:
    a_full_company()
    billed = "UPDATE subscriptions_oneoff SET due_on = NULL, line_id = "
    assert outcome(billed + "9223372036854775807") == "one_off_line_exists"


def test_a_live_company_is_nobodys_sandbox() -> None:
    company, other = a_company(), a_company()
    attack = (
        f"UPDATE core_company SET sandbox_of_id = {other.pk}, is_live = true, clock_at = NULL WHERE id = {company.pk}"
    )
    assert outcome(attack) == "company_sandbox_is_a_test"
    assert outcome(attack.replace("true, clock_at = NULL", "false")) == "nothing refused it"


def test_a_sandbox_stays_while_it_is_one() -> None:
    """A company that a sandbox was opened from is not deleted."""
    company, other = a_company(), a_company()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_company SET sandbox_of_id = %s WHERE id = %s", [other.pk, company.pk])
    assert outcome(f"DELETE FROM core_company WHERE id = {other.pk}") != "nothing refused it"
