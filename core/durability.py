"""Whether PostgreSQL keeps what it has acknowledged: asked before anything starts.

The rule that matters: with a live company, a server that may forget is an error; without one, a warning.
`manage.py migrate` and `manage.py check --database default` ask; both stand before every start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

#: What each setting must not be.
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@register(Tags.database)
def acknowledged_is_kept(
    app_configs: object = None, databases: Sequence[str] | None = None, **more: Any
) -> list[CheckMessage]:
    """`core.E028` (a live company) or `core.W028` for each setting of a database under which a commit can be lost."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(FORGETFUL)])
            wrong = sorted(name for name, setting in cursor.fetchall() if FORGETFUL[name] == setting)
            live = bool(wrong) and _has_live_company(cursor)
        found += [
            (Error if live else Warning)(
                f"The database {alias!r} runs with {name} = off: what it has acknowledged can be lost.",
                hint=f"Set {name} = on in postgresql.conf (or for the role or database), then start again.",
                id="core.E028" if live else "core.W028",
            )
            for name in wrong
        ]
    return found


def _has_live_company(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass('core_company') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return False
    cursor.execute("SELECT EXISTS (SELECT 1 FROM core_company WHERE is_live)")
    return bool(cursor.fetchone()[0])
