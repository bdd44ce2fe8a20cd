"""Every composite key is attacked: a row is made to name a row of another company, past all that Python says."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.schema.houses import a_full_company

pytestmark = pytest.mark.django_db

KEYS = """
SELECT conname::text, conrelid::regclass::text, confrelid::regclass::text, (
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = conrelid AND attnum = ANY(conkey) AND attname <> 'company_id'
) FROM pg_constraint WHERE contype = 'f' AND cardinality(conkey) = 2 ORDER BY 2, 1
"""


def test_no_row_can_name_a_row_of_another_company() -> None:
    one, other = a_full_company(), a_full_company()
    with connection.cursor() as cursor:
        cursor.execute(KEYS)
        keys = cursor.fetchall()
        assert len(keys) > 60
        outcomes = {
            name: _refused_by(cursor, table, parent, column, one, other) for name, table, parent, column in keys
        }
    assert {name: told for name, told in outcomes.items() if told != name} == {}


def _refused_by(cursor: Any, table: str, parent: str, column: str, one: Any, other: Any) -> str:
    """What refuses it in the end: the name of the key, or why there was nothing to attack."""
    cursor.execute(f"SELECT id FROM {parent} WHERE company_id = %s LIMIT 1", [other.pk])
    theirs = cursor.fetchone()
    cursor.execute(
        f"SELECT ctid FROM {table} WHERE company_id = %s ORDER BY {column} NULLS LAST LIMIT 1",
        [one.pk],
    )
    mine = cursor.fetchone()
    if mine is None or theirs is None:
        return f"there is no row of {table if mine is None else parent}"
    past: list[str] = []
    while True:
        told = _attack(cursor, table, f"SET {column} = {theirs[0]} WHERE ctid = '{mine[0]}'", past)
        cursor.execute(
            "SELECT contype FROM pg_constraint WHERE conname = %s AND contype IN ('u', 'x', 'c', 'p')", [told]
        )
        kind = cursor.fetchone()
        cursor.execute("SELECT 1 FROM pg_class WHERE relname = %s AND relkind = 'i'", [told])
        if kind is not None:
            past.append(f"ALTER TABLE {table} DROP CONSTRAINT {told}")
        elif cursor.fetchone() is not None:
            past.append(f"DROP INDEX {told}")
        else:
            return told


def _attack(cursor: Any, table: str, change: str, past: list[str]) -> str:
    """Changes the row with other guards out of the way; the name of what refuses it. All of it is taken back."""
    try:
        with transaction.atomic():
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            # Guards against any change would refuse it first; keys are not triggers of users.
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for step in past:
                cursor.execute(step)
            cursor.execute(f"UPDATE {table} {change}")
            transaction.set_rollback(True)
    except DatabaseError as refused:
        diag = getattr(refused.__cause__, "diag", None)
        return str(getattr(diag, "constraint_name", None) or refused)
    return "nothing refused it"
