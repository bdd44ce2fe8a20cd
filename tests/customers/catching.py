"""The mail catcher as a process of its own, and what it caught."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from ops import processes
from ops.places import ROOT
from tests.ops.test_mailcatcher import takes_connections


class Catcher:
    """A running catcher: its port, and its mails, oldest first."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            cast(EmailMessage, message_from_bytes(path.read_bytes(), policy=policy.default))
            for path in sorted(self.folder.glob("*.eml"))
        ]

    @property
    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]

    @property
    def recipients(self) -> list[str]:
        return [str(mail["X-Envelope-To"]) for mail in self.mails]


@contextmanager
def catching(folder: Path, settings: Any) -> Iterator[Catcher]:
    """A real mail server for live and test companies."""
    folder.mkdir(exist_ok=True)
    smtp, http = processes.free_port(), processes.free_port()
    process = subprocess.Popen(
        [sys.executable, "standins/mailcatcher.py", "--folder", str(folder), "--smtp", str(smtp), "--http", str(http)],
        cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not takes_connections(smtp):
            assert time.monotonic() < deadline, "the mail catcher does not start"
            time.sleep(0.05)
        settings.EMAIL_BACKEND = "core.smtp.Backend"
        settings.MAIL_PROVIDER = "smtp"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.TEST_SMTP = "127.0.0.1", smtp, ""
        yield Catcher(folder, smtp)
    finally:
        process.kill()
        process.wait()
