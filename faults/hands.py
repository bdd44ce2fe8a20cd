"""This side of the hand: asks it for deeds, waits for them, kills them.

The rule that matters: a deed's end is known by its exit code alone, as an init system knows it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from faults.town import Town


@dataclass(slots=True)
class Running:
    """A process that does a deed."""

    pid: int
    hand: Hand
    out: Path

    def wait(self, seconds: float = 120) -> int | None:
        """How it ended; None when it still lives after so long."""
        code: int | None = self.hand.ask({"wait": self.pid, "seconds": seconds})["code"]
        return code

    def finish(self, seconds: float) -> int:
        """Waits for its end and forgets what it found; its exit code. One that never ends is killed and says -9."""
        code = self.wait(seconds)
        if code is None:
            self.kill()
            self.wait()
            code = -9
        self.out.unlink(missing_ok=True)
        return code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class Hand:
    """This side of `hand.py`."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.log = town.folder / "deeds.log"
        self.count = 0
        with (town.folder / "hand.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "faults.hand"], cwd=town.code, env=town.environment, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.town.folder / "hand.log").read_text()[-2000:])
        found: dict[str, Any] = json.loads(line)
        return found

    def begin(
        self, deed: str, *, at: datetime | None = None, arm: str = "", error: timedelta | None = None, **given: Any
    ) -> Running:
        """Starts a process for a deed by the clock `at`, with a point armed or none, its own clock wrong or right."""
        self.count += 1
        out = self.town.folder / f"out-{self.count}.json"
        asked = {
            "deed": deed, "at": at.isoformat() if at else None, "arm": arm, "given": given, "log": str(self.log),
            "out": str(out), "error": error.total_seconds() if error else 0,
        }  # fmt: skip
        return Running(self.ask(asked)["pid"], self, out)

    def do(self, deed: str, *, at: datetime | None = None, seconds: float = 120, **given: Any) -> int:
        """Does a deed to its end; its exit code. One that never ends is killed and says -9."""
        return self.begin(deed, at=at, **given).finish(seconds)

    def read(self, deed: str, *, at: datetime | None = None, seconds: float = 300, **given: Any) -> Any:
        """Does a deed and returns what it found. Raises RuntimeError when it fails."""
        running = self.begin(deed, at=at, **given)
        code = running.wait(seconds)
        if code != 0:
            raise RuntimeError(f"{deed} ended with {code}: {self.log.read_text()[-2500:]}")
        found = json.loads(running.out.read_text())
        running.out.unlink()
        return found

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
