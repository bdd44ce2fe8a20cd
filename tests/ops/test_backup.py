"""A backup is whole, never written over, and comes back into an empty database only."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ops import backup, postgres, servers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> object:
    state = tmp_path_factory.mktemp("state")
    found = postgres.cluster(state, "backups", durable=False)
    started = postgres.start(found, dies_with_us=True)
    yield found
    assert started
    servers.end({"postgres": started})


@pytest.mark.usefixtures("django_db_setup")
def test_a_backup_is_rehearsed_with_its_chain(tmp_path: Path) -> None:
    from django.db import connection

    host, name = quote(connection.settings_dict["HOST"], safe=""), connection.settings_dict["NAME"]
    url = f"postgresql://{connection.settings_dict['USER']}@{host}:{connection.settings_dict['PORT']}/{name}"
    file = tmp_path / "turnus.dump"
    assert backup.back_up(url, file) > 100_000
    lines = backup.rehearse(file, {})
    assert lines[0].startswith("restored ")
    assert lines[0].endswith(" 0 documents")
    assert [line.split()[0] for line in lines[1:]] == ["ok"] * len(backup.EXAMINED)
    with pytest.raises(backup.BackupError, match="holds tables already"):
        backup.restore(url, file)
    with pytest.raises(backup.BackupError, match="is there already"):
        backup.back_up(url, file)
    assert list(tmp_path.iterdir()) == [file]


def test_a_torn_backup_restores_nothing(place: postgres.Cluster, tmp_path: Path) -> None:
    postgres.ensure_database(place, "source")
    postgres.ensure_database(place, "empty")
    postgres.run_sql(place, "CREATE TABLE one AS SELECT generate_series(1, 100000) AS n", "source")
    whole, torn = tmp_path / "whole.dump", tmp_path / "torn.dump"
    backup.back_up(place.url("source"), whole)
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    with pytest.raises(backup.BackupError):
        backup.restore(place.url("empty"), torn)
    assert postgres.run_sql(place, backup._TABLES, "empty") == "0"
    backup.restore(place.url("empty"), whole)
    assert postgres.run_sql(place, "SELECT sum(n) FROM one", "empty") == "5000050000"


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(backup.BackupError, match="pg_dump"):
        backup.back_up("postgresql://nobody@127.0.0.1:1/none", tmp_path / "x.dump")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "bare", "password"),
    [
        ("postgresql://me@host:5/db", "postgresql://me@host:5/db", ""),
        ("postgresql://me:s%40f%3Ae@host/db?sslmode=require", "postgresql://me@host/db?sslmode=require", "s@f:e"),
        ("postgresql:///db?host=%2Frun&password=s%26e&user=me", "postgresql:///db?host=%2Frun&user=me", "s&e"),
        ("postgresql://me:pw@%2Frun%2Fpg:5432/db", "postgresql://me@%2Frun%2Fpg:5432/db", "pw"),
    ],
)
def test_an_address_comes_apart_from_its_password(url: str, bare: str, password: str) -> None:
    assert backup._apart(url) == (bare, password)


def test_a_database_with_a_password_is_backed_up_and_the_password_stands_on_no_command_line(
    place: postgres.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.run_sql(place, "CREATE ROLE locked LOGIN PASSWORD 's3 cret'")
    for name in ("locked", "locked_copy"):
        postgres.run_sql(place, f"CREATE DATABASE {name} OWNER locked")
    postgres.run_sql(place, "CREATE TABLE one AS SELECT 7 AS n; ALTER TABLE one OWNER TO locked", "locked")
    rules = place.data / "pg_hba.conf"
    rules.write_text("local all locked scram-sha-256\n" + rules.read_text())
    postgres.run_sql(place, "SELECT pg_reload_conf()")
    lines: list[str] = []
    real = subprocess.run

    def looked_at(command: list[str], **more: Any) -> Any:
        lines.extend(map(str, command))
        return real(command, **more)

    monkeypatch.setattr(subprocess, "run", looked_at)
    with_password = place.url("locked").replace("turnus@", "locked:s3%20cret@")
    wrong = place.url("locked").replace("turnus@", "locked:wrong@")
    with pytest.raises(backup.BackupError, match="password authentication failed"):
        backup.back_up(wrong, tmp_path / "wrong.dump")
    backup.back_up(with_password, tmp_path / "locked.dump")
    backup.restore(f"{with_password}_copy", tmp_path / "locked.dump")
    assert postgres.run_sql(place, "SELECT n FROM one", "locked_copy") == "7"
    assert [line for line in lines if "s3" in line or "wrong@" in line or ":wrong" in line] == []
