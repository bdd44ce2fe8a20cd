"""The launcher's command line: `python -m ops COMMAND`; `--help` lists the commands.

Runs before anything is installed (`setup`), so it imports what needs an environment only where it is used.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from . import backup, places, servers
from .backup import BackupError
from .environment import SetupError, set_up
from .places import PlaceError
from .postgres import PostgresError
from .supervisor import Supervisor, SupervisorError
from .valkey import ValkeyError

REFUSALS = (PlaceError, PostgresError, ValkeyError, SetupError, SupervisorError, BackupError, TimeoutError)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what it says, 1 when it was refused."""
    chosen = _parser().parse_args(arguments)
    try:
        return _run(chosen)
    except REFUSALS as error:
        print(f"turnus: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description="Turnus launcher")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in {
        "setup": "make the environment and install what is needed",
        "demo": "start everything with a test company and watch over it",
        "run": "start everything and watch over it",
        "servers": "start PostgreSQL and Valkey in the background and print how to reach them",
        "stop": "stop PostgreSQL and Valkey that run in the background",
        "env": "print how to reach PostgreSQL and Valkey, starting nothing",
        "with": "run a command with PostgreSQL and Valkey started for it",
        "backup": "write the whole database to a file",
        "restore": "read a backup into an empty database",
        "rehearse": "restore a backup into a server made for it, have the doctor look at it, throw it away",
        "lint": "check the compose file, the Dockerfile and the requirement files",
    }.items():
        command = commands.add_parser(name, help=meaning, description=meaning)
        if name == "setup":
            command.add_argument("--dev", action="store_true", help="also what tests and development need")
        if name in {"backup", "restore", "rehearse"}:
            command.add_argument("file", type=Path, help="the backup")
        if name in {"servers", "stop", "env", "with", "backup", "restore", "rehearse"}:
            command.add_argument("--test", action="store_true", help="the tests' servers instead of the main ones")
        if name in {"env", "with", "backup"}:
            command.add_argument("--demo", action="store_true", help="the demo's database instead of your own")
        if name == "with":
            command.add_argument("program", nargs=argparse.REMAINDER, help="the command and its arguments")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command == "setup":
        set_up(development=chosen.dev)
        return 0
    if chosen.command == "lint":
        from .lint import check

        complaints = check(places.ROOT)
        print("\n".join(complaints) or "Files around the code: nothing to complain about.")
        return 1 if complaints else 0
    state = places.state_folder()
    if chosen.command in {"demo", "run"}:
        return Supervisor(state, demo=chosen.command == "demo").run()
    name = servers.TEST if chosen.test else servers.MAIN
    if chosen.command in {"backup", "restore", "rehearse"}:
        return _backup(chosen, name)
    if chosen.command == "servers":
        servers.start(state, name)
        print(servers.exports(servers.variables(state, name)))
    elif chosen.command == "stop":
        stopped = servers.stop(state, name)
        print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    elif chosen.command == "env":
        print(servers.exports(servers.variables(state, name, demo=chosen.demo)))
    else:
        return _with(chosen, name)
    return 0


def _backup(chosen: argparse.Namespace, name: str) -> int:
    """Write, read or rehearse a backup beside the servers; those started for it are stopped after it."""
    state = places.state_folder()
    started = {} if chosen.command == "rehearse" else servers.start(state, name, dies_with_us=True)
    try:
        variables = servers.variables(state, name, demo=chosen.command == "backup" and chosen.demo)
        if chosen.command == "backup":
            size = backup.back_up(variables["DATABASE_URL"], chosen.file)
            print(f"{chosen.file}: {size / 1e6:.1f} MB")
            if bucket := os.environ.get("TURNUS_FILES_URL"):
                print(f"What lies in {bucket} isn't in it: keep that bucket's versions, or copy it after this.")
        elif chosen.command == "restore":
            backup.restore(variables["DATABASE_URL"], chosen.file)
            print(f"{chosen.file} is restored; now `manage.py doctor` looks at it.")
        else:
            secret = state / "secret-key"
            known = {"TURNUS_SECRET_KEY": secret.read_text()} if secret.exists() else {}
            print("\n".join(backup.rehearse(chosen.file, {**known, **os.environ})))
        return 0
    finally:
        servers.end(started)


def _with(chosen: argparse.Namespace, name: str) -> int:
    """Run a command beside the servers; those started for it are stopped after it."""
    if not chosen.program:
        raise SetupError("which command? For example: python -m ops with python manage.py migrate")
    state = places.state_folder()
    started = servers.start(state, name, dies_with_us=True)
    try:
        variables = servers.variables(state, name, demo=chosen.demo)
        return subprocess.run(chosen.program, env={**os.environ, **variables}, check=False).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        servers.end(started)


if __name__ == "__main__":
    raise SystemExit(main())
