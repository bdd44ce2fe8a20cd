"""Set-up does nothing twice, and says the one line to run when it may not do it itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import environment
from ops.environment import SetupError
from ops.places import ROOT


def test_requirements_that_are_there_are_not_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = environment.VENV / ".turnus-runtime"
    if not stamp.exists() or stamp.read_text() != environment._digest(environment.REQUIREMENTS / "runtime.txt"):
        environment.install("runtime")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(environment, "_uv", lambda: pytest.fail("asked for an installer"))
    environment.install("runtime")


def test_changed_requirements_change_the_stamp(tmp_path: Path) -> None:
    listed = tmp_path / "runtime.txt"
    listed.write_text("django==5.2.19\n")
    first = environment._digest(listed)
    listed.write_text("django==5.2.20\n")
    assert environment._digest(listed) != first


def test_missing_libraries_name_the_line_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNUS_APT", "0")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}")
    absent = {"libpango-1.0-0": ("libno-such-pango.so.0", "no-such-pango")}
    monkeypatch.setattr(environment, "PDF_LIBRARIES", absent)
    line = "sudo apt-get install --yes --no-install-recommends libpango-1.0-0$"
    with pytest.raises(SetupError, match=line):
        environment.ensure_pdf_libraries()


def test_a_browser_that_does_not_run_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNUS_CHROMIUM", "/bin/false")
    assert environment.find_browser() is None
    with pytest.raises(SetupError, match="/bin/false"):
        environment.ensure_browser()


def test_the_build_server_runs_exactly_make_test() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert script.stat().st_mode & 0o111 == 0o111
    assert lines == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test </dev/null"]


def test_make_test_checks_floors_lint_and_types_before_the_tests() -> None:
    shown = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    steps = [
        "ops setup --dev",
        "bin/lint-imports",
        "bin/ruff check",
        "ruff format --check",
        "ops lint",
        "bin/mypy",
        "bin/pytest",
    ]
    places = [shown.index(step) for step in steps]
    assert places == sorted(places)


def test_make_help_lists_the_commands() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = [line.split()[1] for line in shown.splitlines()]
    wanted = {
        "setup",
        "demo",
        "run",
        "test",
        "lint",
        "types",
        "floors",
        "bench",
        "bench-large",
        "shots",
        "docs",
        "lock",
    }
    assert wanted | {"messages"} <= set(listed)
