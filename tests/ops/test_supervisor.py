"""One command starts everything, one Ctrl-C ends it, and neither a killed part nor a killed whole leaves a mess."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import processes
from ops.places import ROOT
from ops.supervisor import Ports, SupervisorError


class Run:
    """A supervisor in a process of its own, with its words."""

    def __init__(self, state: Path) -> None:
        self.output = state / "output.txt"
        self.file = self.output.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ops", "run"],
            cwd=ROOT,
            stdout=self.file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def says(self, words: str, seconds: float = 120) -> bool:
        return processes.wait_until(
            lambda: (
                words in self.output.read_text()
                or (self.process.poll() is not None and words in self.output.read_text())
            ),
            seconds,
            pause=0.2,
        )

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(120)
        self.file.close()
        return code


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    chosen = {name: processes.free_port() for name in ("TURNUS_PORT", "TURNUS_SMTP_PORT", "TURNUS_MAIL_PORT")}
    for name, port in chosen.items():
        monkeypatch.setenv(name, str(port))
    return chosen


@pytest.fixture
def run(state: Path, ports: dict[str, int]) -> Iterator[Run]:
    started = Run(state)
    yield started
    started.end()


def known(state: Path) -> dict[str, int]:
    return dict(json.loads((state / "supervised.json").read_text())["processes"])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_run_starts_heals_and_ends(run: Run, state: Path, ports: dict[str, int]) -> None:
    assert run.says("Turnus is ready")
    first = known(state)
    assert {"postgres", "valkey", "web", "worker", "beat", "mailcatcher"} <= set(first)

    # A second one is refused and does no harm.
    second = subprocess.run([sys.executable, "-m", "ops", "run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "already runs" in second.stderr

    # A part that falls is started again.
    os.kill(first["mailcatcher"], signal.SIGKILL)
    assert run.says("mailcatcher ended (SIGKILL); starting it again", 60)
    assert processes.wait_until(
        lambda: known(state).get("mailcatcher", first["mailcatcher"]) != first["mailcatcher"], 60
    )

    os.kill(first["valkey"], signal.SIGKILL)
    os.kill(first["postgres"], signal.SIGKILL)
    assert run.says("valkey ended (SIGKILL); starting it again", 60)
    assert run.says("postgres ended (SIGKILL); starting it again", 60)
    for name in ("valkey", "postgres"):
        assert processes.wait_until(lambda name=name: known(state).get(name, first[name]) != first[name], 60)

    # The whole falls: nothing of it lives on.
    everything = known(state)
    run.process.kill()
    run.process.wait()
    if sys.platform == "linux":
        assert processes.wait_until(lambda: not any(alive(pid) for pid in everything.values()), 60)

    # It starts again by itself, and Ctrl-C ends it with every exit 0.
    again = Run(state)
    try:
        assert again.says("The last run was killed; clearing up after it", 60)
        assert again.says("Turnus is ready")
        last = known(state)
    finally:
        code = again.end()
    assert code == 0
    assert "not all of it cleanly" not in again.output.read_text()
    assert not any(alive(pid) for pid in last.values())
    assert not (state / "supervised.json").exists()


def test_a_used_port_is_named_with_the_way_out(ports: dict[str, int]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports["TURNUS_MAIL_PORT"]))
        other.listen()
        with pytest.raises(SupervisorError, match=rf"Port {ports['TURNUS_MAIL_PORT']} .*TURNUS_MAIL_PORT="):
            Ports.chosen().check_free()


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1"])
def test_a_number_that_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TURNUS_PORT", text)
    with pytest.raises(SupervisorError, match="TURNUS_PORT"):
        Ports.chosen()
