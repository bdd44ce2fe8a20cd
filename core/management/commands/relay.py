"""Carries out what the outbox holds and delivers webhooks. Any number of relays may run beside each other.

Webhooks have a lane of their own, and so have files that go to a bucket: other people's servers are slow or gone, and
no mail waits for them.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from core import bucket
from core.services import file_moves, outbox, ticks, webhook_sending

WEBHOOKS = "webhooks"
#: Seconds between looks for deliveries that were written for an endpoint while it was being stopped.
SWEEP_EVERY = 60.0
#: Seconds between looks at how far the machine's clock is from the database's.
CLOCK_EVERY = 15.0
APART = "This machine's clock and the database's are {hours} hours apart; nothing is carried out until they agree."


class Command(BaseCommand):
    help = "Carries out waiting outbox rows and sends webhooks until told to stop."
    # Pages and addresses are no concern of the relay; it starts at once.
    requires_system_checks = ()
    broken: Exception | None = None
    broken_lane = ""
    #: Kinds that have a lane of their own.
    files: frozenset[str] = frozenset()
    looked_at = 0.0
    hours_apart = 0

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="One batch, then end.")
        parser.add_argument("--until-empty", action="store_true", help="End when nothing is due any more.")
        parser.add_argument("--worker", default="", help="Name that leased rows show; default: host and process.")
        parser.add_argument("--limit", type=int, default=50, help="Rows leased at a time.")
        parser.add_argument("--pause", type=float, default=1.0, help="Seconds to wait when nothing is due.")
        parser.add_argument(
            "--kinds", default="", help="Only these kinds, with commas; webhooks is one. Default: all of them."
        )
        parser.add_argument("--without", default="", help="All kinds but these, with commas.")
        parser.add_argument(
            "--webhook-threads", type=int, default=webhook_sending.THREADS, help="Webhooks sent beside each other."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        self.worker = options["worker"] or f"{socket.gethostname()}:{os.getpid()}"
        self.kinds, self.without = _names(options["kinds"]), _names(options["without"])
        for name in self.kinds | self.without:
            if name != WEBHOOKS and name not in outbox.kinds():
                raise CommandError(f"there is no kind {name}; there are: {', '.join([*outbox.kinds(), WEBHOOKS])}")
        self.stopping = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stopping.set())
        sends = self._does(WEBHOOKS)
        if options["once"] or options["until_empty"]:
            self._briefly(relays=not self.kinds or bool(self.kinds - {WEBHOOKS}), sends=sends)
            return
        if bucket.is_there():
            self.files = frozenset(kind for kind in file_moves.KINDS if self._does(kind))
        lanes: list[Callable[[], None]] = [self._webhooks] if sends else []
        if self.files:
            lanes.append(self._files)
        if not self.kinds or self.kinds - {WEBHOOKS} - self.files:
            lanes.append(self._outbox)
        if not lanes:
            raise CommandError("--kinds and --without leave nothing to do")
        self._run(lanes)

    def _does(self, kind: str) -> bool:
        return (not self.kinds or kind in self.kinds) and kind not in self.without

    def _run(self, lanes: Sequence[Callable[[], None]]) -> None:
        """Works in all lanes, the last one in this thread, until one of them ends."""
        *beside, last = lanes
        threads = [threading.Thread(target=self._lane, args=(work,), name=work.__name__[1:]) for work in beside]
        for thread in threads:
            thread.start()
        try:
            self._lane(last)
        finally:
            for thread in threads:
                thread.join()
        if self.broken is not None:
            raise CommandError(f"{self.broken_lane}: {self.broken}") from self.broken

    def _relay(self, kinds: Collection[str], without: Collection[str]) -> outbox.Relayed:
        return outbox.relay(
            worker=self.worker, limit=self.options["limit"], kinds=kinds, without=without,
            stopping=self.stopping.is_set,
        )  # fmt: skip

    def _is_apart(self) -> bool:
        """Whether the machine's clock is too far from the database's: leases, waiting times and keys' ages would be
        wrong, and others' rows look free. Looked at now and then."""
        if not self.looked_at or time.monotonic() - self.looked_at > CLOCK_EVERY:
            ahead = ticks.wrong_clock()
            self.looked_at = time.monotonic()
            self.hours_apart = 0 if ahead is None else round(abs(ahead) / timedelta(hours=1))
            if ahead is not None:
                self.stderr.write(APART.format(hours=self.hours_apart))
        return self.hours_apart > 0

    def _briefly(self, *, relays: bool, sends: bool) -> None:
        """For scripts and tests: one batch, or until nothing is due, one lane after the other."""
        if self._is_apart():
            raise CommandError(APART.format(hours=self.hours_apart))
        total = outbox.Relayed()
        while relays and not self.stopping.is_set():
            came = self._relay(self.kinds - {WEBHOOKS}, self.without - {WEBHOOKS})
            total.done, total.failed, total.dead = (
                total.done + came.done, total.failed + came.failed, total.dead + came.dead
            )  # fmt: skip
            if self.options["once"] or not came.total:
                break
        if sends:
            sent = webhook_sending.send_due(worker=self.worker, threads=self.options["webhook_threads"],
                                            stopping=self.stopping.is_set)  # fmt: skip
            total.done, total.failed, total.dead = (
                total.done + sent.delivered, total.failed + sent.failed, total.dead + sent.dead
            )  # fmt: skip
        self.stdout.write(f"{total.done} done, {total.failed} to be tried again, {total.dead} dead")

    def _lane(self, work: Callable[[], None]) -> None:
        """Works until told to stop, also past a database that is away for a while; ends together with the other."""
        try:
            while not self.stopping.is_set():
                try:
                    work()
                except (OperationalError, InterfaceError) as error:
                    self.stderr.write(f"The database doesn't answer; trying again: {error}")
                    connection.close()
                    self.stopping.wait(self.options["pause"])
        except Exception as error:
            # Who watches over the process starts it anew; half a relay would look like a whole one.
            self.broken, self.broken_lane = error, threading.current_thread().name
            raise
        finally:
            self.stopping.set()
            connection.close()

    def _outbox(self) -> None:
        self._work_off(self.kinds - {WEBHOOKS} - self.files, (self.without - {WEBHOOKS}) | self.files)

    def _files(self) -> None:
        self._work_off(self.files, frozenset())

    def _work_off(self, kinds: Collection[str], without: Collection[str]) -> None:
        while not self.stopping.is_set():
            if self._is_apart() or not self._relay(kinds, without).total:
                close_old_connections()
                self.stopping.wait(self.options["pause"])

    def _webhooks(self) -> None:
        sender = webhook_sending.Sender(worker=self.worker, threads=self.options["webhook_threads"])
        sweeps_in = 0.0
        pause = self.options["pause"]
        try:
            while not self.stopping.is_set() or sender.is_busy:
                if sweeps_in <= 0:
                    webhook_sending.sweep()
                    sweeps_in = SWEEP_EVERY
                takes_more = not self.stopping.is_set() and not self._is_apart()
                came = sender.step(seconds=min(0.5, pause), takes_more=takes_more)
                if not came.total:
                    sweeps_in -= pause
                    if not sender.is_busy:
                        close_old_connections()
                        self.stopping.wait(pause)
        finally:
            sender.close()


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
