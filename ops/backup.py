"""Backups: the whole database in one file, back into an empty one, and the rehearsal that proves it works.

The rule that matters: a backup that was never restored is none. `rehearse` restores into a server made for it, has the
doctor look at chain, numbers and books there, and throws that server away.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import postgres, servers
from .places import ROOT

EXAMINED = ("numbers", "chain", "books", "days", "files")
_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


class BackupError(RuntimeError):
    """The backup was not written, or not restored; the text says why."""


def back_up(url: str, target: Path) -> int:
    """Write the database at `url` to `target`, whole or not at all; the file's size in bytes.

    Runs beside everything else: it reads one moment's state. An existing file is never written over.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; choose another name")
    part = target.with_name(target.name + ".part")
    try:
        _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
    except BackupError:
        part.unlink(missing_ok=True)
        raise
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(target)
    return target.stat().st_size


def restore(url: str, source: Path) -> None:
    """Read `source` into the database at `url`, which must be empty; all of it or nothing."""
    if not source.is_file():
        raise BackupError(f"there is no file {source}")
    if _ask(url, _TABLES) != "0":
        raise BackupError("that database holds tables already; make an empty one and name it in DATABASE_URL")
    _run(
        url, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(source)
    )  # fmt: skip
    # Without it the first plans would be made from guesses.
    _ask(url, "ANALYZE")


def rehearse(source: Path, environment: Mapping[str, str]) -> list[str]:
    """Restore `source` into a new server, look at it, throw it away; what was seen, as lines. Raises BackupError."""
    state = Path(tempfile.mkdtemp(prefix="turnus-rehearsal-"))
    place = postgres.cluster(state, "rehearsal", durable=True)
    try:
        server = postgres.start(place, dies_with_us=True)
        try:
            restore(place.url(), source)
            lines = [f"restored {_ask(place.url(), _TABLES)} tables, {_ask(place.url(), _DOCUMENTS)} documents"]
            ours = {**environment, "DATABASE_URL": place.url(), "TURNUS_RUN_DIR": str(state)}
            looked = subprocess.run(
                [sys.executable, "manage.py", "doctor", *EXAMINED],
                cwd=ROOT,
                env={**os.environ, **ours},
                capture_output=True,
                text=True,
                check=False,
            )
            if looked.returncode != 0:
                raise BackupError(f"the restored database is not in order:\n{looked.stdout}{looked.stderr[-2000:]}")
            return lines + looked.stdout.splitlines()
        finally:
            if server is not None:
                servers.end({"postgres": server})
    finally:
        shutil.rmtree(place.data, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


_DOCUMENTS = "SELECT (SELECT count(*) FROM billing_invoice) + (SELECT count(*) FROM billing_creditnote)"


def _run(url: str, tool: str, *arguments: str) -> str:
    """What the tool said about the database at `url`. The password is in its environment: command lines are public."""
    bare, password = _apart(url)
    done = subprocess.run(
        [postgres.find_binaries().tool(tool), f"--dbname={bare}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**postgres.plain_environment(), **({"PGPASSWORD": password} if password else {})},
    )
    if done.returncode != 0:
        raise BackupError(f"{tool}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def _apart(url: str) -> tuple[str, str]:
    """The address of a database without its password, wherever that stands in it, and the password."""
    parts = urlsplit(url)
    user, mark, place = parts.netloc.rpartition("@")
    name, _colon, password = user.partition(":")
    asked = [pair.partition("=") for pair in parts.query.split("&") if pair]
    given = next((value for key, _equals, value in asked if key == "password"), "")
    query = "&".join(key + equals + value for key, equals, value in asked if key != "password")
    return parts._replace(netloc=name + mark + place, query=query).geturl(), unquote(given or password)


def _ask(url: str, statement: str) -> str:
    return _run(url, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)
