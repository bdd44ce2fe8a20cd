"""One signed request to an endpoint and what came of it: Standard Webhooks 1.0, no database, no redirects.

The rule that matters: the connection goes to the address that was checked, and the whole try is over within
`SECONDS`, however slowly the other side talks.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import orjson
from standardwebhooks import Webhook

from core.models import Company, Event
from core.refusal import Refused
from core.services.webhook_addresses import Resolver, Target, checked

SECONDS = 15.0
ANSWER_BYTES = 4096
USER_AGENT = "Turnus-Webhooks/1.0"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. `status` is None without an answer; `retry_after` is seconds the answer asked for."""

    status: int | None
    answer: str = ""
    error: str = ""
    address: str = ""
    milliseconds: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: int | None = None

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def body_of(event: Event) -> bytes:
    """What is sent: the stored event, byte for byte the same on every try."""
    stamp = event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": event.type, "timestamp": stamp, "data": event.data}, option=orjson.OPT_SORT_KEYS)


def headers_of(message_id: str, body: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of one try: the signature of each secret, all over id, instant of the try and body."""
    instant = at.astimezone(UTC).replace(microsecond=0)
    text = body.decode()
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(instant.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, instant, text) for secret in secrets),
    }


def send(
    *, url: str, company: Company, message_id: str, body: bytes, secrets: Sequence[str], at: datetime,
    resolve: Resolver | None = None, seconds: float = SECONDS,
) -> Outcome:  # fmt: skip
    """Checks the address, sends once, reads the start of the answer. Never raises: what fails is an outcome."""
    begun = time.monotonic()
    headers = headers_of(message_id, body, secrets, at)

    def outcome(status: int | None = None, **more: Any) -> Outcome:
        return Outcome(status, milliseconds=int((time.monotonic() - begun) * 1000), headers=headers, **more)

    try:
        target = checked(url, company=company, resolve=resolve)
    except Refused as refused:
        return outcome(error=f"{refused.code}: {refused.params.get('address') or refused.params.get('host', '')}"[:300])
    return _talk(target, headers, body, at, begun + seconds, outcome)


class _Watch:
    """Hangs up at the deadline: a socket's own time-out starts anew with every byte, this ends the talk as a whole."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock = sock
        self.is_late = False
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def _hang_up(self) -> None:
        self.is_late = True
        with contextlib.suppress(OSError):  # closed already
            # Past a TLS socket's own shutdown, which would take the session from under the reader.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def cancel(self) -> None:
        self._timer.cancel()


def _talk(
    target: Target, headers: dict[str, str], body: bytes, at: datetime, deadline: float, outcome: Callable[..., Outcome]
) -> Outcome:
    sock: socket.socket | None = None
    watch: _Watch | None = None
    address = ""
    try:
        sock, address = _connect(target, deadline)
        watch = _Watch(sock, deadline)
        if target.scheme == "https":
            secure = _tls().wrap_socket(sock, server_hostname=target.host, do_handshake_on_connect=False)
            sock = watch.sock = secure
            secure.do_handshake()
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = sock
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"host": target.authority, **headers, "content-length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.putheader("connection", "close")
        connection.endheaders(body)
        response = connection.getresponse()
        answer = _start_of(response)
        error = "" if 200 <= response.status < 300 else f"HTTP {response.status}"
        return outcome(
            response.status, answer=answer, error=error, address=address,
            retry_after=_retry_after(response.headers.get("retry-after"), at),
        )  # fmt: skip
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or (watch is not None and watch.is_late):
            return outcome(error="no answer in time", address=address)
        return outcome(error=readable(f"{type(error).__name__}: {error}")[:300], address=address)
    finally:
        if watch is not None:
            watch.cancel()
        if sock is not None:
            sock.close()


def _connect(target: Target, deadline: float) -> tuple[socket.socket, str]:
    """A connection to the first of the checked addresses that takes one."""
    failed: OSError = OSError("no address")
    for address in target.addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            return socket.create_connection((address, target.port), timeout=left), address
        except OSError as error:
            failed = error
    raise failed


def _start_of(response: http.client.HTTPResponse) -> str:
    """The first bytes of the answer as text; an answer that ends too early or too late still is one."""
    try:
        raw = response.read(ANSWER_BYTES)
    except http.client.IncompleteRead as cut:
        raw = cut.partial[:ANSWER_BYTES]
    except (OSError, http.client.HTTPException):
        raw = b""
    return readable(raw.decode("utf-8", "replace"))


def readable(text: str) -> str:
    """What strangers said, fit to be kept and shown: control characters become signs."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)


def _retry_after(text: str | None, at: datetime) -> int | None:
    """Seconds after `at` that `Retry-After` asks for, up to a day."""
    if not text:
        return None
    if text.strip().isdecimal():
        return min(int(text.strip()[:6]), 86_400)
    try:
        wanted = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if wanted.tzinfo is None:
        return None
    return max(0, min(int((wanted - at).total_seconds()), 86_400))


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
