"""What the schema says to a second PostgreSQL: each table's place when rows are spread by company, and what resists.

The rule that matters: it reads the database's own catalog and knows but one table by name, so the page that shows its
table (docs/explanation/scale.md) can be compared with what migrations make.
Run: python -m benchmarks.sharding [--write]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

COLUMN: Final = "company_id"
#: The table of companies: small, and every other table points to it.
ROOT_TABLE: Final = "core_company"
PAGE: Final = Path(__file__).resolve().parent.parent / "docs/explanation/scale.md"
MARKS: Final = ("<!-- begin: python -m benchmarks.sharding -->", "<!-- end -->")


class Place(Enum):
    """Where the rows of a table would lie; the words stand in the page."""

    SPREAD = "by company"
    FOLLOWS = "with its parent"
    EVERYWHERE = "everywhere"


@dataclass(slots=True)
class Table:
    """A table with what the database holds for it."""

    name: str
    has_company: bool = False
    company_may_be_empty: bool = False
    #: Primary, unique and exclusion constraints and unique indexes without the company, but the id's: name, columns.
    unique: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    #: Whether (company_id, id) is unique already, and so could take the primary key's place.
    pair_is_unique: bool = False
    has_id: bool = False
    triggers: int = 0
    #: (name, columns, table it points to)
    keys: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    place: Place = Place.EVERYWHERE


_COLUMNS = """
    SELECT c.relname, a.attname, a.attnotnull FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_UNIQUE = """
    SELECT t.relname, i.relname, ARRAY(
        SELECT coalesce(a.attname, '') FROM unnest(x.indkey) WITH ORDINALITY AS k(number, place)
        LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number ORDER BY k.place
    )::text[], x.indisprimary
    FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    WHERE t.relnamespace = 'public'::regnamespace AND (x.indisunique OR x.indisexclusion) ORDER BY 1, 2
"""
_KEYS = """
    SELECT t.relname, c.conname, ARRAY(
        SELECT a.attname FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number ORDER BY k.place
    )::text[], p.relname
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class p ON p.oid = c.confrelid
    WHERE c.contype = 'f' AND t.relnamespace = 'public'::regnamespace ORDER BY 1, 2
"""
_TRIGGERS = """
    SELECT t.relname, count(*) FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND t.relnamespace = 'public'::regnamespace GROUP BY 1
"""


def _asked(query: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def read() -> dict[str, Table]:
    """Every table by name, placed."""
    tables: dict[str, Table] = {}
    for name, column, needed in _asked(_COLUMNS):
        table = tables.setdefault(name, Table(name))
        table.has_id = table.has_id or column == "id"
        if column == COLUMN:
            table.has_company, table.company_may_be_empty = True, not needed
    for name, index, columns, is_primary in _asked(_UNIQUE):
        table = tables[name]
        table.pair_is_unique = table.pair_is_unique or set(columns) == {COLUMN, "id"}
        if COLUMN not in columns and not (is_primary and columns == ["id"]):
            table.unique.append((index, tuple(columns)))
    for name, key, columns, parent in _asked(_KEYS):
        tables[name].keys.append((key, tuple(columns), parent))
    for name, count in _asked(_TRIGGERS):
        tables[name].triggers = count
    _place(tables)
    return tables


def _place(tables: dict[str, Table]) -> None:
    for table in tables.values():
        if table.has_company and table.name != ROOT_TABLE:
            table.place = Place.SPREAD
    changed = True
    while changed:
        changed = False
        for table in tables.values():
            parents = {tables[parent].place for _name, _columns, parent in table.keys if parent != table.name}
            if table.place is Place.EVERYWHERE and table.name != ROOT_TABLE and parents - {Place.EVERYWHERE}:
                table.place = Place.FOLLOWS
                changed = True


def keys_across(table: Table, tables: dict[str, Table]) -> list[str]:
    """References between two spread tables that don't name the company, where no second one over the pair does."""
    if table.place is Place.EVERYWHERE:
        return []
    held = {column for _name, columns, _parent in table.keys if COLUMN in columns for column in columns}
    return [
        name
        for name, columns, parent in table.keys
        if COLUMN not in columns and tables[parent].place is not Place.EVERYWHERE and not set(columns) <= held
    ]


def keys_twice(table: Table, tables: dict[str, Table]) -> int:
    """References that stand twice: by the id alone, which could go, and by company and id."""
    if table.place is Place.EVERYWHERE:
        return 0
    held = {column for _name, columns, _parent in table.keys if COLUMN in columns for column in columns}
    return sum(
        COLUMN not in columns and tables[parent].place is not Place.EVERYWHERE and set(columns) <= held
        for _name, columns, parent in table.keys
    )


def keys_out(table: Table, tables: dict[str, Table]) -> list[str]:
    """References of a table that lies everywhere to one that is spread, which there can't be."""
    if table.place is not Place.EVERYWHERE:
        return []
    return [name for name, _columns, parent in table.keys if tables[parent].place is not Place.EVERYWHERE]


def unique_without(table: Table, tables: dict[str, Table]) -> tuple[list[str], list[str]]:
    """Names of what is unique without the company: where adding it changes nothing, and where it does.

    It changes nothing for an id made at random, and where a column names a row, which says whose it is.
    """
    if table.place is Place.EVERYWHERE:
        return [], []
    says_whose = {
        column
        for _name, columns, parent in table.keys
        if tables[parent].place is not Place.EVERYWHERE
        for column in columns
    }
    same, other = [], []
    for name, columns in table.unique:
        (same if columns == ("public_id",) or says_whose & set(columns) else other).append(name)
    return same, other


def resists(table: Table, tables: dict[str, Table]) -> dict[str, Any]:
    """What would have to change for this table, by kind."""
    spread = table.place is not Place.EVERYWHERE
    same, other = unique_without(table, tables)
    return {
        "column": spread and not table.has_company,
        "empty": spread and table.company_may_be_empty,
        "primary": spread and table.has_id and not table.pair_is_unique,
        "widened": len(same),
        "unique": other,
        "across": keys_across(table, tables),
        "out": keys_out(table, tables),
        "triggers": table.triggers if spread else 0,
    }


def report(tables: dict[str, Table]) -> str:
    """Markdown: the sums, then a row a table."""
    found = {name: resists(table, tables) for name, table in sorted(tables.items())}
    places = {place: [t for t in tables.values() if t.place is place] for place in Place}
    spread = [*places[Place.SPREAD], *places[Place.FOLLOWS]]
    twice = sum(keys_twice(table, tables) for table in spread)
    sums = [
        ("tables", len(tables)),
        ("spread by their own `company_id`", len(places[Place.SPREAD])),
        ("spread with the table they belong to; they would get the column", len(places[Place.FOLLOWS])),
        ("copied to every server, because they belong to no company", len(places[Place.EVERYWHERE])),
        ("of the spread: `company_id` may be empty", sum(f["empty"] for f in found.values())),
        ("of the spread: `(company_id, id)` is unique already and can be the primary key",
         sum(t.pair_is_unique for t in spread)),
        ("of the spread: the primary key `id` needs the company added, with an index made for it",
         sum(f["primary"] for f in found.values())),
        ("unique and exclusion constraints that get the company added and mean the same",
         sum(f["widened"] for f in found.values())),
        ("unique constraints that hold across companies today; they would hold within one",
         sum(len(f["unique"]) for f in found.values())),
        ("references by id alone beside one by company and id; they would go", twice),
        ("references by id alone that would need the company", sum(len(f["across"]) for f in found.values())),
        ("references from copied tables to spread ones; they would go", sum(len(f["out"]) for f in found.values())),
        ("triggers on spread tables", sum(f["triggers"] for f in found.values())),
    ]  # fmt: skip
    lines = ["| counted | |", "|---|--:|", *(f"| {words} | {number} |" for words, number in sums), ""]
    lines += ["| table | place | what resists |", "|---|---|---|"]
    lines += [f"| `{name}` | {tables[name].place.value} | {_words(what)} |" for name, what in found.items()]
    return "\n".join(lines) + "\n"


def _words(what: dict[str, Any]) -> str:
    said = []
    if what["column"]:
        said.append("no `company_id`")
    if what["empty"]:
        said.append("`company_id` may be empty")
    if what["primary"]:
        said.append("primary key")
    if what["widened"]:
        said.append(f"{what['widened']} to widen")
    for kind, name in (("unique", "unique"), ("across", "reference"), ("out", "reference out")):
        said += [f"{name} `{one}`" for one in what[kind]]
    if what["triggers"]:
        said.append(f"{what['triggers']} trigger{'s' if what['triggers'] > 1 else ''}")
    return ", ".join(said)


def in_page(page: str) -> str:
    """What stands between the marks of the page."""
    return page.split(MARKS[0] + "\n")[1].split(MARKS[1])[0]


def main() -> None:
    """In a database made for it, so that what it says is what migrations of this tree make."""
    from django.conf import settings
    from django.core.management import call_command

    from benchmarks import stock
    from benchmarks.meters import admin, use

    before, name = settings.DATABASES["default"]["NAME"], f"{stock.PREFIX}_schema"
    stock.drop(name)
    with admin() as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        use(name)
        call_command("migrate", verbosity=0)
        text = report(read())
    finally:
        stock.drop(name)
        use(before)
    if "--write" in sys.argv:
        before_it, _mark, rest = PAGE.read_text().partition(MARKS[0] + "\n")
        PAGE.write_text(before_it + MARKS[0] + "\n" + text + rest[rest.index(MARKS[1]) :])
    else:
        print(text)


if __name__ == "__main__":
    main()
