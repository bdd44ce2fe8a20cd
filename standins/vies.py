"""A stand-in for VIES: the REST interface of the tax authorities' service, over numbers of its own.

What it knows stands in one JSON file, read anew for each question, so that it can be changed while it runs:
{"default": "valid", "numbers": {"DE136695976": {"answer": "valid", "name": "…", "address": "…"}}, "countries": {"IT":
"MS_UNAVAILABLE"}, "seconds": 0}. An answer is valid, invalid, slow, or a code of the service's errors. Every question
is added to FILE.asked, one JSON a line.
Run it: python standins/vies.py --file FILE [--port 8026].
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COUNTRIES = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT", "LT", "LU", "LV"}
    | {"MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI"}
)
SLOW_SECONDS = 60
_asking = threading.Lock()


class Register:
    """The numbers the stand-in knows, and the questions it was asked."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.asked = file.with_name(f"{file.name}.asked")

    def read(self) -> dict[str, Any]:
        try:
            known = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return known if isinstance(known, dict) else {}

    def note(self, question: dict[str, Any]) -> int:
        """Keeps the question; its number."""
        with _asking:
            number = len(self.asked.read_text(encoding="utf-8").splitlines()) + 1 if self.asked.exists() else 1
            with self.asked.open("a", encoding="utf-8") as file:
                file.write(json.dumps(question) + "\n")
            return number

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the service would say."""
        country, number = str(question.get("countryCode", "")), str(question.get("vatNumber", ""))
        count = self.note(question)
        known = self.read()
        if country not in COUNTRIES or not number.isalnum():
            return refused("INVALID_INPUT")
        entry = known.get("numbers", {}).get(country + number, {})
        verdict = known.get("countries", {}).get(country) or entry.get("answer") or known.get("default", "valid")
        time.sleep(float(known.get("seconds", 0)))
        if verdict == "slow":
            time.sleep(SLOW_SECONDS)
            verdict = "valid"
        if verdict not in ("valid", "invalid"):
            return refused(verdict)
        is_valid = verdict == "valid"
        has_requester = bool(question.get("requesterMemberStateCode") and question.get("requesterNumber"))
        return {
            "countryCode": country,
            "vatNumber": number,
            "requestDate": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "valid": is_valid,
            "requestIdentifier": f"WAPIAAAA{count:08d}" if has_requester and is_valid else "",
            "name": entry.get("name", f"Trader {number}") if is_valid else "---",
            "address": entry.get("address", "---") if is_valid else "---",
            "traderName": "---",
            "traderStreet": "---",
            "traderPostalCode": "---",
            "traderCity": "---",
            "traderCompanyType": "---",
            "traderNameMatch": "NOT_PROCESSED",
            "traderStreetMatch": "NOT_PROCESSED",
            "traderPostalCodeMatch": "NOT_PROCESSED",
            "traderCityMatch": "NOT_PROCESSED",
            "traderCompanyTypeMatch": "NOT_PROCESSED",
        }


def refused(code: str) -> dict[str, Any]:
    """The service's envelope of an error; it comes with status 200."""
    return {"actionSucceed": False, "errorWrappers": [{"error": code}]}


class Door(BaseHTTPRequestHandler):
    """The two operations: `check-vat-number` and `check-status`, under any prefix."""

    register: Register
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, 65_536))
        if not self.path.endswith("/check-vat-number"):
            return self._say(404, {"error": "not found"})
        try:
            question = json.loads(body)
        except ValueError:
            question = None
        if not isinstance(question, dict):
            return self._say(400, refused("VOW-ERR-1"))
        return self._say(200, self.register.answer(question))

    def do_GET(self) -> None:
        if not self.path.endswith("/check-status"):
            return self._say(404, {"error": "not found"})
        down = self.register.read().get("countries", {})
        states = [
            {"countryCode": country, "availability": "Unavailable" if country in down else "Available"}
            for country in sorted(COUNTRIES)
        ]
        return self._say(200, {"vow": {"available": True}, "countries": states})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body, ensure_ascii=False).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # who asked has gone

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the questions are kept beside the file."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for VIES.")
    parser.add_argument("--file", type=Path, required=True, help="what it knows, as JSON; made when missing")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8026)
    chosen = parser.parse_args()
    chosen.file.parent.mkdir(parents=True, exist_ok=True)
    if not chosen.file.exists():
        chosen.file.write_text('{"default": "valid", "numbers": {}, "countries": {}}\n', encoding="utf-8")
    Door.register = Register(chosen.file)
    server = ThreadingHTTPServer((chosen.host, chosen.port), Door)
    server.daemon_threads = True
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
    sys.exit(0)


if __name__ == "__main__":
    main()
