"""Mail through a provider's interface: over real HTTP, each address noted, refusals told apart; never for a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from config.mail import PROVIDERS, anymail_of, provider_of
from core import clock, smtp
from core.models import Outbox
from core.services import outbox
from customers.models import Message
from customers.services import messages
from tests.factories import a_company

pytestmark = pytest.mark.django_db


class Provider(ThreadingHTTPServer):
    """Answers as Postmark does: a list of what became of each address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Interface)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.status = 200
        self.answer: dict[str, Any] = {"ErrorCode": 0, "Message": "OK", "MessageID": "pm-7", "To": ""}


class Interface(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.keys.append(str(self.headers["X-Postmark-Server-Token"]))
        answer = json.dumps({**self.server.answer, "To": body["To"]}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: Any) -> None:
        """Nothing to say."""


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "TURNUS_MAIL_PROVIDER": "postmark",
        "TURNUS_MAIL_KEY": "key-7",
        "TURNUS_MAIL_API_URL": f"http://127.0.0.1:{server.server_port}/",
    }
    settings.EMAIL_BACKEND = "core.smtp.Backend"
    settings.MAIL_PROVIDER, settings.ANYMAIL = provider_of(environment), anymail_of(environment)
    yield server
    server.shutdown()
    server.server_close()


def written(*recipients: str, is_live: bool = True, **changes: Any) -> Message:
    company = a_company(is_live=is_live, **({"clock_at": None} if is_live else {}))
    return messages.write(
        company=company, customer=None, template="test", language="en", subject="Hello", body="Good day\n",
        recipients=recipients, at=clock.now(company), **changes,
    )  # fmt: skip


def relay() -> tuple[int, int, int]:
    outcome = outbox.relay(worker="test")
    return outcome.done, outcome.failed, outcome.dead


def test_a_mail_goes_through_the_providers_interface(provider: Provider) -> None:
    message = written("ada@example.com")
    assert relay() == (1, 0, 0)
    [asked] = provider.asked
    assert (asked["To"], asked["Subject"], asked["TextBody"]) == ("ada@example.com", "Hello", "Good day\n")
    assert asked["Metadata"] == {"turnus": message.ref}
    assert "Good day" in asked["HtmlBody"]
    assert provider.keys == ["key-7"]
    message.refresh_from_db()
    assert (message.state, message.provider_id) == ("sent", "pm-7")


def test_too_fast_for_the_provider_is_tried_again(provider: Provider) -> None:
    message = written("ada@example.com")
    provider.status = 429
    assert relay() == (0, 1, 0)
    provider.status = 200
    Outbox.objects.update(due_at=clock.machine_now() - timedelta(seconds=1))
    assert relay() == (1, 0, 0)
    message.refresh_from_db()
    assert message.state == "sent"


def test_a_providers_own_trouble_is_waited_for(provider: Provider) -> None:
    written("ada@example.com")
    provider.status = 500
    assert relay() == (0, 1, 0)


def test_a_mail_the_provider_refuses_is_dead(provider: Provider) -> None:
    message = written("ada@example.com")
    provider.status, provider.answer = 422, {"ErrorCode": 300, "Message": "Invalid 'From' address"}
    assert relay() == (0, 0, 1)
    message.refresh_from_db()
    assert message.state == "failed"
    assert "Invalid 'From' address" in message.error


def test_mail_of_a_test_company_never_reaches_the_provider(provider: Provider, settings: Any) -> None:
    settings.EMAIL_HOST, settings.TEST_SMTP = "smtp.example.com", ""
    message = written("ada@example.com", is_live=False)
    assert relay() == (0, 0, 1)
    assert provider.asked == []
    message.refresh_from_db()
    assert message.state == "failed"


def test_an_unknown_provider_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="smtp or one of brevo"):
        provider_of({"TURNUS_MAIL_PROVIDER": "pigeon"})


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_can_be_set_up(settings: Any, name: str) -> None:
    environment = {
        "TURNUS_MAIL_PROVIDER": name, "TURNUS_MAIL_KEY": "k", "TURNUS_MAIL_SECRET_KEY": "s",
        "TURNUS_MAIL_DOMAIN": "mail.example.com",
    }  # fmt: skip
    settings.MAIL_PROVIDER, settings.ANYMAIL = provider_of(environment), anymail_of(environment)
    backend = smtp.connection_for(a_company(is_live=True, clock_at=None))
    assert type(backend).__module__ == f"anymail.backends.{name}"
