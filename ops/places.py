"""Where a checkout keeps what a run leaves: one private folder, `.turnus/`, mode 0700.

Nothing outside our own folders ever changes its permissions. Two things can't always live inside: a unix socket
whose path would be too long, and, when root starts us, PostgreSQL's data (it runs as another user, who may not be
able to walk into the checkout). Both then get a private folder elsewhere, whose name is written down in `.turnus/`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOCKET_PATH_LIMIT = 103
"""Longest unix socket path that every supported system takes, in bytes (Linux 107, macOS 103)."""
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"


class PlaceError(RuntimeError):
    """A folder we need is missing, not ours, or open to others."""


@dataclass(frozen=True)
class Account:
    """The operating system user that runs PostgreSQL."""

    name: str
    uid: int
    gid: int


def state_folder() -> Path:
    """`.turnus/` of this checkout, or `TURNUS_RUN_DIR`; made if missing, always 0700."""
    folder = Path(os.environ.get("TURNUS_RUN_DIR") or ROOT / ".turnus")
    return private_folder(folder)


def private_folder(folder: Path, owner: Account | None = None) -> Path:
    """Make `folder` (its parents too) with mode 0700 and hand it to `owner`; return it resolved.

    Raises PlaceError if it exists and is not a real folder of ours.
    """
    missing = [folder, *folder.parents]
    missing = [path for path in missing if not path.exists() and not path.is_symlink()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise PlaceError(f"{folder} is not a folder")
    wanted = owner.uid if owner else os.geteuid()
    if seen.st_uid not in {wanted, os.geteuid()}:
        raise PlaceError(f"{folder} belongs to another user")
    if owner and seen.st_uid != owner.uid:
        os.chown(folder, owner.uid, owner.gid)
    if stat.S_IMODE(seen.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder.resolve()


def postgres_account() -> Account | None:
    """Who PostgreSQL runs as when root starts us (it refuses root); None for an ordinary user."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("TURNUS_PG_USER", "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise PlaceError(f"no system user {name!r}; set TURNUS_PG_USER to an unprivileged one") from error
    if entry.pw_uid == 0:
        raise PlaceError("TURNUS_PG_USER must not be root")
    return Account(name, entry.pw_uid, entry.pw_gid)


def database_folder(state: Path, account: Account | None) -> Path:
    """The private folder that holds PostgreSQL's clusters and sockets.

    An ordinary user keeps it in `.turnus/`. Root's lies in /var/lib under a name drawn once and recorded in
    `.turnus/database-folder`: removing `.turnus/` therefore always means starting empty.
    """
    if account is None:
        return private_folder(state / "postgres")
    note = state / "database-folder"
    if note.exists():
        return _reachable(private_folder(Path(note.read_text().strip()), account), account)
    _sweep_forgotten(state)
    base = Path(os.environ.get("TURNUS_ROOT_DATA_DIR") or _writable("/var/lib", tempfile.gettempdir()))
    name = f"turnus-{_fingerprint(state)}-{secrets.token_hex(3)}"
    folder = _reachable(private_folder(base / name, account), account)
    _write_atomically(note, f"{folder}\n")
    return folder


def _reachable(folder: Path, account: Account) -> Path:
    if not is_readable_by(folder, account):
        raise PlaceError(f"{account.name} can't walk to {folder}; set TURNUS_ROOT_DATA_DIR to a folder it can")
    return folder


def _sweep_forgotten(state: Path) -> None:
    """Remove folders that earlier, since deleted `.turnus/` folders of this very path left behind."""
    base = Path(os.environ.get("TURNUS_ROOT_DATA_DIR") or _writable("/var/lib", tempfile.gettempdir()))
    if not base.is_dir():
        return
    from .locks import is_held

    for old in base.glob(f"turnus-{_fingerprint(state)}-*"):
        locks = list(old.glob("*.lock"))
        if not old.is_symlink() and not any(is_held(lock) for lock in locks):
            shutil.rmtree(old, ignore_errors=True)


def socket_folder(preferred: Path, state: Path, owner: Account | None = None) -> Path:
    """A private folder for sockets: `preferred`, or a short one in the temporary folder if its path is too long."""
    if len(os.fsencode(preferred)) + len(LONGEST_SOCKET_NAME) <= SOCKET_PATH_LIMIT:
        return private_folder(preferred, owner)
    note = state / f"socket-folder-{hashlib.sha256(os.fsencode(preferred)).hexdigest()[:8]}"
    if note.exists():
        folder = Path(note.read_text().strip())
        if folder.is_dir() and not folder.is_symlink():
            return private_folder(folder, owner)
    short = "/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()  # noqa: S108 - mkdtemp makes it private
    folder = private_folder(Path(tempfile.mkdtemp(prefix="turnus-", dir=short)), owner)
    _write_atomically(note, f"{folder}\n")
    return folder


def is_readable_by(path: Path, account: Account) -> bool:
    """Whether `account` can walk to `path` and read it, judged by owner and mode bits alone."""
    path = path.resolve()
    need = 0o5 if path.is_dir() or os.access(path, os.X_OK) else 0o4
    return _allows(path, account, need) and all(_allows(parent, account, 0o1) for parent in path.parents)


def _allows(path: Path, account: Account, need: int) -> bool:
    seen = path.stat()
    mode = stat.S_IMODE(seen.st_mode)
    if seen.st_uid == account.uid:
        mode >>= 6
    elif seen.st_gid == account.gid:
        mode >>= 3
    return mode & need == need


def _fingerprint(state: Path) -> str:
    return hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:10]


def _writable(*candidates: str) -> str:
    for candidate in candidates:
        if os.path.isdir(candidate) and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    raise PlaceError(f"none of {', '.join(candidates)} can be written to; set TURNUS_ROOT_DATA_DIR")


def _write_atomically(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.replace(path)
