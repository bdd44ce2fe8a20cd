"""The hash chain over issued documents: one link per issuing transaction, and the check of all of it.

The rule that matters: a link's hash covers the link before, its height and the ordered hashes of its documents, so an
edited, missing or swapped document shows. Not even a superuser's UPDATE goes unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from core.models import Company


def link_hash(previous: str, height: int, hashes: Sequence[str]) -> str:
    """The hash of a link: SHA-256 over the previous hash, the height and the documents' hashes, one a line."""
    return hashlib.sha256("\n".join([previous, str(height), *hashes]).encode()).hexdigest()


_ADD = """
WITH moved AS (
    UPDATE billing_chainhead head
    SET height = old.height + 1,
        sha256 = encode(
            sha256(convert_to(concat_ws(E'\\n', old.sha256, old.height + 1, %(joined)s::text), 'UTF8')), 'hex'
        )
    FROM (SELECT height, sha256 FROM billing_chainhead WHERE company_id = %(company)s FOR NO KEY UPDATE) old
    WHERE head.company_id = %(company)s
    RETURNING head.height, old.sha256 AS previous, head.sha256
)
INSERT INTO billing_chainlink (id, company_id, height, previous_sha256, sha256, document_hashes, linked_at)
OVERRIDING SYSTEM VALUE
SELECT %(id)s, %(company)s, height, previous, sha256, %(hashes)s::varchar[], %(at)s FROM moved
RETURNING height
"""


def add_link(company: Company, *, link_id: int, hashes: Sequence[str], at: datetime) -> None:
    """Adds a link over the documents' hashes, in order of issue; the hash is `link_hash`, computed where the head is.

    One statement. The head stays locked until the transaction ends, so call it as late as possible.
    """
    params: dict[str, Any] = {
        "id": link_id, "company": company.pk, "at": at, "hashes": list(hashes), "joined": "\n".join(hashes),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ADD, params)
        if cursor.fetchone() is None:
            cursor.execute(
                "INSERT INTO billing_chainhead (company_id, height, sha256) VALUES (%s, 0, '') ON CONFLICT DO NOTHING",
                [company.pk],
            )
            cursor.execute(_ADD, params)


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """What is wrong, and with which document or link. `code`: see `verify_chain`."""

    code: str
    subject: str
    detail: str = ""


_DOCUMENTS = """
SELECT %(kind)s, d.id, d.number, d.year, d.sequence, d.snapshot_hash, d.chain_link_id, d.net_minor, d.tax_minor,
       d.gross_minor, d.currency, d.issued_on, s.sha256, s.body, {due}
FROM {table} d LEFT JOIN billing_snapshot s ON s.document_kind = %(kind)s AND s.document_id = d.id
WHERE d.company_id = %(company)s AND d.sequence IS NOT NULL AND (d.year, d.sequence) > (%(year)s, %(sequence)s)
ORDER BY d.year, d.sequence LIMIT 2000
"""
# Credit notes stand before invoices in a link.
_DOCUMENT_TABLES = {
    "credit_note": _DOCUMENTS.format(table="billing_creditnote", due="NULL::date"),
    "invoice": _DOCUMENTS.format(table="billing_invoice", due="d.payment_due_on"),
}

_LINES = """
SELECT {parent}_id, position, amount_minor, net_minor, period_start, period_end, description
FROM {table} WHERE company_id = %s AND {parent}_id = ANY(%s) ORDER BY {parent}_id, position
"""
_LINE_TABLES = {
    "invoice": _LINES.format(parent="invoice", table="billing_invoiceline"),
    "credit_note": _LINES.format(parent="credit_note", table="billing_creditnoteline"),
}


def verify_chain(company: Company) -> list[ChainProblem]:
    """Recomputes everything and names what doesn't fit; an empty list is the promise kept.

    Codes: `link_missing`, `link_forked`, `link_edited`, `head_edited` (the chain itself); `document_missing` (a link
    holds a hash that no document has), `document_unlinked`, `document_swapped` (same hashes, other order or link),
    `number_missing` (a gap or a twin in a series), `snapshot_missing`, `snapshot_edited`, `document_edited` (the row
    differs from its frozen content), `lines_edited`, `seller_missing`.
    """
    problems = list(_links(company))
    problems += _documents(company)
    return problems


def _links(company: Company) -> Iterator[ChainProblem]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT height, previous_sha256, sha256, document_hashes FROM billing_chainlink WHERE company_id = %s "
            "ORDER BY height, id",
            [company.pk],
        )
        expected, previous = 1, ""
        for height, before, digest, hashes in cursor.fetchall():
            if height > expected:
                yield ChainProblem("link_missing", f"link {expected}")
            elif height < expected:
                yield ChainProblem("link_forked", f"link {height}")
            if before != previous or digest != link_hash(before, height, hashes):
                yield ChainProblem("link_edited", f"link {height}")
            expected, previous = height + 1, digest
        cursor.execute("SELECT height, sha256 FROM billing_chainhead WHERE company_id = %s", [company.pk])
        head = cursor.fetchone() or (0, "")
    if head != (expected - 1, previous):
        yield ChainProblem("head_edited", f"link {expected - 1}")


def _documents(company: Company) -> list[ChainProblem]:
    problems: list[ChainProblem] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, height, document_hashes FROM billing_chainlink WHERE company_id = %s", [company.pk])
        links = {row[0]: (row[1], list(row[2])) for row in cursor.fetchall()}
        cursor.execute("SELECT sha256, body FROM billing_snapshotpart WHERE company_id = %s", [company.pk])
        parts = {digest for digest, body in cursor.fetchall() if hashlib.sha256(body.encode()).hexdigest() == digest}
    in_links: dict[int, list[str]] = {}
    for kind in _DOCUMENT_TABLES:
        last_year = last_number = 0
        for row, lines in _stored(company, kind):
            name, year, number, link_id = row[2], row[3], row[4], row[6]
            problems += _document(row, lines, parts)
            if link_id not in links:
                problems.append(ChainProblem("document_unlinked", name))
            in_links.setdefault(link_id, []).append(row[5])
            expected = last_number + 1 if year == last_year else 1
            if number != expected:
                problems.append(ChainProblem("number_missing", f"{kind} {year}/{expected}", name))
            last_year, last_number = year, number
    for link_id, (height, hashes) in links.items():
        found = in_links.get(link_id, [])
        if found == hashes:
            continue
        for digest in hashes:
            if digest not in found:
                problems.append(ChainProblem("document_missing", f"link {height}", digest))
        for digest in found:
            if digest not in hashes:
                problems.append(ChainProblem("document_unlinked", f"link {height}", digest))
        if sorted(found) == sorted(hashes):
            problems.append(ChainProblem("document_swapped", f"link {height}"))
    return problems


def _stored(company: Company, kind: str) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """The issued documents of a kind with their lines, by number, a page at a time."""
    year = sequence = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                _DOCUMENT_TABLES[kind], {"kind": kind, "company": company.pk, "year": year, "sequence": sequence}
            )
            rows = cursor.fetchall()
        if not rows:
            return
        lines = _lines_of(company, kind, [row[1] for row in rows])
        for row in rows:
            yield row, lines.get(row[1], [])
        year, sequence = rows[-1][3], rows[-1][4]


def _lines_of(company: Company, kind: str, ids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(_LINE_TABLES[kind], [company.pk, ids])
            for row in cursor.fetchall():
                found.setdefault(row[0], []).append(row[1:])
    return found


def _document(row: tuple[Any, ...], lines: list[tuple[Any, ...]], parts: set[str]) -> Iterator[ChainProblem]:
    kind, _, number, _, _, snapshot_hash, _, net, tax, gross, currency, issued_on, digest, body, due_on = row
    if body is None:
        yield ChainProblem("snapshot_missing", number)
        return
    if hashlib.sha256(body.encode()).hexdigest() != digest:
        yield ChainProblem("snapshot_edited", number)
        return
    try:
        said = json.loads(body)
    except ValueError:
        yield ChainProblem("snapshot_edited", number)
        return
    stands = {
        "kind": kind, "number": number, "net": net, "tax": tax, "gross": gross, "currency": currency,
        "issued_on": issued_on.isoformat(),
    }  # fmt: skip
    if due_on is not None:
        stands["payment_due_on"] = due_on.isoformat()
    wrong = sorted(name for name, value in stands.items() if said.get(name) != value)
    if snapshot_hash != digest:
        wrong.insert(0, "hash")
    if wrong:
        yield ChainProblem("document_edited", number, ", ".join(wrong))
    shown = [
        (
            line["position"], line["amount"], line["net"], line["period_start"], line["period_end"],
            line["description"],
        )
        for line in said["lines"]
    ]  # fmt: skip
    stored = [(*line[:3], line[3] and line[3].isoformat(), line[4] and line[4].isoformat(), line[5]) for line in lines]
    if shown != stored:
        yield ChainProblem("lines_edited", number)
    if said["seller"] not in parts:
        yield ChainProblem("seller_missing", number)
