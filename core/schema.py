"""Migration operations for what Django can't say: composite keys, frozen tables, lock time-outs.

Constraints made here are checked at once, never deferred to the commit.
"""

from __future__ import annotations

from django.db.migrations import RunSQL

LOCK_TIMEOUT = RunSQL("SET LOCAL lock_timeout = '5s'", RunSQL.noop)


def company_key(table: str, column: str, parent: str, *, name: str) -> RunSQL:
    """A row and its parent belong to one company: `(company_id, column)` must stand in the parent."""
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (company_id, {column}) "
        f"REFERENCES {parent} (company_id, id)",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def plain_key(table: str, column: str, parent: str, *, name: str, target: str = "id") -> RunSQL:
    """An immediate foreign key."""
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {parent} ({target})",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


FROZEN_FUNCTION = RunSQL(
    """
    CREATE FUNCTION turnus_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is only ever appended to: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_frozen';
    END $$
    """,
    "DROP FUNCTION turnus_frozen()",
)


def frozen(table: str) -> RunSQL:
    """No row of the table can be changed, deleted or truncated."""
    return RunSQL(
        f"""
        CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION turnus_frozen();
        CREATE TRIGGER {table}_frozen_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
        """,
        f"DROP TRIGGER {table}_frozen ON {table}; DROP TRIGGER {table}_frozen_truncate ON {table};",
    )


NAMED_COLUMNS_FUNCTION = RunSQL(
    """
    CREATE FUNCTION turnus_named_columns_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - TG_ARGV::text[]) = (to_jsonb(OLD) - TG_ARGV::text[]) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION '% changes in named columns only: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_frozen';
    END $$
    """,
    "DROP FUNCTION turnus_named_columns_move()",
)


def frozen_but(table: str, *columns: str, when: str = "true") -> RunSQL:
    """Rows of the table change in these columns alone, and never go. `when`: a condition on OLD for the guard to act.

    Generated columns that move with others have to be named, too.
    """
    names = ", ".join(f"'{column}'" for column in columns)
    return RunSQL(
        f"""
        CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION turnus_named_columns_move({names});
        CREATE TRIGGER {table}_frozen_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION turnus_frozen();
        """,
        f"DROP TRIGGER {table}_frozen ON {table}; DROP TRIGGER {table}_frozen_truncate ON {table};",
    )
