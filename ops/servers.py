"""Both embedded servers as one thing: start, stop, and the two variables that say where they are.

`DATABASE_URL` and `REDIS_URL` in the environment always win: what they name is never started or stopped by us.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import postgres, valkey

MAIN = "main"
TEST = "test"
DEMO_DATABASE = "turnus_demo"
"""The demo's database in the main cluster; a person's own is `turnus`. They never share one."""


def start(state: Path, name: str = MAIN, *, dies_with_us: bool = False) -> dict[str, subprocess.Popen[bytes]]:
    """Start what the environment does not already name; the processes we started, by name."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    if not os.environ.get("DATABASE_URL"):
        server = postgres.start(_cluster(state, name), dies_with_us=dies_with_us)
        if server is not None:
            started["postgres"] = server
    if not os.environ.get("REDIS_URL"):
        broker = valkey.start(valkey.store(state, name), dies_with_us=dies_with_us)
        if broker is not None:
            started["valkey"] = broker
    return started


def end(started: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Stop servers that `start` returned, and wait for them."""
    for name, wanted in (("valkey", signal.SIGTERM), ("postgres", signal.SIGINT)):
        process = started.get(name)
        if process is not None:
            if process.poll() is None:
                process.send_signal(wanted)
            process.wait()


def stop(state: Path, name: str = MAIN) -> list[str]:
    """Stop both embedded servers, whoever started them; the names of those that were running."""
    stopped = []
    if valkey.stop(valkey.store(state, name)):
        stopped.append("valkey")
    if postgres.stop(_cluster(state, name)):
        stopped.append("postgres")
    return stopped


def variables(state: Path, name: str = MAIN, *, demo: bool = False) -> dict[str, str]:
    """`DATABASE_URL` and `REDIS_URL`: the environment's, else those of the embedded servers."""
    database = DEMO_DATABASE if demo else postgres.USER
    return {
        "DATABASE_URL": os.environ.get("DATABASE_URL") or _cluster(state, name).url(database),
        "REDIS_URL": os.environ.get("REDIS_URL") or valkey.store(state, name).url(),
    }


def exports(variables: Mapping[str, str]) -> str:
    """The variables as lines a shell can read."""
    return "\n".join(f"export {key}={shlex.quote(value)}" for key, value in variables.items())


def ensure_demo_database(state: Path) -> None:
    """Make the demo's database unless the environment names another server."""
    if not os.environ.get("DATABASE_URL"):
        postgres.ensure_database(_cluster(state, MAIN), DEMO_DATABASE)


def _cluster(state: Path, name: str) -> postgres.Cluster:
    return postgres.cluster(state, name, durable=name != TEST)
