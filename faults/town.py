"""One world: its PostgreSQL (with fsync), Valkey, mail catcher, webhook sink and stand-in providers.

The rule that matters: each is a process of its own in a folder of this world alone, so any of them can be killed, and
nothing else is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ops import places, postgres, processes, valkey
from standins.providers.store import Store

ROOT = Path(__file__).resolve().parent.parent
#: The database lies on a disk of its own, so that it can be full: as large as this.
DISK = "6g"


class Town:
    """Starts with `start`, ends with `stop`; `environment` is what the product's processes are given."""

    def __init__(self, folder: Path, *, code: Path = ROOT) -> None:
        self.folder = places.private_folder(folder)
        self.code = code
        self.cluster = postgres.cluster(self.folder, "world")
        self.store = valkey.store(self.folder, "world")
        self.mails = places.private_folder(self.folder / "mails")
        self.hooks = self.folder / "webhooks.jsonl"
        self.money = places.private_folder(self.folder / "providers")
        self.ports = {name: processes.free_port() for name in ("smtp", "mailpage", "hooks", "stripe", "paypal")}
        self.processes: dict[str, subprocess.Popen[Any]] = {}
        #: With it the story's cashier asks the API.
        self.api_key = ""
        #: Whether its database lies on a disk that can be full.
        self.has_own_disk = False
        self.log = (self.folder / "standins.log").open("ab")

    # What runs

    def start(self) -> None:
        for name in ("postgres", "valkey", "smtp", "hooks", "providers"):
            self.begin(name)

    def begin(self, name: str) -> None:
        """Starts one of them and waits until it answers."""
        match name:
            case "postgres":
                started = postgres.start(self.cluster, dies_with_us=True)
            case "valkey":
                started = valkey.start(self.store, dies_with_us=True)
            case "smtp":
                started = self._spawn(
                    "standins/mailcatcher.py", "--folder", str(self.mails), "--smtp", str(self.ports["smtp"]),
                    "--http", str(self.ports["mailpage"]),
                )  # fmt: skip
                self._answers("smtp")
            case "hooks":
                started = self._spawn(
                    "standins/webhook_sink.py", "--port", str(self.ports["hooks"]), "--file", str(self.hooks)
                )  # fmt: skip
                self._answers("hooks")
            case _:
                started = self._spawn(
                    "-m", "standins.providers", "--folder", str(self.money), "--stripe-port",
                    str(self.ports["stripe"]), "--paypal-port", str(self.ports["paypal"]),
                )  # fmt: skip
                self._answers("stripe")
        if started is not None:
            self.processes[name] = started

    def set_clock(self, at: datetime) -> None:
        """The providers' clock, before they are started for the first time."""
        with Store(self.money / "providers.sqlite3").transaction() as tx:
            tx.set("clock", int(at.timestamp() - time.time()))

    def follow(self, at: datetime) -> None:
        """The providers' clock goes on to `at`, unless it is there already."""
        behind = int(at.timestamp()) - int(self.control("clock")["now"])
        if behind > 0:
            self.control("clock", {"advance": behind})

    def _spawn(self, *words: str) -> subprocess.Popen[bytes]:
        return processes.spawn([sys.executable, *words], log=self.log, cwd=ROOT, dies_with_us=signal.SIGKILL)

    def _answers(self, name: str) -> None:
        def tried() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[name]), 1):
                return True
            return False

        if not processes.wait_until(tried, 20):
            raise RuntimeError(f"the stand-in {name} does not answer")

    def kill(self, name: str) -> None:
        """As `kill -9` does; of PostgreSQL every process, as when the power goes."""
        process = self.processes.pop(name)
        if name == "postgres":
            for pid in [process.pid, *children_of(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

    def signal(self, name: str, number: int) -> None:
        self.processes[name].send_signal(number)

    def stop(self) -> None:
        for name in ("hooks", "smtp", "providers", "valkey"):
            if name in self.processes:
                self.processes[name].send_signal(signal.SIGCONT)
                self.kill(name)
        if "postgres" in self.processes:
            self.processes.pop("postgres")
            postgres.stop(self.cluster)

    def remove(self) -> None:
        """Stops everything and leaves nothing behind."""
        self.stop()
        self.log.close()
        shutil.rmtree(self.cluster.data.parent, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # What the product's processes are told

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": self.cluster.url(),
            "REDIS_URL": self.store.url(),
            "TURNUS_SECRET_KEY": "faults" * 10,
            "TURNUS_TEST_STRIPE_URL": f"http://127.0.0.1:{self.ports['stripe']}",
            "TURNUS_TEST_PAYPAL_URL": f"http://127.0.0.1:{self.ports['paypal']}",
            "TURNUS_PROVIDER_SECONDS": "5",
            "TURNUS_TEST_SMTP": f"127.0.0.1:{self.ports['smtp']}",
            "TURNUS_WEBHOOKS_TO_LOOPBACK": "1",
            "TURNUS_FAULTS_HOOKS": f"http://127.0.0.1:{self.ports['hooks']}/in",
            "TURNUS_REHEARSED_COMPANY": "faults",
            "TURNUS_FAULT_POINT": "",
            "PYTHONPATH": str(self.code),
        }

    # Looking and telling

    def control(self, path: str, given: Any = None) -> dict[str, Any]:
        """Asks the control door of the providers."""
        data = None if given is None else json.dumps(given).encode()
        url = f"http://127.0.0.1:{self.ports['stripe']}/_control/{path}"
        with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def hooks_answer(self, way: str) -> None:
        """How the webhook sink answers from now on, see its `WAYS`."""
        url = f"http://127.0.0.1:{self.ports['hooks']}/_way"
        with urlopen(Request(url, way.encode(), method="PUT"), timeout=10):
            pass

    def flush_valkey(self) -> None:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.store.socket))
            peer.sendall(b"FLUSHALL\r\n")
            peer.recv(16)

    def caught(self) -> list[tuple[str, str]]:
        """Of every mail the catcher kept: to whom, and its Message-ID."""
        found = []
        for path in sorted(self.mails.glob("*.eml")):
            head = path.read_bytes().split(b"\r\n\r\n", 1)[0].decode(errors="replace")
            to = re.search(r"^X-Envelope-To: (.*?)\r?$", head, re.M)
            id_ = re.search(r"^Message-ID:\s*(<[^>]*>)", head, re.M | re.I)
            found.append((to[1] if to else "", id_[1] if id_ else ""))
        return found

    def hooked(self) -> list[tuple[str, str]]:
        """Of every webhook that came in: its id and its body."""
        if not self.hooks.exists():
            return []
        rows = [json.loads(line) for line in self.hooks.read_text().splitlines()]
        return [(row["headers"].get("webhook-id", ""), row["body"]) for row in rows]

    def copy_to(self, other: Town) -> None:
        """Gives another world, none of whose servers was ever started, the state of this one, which must be stopped."""
        for source, target in ((self.cluster.data, other.cluster.data), (self.money, other.money)):
            target.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def children_of(pid: int) -> list[int]:
    """The processes that this one started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether the process runs: one that waits to be buried doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(file: Path, seconds: float, alive: Any) -> bool:
    """Waits until the file is there or the process is over; whether it is there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if file.exists():
            return True
        if not alive():
            return file.exists()
        time.sleep(0.003)
    return False
