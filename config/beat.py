"""Asks, over and over, what is due: `python -m config.beat`. Several beside each other are harmless.

It loads the product to read what the rooms registered, then begins again as a small program that holds the timetable
and knows nothing else: half the memory. Celery's own command line would add an interactive shell to that.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

from celery.apps.beat import Beat
from celery.schedules import schedule

from config.celery import Timetable, app, timetable


class SmallBeat(Beat):  # type: ignore[misc]
    """Beat without the product; it sends tasks by their names."""

    def init_loader(self) -> None:
        return None


def written() -> str:
    """The timetable as JSON, periods in seconds."""
    entries = {name: {**entry, "schedule": entry["schedule"].total_seconds()} for name, entry in timetable().items()}
    return json.dumps(entries)


def read(text: str) -> dict[str, dict[str, Any]]:
    """What `written` wrote."""
    return {
        name: {**entry, "args": tuple(entry["args"]), "schedule": schedule(timedelta(seconds=entry["schedule"]))}
        for name, entry in json.loads(text).items()
    }


def main(arguments: list[str]) -> None:
    """Without an argument reads the timetable and begins again with it; with one, keeps to it until told to stop."""
    if not arguments:
        import django

        django.setup()
        os.execv(sys.executable, [sys.executable, "-m", "config.beat", written()])  # noqa: S606  ourselves
    Timetable.entries = read(arguments[0])
    SmallBeat(app=app, loglevel="WARNING", quiet=True).run()


if __name__ == "__main__":
    main(sys.argv[1:])
