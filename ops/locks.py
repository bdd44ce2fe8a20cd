"""Locks by `flock`: the kernel lets go of them when the last holder dies, however it dies.

A server inherits the open lock file and so holds it as long as any of its processes lives. That, not a process
number in a file, says whether it runs.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Lock:
    """An open, locked file; `close` gives up this process's share of it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        """Let go here. Processes that inherited the file keep the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def take(path: Path, wait: float = 0.0) -> Lock | None:
    """Lock the file at `path`, trying for `wait` seconds; None if another process holds it."""
    deadline = time.monotonic() + wait
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.05)
        else:
            return Lock(fd)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock at `path`."""
    if not path.exists():
        return False
    lock = take(path)
    if lock is None:
        return True
    lock.close()
    return False


@contextmanager
def turn(path: Path, wait: float = 120.0) -> Iterator[None]:
    """Hold the lock at `path` for the length of a block, so that two starters take turns.

    Raises TimeoutError after `wait` seconds.
    """
    lock = take(path, wait)
    if lock is None:
        raise TimeoutError(f"another start has held {path} for {wait:.0f} s")
    try:
        yield
    finally:
        lock.close()
