"""Clauses of one statement: what is written beside something else, where there is something to write.

The rule that matters: a clause names parameters of its own, and no two clauses of a statement touch the same row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import connection


class Clause(NamedTuple):
    """A statement that may stand in another one's `WITH` under that name, and its parameters."""

    name: str
    sql: str
    params: dict[str, Any]


def joined(clauses: Iterable[Clause]) -> str:
    """The clauses as they stand in a `WITH`.

    >>> joined([Clause("one", "SELECT 1", {}), Clause("two", "SELECT 2", {})])
    'one AS (SELECT 1), two AS (SELECT 2)'
    """
    return ", ".join(f"{clause.name} AS ({clause.sql})" for clause in clauses)


def params_of(clauses: Iterable[Clause]) -> dict[str, Any]:
    """The parameters of all of them."""
    return {name: value for clause in clauses for name, value in clause.params.items()}


def carry_out(clauses: list[Clause]) -> None:
    """Writes them in a statement of their own; none without any."""
    if clauses:
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {joined(clauses)} SELECT 1", params_of(clauses))
