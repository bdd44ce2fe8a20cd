"""Starting processes that don't outlive their starter, and asking the kernel who listens on a socket."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from .places import Account

#: Below the ports that kernels give to connections by themselves, 32,768 and up on Linux.
_PORTS = range(20_000, 32_000)
_asked = itertools.count()
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str],
    *,
    log: IO[bytes] | int,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    account: Account | None = None,
    keep_fds: Sequence[int] = (),
    dies_with_us: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that Ctrl-C reaches only us.

    `dies_with_us` is the signal the kernel sends it when we die (Linux only; elsewhere the next start cleans up).
    """
    drop: dict[str, object] = {}
    if account is not None:
        drop = {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=dict(env) if env is not None else None,
        start_new_session=True,
        pass_fds=tuple(keep_fds),
        umask=0o077,
        # Safe here: the launcher has one thread.
        preexec_fn=_leash(dies_with_us),
        **drop,
    )


def _leash(wanted: int | None) -> Callable[[], None] | None:
    if wanted is None or _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def leash() -> None:
        # Runs after the change of user, which would have cleared the setting.
        libc.prctl(_PR_SET_PDEATHSIG, wanted, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return leash


def listener(path: Path) -> int | None:
    """The process that listens on the unix socket at `path`, as the kernel knows it; None if nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(5)
        try:
            peer.connect(os.fspath(path))
        except OSError:
            return None
        if sys.platform == "linux":
            size = struct.calcsize("3i")
            pid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
        else:
            sol_local, local_peerpid = 0, 2  # macOS, <sys/un.h>
            pid = struct.unpack("i", peer.getsockopt(sol_local, local_peerpid, 4))[0]
    return int(pid) or None


def free_port() -> int:
    """A port of this machine that nobody listens on, and that the kernel gives nobody who connects.

    Another one at each call; processes begin far from each other, so that two that ask at once get different ones.
    """
    for _ in _PORTS:
        port = _PORTS[(os.getpid() * 997 + next(_asked)) % len(_PORTS)]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port of this machine is free")


def wait_until(ready: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Ask `ready` again and again for up to `seconds`; its last answer."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
    return True
