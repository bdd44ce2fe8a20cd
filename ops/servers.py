"""Both embedded servers as one thing: start, stop, and the two variables that say where they are.

`DATABASE_URL` and `REDIS_URL` in the environment always win: what they name is never started or stopped by us.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from . import postgres, valkey

MAIN = "main"
TEST = "test"


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


def stop(state: Path, name: str = MAIN) -> list[str]:
    """Stop both embedded servers; the names of those that were running."""
    stopped = []
    if valkey.stop(valkey.store(state, name)):
        stopped.append("valkey")
    if postgres.stop(_cluster(state, name)):
        stopped.append("postgres")
    return stopped


def variables(state: Path, name: str = MAIN) -> dict[str, str]:
    """`DATABASE_URL` and `REDIS_URL`: the environment's, else those of the embedded servers."""
    return {
        "DATABASE_URL": os.environ.get("DATABASE_URL") or _cluster(state, name).url(),
        "REDIS_URL": os.environ.get("REDIS_URL") or valkey.store(state, name).url(),
    }


def exports(state: Path, name: str = MAIN) -> str:
    """The variables as lines a shell can read."""
    return "\n".join(f"export {key}={shlex.quote(value)}" for key, value in variables(state, name).items())


def _cluster(state: Path, name: str) -> postgres.Cluster:
    return postgres.cluster(state, name, durable=name != TEST)
