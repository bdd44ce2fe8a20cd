"""Start the stand-ins: python -m standins.marketing --folder DIR [--brevo-port N] [--mailchimp-port N] [...].

They keep what they are told in DIR, also when they are killed. Below /_control/ tests say what people do there:
faults (rules by part of the path: let `after` requests pass, then answer `status` `times` times), asked, and a half's
own verbs. One line names the addresses when all are ready.
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standins.marketing.store import Store
from standins.marketing.wire import Answer, Half, Request

HALVES = {
    "brevo": ("standins.marketing.brevo", "Brevo"),
    "mailchimp": ("standins.marketing.mailchimp", "Mailchimp"),
    "hubspot": ("standins.marketing.hubspot", "HubSpot"),
}


class Port(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], half: Half) -> None:
        self.half = half
        super().__init__(address, Door)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no error of ours."""


class Door(BaseHTTPRequestHandler):
    server: Port
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode("utf-8", "replace") if length else ""
        path, _, query = self.path.partition("?")
        try:
            body = json.loads(text) if text else None
        except ValueError:
            return self._send(Answer(400, {"message": "the body is no JSON"}))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, query, headers, body, text)
        half = self.server.half
        with half.store.transaction():
            if path.startswith("/_control/"):
                answer = Answer(200, control(half, path.removeprefix("/_control/"), body))
            else:
                answer = fault(half, request) or half.serve(request)
                half.store.note(half.name, request.method, self.path, text, answer.status)
        return self._send(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        raw = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if answer.status != 204:
            self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the store is the log."""


def control(half: Half, verb: str, given: Any) -> Any:
    if verb == "faults":
        half.store.put(half.name, "_faults", "", given)
        return {}
    if verb == "asked":
        return half.store.asked(half.name)
    if verb == "key":
        half.store.put(half.name, "_key", "", given["key"])
        return {}
    return half.control(verb, given)


def fault(half: Half, request: Request) -> Answer | None:
    """The answer of the first rule that strikes; rules count down as requests pass."""
    rules = half.store.get(half.name, "_faults", "") or []
    for rule in rules:
        if rule.get("path", "") not in request.path or rule.get("times", 1) <= 0:
            continue
        passes = rule.get("after", 0) > 0
        rule |= {"after": rule["after"] - 1} if passes else {"times": rule.get("times", 1) - 1}
        half.store.put(half.name, "_faults", "", rules)
        if passes:
            return None
        status = int(rule["status"])
        return half.throttled(int(rule.get("seconds", 1))) if status == 429 else half.broken(status)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="standins.marketing", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    for name in HALVES:
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 picks a free one")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    store = Store(chosen.folder / "marketing.sqlite3")
    ports = []
    for name, (module, cls) in HALVES.items():
        half = getattr(importlib.import_module(module), cls)(store)
        port = Port((chosen.host, getattr(chosen, f"{name}_port")), half)
        threading.Thread(target=port.serve_forever, name=name, daemon=True).start()
        ports.append((name, port))
    stop = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda number, frame: stop.set())
    print(", ".join(f"{name} on http://{chosen.host}:{port.server_address[1]}" for name, port in ports), flush=True)
    stop.wait()
    for _name, port in ports:
        port.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
