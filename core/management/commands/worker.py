"""Works off what beat and the pages ask for. Any number of workers may run beside each other.

Not by way of Celery's command line: that loads an interactive shell, some 25 MB in each of its processes.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Works off billing runs, jobs and ticks until told to stop."
    # `migrate` and the web server have run them; they would load every page.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="Processes that work; 2 unless said otherwise.")
        parser.add_argument("--loglevel", default="INFO", help="DEBUG, INFO, WARNING or ERROR.")

    def handle(self, *args: Any, **options: Any) -> None:
        worker = current_app.Worker(
            pool="prefork",
            concurrency=options["concurrency"],
            loglevel=options["loglevel"],
            optimization="fair",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        worker.start()
        sys.exit(worker.exitcode)
