"""HTTP/1.1 with keep-alive around the exchange: one port per provider, one thread per connection."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standins.providers import control
from standins.providers.exchange import Exchange, Wire
from standins.providers.wire import Answer, Provider, Request

BODY_LIMIT = 4 * 1024 * 1024


class Port(ThreadingHTTPServer):
    """One provider's port."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], exchange: Exchange, half: Provider) -> None:
        self.exchange, self.half = exchange, half
        super().__init__(address, Door)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no error of ours."""


class Door(BaseHTTPRequestHandler):
    """One connection; its requests one after the other."""

    server: Port
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            return self._send(Answer(413, {"error": "too large"}))
        path, _, query = self.path.partition("?")
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, body)
        answer = control.serve(self.server.exchange.world, request) if path.startswith("/_control/") else None
        wire = Wire(answer) if answer else self.server.exchange.serve(self.server.half, request)
        if wire.answer is not None:
            return self._send(wire.answer)
        self.close_connection = True
        if wire.hang:
            self._hang(wire.hang)
        if wire.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.connection.close()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        body = answer.bytes()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type())
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(body)

    def _hang(self, seconds: float) -> None:
        """Say nothing until the time is over or the client has gone."""
        until = time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self.connection, select.POLLIN)
        while (left := until - time.monotonic()) > 0:
            if waiting.poll(min(left, 1.0) * 1000):
                with contextlib.suppress(OSError):
                    if self.connection.recv(1, socket.MSG_PEEK):
                        time.sleep(min(left, 0.2))
                        continue
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the store is the log."""
