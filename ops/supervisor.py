"""Everything Turnus needs to run, under one process: started in order, watched, restarted, stopped together.

Nothing outlives the supervisor: on Linux the kernel ends its children when it dies, and elsewhere the next start
does, by a token in their environment. No process number alone is believed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from . import locks, places, processes, servers
from .places import ROOT

TOKEN = "TURNUS_RUN_TOKEN"  # noqa: S105 - the name of a variable
LOG_LIMIT = 5_000_000
STOP_SECONDS = {"worker": 60}
"""How long a service may take to finish what it is doing, where that is more than 20 s."""


class SupervisorError(RuntimeError):
    """The start was refused or failed; the text says what to do."""


@dataclass(frozen=True)
class Ports:
    """Where this run is reached."""

    site: int
    smtp: int
    mail_page: int

    @classmethod
    def chosen(cls) -> Ports:
        """From TURNUS_PORT, TURNUS_SMTP_PORT and TURNUS_MAIL_PORT."""
        names = {"TURNUS_PORT": 8000, "TURNUS_SMTP_PORT": 1025, "TURNUS_MAIL_PORT": 8025}
        numbers = []
        for name, usual in names.items():
            text = os.environ.get(name) or str(usual)
            if not text.isdecimal() or not 1 <= int(text) <= 65535:
                raise SupervisorError(f"{name}={text!r} is no port")
            numbers.append(int(text))
        return cls(*numbers)

    def check_free(self) -> None:
        """Raise SupervisorError naming the first port that somebody else uses."""
        for variable, port in {
            "TURNUS_PORT": self.site,
            "TURNUS_SMTP_PORT": self.smtp,
            "TURNUS_MAIL_PORT": self.mail_page,
        }.items():
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise SupervisorError(
                        f"Port {port} is used by another program. Choose another: {variable}={port + 1} make demo"
                    ) from error


def _is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Service:
    """One watched process."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float | None = None
    failures: int = 0
    exits: list[int] = field(default_factory=list)


class Supervisor:
    """`run()` blocks until Ctrl-C or SIGTERM and returns 0 when everything ended cleanly."""

    def __init__(self, state: Path, *, demo: bool) -> None:
        self.state = state
        self.demo = demo
        self.ports = Ports.chosen()
        self.vies_port = processes.free_port()
        self.provider_ports: dict[str, int] = {}
        self.token = secrets.token_hex(8)
        self.asked_to_stop = 0
        self.began = time.monotonic()
        self.started_servers: dict[str, subprocess.Popen[bytes]] = {}
        self.services: list[Service] = []
        self.note = state / "supervised.json"
        self.environment: dict[str, str] = {}

    def run(self) -> int:
        """Start all, watch all, stop all."""
        lock = locks.take(self.state / "supervisor.lock")
        if lock is None:
            raise SupervisorError("Turnus already runs in this folder. Stop it first with Ctrl-C in its terminal.")
        for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(wanted, self._hear)
        try:
            self._end_leftovers()
            self.ports.check_free()
            self._start()
            self._watch()
        except KeyboardInterrupt:
            pass
        finally:
            clean = self._stop()
            lock.close()
        return 0 if clean else 1

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop += 1
        if self.asked_to_stop == 1:
            raise KeyboardInterrupt

    # Start

    def _start(self) -> None:
        self._say("Starting PostgreSQL and Valkey")
        os.environ[TOKEN] = self.token
        self.started_servers = servers.start(self.state, servers.MAIN, dies_with_us=True)
        self._write_note()
        self.provider_ports = self._provider_ports()
        self.environment = self._environment()
        self._say("Bringing the database up to date")
        self._manage("migrate", "--no-input", "--verbosity", "1")
        self._manage("createcachetable")
        # The test company's story has cards in it, so the card providers' stand-ins come before it.
        self.services = [self._providers()]
        self._launch(self.services[0])
        self._await_providers()
        if self.demo:
            self._say("Loading the test company")
            self._manage("load_demo", shown=True)
        self._say("Starting web, worker, timetable, relay and mail catcher")
        declared = self._declare()
        self.services += declared
        for service in declared:
            self._launch(service)
        self._await_site()
        self._greet()

    def _environment(self) -> dict[str, str]:
        if self.demo:
            servers.ensure_demo_database(self.state)
        given = servers.variables(self.state, servers.MAIN, demo=self.demo)
        ours = {
            "TURNUS_RUN_DIR": str(self.state),
            "TURNUS_SITE_URL": os.environ.get("TURNUS_SITE_URL") or f"http://localhost:{self.ports.site}",
            "TURNUS_SECRET_KEY": os.environ.get("TURNUS_SECRET_KEY") or self._secret_key(),
            "TURNUS_SMTP_HOST": os.environ.get("TURNUS_SMTP_HOST") or "127.0.0.1",
            "TURNUS_SMTP_PORT": str(self.ports.smtp),
            "TURNUS_MAIL_PAGE": f"http://localhost:{self.ports.mail_page}",
            "TURNUS_TEST_VIES_URL": os.environ.get("TURNUS_TEST_VIES_URL") or f"http://127.0.0.1:{self.vies_port}",
            "TURNUS_TEST_STRIPE_URL": os.environ.get("TURNUS_TEST_STRIPE_URL") or self._provider_address("stripe"),
            "TURNUS_TEST_PAYPAL_URL": os.environ.get("TURNUS_TEST_PAYPAL_URL") or self._provider_address("paypal"),
            "PYTHONUNBUFFERED": "1",
            # Else glibc keeps up to eight heaps per core for threads, each with what it once held.
            "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX") or "2",
        }
        return {**os.environ, **given, **ours}

    def _secret_key(self) -> str:
        path = self.state / "secret-key"
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fd, "w") as file:
                    file.write(secrets.token_urlsafe(48))
        return path.read_text()

    def _manage(self, *arguments: str, shown: bool = False) -> None:
        command = [sys.executable, "manage.py", *arguments]
        log = self._log_path("setup")
        with log.open("ab") as file:
            start = file.tell()
            process = processes.spawn(
                command,
                log=sys.stdout.fileno() if shown else file,
                cwd=ROOT,
                env=self.environment,
                dies_with_us=signal.SIGTERM,
            )
            try:
                code = process.wait()
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                raise
        if code != 0:
            said = "" if shown else ":\n" + log.read_bytes()[start:].decode(errors="replace")[-3000:]
            raise SupervisorError(f"`manage.py {' '.join(arguments)}` failed{said}")

    def _declare(self) -> list[Service]:
        python = sys.executable
        mail = self.state / "mail"
        return [
            Service(
                "mailcatcher",
                [python, "standins/mailcatcher.py", "--folder", str(mail)]
                + ["--smtp", str(self.ports.smtp), "--http", str(self.ports.mail_page)],
            ),
            Service(
                "vies",
                [python, "standins/vies.py", "--file", str(self.state / "vies.json"), "--port", str(self.vies_port)],
            ),
            Service(
                "web",
                [python, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{self.ports.site}"]
                + ["--workers", os.environ.get("TURNUS_WEB_WORKERS") or "1", "--threads", "8", "--timeout", "60"]
                + ["--graceful-timeout", "15", "--no-control-socket"],
            ),
            Service("worker", [python, "manage.py", "worker"]),
            Service("beat", [python, "-m", "config.beat"]),
            Service("relay", [python, "manage.py", "relay"]),
        ]

    def _provider_ports(self) -> dict[str, int]:
        """The stand-ins' ports: those of the last run where they are free, since pages begun then lead to them."""
        note = self.state / "provider-ports.json"
        try:
            known = json.loads(note.read_text())
        except (OSError, ValueError):
            known = {}
        ports: dict[str, int] = {}
        for name in ("stripe", "paypal"):
            port = known.get(name)
            while not isinstance(port, int) or port in ports.values() or not _is_free(port):
                port = processes.free_port()
            ports[name] = port
        note.write_text(json.dumps(ports))
        return ports

    def _provider_address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.provider_ports[name]}"

    def _providers(self) -> Service:
        folder = self.state / "providers"
        command = [sys.executable, "-m", "standins.providers", "--folder", str(folder)]
        for name, port in self.provider_ports.items():
            command += [f"--{name}-port", str(port)]
        return Service("providers", command)

    def _await_providers(self) -> None:
        for port in self.provider_ports.values():
            if not processes.wait_until(lambda port=port: not _is_free(port), 30):  # type: ignore[misc]
                raise SupervisorError(f"The stand-in providers do not answer; see {self._log_path('providers')}")

    def _launch(self, service: Service) -> None:
        with self._log_path(service.name).open("ab") as log:
            service.process = processes.spawn(
                service.command, log=log, cwd=ROOT, env=self.environment, dies_with_us=signal.SIGTERM
            )
        service.started_at = time.monotonic()
        service.restart_at = None
        self._write_note()

    def _await_site(self) -> None:
        deadline = time.monotonic() + 120
        while self._site_status() >= 500:
            self._restart_fallen()
            web = next(service for service in self.services if service.name == "web")
            if web.failures >= 3 or time.monotonic() > deadline:
                raise SupervisorError(f"The site does not answer; see {self._log_path('web')}")
            time.sleep(0.2)

    def _site_status(self) -> int:
        """What the front door says: its status, or 599 while it says nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports.site, timeout=30)
        try:
            connection.request("GET", "/", headers={"Host": "localhost"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 599
        finally:
            connection.close()

    def _greet(self) -> None:
        lines = [f"Turnus is ready after {time.monotonic() - self.began:.0f} s: {self.environment['TURNUS_SITE_URL']}/"]
        lines.append(f"Mails it sends: http://localhost:{self.ports.mail_page}/")
        lines.append(f"Logs: {self.state / 'logs'}")
        logins = self.state / "demo.json"
        if self.demo and logins.exists():
            rows = [
                (row["label"], row["address"], row["login"], row["secret"]) for row in json.loads(logins.read_text())
            ]
            widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
            lines += ["", *("  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows), ""]
        lines.append("Ctrl-C stops everything.")
        print("\n" + "\n".join(lines), flush=True)

    # Watch

    def _watch(self) -> None:
        while True:
            self._restart_fallen()
            time.sleep(0.5)

    def _restart_fallen(self) -> None:
        now = time.monotonic()
        for service in self.services:
            if service.process is not None and service.process.poll() is not None:
                code = service.process.returncode
                if now - service.started_at > 60:
                    service.failures = 0
                pause = min(2**service.failures, 60)
                service.failures += 1
                service.restart_at = now + pause
                # What it started itself would hold its port or take its work.
                _signal_group(service.process.pid, signal.SIGKILL)
                service.process = None
                self._say(f"{service.name} ended ({_meaning(code)}); starting it again in {pause} s")
            elif service.restart_at is not None and now >= service.restart_at:
                self._launch(service)
        fallen = {name: server for name, server in self.started_servers.items() if server.poll() is not None}
        for name, server in fallen.items():
            self._say(f"{name} ended ({_meaning(server.returncode)}); starting it again")
            del self.started_servers[name]
        if fallen:
            self.started_servers |= servers.start(self.state, servers.MAIN, dies_with_us=True)
            self._write_note()

    # Stop

    def _stop(self) -> bool:
        """Services first, all at once, then the servers under them; whether every exit was 0."""
        running = [service for service in self.services if service.process is not None]
        if running or self.started_servers:
            self._say("Stopping")
        for service in running:
            _signal(service.process, signal.SIGTERM)
        clean = True
        for service in running:
            clean &= self._wait(service.name, service.process, STOP_SECONDS.get(service.name, 20))
        for name, wanted in (("valkey", signal.SIGTERM), ("postgres", signal.SIGINT)):
            server = self.started_servers.get(name)
            if server is not None:
                _signal(server, wanted)
                clean &= self._wait(name, server, 60)
        self.note.unlink(missing_ok=True)
        if running or self.started_servers:
            self._say("Stopped" if clean else "Stopped, not all of it cleanly")
        return clean

    def _wait(self, name: str, process: subprocess.Popen[bytes] | None, seconds: float) -> bool:
        if process is None:
            return True
        deadline = time.monotonic() + seconds
        while process.poll() is None:
            if time.monotonic() > deadline or (self.asked_to_stop > 1 and name not in {"postgres", "valkey"}):
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
                break
            time.sleep(0.05)
        begun = next((service.started_at for service in self.services if service.name == name), 0.0)
        if process.returncode == -signal.SIGTERM and deadline - seconds - begun < 15:
            return True  # It had not yet got as far as listening for signals.
        if process.returncode != 0:
            self._say(f"{name} ended with {_meaning(process.returncode)}")
        return process.returncode == 0

    # What a killed supervisor left behind

    def _write_note(self) -> None:
        known = {service.name: service.process.pid for service in self.services if service.process is not None}
        known |= {name: process.pid for name, process in self.started_servers.items()}
        fresh = self.note.with_suffix(".new")
        fresh.write_text(json.dumps({"token": self.token, "processes": known}))
        fresh.replace(self.note)

    def _end_leftovers(self) -> None:
        """End what an earlier, killed supervisor started and the kernel did not end."""
        try:
            note = json.loads(self.note.read_text())
        except (OSError, ValueError):
            return
        self._say("The last run was killed; clearing up after it")
        alive = {name: pid for name, pid in note["processes"].items() if _carries(pid, note["token"])}
        for wanted, seconds in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 10.0)):
            for name, pid in alive.items():
                _signal_group(pid, signal.SIGINT if name == "postgres" and wanted == signal.SIGTERM else wanted)
            if processes.wait_until(lambda: not any(_carries(pid, note["token"]) for pid in alive.values()), seconds):
                break
        if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
            servers.stop(self.state, servers.MAIN)
        self.note.unlink(missing_ok=True)

    def _log_path(self, name: str) -> Path:
        path = places.private_folder(self.state / "logs") / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return path

    def _say(self, line: str) -> None:
        print(f"[{time.monotonic() - self.began:5.1f} s] {line}", flush=True)


def _carries(pid: int, token: str) -> bool:
    """Whether process `pid` is one that the run with `token` started, by its environment."""
    wanted = f"{TOKEN}={token}"
    try:
        if platform.system() == "Linux":
            return wanted.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        shown = subprocess.run(
            ["ps", "eww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return wanted in shown.stdout.split()
    except OSError:
        return False


def _signal(process: subprocess.Popen[bytes] | None, wanted: int) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(wanted)


def _signal_group(pid: int, wanted: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, wanted)


def _meaning(code: int) -> str:
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name
