"""A backup is whole, never written over, and comes back into an empty database only."""

from __future__ import annotations

from pathlib import Path
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
