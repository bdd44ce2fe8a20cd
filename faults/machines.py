"""Strikes at the product's real servers: Celery workers, three beats, the web server, each killed with all it forked.

The rule that matters: a server that is killed leaves what it had in the queue and in the air; whoever is started next
knows nothing of it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import redis

from faults.hands import Hand, Running
from faults.plan import TICK_OF, Injection
from faults.town import Town, children_of, is_alive
from ops import processes

#: Seconds until a server has done what it was asked, or a point has been passed.
PATIENCE: Final = 30.0
QUEUE: Final = "turnus"
#: A job that was killed is silent for so long before somebody else takes it up.
SILENT: Final = timedelta(minutes=5)


class Machines:
    """Starts and kills servers in one town, by the dice of its strikes."""

    def __init__(self, town: Town, hand: Hand, dice: random.Random) -> None:
        self.town, self.hand, self.dice = town, hand, dice
        self.store = redis.Redis.from_url(town.store.url())

    # Celery

    def worker_killed(self, one: Injection, at: datetime) -> bool:
        """A worker that does what beat asked for is killed at a named point, its processes with it."""
        file = self.town.folder / f"held-{self.hand.count}"
        with self._servers("worker", at, arm=f"{one.point}@1!wait:{file}") as workers:
            if one.point == "job.begun":
                self.hand.do("ask_for_run", at=at)
            else:
                self.hand.do("ask", at=at, name=TICK_OF[one.point.partition(".")[0]])
            struck = self._until(lambda: file.exists() or self._is_idle(workers))
            struck = struck and file.exists()
        file.unlink(missing_ok=True)
        if one.point == "job.begun" and struck:
            self._resumed(at + SILENT)
        return struck

    def worker_killed_in_its_work(self, one: Injection, at: datetime) -> bool:
        """Beat asks everything; workers are killed at any instant of it."""
        with self._servers("worker", at, many=2) as workers, self._servers("beat", at):
            if not self._until(lambda: self._taken() > 0):
                return False
            time.sleep(self.dice.uniform(0.0, 1.0))
            return all(is_alive(running.pid) for running in workers)

    def beats_and_workers(self, one: Injection, at: datetime) -> bool:
        """Three beats ask everything of two workers; one beat is killed meanwhile, and a relay works beside them."""
        with self._servers("worker", at, many=2) as workers, self._servers("beat", at, many=3) as beats:
            relay = self.hand.begin("relay", at=at)
            began = self._until(lambda: self._taken() > 0)
            time.sleep(self.dice.uniform(0.0, 0.5))
            kill(beats[self.dice.randrange(len(beats))])
            done = self._until(lambda: self._is_idle(workers))
            relay.wait(PATIENCE)
            relay.out.unlink(missing_ok=True)
        return began and done

    def _resumed(self, at: datetime) -> None:
        """What the killed job left is found by its tick and done by another worker."""
        with self._servers("worker", at) as workers:
            self.hand.do("ask", at=at, name="core.jobs")
            self._until(lambda: self._is_idle(workers))

    def _taken(self) -> int:
        """Messages that wait or that somebody has."""
        with contextlib.suppress(redis.RedisError):
            return int(self.store.llen(QUEUE)) + int(self.store.hlen("unacked"))
        return 0

    def _is_idle(self, workers: list[Running]) -> bool:
        """Whether nothing waits and nobody works, or the workers are gone."""
        if not all(is_alive(running.pid) for running in workers):
            return True
        if self._taken():
            return False
        time.sleep(0.1)
        return not self._taken()

    # The web

    def web_killed(self, one: Injection, at: datetime) -> bool:
        """The web server is killed while it writes a payment down; the client, who had no answer, asks again."""
        asked = self.hand.read("owing", at=at)
        file = self.town.folder / f"held-{self.hand.count}"
        port = processes.free_port()
        with self._servers("web", at, arm=f"{one.point}@1!wait:{file}", port=port):
            client = threading.Thread(target=self._pay, args=(port, asked[:1]))
            client.start()
            struck = bool(asked) and self._until(lambda: file.exists() or not client.is_alive()) and file.exists()
        client.join()
        file.unlink(missing_ok=True)
        self._paid_in_the_end(asked[:1], at)
        return struck

    def web_killed_at_random(self, one: Injection, at: datetime) -> bool:
        """The same at any instant, with several payments on their way."""
        asked = self.hand.read("owing", at=at)
        port = processes.free_port()
        answers: list[int] = []
        with self._servers("web", at, port=port):
            if not asked or not self._listens(port):
                return False
            client = threading.Thread(target=self._pay, args=(port, asked, answers))
            client.start()
            # Between two answers: however fast the server is, some are still to come.
            before = self.dice.randrange(len(asked))
            self._until(lambda: len(answers) >= before or not client.is_alive())
            time.sleep(self.dice.uniform(0.0, 0.03))
        client.join()
        self._paid_in_the_end(asked, at)
        return len([code for code in answers if code == 201]) < len(asked)

    def _paid_in_the_end(self, asked: list[dict[str, Any]], at: datetime) -> None:
        """Asked again, and once more after the answer: each is there once, and says so."""
        if not asked:
            return
        port = processes.free_port()
        with self._servers("web", at, port=port):
            for _ in range(2):
                codes = self._pay(port, asked)
                if any(code != 201 for code in codes):
                    raise RuntimeError(f"payments are answered {codes}")

    def _pay(self, port: int, asked: list[dict[str, Any]], answers: list[int] | None = None) -> list[int]:
        """Posts payments one after another, each with a key of its own; the answers, 0 for none, as they come."""
        codes = answers if answers is not None else []
        if not self._listens(port):
            codes += [0] * len(asked)
            return codes
        for one in asked:
            peer = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            headers = {
                "Authorization": f"Bearer {self.town.api_key}", "Content-Type": "application/json",
                "Idempotency-Key": one["reference"], "Host": "localhost",
            }  # fmt: skip
            try:
                peer.request("POST", "/api/v1/payments", json.dumps(one), headers)
                codes.append(peer.getresponse().status)
            except (OSError, http.client.HTTPException):
                codes.append(0)
            finally:
                peer.close()
        return codes

    def _listens(self, port: int) -> bool:
        def answers() -> bool:
            peer = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                peer.request("GET", "/healthz", headers={"Host": "localhost"})
                return peer.getresponse().status < 500
            except (OSError, http.client.HTTPException):
                return False
            finally:
                peer.close()

        return self._until(answers)

    # In common

    @contextmanager
    def _servers(
        self, deed: str, at: datetime, *, many: int = 1, arm: str = "", **given: Any
    ) -> Iterator[list[Running]]:
        """So many of a server, killed in the end."""
        running = [self.hand.begin(deed, at=at, arm=arm, **given) for _ in range(many)]
        try:
            yield running
        finally:
            for one in running:
                kill(one)
            if deed in ("worker", "beat"):
                self.town.flush_valkey()

    def _until(self, is_so: Callable[[], bool]) -> bool:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if is_so():
                return True
            time.sleep(0.01)
        return False


def kill(running: Running) -> None:
    """The process and all it forked, as when the power goes."""
    pids = [running.pid]
    for pid in pids:
        pids += children_of(pid)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.wait(10)
    Path(running.out).unlink(missing_ok=True)
