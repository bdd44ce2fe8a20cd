"""The months, day by day: in peace, or with the day's faults and the machines going on after them until nothing waits.

The rule that matters: both lives ask the same ticks on the same days by the same clock; only the faults differ.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from faults.town import ROOT, Town

FIRST: Final = date(2025, 1, 1)
#: When the day's ticks are asked, and how long after that they are asked again until nothing waits: past the leases,
#: past the looks at what is unknown, past the waiting times of effects.
MORNING: Final = time(6, 0)
LATER: Final = tuple(timedelta(minutes=minutes) for minutes in (4, 11, 50, 150, 330, 600, 760))


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

    def begin(self, deed: str, *, at: datetime | None = None, arm: str = "", **given: Any) -> Running:
        """Starts a process for a deed by the clock `at`, with a point armed or none."""
        self.count += 1
        out = self.town.folder / f"out-{self.count}.json"
        asked = {
            "deed": deed, "at": at.isoformat() if at else None, "arm": arm, "given": given, "log": str(self.log),
            "out": str(out),
        }  # fmt: skip
        return Running(self.ask(asked)["pid"], self, out)

    def do(self, deed: str, *, at: datetime | None = None, seconds: float = 120, **given: Any) -> int:
        """Does a deed to its end; its exit code. One that never ends is killed and says -9."""
        running = self.begin(deed, at=at, **given)
        code = running.wait(seconds)
        if code is None:
            running.kill()
            running.wait()
            code = -9
        running.out.unlink(missing_ok=True)
        return code

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


def days(months: int, step: int) -> list[date]:
    """The days on which the machines are asked: every so many, so that missed ones are caught up with."""
    count = round(months * 30.44)
    return [FIRST + timedelta(days=number) for number in range(0, count, step)]


def morning(day: date) -> datetime:
    return datetime.combine(day, MORNING, UTC)


__all__ = ["FIRST", "ROOT", "Hand", "Running", "days", "morning"]
