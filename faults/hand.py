"""A process that has the product loaded and forks one process for each deed: `python -m faults.hand`.

The rule that matters: a deed is a real process with its own connections, which may be killed at any instant; the hand
itself never talks to the database. It reads lines of JSON and answers each with one.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import django

django.setup()

import stripe  # noqa: E402
from babel.dates import format_date  # noqa: E402
from babel.numbers import format_currency  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from django.utils.translation import override  # noqa: E402

from billing.documents import press  # noqa: E402
from core import fault_points  # noqa: E402
from faults import deeds  # noqa: E402

#: Servers that are deeds end with the hand, however it ends.
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def do(asked: dict[str, Any]) -> None:
    """In the forked process: the clock, the armed point, then the deed. Ends the process."""
    code = 0
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        os.setsid()
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if asked.get("at"):
            ahead = datetime.fromisoformat(asked["at"]) - datetime.now(UTC)
            os.environ["TURNUS_CLOCK_OFFSET"] = str(ahead.total_seconds())
        if asked.get("error"):
            os.environ["TURNUS_CLOCK_ERROR"] = str(asked["error"])
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


#: Codes of processes that are over. A new process of the same number takes its place.
_ended: dict[int, int] = {}


def wait(pid: int, seconds: float) -> int | None:
    """How the process ended: its code, less than zero for a signal; None while it lives. It can be asked again."""
    if pid in _ended:
        return _ended[pid]
    until = time.monotonic() + seconds
    pause = 0.002
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _ended[pid] = os.waitstatus_to_exitcode(status)
            return _ended[pid]
        if time.monotonic() >= until:
            return None
        time.sleep(pause)
        pause = min(pause * 1.3, 0.02)


def warm() -> None:
    """Loads once what each process would load: addresses, words, fonts, styles."""
    for language in ("en", "de", "fr", "it", "es"):
        with override(language):
            get_resolver().reverse_dict  # noqa: B018  filled by being looked at
        format_date(date(2025, 1, 1), locale=language)
        format_currency(1, "EUR", locale=language)
    press._fonts()
    for template in press.templates():
        press._style(template)
    stripe.StripeClient("sk_test_warm").v1.events  # noqa: B018  loaded by being looked at
    # Else every process walks, and so copies, all that is loaded by now.
    gc.collect()
    gc.freeze()


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
            _ended.pop(pid, None)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
