"""The Celery app and its timetable: small messages with ids, nothing that would be missed if the broker vanished.

Due dates live in PostgreSQL. The timetable only asks every tick, often, whether something is due.
"""

from __future__ import annotations

import gc
import os
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from celery import Celery, signals
from celery.beat import Scheduler

from config.hosts import broker_socket, silence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery would run Django's checks, and with them load every page into workers and beat: 25 MB in each for nothing, as
# `migrate` and the web server have run them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

VISIBILITY = timedelta(hours=1)
"""After this a taken but unfinished message is handed out again; every task ends within a quarter of it."""
TASK_LIMIT = VISIBILITY / 4


def broker_url(redis_url: str) -> str:
    """The URL as Celery's transport reads it: a unix socket is written another way there.

    >>> broker_url("redis://cache:6379/1")
    'redis://cache:6379/1'
    >>> broker_url("unix:///run/valkey.sock?db=2")
    'redis+socket:///run/valkey.sock?virtual_host=2'
    """
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{unquote(parts.path)}?virtual_host={database}"


app = Celery("turnus")
app.config_from_object(
    {
        "broker_url": broker_url(os.environ.get("REDIS_URL", "redis://localhost:6379/0")),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # a worker whose broker is away for a day works again the day after
        "broker_transport_options": {
            "visibility_timeout": int(VISIBILITY.total_seconds()),
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "health_check_interval": 30,
            **broker_socket(silence(os.environ)),
            # Publishing never holds up an answer: a lost wake-up call is made up for by a tick.
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
        },
        "broker_connection_timeout": 2,
        "task_publish_retry": False,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_soft_time_limit": int(TASK_LIMIT.total_seconds()),
        "task_time_limit": int(TASK_LIMIT.total_seconds()) + 60,
        "task_default_queue": "turnus",
        "worker_prefetch_multiplier": 1,
        "worker_max_memory_per_child": 400_000,  # KiB
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "beat_scheduler": "config.celery:Timetable",
        "beat_max_loop_interval": 60,
        "enable_utc": True,
        "timezone": "UTC",
    }
)
app.autodiscover_tasks()


@signals.worker_init.connect
def _survive_the_broker(**_: Any) -> None:
    from config.broker import give_places_back  # the transport is for workers alone

    give_places_back()


@signals.worker_before_create_process.connect
def _share(**_: Any) -> None:
    """What is loaded by now stays as it is, so a worker's processes go on sharing it."""
    gc.collect()
    gc.freeze()


def timetable() -> dict[str, dict[str, Any]]:
    """What beat does and how often, in the ticks' order; a call that waited a full turn is dropped."""
    from core.services import ticks

    return {
        f"{tick.order:03} {tick.name}": {
            "task": "core.tasks.run_tick",
            "schedule": tick.every,
            "args": (tick.name,),
            "options": {"expires": max(tick.every.total_seconds(), 60)},
        }
        for tick in ticks.all_ticks()
    }


class Timetable(Scheduler):
    """Beat's scheduler: the ticks the rooms registered, all asked at once when it starts.

    It remembers nothing between starts; so a beat that restarts every hour still asks the daily ticks, and asking
    too often is harmless.
    """

    #: Given where the rooms are not loaded; else what they registered.
    entries: dict[str, dict[str, Any]] | None = None

    def setup_schedule(self) -> None:
        long_ago = self.app.now() - timedelta(days=366)
        entries = timetable() if self.entries is None else self.entries
        self.merge_inplace({name: {**entry, "last_run_at": long_ago} for name, entry in entries.items()})
