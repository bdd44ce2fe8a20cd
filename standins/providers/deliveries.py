"""Webhooks out: what is to be sent is written with the event; this sends it, signed, until it is taken.

The plan is {"mode": "auto" | "held", "seed": 1, "duplicate": 0.1, "delay": [0, 5], "shuffle": false, "drop": 0.2,
"forge": 0.05}. `held` sends only on a flush. A dropped one is never sent but stays in the list of events; a forged
one goes out BESIDE the true one, in one of the four ways of FORGERIES. Retries wait 1 s, 2 s, 4 s ... up to an hour.
"""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from standins.providers.store import Store, Tx
    from standins.providers.wire import Provider

FORGERIES = ("wrong_signature", "altered_body", "old_timestamp", "no_signature")
GIVE_UP_AFTER = 20
TIMEOUT = 20.0


@dataclass(slots=True)
class Plan:
    """How deliveries are disturbed: probabilities from 0 to 1, `delay` in seconds from and to."""

    mode: str = "auto"
    seed: int = 0
    duplicate: float = 0.0
    delay: tuple[float, float] = (0.0, 0.0)
    shuffle: bool = False
    drop: float = 0.0
    forge: float = 0.0


class Deliverer:
    """Plans deliveries when an event is written, and sends what is due: a thread of its own, or on a flush."""

    def __init__(self, store: Store, halves: Mapping[str, Provider], seed: int = 0) -> None:
        self._store = store
        self._halves = halves
        self._sending = threading.Lock()
        self._wake = threading.Event()
        self._local = threading.local()
        with store.transaction() as tx:
            kept = tx.setting("deliveries") or {"plan": {"seed": seed}}
        self.plan = Plan(**kept["plan"])
        store.on_event = self.schedule

    def replace(self, given: Mapping[str, Any]) -> None:
        """Put another plan in force for events to come. Raises ValueError for one that makes no sense."""
        if set(given) - set(Plan.__dataclass_fields__) or given.get("mode", "auto") not in ("auto", "held"):
            raise ValueError(f"not a delivery plan: {dict(given)}")
        plan = Plan(**given)
        plan.delay = (float(plan.delay[0]), float(plan.delay[1]))
        with self._store.transaction() as tx:
            tx.set("deliveries", {"plan": asdict(plan)})
        self.plan = plan
        self._wake.set()

    def schedule(self, tx: Tx, provider: str, type: str, event_id: str) -> None:
        """Write what is to be sent of one event, by the plan; called within the event's own transaction."""
        plan = self.plan
        for endpoint in tx.endpoints(provider):
            if not endpoint["on"] or not ({"*", type} & set(endpoint["types"])):
                continue
            dice = _Dice(f"{plan.seed}:{endpoint['id']}:{tx.next_number('deliveries')}")
            copies = [""] * (2 if dice.below(plan.duplicate) else 1)
            state = "dropped" if dice.below(plan.drop) else "waiting"
            if state == "dropped":
                copies = [""]
            if dice.below(plan.forge):
                copies.append(FORGERIES[int(dice.roll() * len(FORGERIES))])
            for twin, forged in enumerate(copies):
                due = time.time() + plan.delay[0] + dice.roll() * (plan.delay[1] - plan.delay[0])
                place = dice.roll() if plan.shuffle else 0.0
                self._write(
                    tx, provider, event_id, endpoint["id"], "waiting" if forged else state, due, place, forged, twin
                )
        self._wake.set()

    def resend(self, tx: Tx, provider: str, event_id: str) -> int:
        """Have one event sent once more to every endpoint that takes it; how many were written."""
        row = tx.rows("SELECT type FROM events WHERE provider = ? AND id = ?", (provider, event_id))
        wanted = [e for e in tx.endpoints(provider) if row and e["on"] and {"*", row[0]["type"]} & set(e["types"])]
        for endpoint in wanted:
            self._write(tx, provider, event_id, endpoint["id"], "waiting", time.time(), 0.0, "", 0)
        self._wake.set()
        return len(wanted)

    def flush(self, workers: int = 1) -> dict[str, int]:
        """Send everything that waits, due or not, and answer counts: `sent`, `taken`, `refused`, and `forged_taken`.

        What the endpoints refuse stays waiting for the next flush or the back-off.
        """
        with self._sending:
            with self._store.transaction() as tx:
                waiting = tx.rows("SELECT * FROM deliveries WHERE state = 'waiting' ORDER BY place, due, seq")
            if workers == 1:
                results = [self._send(row) for row in waiting]
            else:
                with ThreadPoolExecutor(workers) as pool:
                    results = list(pool.map(self._send, waiting))
        counts = Counter({"sent": len(results), "taken": 0, "refused": 0, "forged": 0, "forged_taken": 0})
        for row, taken in zip(waiting, results, strict=True):
            counts["taken" if taken else "refused"] += 1
            counts["forged"] += bool(row["forged"])
            counts["forged_taken"] += bool(row["forged"]) and taken
        return dict(counts)

    def report(self) -> dict[str, Any]:
        """The plan, and how many deliveries stand in which state (forged ones apart)."""
        with self._store.transaction() as tx:
            rows = tx.rows("SELECT state, forged <> '' AS forged, count(*) AS n FROM deliveries GROUP BY 1, 2")
        states = dict.fromkeys(("waiting", "done", "failed", "dropped"), 0)
        forged = dict(states)
        for row in rows:
            (forged if row["forged"] else states)[row["state"]] += row["n"]
        return {"plan": asdict(self.plan), "states": states, "forged": forged}

    def start(self) -> None:
        """Send what is due from now on, in a thread of its own that ends with the process."""
        threading.Thread(target=self._run, name="deliverer", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                found = self._send_due() if self.plan.mode == "auto" else 0
            except Exception:  # noqa: BLE001  one bad event must not stop the others for ever
                traceback.print_exc()
                found = 0
            if not found:
                self._wake.wait(0.5)

    def _send_due(self) -> int:
        """Send up to fifty of those that are due; how many there were."""
        with self._store.transaction() as tx:
            due = tx.rows(
                "SELECT * FROM deliveries WHERE state = 'waiting' AND due <= ? ORDER BY place, due, seq LIMIT 50",
                (time.time(),),
            )
        for row in due:
            with self._sending:
                if self.plan.mode == "auto":
                    self._send(row)
        return len(due)

    def _send(self, row: dict[str, Any]) -> bool:
        """Send one delivery and write down what came of it; whether it was taken (2xx)."""
        provider, half = row["provider"], self._halves[row["provider"]]
        with self._store.transaction() as tx:
            still = tx.rows("SELECT state FROM deliveries WHERE seq = ?", (row["seq"],))
            endpoint = next((e for e in tx.endpoints(provider) if e["id"] == row["endpoint_id"]), None)
            event = tx.rows("SELECT body FROM events WHERE provider = ? AND id = ?", (provider, row["event_id"]))
        if not still or still[0]["state"] != "waiting" or endpoint is None or not event:
            return False
        body, at, forged = event[0]["body"].encode(), int(time.time()), row["forged"]
        if forged == "old_timestamp":
            at -= 3600
        headers = half.signature(endpoint, row["event_id"], body, at, forged=forged == "wrong_signature")
        if forged == "no_signature":
            headers = {}
        if forged == "altered_body":
            body = body[:-1] + b',"altered":true}'
        status = self._post(endpoint["url"], body, headers)
        taken = 200 <= status < 300
        attempts = row["attempts"] + 1
        state = "done" if taken else "failed" if forged or attempts >= GIVE_UP_AFTER else "waiting"
        with self._store.transaction() as tx:
            tx.db.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, status = ?, due = ? WHERE seq = ?",
                (state, attempts, status, time.time() + min(3600, 2 ** (attempts - 1)), row["seq"]),
            )
        return taken

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """POST over a connection kept for this thread; the status, 0 when there was no answer."""
        where = urlsplit(url)
        kept: dict[str, http.client.HTTPConnection] = self._local.__dict__.setdefault("kept", {})
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        for fresh in (False, True):
            connection = kept.get(where.netloc)
            if fresh or connection is None:
                maker = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
                connection, fresh = maker(where.netloc, timeout=TIMEOUT), True
                kept[where.netloc] = connection
            try:
                connection.request("POST", path, body, {"Content-Type": "application/json; charset=utf-8", **headers})
                answer = connection.getresponse()
                answer.read()
                return answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                kept.pop(where.netloc, None)
                if fresh:
                    return 0
        return 0

    @staticmethod
    def _write(
        tx: Tx, provider: str, event: str, endpoint: str, state: str, due: float, place: float, forged: str, twin: int
    ) -> None:
        tx.db.execute(
            "INSERT INTO deliveries (provider, event_id, endpoint_id, state, due, place, forged, twin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (provider, event, endpoint, state, due, place, forged, twin),
        )


class _Dice:
    """Numbers from 0 to 1 that only depend on the seed text."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def roll(self) -> float:
        self._count += 1
        digest = hashlib.blake2b(f"{self._seed}:{self._count}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def below(self, probability: float) -> bool:
        """Whether it comes out below; always rolls, so that one probability doesn't shift the next."""
        return self.roll() < probability
