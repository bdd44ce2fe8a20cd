"""The stand-in providers as a process of their own, and companies, customers and methods that use them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ops import processes
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon

ROOT = Path(__file__).parents[2]
SECRET = "whsec_of_the_tests"


class Providers:
    """One process on one folder; `stripe` and `paypal` are its addresses, the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        # Ports that nobody who connects is given while it is down.
        self.folder, self.ports = folder, {name: processes.free_port() for name in ("stripe", "paypal")}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "standins.providers", "--folder", str(self.folder)]
        for name, port in self.ports.items():
            command += [f"--{name}-port", str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        seen: dict[str, str] = {}
        while len(seen) < len(self.ports):
            seen |= dict(re.findall(r"(stripe|paypal) on http://127\.0\.0\.1:(\d+)", self.process.stdout.readline()))
        self.ports = {name: int(port) for name, port in seen.items()}
        self.stripe, self.paypal = (f"http://127.0.0.1:{self.ports[name]}" for name in ("stripe", "paypal"))

    def kill(self) -> None:
        """As `kill -9` does."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def control(self, path: str, given: Any = None) -> dict[str, Any]:
        """Asks the control door; POST when something is given."""
        data = None if given is None else json.dumps(given).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{self.stripe}/_control/{path}", data, headers), timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        self.control("faults", {"seed": seed, "rules": list(rules)})

    def events(self, object_id: str) -> list[dict[str, Any]]:
        """Stripe's messages about an object as it would send them, oldest first."""
        asked = Request(f"{self.stripe}/v1/events?limit=100", headers={"Authorization": "Bearer sk_test_shop"})
        with urlopen(asked, timeout=60) as answer:
            rows = json.load(answer)["data"]
        return [row for row in rows[::-1] if row["data"]["object"]["id"] == object_id]

    def moved(self, **wanted: Any) -> list[tuple[str, int]]:
        """Kinds and amounts of the money that moved, in order."""
        rows = self.control("ledger?limit=10000")["rows"]
        return [
            (row["kind"], row["amount"]) for row in rows if all(row[name] == value for name, value in wanted.items())
        ]


@contextmanager
def running(folder: Path) -> Iterator[Providers]:
    found = Providers(folder)
    try:
        yield found
    finally:
        found.stop()


def a_gateway(company: Any, providers: Providers, kind: str = "stripe") -> Any:
    from billing.services import gateway_accounts

    fields: dict[str, Any] = {"secret": "sk_test_shop", "address": getattr(providers, kind)}
    if kind == "stripe":
        fields["webhook_secret"] = SECRET
    else:
        fields |= {"public_key": "client", "webhook_id": "WH-TESTS"}
    return gateway_accounts.save(company=company, kind=kind, by=BY, at=at_noon(TODAY), **fields)


def a_card(customer: Any, gateway: Any, test_id: str = "pm_card_visa") -> Any:
    """A card the customer saved at the provider, as its page would have it."""
    import stripe

    from billing.gateways.stripe_words import method_of
    from billing.services import payment_methods

    client = stripe.StripeClient(gateway.secret, base_addresses={"api": gateway.address})
    made = client.v1.customers.create({"name": customer.name, "email": customer.email})
    attached = client.v1.payment_methods.attach(test_id, {"customer": made.id})
    found = method_of(attached)
    return payment_methods.keep(gateway=gateway, customer=customer, found=found, by=BY, at=at_noon(TODAY))


def billed(company: Any, customer: Any, amount: str = "10.00", *, on: date = TODAY) -> Any:
    """A subscription whose first invoice is issued that day; the invoice."""
    from billing.models import Invoice
    from billing.services import acts

    acts.start(company=company, customer=customer, plan=a_plan(company, amount=amount), start_on=on, on=on, by=BY,
               at=at_noon(on))  # fmt: skip
    return Invoice.objects.filter(customer=customer).latest("pk")


__all__ = ["Providers", "a_card", "a_company", "a_customer", "a_gateway", "billed", "running"]
