"""The floor: COPY of exactly the rows a run wrote, into the same tables emptied.

The rule that matters: same columns, same bytes, same chunks, every index, constraint and trigger on.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.db import connection, transaction

from benchmarks import stock
from benchmarks.meters import Meter, Taken

#: The tables a run writes, in an order the guards allow, and how a row names its chunk: the chain link of its invoice.
_OF_INVOICE: Final = "(SELECT id FROM billing_invoice WHERE chain_link_id = %s)"
_LINES_OF_INVOICE: Final = (
    "(SELECT l.id FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id WHERE i.chain_link_id = %s)"
)
TABLES: Final = {
    "billing_chainlink": "id = %s",
    "core_auditentry": "facts->'invoice_ids'->0 = "
    "(SELECT to_jsonb(min(id)) FROM billing_invoice WHERE chain_link_id = %s)",
    "billing_invoicebalance": f"invoice_id IN {_OF_INVOICE}",
    "billing_invoiceline": f"invoice_id IN {_OF_INVOICE}",
    "billing_billeddays": f"line_id IN {_LINES_OF_INVOICE}",
    "billing_posting": f"cause_kind = 'invoice' AND cause_id IN {_OF_INVOICE}",
    "billing_invoice": "chain_link_id = %s",
    "billing_snapshot": f"document_kind = 'invoice' AND document_id IN {_OF_INVOICE}",
    "core_event": f"subject_kind = 'invoice' AND subject_id IN {_OF_INVOICE}",
    "core_outbox": "kind = 'document_mail' AND key IN "
    "(SELECT 'invoice-' || id FROM billing_invoice WHERE chain_link_id = %s)",
    "billing_ratedusage": f"line_id IN {_LINES_OF_INVOICE}",
    "billing_discountuse": f"line_id IN {_LINES_OF_INVOICE}",
}  # fmt: skip
#: These, and tables that a monthly run leaves alone, but whose keys lead to them.
_LEADING_HERE: Final = """
WITH RECURSIVE found AS (
    SELECT unnest(%s::text[])::regclass AS name
    UNION SELECT key.conrelid::regclass FROM pg_constraint key JOIN found ON key.confrelid = found.name
    WHERE key.contype = 'f'
)
SELECT name::text FROM found
"""
_ORDER: Final = {"billing_invoicebalance": "invoice_id"}


class Rows:
    """What a run wrote, chunk by chunk, as files of COPY text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.columns: dict[str, str] = {}
        self.chunks: list[int] = []

    def path(self, chunk: int, table: str) -> Path:
        return self.folder / f"{chunk}.{table}"


@contextmanager
def written() -> Iterator[Rows]:
    """The rows that the run in the current database wrote."""
    folder = Path(tempfile.mkdtemp(prefix="turnus-bench-"))
    try:
        rows = Rows(folder)
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM billing_chainlink ORDER BY height")
            rows.chunks = [row[0] for row in cursor.fetchall()]
            for table in TABLES:
                cursor.execute(
                    "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns "
                    "WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
                    [table],
                )
                rows.columns[table] = cursor.fetchone()[0]
            for chunk in rows.chunks:
                for table, condition in TABLES.items():
                    order = _ORDER.get(table, "id")
                    query = (
                        f"COPY (SELECT {rows.columns[table]} FROM {table} WHERE {condition} ORDER BY {order}) TO STDOUT"
                    )
                    with cursor.copy(query % chunk) as copy, rows.path(chunk, table).open("wb") as file:
                        for block in copy:
                            file.write(block)
        yield rows
    finally:
        shutil.rmtree(folder)


def empty() -> None:
    """Empties the tables, past the triggers that refuse it to everybody else."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_LEADING_HERE, [list(TABLES)])
        found = {row[0] for row in cursor.fetchall()}
        assert not found & set(stock.TABLES), "the stock would go with it"
        cursor.execute(f"TRUNCATE {', '.join(found)}")
        cursor.execute("RESET session_replication_role")
        cursor.execute("CHECKPOINT")


def pour(rows: Rows) -> Taken:
    """Copies everything into the emptied tables, a transaction a chunk; nothing where a chunk wrote nothing."""
    empty()
    with Meter() as taken:
        for chunk in rows.chunks:
            with transaction.atomic(), connection.cursor() as cursor:
                for table, columns in rows.columns.items():
                    if not rows.path(chunk, table).stat().st_size:
                        continue
                    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                        copy.write(rows.path(chunk, table).read_bytes())
    return taken
