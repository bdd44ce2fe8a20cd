"""A process that has the product loaded and forks one process for each deed: `python -m faults.hand`.

The rule that matters: a deed is a real process with its own connections, which may be killed at any instant; the hand
itself never talks to the database. It reads lines of JSON and answers each with one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connections  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from django.utils.translation import override  # noqa: E402

from billing.documents import press  # noqa: E402
from core import fault_points  # noqa: E402
from faults import deeds  # noqa: E402


def do(asked: dict[str, Any]) -> None:
    """In the forked process: the clock, the armed point, then the deed. Ends the process."""
    code = 0
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        os.setsid()
        if asked.get("at"):
            ahead = datetime.fromisoformat(asked["at"]) - datetime.now(UTC)
            os.environ["TURNUS_CLOCK_OFFSET"] = str(ahead.total_seconds())
        fault_points.arm(asked.get("arm", ""))
        came = getattr(deeds, asked["deed"])(**asked.get("given", {}))
        if asked.get("out"):
            target = Path(asked["out"])
            fresh = target.with_suffix(".new")
            fresh.write_text(json.dumps(came, default=str))
            fresh.replace(target)
    except SystemExit as ended:
        code = int(ended.code or 0) if not isinstance(ended.code, str) else 1
    except BaseException:  # noqa: BLE001  the log says it
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connections.close_all()
        os._exit(code)


def wait(pid: int, seconds: float) -> int | None:
    """How the process ended: its code, less than zero for a signal; None while it lives."""
    until = time.monotonic() + seconds
    pause = 0.002
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(pause)
        pause = min(pause * 1.3, 0.02)


def warm() -> None:
    """Loads once what each process would load: addresses, words, fonts, styles."""
    for language in ("en", "de", "fr", "it", "es"):
        with override(language):
            get_resolver().reverse_dict  # noqa: B018  filled by being looked at
    press._fonts()
    for template in press.templates():
        press._style(template)


def main() -> None:
    warm()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any]
        if "wait" in asked:
            answer = {"code": wait(asked["wait"], asked["seconds"])}
        else:
            pid = os.fork()
            if not pid:
                do(asked)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
