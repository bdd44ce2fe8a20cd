"""The life of one API request: admit, fault, idempotency, one transaction, answer, fault again.

The answer is kept under its idempotency key in the transaction that did the work, so that a replay after kill -9
finds either nothing done or the answer of what was done.
"""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass

from standins.providers.faults import AFTER, OUTCOME, Fault
from standins.providers.store import Kept
from standins.providers.wire import Answer, Call, Provider, Refused, Request, Route
from standins.providers.world import World

KEY_LIFE = 24 * 3600


@dataclass(slots=True)
class Wire:
    """What the server does with the connection: send `answer`, or with None stay silent for `hang` s, or reset."""

    answer: Answer | None
    hang: float = 0.0
    reset: bool = False


class Exchange:
    """Answers requests of one world. Many threads call it at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._running: set[tuple[str, str]] = set()

    def serve(self, half: Provider, request: Request) -> Wire:
        """What goes over the wire for one request to a half's port."""
        found = half.router.find(request.method, request.path)
        if found is None:
            for other in self.world.halves.values():
                found = other.router.find(request.method, request.path)
                if found and found[0].door == "control":
                    break
                found = None
        if found and found[0].door != "api":
            return Wire(self._plain(found[0], found[1], request))
        refused = half.admit(request)
        if refused is None and found is None:
            refused = half.trouble("not_found", request)
        if refused is not None or found is None:
            assert refused is not None
            half.finish(request, refused, replayed=False)
            return Wire(refused)
        return self._api(half, found[0], found[1], request)

    def _plain(self, route: Route, params: dict[str, str], request: Request) -> Answer:
        """A hosted page or a half's control call: one transaction, no faults."""
        try:
            with self.world.store.transaction() as tx:
                return route.handler(Call(request, params, tx, self.world, self.world.clock.now()))
        except Refused as refused:
            return refused.answer
        except (ValueError, KeyError) as wrong:
            return Answer(400, {"error": f"{type(wrong).__name__}: {wrong}"})

    def _api(self, half: Provider, route: Route, params: dict[str, str], request: Request) -> Wire:
        text = request.path.encode() + b"?" + request.body
        fault = self.world.faults.choose(half.name, route.operation, charges=route.takes_money(request), text=text)
        kind = fault.kind if fault else ""
        if fault and kind in ("hang_before", "reset_before"):
            return Wire(None, hang=fault.seconds if kind == "hang_before" else 0.0, reset=kind == "reset_before")
        if kind in ("error_500_before", "unavailable", "rate_limited"):
            answer = half.trouble("internal" if kind == "error_500_before" else kind, request)  # type: ignore[arg-type]
            half.finish(request, answer, replayed=False)
            return Wire(answer)
        key = half.idempotency_key(request)
        if key and not self._claim(half.name, key):
            answer = half.trouble("key_in_use", request)
            half.finish(request, answer, replayed=False)
            return Wire(answer)
        try:
            if fault and kind == "slow":
                time.sleep(fault.seconds)
            answer = self._execute(half, route, params, request, key, fault)
        finally:
            if key:
                with self._lock:
                    self._running.discard((half.name, key))
        if fault is None or kind not in AFTER or kind == "error_500_after":
            return Wire(answer)
        if kind in ("hang_after", "reset_after"):
            return Wire(None, hang=fault.seconds if kind == "hang_after" else 0.0, reset=kind == "reset_after")
        body = b"" if kind == "empty" else answer.bytes()[: max(1, len(answer.bytes()) // 2)]
        return Wire(Answer(200, body, dict(answer.headers), answer.content_type()))

    def _execute(
        self, half: Provider, route: Route, params: dict[str, str], request: Request, key: str, fault: Fault | None
    ) -> Answer:
        """Do the work, or find it done, in one transaction."""
        now = self.world.clock.now()
        fingerprint = half.fingerprint(request, route.operation) if key else ""
        try:
            with self.world.store.transaction() as tx:
                kept = tx.kept(half.name, key, now - KEY_LIFE) if key else None
                if kept is not None:
                    return self._replay(half, request, kept, fingerprint)
                outcome = fault if fault and fault.kind in OUTCOME else None
                answer = route.handler(Call(request, params, tx, self.world, now, key, outcome))
                shown = half.trouble("internal", request) if fault and fault.kind == "error_500_after" else answer
                if getattr(half, "keeps_server_errors", True):  # PayPal's says no: a repetition tells what happened
                    answer = shown
                half.finish(request, shown, replayed=False)
                if key:
                    headers = {**answer.headers, "content-type": answer.content_type()}
                    tx.keep(half.name, key, now, Kept(fingerprint, answer.status, answer.bytes(), headers))
                return shown
        except Refused as refused:
            answer = refused.answer
        except Exception:  # noqa: BLE001  a bug here is a 500 there, as at a real provider, and is printed
            traceback.print_exc()
            answer = half.trouble("internal", request)
        half.finish(request, answer, replayed=False)
        return answer

    @staticmethod
    def _replay(half: Provider, request: Request, kept: Kept, fingerprint: str) -> Answer:
        """The answer that was given before, if this is the same request."""
        if kept.fingerprint != fingerprint:
            raise Refused(half.trouble("key_mismatch", request))
        headers = dict(kept.headers)
        answer = Answer(kept.status, kept.body, kind=headers.pop("content-type", ""), headers=headers)
        half.finish(request, answer, replayed=True)
        return answer

    def _claim(self, provider: str, key: str) -> bool:
        with self._lock:
            if (provider, key) in self._running:
                return False
            self._running.add((provider, key))
            return True
