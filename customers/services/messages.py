"""Mail to customers: written in the transaction of its cause, sent later by the relay.

One rule matters: a message is a row before it is a mail, with the text as sent; what is attached is named by kind and
id and rendered when it goes out.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from core import clock, smtp
from core.models import Company, Outbox, StoredFile
from core.refusal import Refused
from core.services import outbox
from customers.models import Customer, Message

Renderer = Callable[[int], StoredFile]
Listener = Callable[[Message], None]
_renderers: dict[str, Renderer] = {}
_listeners: dict[str, Listener] = {}


def attachment(kind: str) -> Callable[[Renderer], Renderer]:
    """Registers what turns the id of a `kind` into the file to attach."""

    def register(function: Renderer) -> Renderer:
        _renderers[kind] = function
        return function

    return register


def when_sent(subject_kind: str) -> Callable[[Listener], Listener]:
    """Registers who hears that a message about a `subject_kind` went out; called in the transaction that notes it."""

    def register(function: Listener) -> Listener:
        _listeners[subject_kind] = function
        return function

    return register


def write(
    *,
    company: Company,
    customer: Customer | None,
    template: str,
    language: str,
    subject: str,
    body: str,
    recipients: Iterable[str],
    attachments: Sequence[dict[str, Any]] = (),
    subject_kind: str = "",
    subject_id: int | None = None,
    at: datetime,
) -> Message:
    """Writes a message and the outbox row that will send it, in one transaction.

    `attachments` are `{"kind": ..., "id": ...}` of registered kinds. Line breaks in the subject become spaces.
    """
    for part in attachments:
        if part["kind"] not in _renderers:
            raise LookupError(f"nobody renders attachments of kind {part['kind']!r}")
    with transaction.atomic():
        message = Message.objects.create(
            company=company,
            customer=customer,
            template=template,
            language=language,
            sender=sender_of(company),
            recipients=distinct(recipients),
            subject=" ".join(subject.split())[:300],
            body=body,
            attachments=[dict(part) for part in attachments],
            subject_kind=subject_kind,
            subject_id=subject_id,
            created_at=at,
        )
        outbox.put(company_id=company.pk, kind="mail", key=message.ref, payload={"message": message.pk})
    return message


def sender_of(company: Company) -> str:
    """From: the company's name with its own address, else with the installation's."""
    address = company.email or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return formataddr((company.name, address))[:300]


def distinct(addresses: Iterable[str]) -> list[str]:
    """The addresses in order, each once without regard to case, empty ones left out.

    >>> distinct(["a@x.example", "", "A@x.example ", "b@x.example"])
    ['a@x.example', 'b@x.example']
    """
    seen: dict[str, str] = {}
    for address in addresses:
        seen.setdefault(address.strip().lower(), address.strip())
    seen.pop("", None)
    return list(seen.values())


@outbox.handler("mail")
def deliver(row: Outbox) -> None:
    """Sends a message that has not been sent. A refusal for good, and the last try, leave it failed.

    The mail server may take a mail and the answer be lost: then it goes out twice, under the same Message-ID.
    """
    message = Message.objects.select_related("company").get(pk=row.payload["message"], company_id=row.company_id)
    if message.state == Message.State.SENT:
        return
    try:
        refused = _send(message)
    except Exception as error:
        if _is_for_good(error):
            _fail(message, error)
            raise outbox.PermanentFailure(f"{type(error).__name__}: {error}") from error
        if outbox.is_last_try(row):
            _fail(message, error)
        raise
    with transaction.atomic():
        Message.objects.filter(pk=message.pk).update(
            state=Message.State.SENT, sent_at=clock.machine_now(), error=_in_words(refused)
        )
        listener = _listeners.get(message.subject_kind)
        if listener is not None:
            listener(message)


def _send(message: Message) -> dict[str, Any]:
    """Hands the mail to the server; the recipients it refused while it took the others."""
    if not message.recipients:
        raise ValueError("no recipient")
    domain = parseaddr(message.sender)[1].rpartition("@")[2] or "localhost"
    mail = EmailMessage(
        subject=message.subject,
        body=message.body,
        from_email=message.sender,
        to=message.recipients,
        headers={"Message-ID": f"<{message.ref}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    for part in message.attachments:
        stored = _renderers[part["kind"]](part["id"])
        mail.attach(stored.name, bytes(stored.content), stored.media_type)
    smtp.connection_for(message.company).send_messages([mail])
    refused: dict[str, Any] = getattr(mail, "refused", {})
    return refused


def _is_for_good(error: Exception) -> bool:
    """Whether another try would end the same: refused addresses, unusable content, never a connection or a login."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _words in error.recipients.values())
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return False
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return isinstance(error, (ValueError, LookupError, Refused, smtp.NoTestMail))


def _fail(message: Message, error: Exception) -> None:
    words = _in_words(error.recipients) if isinstance(error, smtplib.SMTPRecipientsRefused) else str(error)
    Message.objects.filter(pk=message.pk).exclude(state=Message.State.SENT).update(
        state=Message.State.FAILED, error=words[:2000]
    )


def _in_words(refused: dict[str, Any]) -> str:
    """The server's words for each refused address."""
    lines = []
    for address, (code, words) in refused.items():
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        lines.append(f"{address}: {code} {text}")
    return "\n".join(lines)
