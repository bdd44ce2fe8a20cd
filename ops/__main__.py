"""The launcher's command line: `python -m ops servers|stop|env`.

`--test` means the tests' own servers, which trade safety against power loss for speed.
"""

from __future__ import annotations

import argparse
import sys

from . import places, servers
from .places import PlaceError
from .postgres import PostgresError
from .valkey import ValkeyError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what it says."""
    parser = argparse.ArgumentParser(prog="python -m ops", description="Turnus launcher")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in {
        "servers": "start PostgreSQL and Valkey in the background and print how to reach them",
        "stop": "stop PostgreSQL and Valkey",
        "env": "print how to reach PostgreSQL and Valkey, starting nothing",
    }.items():
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("--test", action="store_true", help="the tests' servers instead of the main ones")
    chosen = parser.parse_args(arguments)
    name = servers.TEST if getattr(chosen, "test", False) else servers.MAIN
    try:
        state = places.state_folder()
        if chosen.command == "servers":
            servers.start(state, name)
            print(servers.exports(state, name))
        elif chosen.command == "stop":
            stopped = servers.stop(state, name)
            print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
        else:
            print(servers.exports(state, name))
    except (PlaceError, PostgresError, ValkeyError, TimeoutError) as error:
        print(f"turnus: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
