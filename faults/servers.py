"""The product's own servers as deeds: a Celery worker, beat, the web server. What they do is not changed; only that
they are forked from a process that has the product loaded makes them start at once.

The rule that matters: each ends by being killed, or told to stop from outside.
"""

from __future__ import annotations

import sys

from django.core.management import call_command


def worker(concurrency: int = 1) -> None:
    """`manage.py worker`."""
    call_command("worker", concurrency=concurrency, loglevel="WARNING")


def beat() -> None:
    """`python -m config.beat`."""
    from config import beat as beats
    from config.celery import Timetable, app

    Timetable.entries = beats.read(beats.written())
    beats.SmallBeat(app=app, loglevel="WARNING", quiet=True).run()


def web(port: int) -> None:
    """The web server as `make run` starts it."""
    from gunicorn.app.wsgiapp import WSGIApplication  # type: ignore[import-untyped]

    sys.argv = [
        "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "8", "--timeout", "60",
        "--no-control-socket",
    ]  # fmt: skip
    WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


def ask(name: str) -> None:
    """Puts one question of beat into the queue."""
    from core.tasks import run_tick

    run_tick.delay(name)
