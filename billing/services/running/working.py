"""Working a run off: alone, or with other processes that claim chunks beside this one.

The rule that matters: workers share nothing but the chunk rows; any of them may be killed at any instant, and whoever
comes next goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection, connections

from billing.models import BillingRun
from billing.services.running.chunks import Step, bill_next
from billing.services.running.progress import close_if_over
from core.fault_points import point

#: Seconds to wait while others hold the customers or the chunks that are left.
PAUSE = 0.2
#: Times in a row that a lost connection or a deadlock is borne.
PATIENCE = 5


def work(
    run: BillingRun, *, workers: int = 1, told: Callable[[], None] | None = None, pause: float = PAUSE
) -> BillingRun:
    """Works until the run has ended or is held, in `workers` processes with this one; the run as it is then.

    `told` hears after each step of this process.
    """
    helpers = []
    if workers > 1:
        # A connection can't be shared with a forked process.
        connections.close_all()
        context = multiprocessing.get_context("fork")
        parent = os.getpid()
        for number in range(1, workers):
            helper = context.Process(target=_help, args=(run, parent), name=f"billing-{number}", daemon=True)
            helper.start()
            helpers.append(helper)
    try:
        _loop(run, told=told, pause=pause)
    except BaseException:
        for helper in helpers:
            helper.terminate()
        raise
    finally:
        for helper in helpers:
            helper.join()
    run.refresh_from_db()
    return run


def _help(run: BillingRun, parent: int) -> None:
    """A helping process: ends with the run, with the one that started it, or when told to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _loop(run, told=None, pause=PAUSE, stopping=lambda: os.getppid() != parent)


def _loop(
    run: BillingRun,
    *,
    told: Callable[[], None] | None,
    pause: float,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    failures = 0
    while not stopping():
        try:
            step = bill_next(run)
            point("billing.committed")
            if step is Step.NONE and close_if_over(run):
                break
            failures = 0
        except (OperationalError, InterfaceError):
            failures += 1
            if failures > PATIENCE or connection.in_atomic_block:
                raise
            connection.close()
            time.sleep(failures * pause)
            continue
        if told is not None:
            told()
        if step is Step.HELD:
            break
        if step is not Step.DONE:
            time.sleep(pause)
