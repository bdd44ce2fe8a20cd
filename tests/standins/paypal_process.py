"""PayPal's stand-in as a process of its own, with the vendor's SDK as its client: what tests read went over TCP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import paypalrestsdk
import requests
from paypalrestsdk.exceptions import ConnectionError as Answered

from ops import processes

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
_numbers = count(1)


class Standin:
    """One process on one folder. Its port stays the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Nobody who connects is given it while it is down.
        self.port = processes.free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "standins.providers", "--folder", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, "--paypal-port", str(self.port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        self.port = int(re.search(r"paypal on http://127\.0\.0\.1:(\d+)", line)[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def api(self, client: str = "shop", secret: str = "secret") -> paypalrestsdk.Api:
        return paypalrestsdk.Api(
            {"mode": "sandbox", "client_id": client, "client_secret": secret, "endpoint": self.url}
        )

    def control(self, path: str, given: Any = None) -> Json:
        """Ask the control door; POST when something is given."""
        url = f"{self.url}/_control/{path}"
        answer = requests.get(url, timeout=30) if given is None else requests.post(url, json=given, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self, **wanted: Any) -> list[Json]:
        rows = self.control("ledger")["rows"]
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def now(self) -> datetime:
        """The stand-in's instant."""
        return datetime.fromtimestamp(self.control("clock")["now"], UTC)

    def events(self, object_id: str) -> list[str]:
        """The types of events about a thing, oldest first."""
        found = self.api().get(f"v1/notifications/webhooks-events?page_size=300&transaction_id={object_id}")
        return [event["event_type"] for event in found["events"]][::-1]


@contextmanager
def running(folder: Path) -> Iterator[Standin]:
    standin = Standin(folder)
    try:
        yield standin
    finally:
        standin.stop()


def fresh(prefix: str) -> str:
    """A reference no other test has."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"


def request_id() -> dict[str, str]:
    return {"PayPal-Request-Id": fresh("req")}


def an_order(value: str = "10.00", currency: str = "EUR", *, save: Json | None = None, **unit: Any) -> Json:
    """An order's request; `save` is the customer whose wallet is saved."""
    paypal: Json = {
        "experience_context": {"return_url": "https://shop.example/back?x=1", "cancel_url": "https://shop.example/no"}
    }
    if save is not None:
        paypal["attributes"] = {"vault": {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT"}, "customer": save}
    units = [{"amount": {"currency_code": currency, "value": value}, **unit}]
    return {"intent": "CAPTURE", "purchase_units": units, "payment_source": {"paypal": paypal}}


def with_wallet(vault_id: str, value: str = "10.00", **unit: Any) -> Json:
    """A request that pays with a saved wallet, the payer being away."""
    stored = {"payment_initiator": "MERCHANT", "usage": "SUBSEQUENT"}
    order = an_order(value, **unit)
    return order | {"payment_source": {"paypal": {"vault_id": vault_id, "stored_credential": stored}}}


def approved(standin: Standin, kind: str = "pays", **given: Any) -> str:
    """The id of an order that its payer approved."""
    order = standin.api().post("v2/checkout/orders", an_order(**given), request_id())
    standin.control(f"paypal/orders/{order['id']}/approve", {"email": "anna.muster@example.org", "kind": kind})
    return str(order["id"])


def captured(standin: Standin, kind: str = "pays", **given: Any) -> Json:
    """The capture of an order that was approved and captured."""
    id = approved(standin, kind, **given)
    order = standin.api().post(f"v2/checkout/orders/{id}/capture", {}, request_id())
    capture: Json = order["purchase_units"][0]["payments"]["captures"][0]
    return capture


def saved(standin: Standin, kind: str = "pays", customer: str = "") -> str:
    """The id of a payment token of a wallet that was saved without a payment."""
    api, customer = standin.api(), customer or fresh("c")[-22:]
    setup = api.post("v3/vault/setup-tokens", a_setup(customer), request_id())
    standin.control(f"paypal/setup-tokens/{setup['id']}/approve", {"email": f"{customer}@example.org", "kind": kind})
    source = {"payment_source": {"token": {"id": setup["id"], "type": "SETUP_TOKEN"}}}
    return str(api.post("v3/vault/payment-tokens", source, request_id())["id"])


def a_setup(customer: str) -> Json:
    context = {"return_url": "https://shop.example/saved", "cancel_url": "https://shop.example/no"}
    paypal = {"usage_type": "MERCHANT", "description": "Monthly plan", "experience_context": context}
    return {"customer": {"id": customer}, "payment_source": {"paypal": paypal}}


def refusal(act: Callable[[], Any]) -> tuple[int, str]:
    """Status and first issue of what is refused."""
    status, body = refused(act)
    return status, body["details"][0]["issue"] if "details" in body else body.get("name") or body["error"]


def refused(act: Callable[[], Any]) -> tuple[int, Json]:
    """Status and body of what is refused. The SDK answers a 400 as {"error": ...} and raises the others."""
    try:
        answer = act()
    except Answered as error:
        return error.response.status_code, json.loads(error.content)
    assert set(answer) == {"error"}, f"not refused: {answer}"
    return 400, answer["error"]


class Receiver:
    """A merchant's webhook address: keeps what arrives, answers `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
