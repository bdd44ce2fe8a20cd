"""The environment a checkout runs in: `.venv/` with hashed requirements, three system libraries, a browser.

Runs on the bare system Python, before anything is installed. What is up to date costs nothing: a stamp holds the
digest of the requirement files. A failure names the one line to run.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .places import ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "requirements"
PDF_LIBRARIES = {
    "libpango-1.0-0": ("libpango-1.0.so.0", "pango-1.0"),
    "libpangoft2-1.0-0": ("libpangoft2-1.0.so.0", "pangoft2-1.0"),
    "libharfbuzz-subset0": ("libharfbuzz-subset.so.0", "harfbuzz-subset"),
}
"""Debian package of each library WeasyPrint loads: its file on Linux, its name elsewhere."""


class SetupError(RuntimeError):
    """Something is missing that we may not or can't install; the text says what to run."""


def set_up(*, development: bool = False) -> None:
    """Make the environment for running (and, with `development`, for testing) the product, or raise SetupError."""
    make_venv()
    install("runtime")
    ensure_pdf_libraries()
    if development:
        install("dev")
        ensure_browser()
        offer_pooler()


def make_venv() -> None:
    """`.venv/` with a Python that runs."""
    if PYTHON.exists() and _succeeds([str(PYTHON), "-c", "import pip"]):
        return
    say("Making the Python environment in .venv")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            f"python3 -m venv failed: {(made.stdout + made.stderr).strip()}\n"
            "On Debian and Ubuntu run: sudo apt-get install --yes python3-venv"
        )


def install(kind: str) -> None:
    """Install `requirements/KIND.txt` by hash unless its stamp says it is there."""
    listed = REQUIREMENTS / f"{kind}.txt"
    stamp = VENV / f".turnus-{kind}"
    digest = _digest(listed)
    if stamp.exists() and stamp.read_text() == digest:
        return
    say(f"Installing {listed.relative_to(ROOT)}")
    stamp.unlink(missing_ok=True)
    uv = _uv()
    if uv is not None:
        # As pip does. A process that compiles what it loads starts slower and stays up to 20 MB larger.
        command = [str(uv), "pip", "install", "--quiet", "--compile-bytecode", "--python", str(PYTHON)]
    else:
        command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, "--require-hashes", "-r", str(listed)], env=_index_settings(), check=False)
    if done.returncode != 0:
        tool = "uv" if uv is not None else "pip"
        hint = "; `UV=0 make setup` uses pip alone" if uv is not None else ""
        raise SetupError(f"{tool} could not install {listed.relative_to(ROOT)} (see above){hint}.")
    stamp.write_text(digest)


def _digest(listed: Path) -> str:
    """Changes with the requirements, the Python, and the place: an environment can't be moved."""
    parts = [listed.read_bytes(), sys.version.encode(), platform.machine().encode(), os.fsencode(VENV)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _uv() -> Path | None:
    """The pinned uv inside `.venv/`; None with `UV=0` or where it has no wheel."""
    if os.environ.get("UV") == "0":
        return None
    uv, stamp, listed = VENV / "bin" / "uv", VENV / ".turnus-bootstrap", REQUIREMENTS / "bootstrap.txt"
    if uv.exists() and stamp.exists() and stamp.read_text() == _digest(listed):
        return uv
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    done = subprocess.run([*pip, "--require-hashes", "-r", str(listed)], check=False)
    if done.returncode != 0 or not _succeeds([str(uv), "--version"]):
        say("uv can't be had here; pip does its work")
        return None
    stamp.write_text(_digest(listed))
    return uv


def _index_settings() -> dict[str, str]:
    """Our environment, with what a person told pip about a package index told to uv too."""
    settings = dict(os.environ)
    for ours, theirs in {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}.items():
        if os.environ.get(ours) and theirs not in settings:
            settings[theirs] = os.environ[ours]
    return settings


def missing_pdf_libraries() -> list[str]:
    """The Debian packages of those libraries that WeasyPrint could not load."""
    missing = []
    for package, (file, name) in PDF_LIBRARIES.items():
        try:
            ctypes.CDLL(file)
        except OSError:
            if not ctypes.util.find_library(name) and not _homebrew_has(name):
                missing.append(package)
    return missing


def _homebrew_has(name: str) -> bool:
    return any(Path(prefix, "lib", f"lib{name}.dylib").exists() for prefix in ("/opt/homebrew", "/usr/local"))


def ensure_pdf_libraries() -> None:
    """Install WeasyPrint's libraries where apt is there and allowed; else raise SetupError with the line to run."""
    missing = missing_pdf_libraries()
    if not missing:
        return
    if sys.platform == "darwin":
        raise SetupError("PDFs need Pango. Run: brew install pango")
    if not shutil.which("apt-get"):
        raise SetupError("PDFs need Pango and HarfBuzz; install them with your system's package tool (package: pango).")
    if not apt_install(missing) or missing_pdf_libraries():
        raise SetupError(f"PDFs need three libraries. Run: {apt_line(missing)}")


def apt_prefix() -> list[str] | None:
    """How apt may be run here: as root, with passwordless sudo, or not at all (None; also with `TURNUS_APT=0`)."""
    if os.environ.get("TURNUS_APT") == "0" or not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and _succeeds(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def apt_line(packages: Sequence[str]) -> str:
    """The line a person runs to install `packages`."""
    return f"sudo apt-get install --yes --no-install-recommends {' '.join(packages)}"


def apt_install(packages: Sequence[str]) -> bool:
    """Install Debian packages if allowed; whether it worked."""
    prefix = apt_prefix()
    if prefix is None:
        return False
    say(f"Installing {', '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [*prefix, "apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages]
    said = ""
    for attempt in range(2):
        if attempt:
            subprocess.run(
                [*prefix, "apt-get", "update", "--quiet=2"], env=quiet, stdin=subprocess.DEVNULL, check=False
            )
        tried = subprocess.run(
            command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if tried.returncode == 0:
            return True
        said = tried.stdout + tried.stderr
    print(said, file=sys.stderr)
    return False


def find_browser() -> str | None:
    """A Chromium that starts: `TURNUS_CHROMIUM`, the system's, or Playwright's own; None if there is none."""
    chosen = os.environ.get("TURNUS_CHROMIUM")
    if chosen:
        return chosen if _succeeds([chosen, "--version"]) else None
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        # Some systems ship a script of this name that only asks for another package.
        if found and _succeeds([found, "--version"]):
            return found
    own = _playwrights_own()
    return own if own and _succeeds([own, "--version"]) else None


def _playwrights_own() -> str | None:
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    told = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, text=True, check=False)
    path = told.stdout.strip()
    return path if told.returncode == 0 and path and Path(path).exists() else None


def ensure_browser() -> None:
    """Have a Chromium for the browser tests: Debian's package where allowed, else Playwright's own."""
    if find_browser():
        return
    if os.environ.get("TURNUS_CHROMIUM"):
        raise SetupError(f"TURNUS_CHROMIUM={os.environ['TURNUS_CHROMIUM']} does not run.")
    if _is_debian() and apt_install(["chromium", "fonts-dejavu-core"]) and find_browser():
        return
    say("Fetching Playwright's Chromium")
    command = [str(PYTHON), "-m", "playwright", "install"]
    command += ["--with-deps"] if apt_prefix() is not None else []
    subprocess.run([*command, "chromium"], stdin=subprocess.DEVNULL, check=False)
    if not find_browser():
        raise SetupError(
            "NO CHROMIUM: the browser tests can't run, and without them nothing is tested enough.\n"
            f"Run: {apt_line(['chromium'])}\nor set TURNUS_CHROMIUM to the program of one."
        )


def offer_pooler() -> None:
    """Have PgBouncer for its tests where a package can be installed; they are skipped where it isn't there."""
    if not find_pooler() and _is_debian():
        apt_install(["pgbouncer"])


def find_pooler() -> str | None:
    """The program of PgBouncer, if there is one."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


def _is_debian() -> bool:
    try:
        return "\nID=debian" in "\n" + Path("/etc/os-release").read_text()
    except OSError:
        return False


def _succeeds(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def say(line: str) -> None:
    """Tell the person at the terminal what takes its time."""
    print(f"  {line}", file=sys.stderr, flush=True)
