"""Given for ties: the stand-ins as a process of their own, and companies with customers that are tied to them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ops import processes
from tests.factories import BY, TODAY, a_company, a_customer, at_noon

ROOT = Path(__file__).parents[2]
NOW = at_noon(TODAY)
NAMES = ("brevo", "mailchimp", "hubspot")
KEYS = {
    "brevo": "xkeysib-of-the-tests", "mailchimp": "key-of-the-tests-us19", "hubspot": "pat-eu1-of-the-tests",
}  # fmt: skip
LISTS = {"brevo": "7", "mailchimp": "a1b2c3d4e5"}
PATHS = {"brevo": "/v3", "mailchimp": "/3.0", "hubspot": ""}


class Marketing:
    """One process on one folder; `addresses` by system."""

    def __init__(self, folder: Path) -> None:
        # Ports that nobody who connects is given while it is down.
        self.folder, self.ports = folder, {name: processes.free_port() for name in NAMES}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "standins.marketing", "--folder", str(self.folder)]
        for name, port in self.ports.items():
            command += [f"--{name}-port", str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        seen = dict(re.findall(r"(\w+) on http://127\.0\.0\.1:(\d+)", self.process.stdout.readline()))
        self.ports = {name: int(seen[name]) for name in NAMES}
        self.addresses = {name: f"http://127.0.0.1:{port}{PATHS[name]}" for name, port in self.ports.items()}

    def kill(self) -> None:
        """As `kill -9` does."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def control(self, name: str, verb: str, **given: Any) -> Any:
        return self._control(name, verb, given)

    def _control(self, name: str, verb: str, given: Any) -> Any:
        address = f"http://127.0.0.1:{self.ports[name]}/_control/{verb}"
        asked = Request(address, json.dumps(given).encode(), {"Content-Type": "application/json"})
        with urlopen(asked, timeout=30) as answer:
            return json.load(answer)

    def faults(self, name: str, *rules: dict[str, Any]) -> None:
        self._control(name, "faults", list(rules))

    def asked(self, name: str, path: str = "", method: str = "") -> list[dict[str, Any]]:
        """Its requests so far whose path contains that, oldest first."""
        rows = self.control(name, "asked")
        return [row for row in rows if path in row["path"] and (not method or row["method"] == method)]

    def contacts(self, name: str) -> dict[str, Any]:
        """Who is there, by address."""
        return {row["email"]: row for row in self.control(name, "contacts")}


@contextmanager
def running(folder: Path) -> Iterator[Marketing]:
    found = Marketing(folder)
    try:
        yield found
    finally:
        found.stop()


def a_tie(company: Any, kind: str = "brevo", *, is_on: bool = True, **changes: Any) -> Any:
    """A tie with the stand-in's key and list."""
    from crm.services import tie_accounts

    given: dict[str, Any] = {"name": kind.title(), "secret": KEYS.get(kind, ""), "audience": LISTS.get(kind, "")}
    tie = tie_accounts.save(company=company, kind=kind, **(given | changes), by=BY, at=NOW)
    return tie_accounts.switch(tie=tie, is_on=True, by=BY, at=NOW) if is_on else tie


def subscribed(company: Any, count: int = 1, **changes: Any) -> list[Any]:
    """Customers who allowed advertising."""
    from customers.services import consents

    found = [a_customer(company, **changes) for _ in range(count)]
    for one in found:
        consents.allow(holder=one, source="portal", by=BY, at=NOW)
        one.refresh_from_db()
    return found


def run(tie: Any) -> dict[str, int]:
    """One turn; its figures that are not zero."""
    from crm.services import tying

    found = tying.run(tie=tie, at=NOW)
    tie.refresh_from_db()
    return {name: count for name, count in found.items() if count}


__all__ = ["BY", "NOW", "TODAY", "Marketing", "a_company", "a_customer", "a_tie", "run", "running", "subscribed"]
