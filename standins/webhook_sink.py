"""A system that is told what happens: takes webhooks, keeps each request, and misbehaves when its address says so.

`POST /WAY[/…]` is answered by its way, see `WAYS`; `GET /_seen` lists what came, `DELETE /_seen` forgets it, and
`PUT /_way` with a way as its body makes `/in` answer so from now on.
Run it: python standins/webhook_sink.py [--port 9100] [--file FILE].
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Store:
    """What came in, in memory and, where a file is named, a line of JSON for each, written before it is answered."""

    def __init__(self, file: Path | None = None) -> None:
        self.seen: list[dict[str, Any]] = []
        self.way = "ok"
        self.counts: dict[str, int] = {}
        self.file = file
        self.lock = threading.Lock()

    def keep(self, entry: dict[str, Any]) -> int:
        """Keeps a request; how many with its webhook-id came on its path by now."""
        with self.lock:
            self.seen.append(entry)
            key = f"{entry['path']} {entry['headers'].get('webhook-id', '')}"
            self.counts[key] = self.counts.get(key, 0) + 1
            if self.file is not None:
                with self.file.open("a") as lines:
                    lines.write(json.dumps(entry) + "\n")
            return self.counts[key]


class Sink(BaseHTTPRequestHandler):
    """One request, answered as its path asks."""

    store: Store
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = self.path.split("?")[0].strip("/").split("/")
        number = self.store.keep(
            {
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode("utf-8", "replace"),
                "at": time.time(),
            }
        )
        way = (self.store.way if parts[0] == "in" else "/".join(parts)).split("/")
        do = WAYS.get(way[0])
        if do is None:
            self.say(404)
        else:
            do(self, way[1] if len(way) > 1 else "", number)

    def do_GET(self) -> None:
        if self.path != "/_seen":
            return self.say(200, b"This sink takes webhooks by POST.\n")
        with self.store.lock:
            text = json.dumps(self.store.seen).encode()
        return self.say(200, text, {"Content-Type": "application/json"})

    def do_DELETE(self) -> None:
        with self.store.lock:
            self.store.seen.clear()
            self.store.counts.clear()
        self.say(204)

    def do_PUT(self) -> None:
        self.store.way = self.rfile.read(int(self.headers.get("content-length", 0))).decode() or "ok"
        self.say(204)

    def say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def raw(self, content: bytes) -> None:
        """Bytes past all rules of HTTP; then the line is cut."""
        self.wfile.write(content)
        self.wfile.flush()
        self.cut()

    def cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the other side was quicker
            self.connection.shutdown(socket.SHUT_RDWR)

    def drip(self, content: bytes, pause: float = 0.2) -> None:
        """A byte at a time, for ever slow."""
        for letter in content:
            try:
                self.wfile.write(bytes([letter]))
                self.wfile.flush()
            except OSError:
                break
            time.sleep(pause)
        self.cut()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what came is the log."""


def _slow(sink: Sink, text: str, number: int) -> None:
    time.sleep(float(text or 1))
    sink.say(200)


def _hang(sink: Sink, text: str, number: int) -> None:
    time.sleep(float(text or 3600))
    sink.cut()


def _flaky(sink: Sink, text: str, number: int) -> None:
    """Answers well from the so-many-and-first time on that a message comes."""
    sink.say(200 if number > int(text or 1) else 503)


def _status(sink: Sink, text: str, number: int) -> None:
    sink.say(int(text or 500), b"as asked\n")


_LONG = b"x" * 200_000
#: How a path is answered, by its first part.
WAYS: dict[str, Callable[[Sink, str, int], None]] = {
    "ok": lambda sink, text, number: sink.say(200, b"thanks\n"),
    "empty": lambda sink, text, number: sink.say(204),
    "status": _status,
    "gone": lambda sink, text, number: sink.say(410, b"gone\n"),
    "later": lambda sink, text, number: sink.say(503, b"", {"Retry-After": text or "60"}),
    "redirect": lambda sink, text, number: sink.say(302, b"", {"Location": "/ok"}),
    "slow": _slow,
    "hang": _hang,
    "flaky": _flaky,
    "drop": lambda sink, text, number: sink.cut(),
    "half": lambda sink, text, number: sink.raw(b"HTTP/1.1 20"),
    "short": lambda sink, text, number: sink.raw(b"HTTP/1.1 500 Broken\r\nContent-Length: 100\r\n\r\nhalf"),
    "garbage": lambda sink, text, number: sink.raw(b"\x00\xff\x17 220 smtp ready\r\n\r\n"),
    "drip": lambda sink, text, number: sink.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "dripbody": lambda sink, text, number: sink.drip(b"HTTP/1.1 500 X\r\nContent-Length: 90\r\n\r\n" + b"x" * 90, 0.1),
    "long": lambda sink, text, number: sink.say(int(text or 200), _LONG),
    "endless": lambda sink, text, number: sink.raw(b"HTTP/1.1 200 OK\r\nX: " + _LONG),
    "headers": lambda sink, text, number: sink.raw(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"\r\n"
    ),
    "binary": lambda sink, text, number: sink.say(500, b"\x00\xff\xfe\x80"),
}


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then."""
    parser = argparse.ArgumentParser(description="Take webhooks and keep them")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100, help="0: any free one, which is printed")
    parser.add_argument("--file", type=Path, help="a line of JSON for each request")
    chosen = parser.parse_args(arguments)
    handler = type("StoringSink", (Sink,), {"store": Store(chosen.file)})
    server = ThreadingHTTPServer((chosen.host, chosen.port), handler)
    server.daemon_threads = True
    server.request_queue_size = 128
    stopping = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"webhooks on http://{chosen.host}:{server.server_address[1]}/in", flush=True)
    stopping.wait()
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
