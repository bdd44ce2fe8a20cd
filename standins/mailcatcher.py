"""A mail server that keeps what it is sent: real SMTP on one port, a page to read the mails on another.

Every mail is an `.eml` file in its folder; nothing else is kept, so files may be deleted at will.
Some addresses show what mail servers do when they don't work: `550-5.1.1@answer.example` is refused with that code,
`451-once@` at its first try, `slow-3@` is answered after three seconds, `hang@` never, `drop@` loses the connection
when the mail was kept and before that is said, `drop-once@` only the first time.
Run it: python standins/mailcatcher.py --folder FOLDER [--smtp 1025] [--http 8025].
"""

from __future__ import annotations

import argparse
import asyncio
import html
import itertools
import json
import re
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session

MAIL_NAME = re.compile(r"\d{8}T\d{6}-\d{6}-\d{4}\.eml")
REFUSED = "@refused.example"
ANSWERS = "@answer.example"
_CODE = re.compile(r"([45]\d\d)(?:-(\d\.\d+\.\d+))?(-once)?(?:\+.*)?")
_SLOW = re.compile(r"slow-(\d{1,3})(?:\+.*)?")
_DROP = re.compile(r"drop(-once)?(?:\+.*)?")
_counter = itertools.count()


class Keeper:
    """Takes mails from SMTP and writes each to a file before it is acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tried: set[str] = set()

    def _is_first(self, address: str) -> bool:
        """Whether this address is tried for the first time since the catcher was started."""
        first = address not in self.tried
        self.tried.add(address)
        return first

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes every address but those of two domains, so that a refusal can be seen."""
        if address.lower().endswith(REFUSED):
            return "550 5.1.1 no such mailbox"
        if address.lower().endswith(ANSWERS):
            wanted = address.lower().removesuffix(ANSWERS)
            if code := _CODE.fullmatch(wanted):
                if not code[3] or self._is_first(address):
                    return f"{code[1]} {code[2] or ''} as asked for".replace("  ", " ")
            elif slow := _SLOW.fullmatch(wanted):
                await asyncio.sleep(int(slow[1]))
            elif wanted == "hang":
                await asyncio.sleep(24 * 3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        moment = datetime.now(UTC)
        name = f"{moment:%Y%m%dT%H%M%S-%f}-{next(_counter) % 10_000:04}.eml"
        addresses = ", ".join(envelope.rcpt_tos)
        head = f"X-Envelope-From: {envelope.mail_from or '<>'}\r\nX-Envelope-To: {addresses}\r\n".encode()
        fresh = self.folder / f".{name}.new"
        fresh.write_bytes(head + cast(bytes, envelope.content))
        fresh.replace(self.folder / name)
        for address in envelope.rcpt_tos:
            drop = _DROP.fullmatch(address.lower().removesuffix(ANSWERS)) if ANSWERS in address.lower() else None
            if drop and (not drop[1] or self._is_first(address)):
                server.transport.abort()
        return "250 kept"


def summary(path: Path) -> dict[str, Any]:
    """What the list shows of one mail."""
    mail = _read(path)
    return {
        "id": path.name,
        "from": str(mail["From"] or mail["X-Envelope-From"]),
        "to": str(mail["X-Envelope-To"]),
        "subject": str(mail["Subject"] or ""),
        "date": str(mail["Date"] or ""),
        "size": path.stat().st_size,
        "attachments": [part.get_filename() or "attachment" for part in mail.iter_attachments()],
    }


def _read(path: Path) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(path.read_bytes(), policy=policy.default))


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(preferencelist=("plain", "html"))
    if body is None:
        return ""
    content = str(body.get_content())
    return content if body.get_content_subtype() == "plain" else re.sub(r"<[^>]+>", " ", content)


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .4rem .6rem; vertical-align: top; border-bottom: 1px solid #8885 }}
pre {{ white-space: pre-wrap }}
</style><h1>{title}</h1>{body}</html>"""


class Reader(BaseHTTPRequestHandler):
    """`/` lists, `/ID` shows, `/ID/raw` and `/ID/N` download, `/index.json` lists for programs. Reads only."""

    folder: Path
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = [unquote(part) for part in self.path.split("?")[0].strip("/").split("/") if part]
        if not parts:
            return self._list()
        if parts == ["index.json"]:
            return self._json()
        path = self.folder / parts[0]
        if not MAIL_NAME.fullmatch(parts[0]) or not path.is_file():
            return self._answer(404, "text/plain; charset=utf-8", b"No such mail.\n")
        if len(parts) == 1:
            return self._show(path)
        if parts[1] == "raw":
            return self._answer(200, "message/rfc822", path.read_bytes())
        return self._attachment(path, parts[1])

    def _mails(self) -> list[Path]:
        return sorted((path for path in self.folder.iterdir() if MAIL_NAME.fullmatch(path.name)), reverse=True)

    def _json(self) -> None:
        mails = [summary(path) for path in self._mails()[:500]]
        self._answer(200, "application/json", json.dumps(mails, ensure_ascii=False).encode())

    def _list(self) -> None:
        mails = self._mails()
        rows = []
        for path in mails[:200]:
            seen = summary(path)
            link = f'<a href="/{path.name}">{html.escape(seen["subject"]) or "(no subject)"}</a>'
            files = html.escape(", ".join(seen["attachments"]))
            rows.append(
                f"<tr><td>{html.escape(seen['date'])}<td>{html.escape(seen['to'])}<td>{link}<br><small>{files}</small>"
            )
        body = f"<p>{len(mails)} mails</p><table><tr><th>Date<th>To<th>Subject{''.join(rows)}</table>"
        self._answer(200, "text/html; charset=utf-8", PAGE.format(title="Caught mail", body=body).encode())

    def _show(self, path: Path) -> None:
        mail, seen = _read(path), summary(path)
        files = "".join(
            f'<li><a href="/{path.name}/{number}">{html.escape(name)}</a>'
            for number, name in enumerate(seen["attachments"])
        )
        body = (
            f'<p><a href="/">All mails</a> · <a href="/{path.name}/raw">source</a></p>'
            f"<p>From {html.escape(seen['from'])}<br>To {html.escape(seen['to'])}<br>{html.escape(seen['date'])}</p>"
            f"<ul>{files}</ul><pre>{html.escape(_text(mail))}</pre>"
        )
        title = html.escape(seen["subject"]) or "(no subject)"
        self._answer(200, "text/html; charset=utf-8", PAGE.format(title=title, body=body).encode())

    def _attachment(self, path: Path, number: str) -> None:
        files = list(_read(path).iter_attachments())
        if not number.isdecimal() or int(number) >= len(files):
            return self._answer(404, "text/plain; charset=utf-8", b"No such attachment.\n")
        part = cast(EmailMessage, files[int(number)])
        content = part.get_payload(decode=True)
        kind = "application/pdf" if part.get_content_type() == "application/pdf" else "application/octet-stream"
        return self._answer(200, kind, content if isinstance(content, bytes) else b"")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the files are the log."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then."""
    parser = argparse.ArgumentParser(description="Keep mails instead of sending them")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--smtp", type=int, default=1025)
    parser.add_argument("--http", type=int, default=8025)
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    controller = UnthreadedController(
        Keeper(chosen.folder), hostname=chosen.host, port=chosen.smtp, loop=loop, data_size_limit=50 * 1024 * 1024
    )
    controller.begin()
    reader = type("FolderReader", (Reader,), {"folder": chosen.folder})
    web = ThreadingHTTPServer((chosen.host, chosen.http), reader)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, loop.stop)
    started = time.monotonic()
    print(f"SMTP on {chosen.host}:{chosen.smtp}, page on http://{chosen.host}:{chosen.http}/", flush=True)
    loop.run_forever()
    controller.end()
    web.shutdown()
    loop.close()
    print(f"stopped after {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
