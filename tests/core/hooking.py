"""A real sink process to send webhooks to, and endpoints and events to send."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from core import clock
from core.models import Company, Event, WebhookDelivery, WebhookEndpoint
from core.services import trail, webhook_endpoints
from tests.factories import BY


class Sink:
    """The stand-in at `url`; what it was sent is `seen`."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def seen(self) -> list[dict[str, Any]]:
        return json.loads(self._ask("GET", "/_seen"))  # type: ignore[no-any-return]

    def ids(self, path: str = "") -> list[str]:
        return [one["headers"]["webhook-id"] for one in self.seen if one["path"].startswith(path)]

    def behave(self, way: str) -> None:
        """What `/in` does from now on."""
        self._ask("PUT", "/_way", way)

    def _ask(self, method: str, path: str, body: str = "") -> bytes:
        request = urllib.request.Request(self.url + path, data=body.encode() or None, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()  # type: ignore[no-any-return]


@contextmanager
def a_sink() -> Iterator[Sink]:
    process = subprocess.Popen(
        [sys.executable, "standins/webhook_sink.py", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield Sink(line.split()[-1].removesuffix("/in"))
    finally:
        process.kill()
        process.wait()


def hooked(slug: str = "hooked", **more: Any) -> Company:
    """A test company, whose webhooks may go to this machine where the setting says so."""
    return Company.objects.create(
        name="T", slug=slug, legal_name="T", country="DE", books_start_on=date(2026, 1, 1), is_live=False, **more
    )


def an_endpoint(company: Company, url: str, *types: str, **more: Any) -> WebhookEndpoint:
    endpoint, _secret = webhook_endpoints.create(
        company=company, url=url, types=types or ["*"], by=BY, at=clock.now(company), **more
    )
    # It hears of its own making; that is no part of these tests.
    WebhookDelivery.objects.filter(endpoint=endpoint).delete()
    return endpoint


def happens(company: Company, type: str = "company.updated", at: datetime | None = None, **data: Any) -> Event:
    return trail.emit(
        company_id=company.pk, type=type, at=at or clock.now(company), subject_kind="company",
        subject_id=company.pk, data=data,
    )  # fmt: skip
