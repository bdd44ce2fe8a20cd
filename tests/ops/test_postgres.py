"""The embedded PostgreSQL starts, stops, heals, keeps what it acknowledged and touches nothing but its own folders."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from ops import locks, places, postgres, processes
from ops.places import PlaceError

from .conftest import kill_all

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its servers to another account")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def rows(place: postgres.Cluster, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(place.url(), autocommit=True) as connection:
        asked = connection.execute(statement)  # type: ignore[arg-type]
        return asked.fetchall() if asked.description else []


def test_a_started_server_answers_and_a_stopped_one_is_gone(cluster: postgres.Cluster) -> None:
    assert postgres.start(cluster) is not None
    assert rows(cluster, "SELECT 40 + 2") == [(42,)]
    assert postgres.stop(cluster) is True
    assert postgres.answers(cluster) is False
    assert locks.is_held(cluster.lock) is False


def test_stopping_what_does_not_run_does_nothing(cluster: postgres.Cluster) -> None:
    assert postgres.stop(cluster) is False


def test_a_second_start_finds_the_first_server(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    first = processes.listener(cluster.socket)
    assert postgres.start(cluster) is None
    assert processes.listener(cluster.socket) == first


def test_what_was_committed_outlives_a_killed_server(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    rows(cluster, "CREATE TABLE kept (word text)")
    rows(cluster, "INSERT INTO kept VALUES ('acknowledged')")
    kill_all(cluster.lock, cluster.socket)
    assert postgres.start(cluster) is not None
    assert rows(cluster, "SELECT word FROM kept") == [("acknowledged",)]


def test_a_process_file_that_names_a_living_stranger_stops_no_start(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    stranger = processes.spawn(["sleep", "60"], log=subprocess.DEVNULL, cwd=Path("/"), account=cluster.account)
    try:
        kill_all(cluster.lock, cluster.socket)
        file = cluster.data / "postmaster.pid"
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert postgres.start(cluster) is not None
        assert rows(cluster, "SELECT 1") == [(1,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_cluster_half_made_by_a_killed_start_is_made_anew(cluster: postgres.Cluster) -> None:
    half = places.private_folder(cluster.data.with_name(cluster.data.name + ".new"), cluster.account)
    (half / "rubbish").write_text("left over")
    postgres.start(cluster)
    assert rows(cluster, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_the_main_cluster_keeps_what_it_acknowledges(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert rows(cluster, f"SHOW {setting}") == [("on",)]


def test_the_database_is_utf8_in_code_point_order_and_has_the_extensions(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    asked = "SELECT pg_encoding_to_char(encoding), datlocprovider::text, datlocale FROM pg_database"
    asked += " WHERE datname = 'turnus'"
    assert rows(cluster, asked) == [("UTF8", "b", "C.UTF-8")]
    for name in ("btree_gist", "pg_trgm", "citext", "unaccent"):
        rows(cluster, f"CREATE EXTENSION {name}")


def test_it_listens_on_no_network_address(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    assert rows(cluster, "SHOW listen_addresses") == [("",)]


def test_every_folder_is_closed_to_others(cluster: postgres.Cluster, state: Path) -> None:
    postgres.start(cluster)
    for folder in (state, state / "logs", cluster.data, cluster.data.parent, cluster.sockets):
        assert mode(folder) == 0o700
    assert cluster.data.name == f"main-{cluster.binaries.major}"


def test_a_state_folder_that_was_open_is_closed(playground: Path) -> None:
    (playground / ".turnus").mkdir(mode=0o755)
    assert mode(places.state_folder()) == 0o700


def test_a_state_folder_that_is_a_link_is_refused(playground: Path) -> None:
    (playground / "elsewhere").mkdir()
    (playground / ".turnus").symlink_to(playground / "elsewhere")
    with pytest.raises(PlaceError, match="not a folder"):
        places.state_folder()


def test_a_checkout_with_a_long_path_gets_a_short_socket(playground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = playground.joinpath(*(["a-rather-long-folder-name"] * 6))
    deep.mkdir(parents=True)
    monkeypatch.setenv("TURNUS_ROOT_DATA_DIR", str(deep))
    monkeypatch.setenv("TURNUS_RUN_DIR", str(deep / ".turnus"))
    place = postgres.cluster(places.state_folder())
    try:
        postgres.start(place)
        assert rows(place, "SELECT 1") == [(1,)]
        assert len(os.fsencode(place.socket)) <= places.SOCKET_PATH_LIMIT
        assert mode(place.sockets) == 0o700
        again = postgres.cluster(places.state_folder())
        assert again.sockets == place.sockets
    finally:
        postgres.stop(place)
        shutil.rmtree(place.sockets, ignore_errors=True)


@as_root
def test_root_runs_the_server_as_another_account(cluster: postgres.Cluster) -> None:
    postgres.start(cluster)
    pid = processes.listener(cluster.socket)
    assert cluster.account is not None
    assert os.stat(f"/proc/{pid}").st_uid == cluster.account.uid != 0


@as_root
def test_a_checkout_closed_to_others_works_and_stays_closed(playground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = playground / "closed"
    closed.mkdir(mode=0o700)
    package = postgres.find_binaries().folder.parent.parent
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    monkeypatch.setenv("TURNUS_PG_BIN", str(closed / package.name / "pginstall" / "bin"))
    monkeypatch.setenv("TURNUS_RUN_DIR", str(closed / ".turnus"))
    before = {path: mode(path) for path in [closed, *closed.parents, *closed.rglob("*")]}
    place = postgres.cluster(places.state_folder())
    try:
        postgres.start(place)
        assert rows(place, "SELECT 1") == [(1,)]
        assert {path: mode(path) for path in before} == before
    finally:
        postgres.stop(place)


@as_root
def test_data_forgotten_by_a_removed_state_folder_is_swept(state: Path, playground: Path) -> None:
    account = places.postgres_account()
    forgotten = places.database_folder(state, account)
    shutil.rmtree(state)
    fresh = places.database_folder(places.state_folder(), account)
    assert fresh != forgotten
    assert not forgotten.exists()


@as_root
def test_data_of_a_running_server_is_never_swept(cluster: postgres.Cluster, state: Path) -> None:
    postgres.start(cluster)
    (state / "database-folder").unlink()
    places.database_folder(state, cluster.account)
    assert rows(cluster, "SELECT 1") == [(1,)]


def test_a_folder_that_holds_no_postgres_is_named(playground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNUS_PG_BIN", str(playground))
    with pytest.raises(postgres.PostgresError, match=str(playground)):
        postgres.find_binaries()
