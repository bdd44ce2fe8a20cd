"""A lock lasts as long as a process that holds it, and no longer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import locks


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    first = locks.take(tmp_path / "lock")
    assert first is not None
    assert locks.take(tmp_path / "lock") is None
    first.close()
    assert locks.is_held(tmp_path / "lock") is False


def test_a_child_that_inherited_a_lock_holds_it_until_it_dies(tmp_path: Path) -> None:
    lock = locks.take(tmp_path / "lock")
    assert lock is not None
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fd])
    lock.close()
    assert locks.is_held(tmp_path / "lock") is True
    child.kill()
    child.wait()
    assert locks.is_held(tmp_path / "lock") is False


def test_waiting_for_a_turn_ends(tmp_path: Path) -> None:
    with locks.turn(tmp_path / "lock"), pytest.raises(TimeoutError), locks.turn(tmp_path / "lock", wait=0.1):
        pass


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        locks.take(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()
