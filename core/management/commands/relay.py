"""Carries out what the outbox holds: mails, documents, deliveries. Any number of relays may run beside each other."""

from __future__ import annotations

import os
import signal
import socket
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections, connection

from core.services import outbox


class Command(BaseCommand):
    help = "Carries out waiting outbox rows until told to stop."
    # Pages and addresses are no concern of the relay; it starts at once.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="One batch, then end.")
        parser.add_argument("--until-empty", action="store_true", help="End when nothing is due any more.")
        parser.add_argument("--worker", default="", help="Name that leased rows show; default: host and process.")
        parser.add_argument("--limit", type=int, default=50, help="Rows leased at a time.")
        parser.add_argument("--pause", type=float, default=1.0, help="Seconds to wait when nothing is due.")

    def handle(self, *args: Any, **options: Any) -> None:
        worker = options["worker"] or f"{socket.gethostname()}:{os.getpid()}"
        stopping = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
        total = outbox.Relayed()
        while not stopping.is_set():
            try:
                outcome = outbox.relay(worker=worker, limit=options["limit"], stopping=stopping.is_set)
            except OperationalError as error:
                if options["once"] or options["until_empty"]:
                    raise
                self.stderr.write(f"The database doesn't answer; trying again: {error}")
                connection.close()
                stopping.wait(options["pause"])
                continue
            total.done += outcome.done
            total.failed += outcome.failed
            total.dead += outcome.dead
            if options["once"]:
                break
            if outcome.total == 0:
                if options["until_empty"]:
                    break
                close_old_connections()
                stopping.wait(options["pause"])
        if options["once"] or options["until_empty"]:
            self.stdout.write(f"{total.done} done, {total.failed} to be tried again, {total.dead} dead")
