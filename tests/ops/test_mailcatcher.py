"""The mail catcher speaks real SMTP, keeps every byte, and shows nothing but mails."""

from __future__ import annotations

import json
import smtplib
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from ops import processes
from ops.places import ROOT


@dataclass
class Catcher:
    process: subprocess.Popen[bytes]
    folder: Path
    smtp: int
    http: int

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/{path}", timeout=10) as answer:
            return bytes(answer.read())

    def send(self, mail: EmailMessage, to: list[str]) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=10) as connection:
            connection.send_message(mail, to_addrs=to)

    def listed(self) -> list[dict[str, object]]:
        return list(json.loads(self.get("index.json")))


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    smtp, http = processes.free_port(), processes.free_port()
    command = [sys.executable, "standins/mailcatcher.py", "--folder", str(tmp_path / "mail")]
    process = subprocess.Popen(
        [*command, "--smtp", str(smtp), "--http", str(http)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    assert processes.wait_until(lambda: takes_connections(smtp) and takes_connections(http), 60)
    yield Catcher(process, tmp_path / "mail", smtp, http)
    process.terminate()
    process.wait(20)


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "no-reply@example.org"
    mail["To"] = "Jürgen <jürgen@example.org>".replace("jürgen@", "juergen@")
    mail["Subject"] = "Rechnung über 12,50 € <script>"
    mail.set_content("Guten Tag\n.\nein Punkt allein\n")
    mail.add_attachment(b"%PDF-1.7\r\n\x00\xff", maintype="application", subtype="pdf", filename="RE-1.pdf")
    return mail


def test_a_mail_is_kept_with_its_attachment(catcher: Catcher) -> None:
    catcher.send(letter(), ["juergen@example.org", "copy@example.org"])
    (seen,) = catcher.listed()
    assert seen["subject"] == "Rechnung über 12,50 € <script>"
    assert seen["to"] == "juergen@example.org, copy@example.org"
    assert seen["attachments"] == ["RE-1.pdf"]
    assert catcher.get(f"{seen['id']}/0") == b"%PDF-1.7\r\n\x00\xff"


def test_a_mail_to_a_refused_address_is_not_taken(catcher: Catcher) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        catcher.send(letter(), ["nobody@refused.example"])
    catcher.send(letter(), ["nobody@refused.example", "ada@example.com"])
    assert [mail["to"] for mail in catcher.listed()] == ["ada@example.com"]


def test_the_pages_show_a_mail_as_text(catcher: Catcher) -> None:
    catcher.send(letter(), ["juergen@example.org"])
    (seen,) = catcher.listed()
    assert "über 12,50 € &lt;script&gt;" in catcher.get("").decode()
    assert "Guten Tag\n.\nein Punkt allein" in catcher.get(str(seen["id"])).decode().replace("\r\n", "\n")


def test_mails_are_files_that_outlive_the_catcher(catcher: Catcher) -> None:
    catcher.send(letter(), ["juergen@example.org"])
    catcher.process.terminate()
    assert catcher.process.wait(20) == 0
    assert len(list(catcher.folder.glob("*.eml"))) == 1


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "20260101T000000-000000-0000.eml", "x/y/z"]
)
def test_nothing_but_mails_is_shown(catcher: Catcher, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        catcher.get(path)
    assert refused.value.code == 404
