"""What the launcher's commands print and leave behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ops import locks, postgres, valkey
from ops.places import ROOT


def ops(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_env_prints_both_addresses_and_starts_nothing(state: Path) -> None:
    done = ops("env")
    cluster, store = postgres.cluster(state), valkey.store(state)
    assert done.stdout.splitlines() == [f"export DATABASE_URL={cluster.url()}", f"export REDIS_URL='{store.url()}'"]
    assert not locks.is_held(cluster.lock)
    assert not locks.is_held(store.lock)


def test_given_addresses_win(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example.org/books")
    monkeypatch.setenv("REDIS_URL", "redis://cache.example.org/1")
    done = ops("servers")
    assert done.stdout.splitlines() == [
        "export DATABASE_URL=postgresql://db.example.org/books",
        "export REDIS_URL=redis://cache.example.org/1",
    ]


def test_servers_stay_until_they_are_stopped(state: Path) -> None:
    cluster, store = postgres.cluster(state), valkey.store(state)
    try:
        assert ops("servers").returncode == 0
        assert postgres.answers(cluster)
        assert valkey.answers(store)
    finally:
        stopped = ops("stop")
    assert stopped.stdout == "stopped: valkey, postgres\n"
    assert ops("stop").stdout == "nothing was running\n"


def test_a_command_gets_servers_for_its_own_lifetime(state: Path) -> None:
    ask = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 6 * 7').fetchone()[0])"
    done = ops("with", sys.executable, "-c", ask)
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert not locks.is_held(postgres.cluster(state).lock)


def test_a_commands_own_failure_is_passed_on(state: Path) -> None:
    assert ops("with", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_a_refusal_is_one_line_without_a_trace(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNUS_PG_BIN", "/nonexistent")
    done = ops("servers")
    assert done.returncode == 1
    assert done.stderr.startswith("turnus: /nonexistent holds no PostgreSQL")
    assert "Traceback" not in done.stderr
