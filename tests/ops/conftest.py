"""A private state folder per test, in a short path that every account can walk to, and nothing left running."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import locks, places, postgres, processes, valkey


@pytest.fixture
def playground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of mode 0755 under /tmp; the servers' addresses and folders point nowhere else."""
    folder = Path(tempfile.mkdtemp(prefix="turnus-test-", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("DATABASE_URL", "REDIS_URL", "TURNUS_PG_BIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TURNUS_RUN_DIR", str(folder / ".turnus"))
    monkeypatch.setenv("TURNUS_ROOT_DATA_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def state(playground: Path) -> Path:
    return places.state_folder()


@pytest.fixture
def cluster(state: Path) -> Iterator[postgres.Cluster]:
    """A cluster that is safe against power loss, not started; stopped afterwards if a test started it."""
    place = postgres.cluster(state)
    yield place
    postgres.stop(place)


@pytest.fixture
def store(state: Path) -> Iterator[valkey.Store]:
    place = valkey.store(state)
    yield place
    valkey.stop(place)


def kill_all(lock: Path, socket: Path) -> None:
    """SIGKILL the server that listens on `socket` and wait until none of its processes holds `lock`."""
    pid = processes.listener(socket)
    assert pid is not None
    os.kill(pid, 9)
    assert processes.wait_until(lambda: not locks.is_held(lock), 30)
