"""Stripe's stand-in as a process of its own, with the vendor's SDK as its client: what tests read went over TCP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import requests
import stripe

from ops import processes

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
BACK = "https://shop.example/back"
_numbers = count(1)


class Standin:
    """One process on one folder. Its port stays the same when it is started again."""

    def __init__(self, folder: Path, *extra: str) -> None:
        # The port is one that nobody who connects is given while it is down.
        self.folder, self.extra, self.port = folder, extra, processes.free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "standins.providers", "--folder", str(self.folder), *self.extra]
        self.process = subprocess.Popen(
            [*command, "--stripe-port", str(self.port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        seen = re.search(r"stripe on http://127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        assert seen
        self.port = int(seen[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As `kill -9` does: no chance to tidy up."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def client(self, key: str = "sk_test_shop", retries: int = 0, timeout: float = 30) -> stripe.StripeClient:
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=retries,
            http_client=stripe.RequestsClient(timeout=timeout),
        )

    def control(self, path: str, given: Any = None, status: int = 200) -> Json:
        """Ask the control door; POST when something is given."""
        url = f"{self.url}/_control/{path}"
        answer = requests.get(url, timeout=60) if given is None else requests.post(url, json=given, timeout=60)
        assert answer.status_code == status, answer.text
        return answer.json()

    def faults(self, *rules: Json, seed: int = 1) -> None:
        """Put a fault plan in force; none clears it."""
        self.control("faults", {"seed": seed, "rules": list(rules)})

    def ledger(self, **wanted: Any) -> list[Json]:
        rows = self.control("ledger?limit=10000")["rows"]
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def moved(self, **wanted: Any) -> list[tuple[str, int]]:
        """The kinds and amounts of the ledger's rows, in order."""
        return [(row["kind"], row["amount"]) for row in self.ledger(**wanted)]

    def events(self, object_id: str) -> list[str]:
        """The types of events about an object, oldest first."""
        listed = self.client().v1.events.list({"limit": 100}).auto_paging_iter()
        return [event.type for event in listed if event.data.object["id"] == object_id][::-1]

    def script(self, method: str, *answers: str, then: str = "") -> None:
        """How a saved method answers from now on."""
        self.control("stripe/methods", {"payment_method": method, "answers": answers, "then": then})


def fresh_invoice() -> str:
    """An invoice reference no other test uses."""
    return f"in_{next(_numbers):06}"


def saved(client: stripe.StripeClient, method: str = "pm_card_visa") -> tuple[str, str]:
    """A new customer with an attached method: both ids."""
    customer = client.v1.customers.create({"email": "a@example.com"})
    return customer.id, client.v1.payment_methods.attach(method, {"customer": customer.id}).id


def charge(
    client: stripe.StripeClient, customer: str, method: str, invoice: str = "", key: str | None = None, **more: Any
) -> stripe.PaymentIntent:
    """One off-session payment of 19.99 EUR."""
    given: Any = {
        "amount": 1999,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "confirm": True,
        "off_session": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "metadata": {"invoice": invoice or fresh_invoice()},
        **more,
    }
    return client.v1.payment_intents.create(given, {"idempotency_key": key} if key else {})


@contextmanager
def running(folder: Path, *extra: str) -> Iterator[Standin]:
    """A stand-in that is stopped at the end."""
    standin = Standin(folder, *extra)
    try:
        yield standin
    finally:
        standin.stop()


class Listener:
    """A webhook endpoint that keeps what it is sent. `answers` are the next statuses; 200 when they are used up."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.answers: list[int] = []
        listener = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((body, dict(self.headers.items())))
                self.send_response(listener.answers.pop(0) if listener.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def genuine(self, secret: str) -> tuple[list[Json], int]:
        """The events whose signature the SDK accepts, in order of arrival, and how many it refused."""
        taken, refused = [], 0
        for body, headers in self.got:
            try:
                event = stripe.Webhook.construct_event(body, headers.get("Stripe-Signature", ""), secret)
                taken.append(event.to_dict())
            except stripe.SignatureVerificationError:
                refused += 1
        return taken, refused

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
