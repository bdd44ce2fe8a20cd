"""Mail to customers: written in the transaction of its cause, sent later by the relay (`delivering`).

One rule matters: a message is a row before it is a mail, with the text as sent; what is attached is named by kind and
id and rendered when it goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.db import transaction

from core import clock
from core.actors import Actor
from core.models import Company, Outbox, StoredFile
from core.services import trail
from customers.models import Customer, Message
from customers.services import unsubscribing

Renderer = Callable[[int], StoredFile]
Listener = Callable[[Message], None]
#: Rows written by one statement.
CHUNK = 1000
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


def rendered(part: dict[str, Any]) -> StoredFile:
    """The file of an attachment."""
    return _renderers[part["kind"]](part["id"])


def listener_of(message: Message) -> Listener | None:
    """Who hears that it went out."""
    return _listeners.get(message.subject_kind)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be written. `category` is `contract`, `legal` or `marketing`; see `write`."""

    customer: Customer | None
    template: str
    language: str
    subject: str
    body: str
    recipients: Sequence[str]
    attachments: Sequence[dict[str, Any]] = ()
    subject_kind: str = ""
    subject_id: int | None = None
    category: str = "contract"
    html: str = ""


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
    category: str = "contract",
    html: str = "",
    at: datetime,
) -> Message:
    """Writes a message and the outbox row that will send it, in one transaction.

    `attachments` are `{"kind": ..., "id": ...}` of registered kinds. Line breaks in the subject become spaces.
    Advertising (`category="marketing"`) is written once for each address, as each has its own link to unsubscribe,
    which is put below the text; answered is the first. Blocked addresses are left out when it is sent.
    """
    draft = Draft(
        customer, template, language, subject, body, list(recipients), attachments, subject_kind, subject_id, category,
        html,
    )  # fmt: skip
    return write_many(company=company, drafts=[draft], at=at)[0]


def write_many(*, company: Company, drafts: Iterable[Draft], at: datetime) -> list[Message]:
    """Writes many messages of one company as `write` does, with their outbox rows, in few statements."""
    made = [message for draft in drafts for message in _messages(company, draft, at)]
    with transaction.atomic():
        Message.objects.bulk_create(made, batch_size=CHUNK)
        due_at = clock.machine_now()
        Outbox.objects.bulk_create(
            [
                Outbox(
                    company_id=company.pk, kind="mail", key=message.ref, payload={"message": message.pk}, due_at=due_at
                )
                for message in made
            ],
            batch_size=CHUNK,
        )
    return made


def _messages(company: Company, draft: Draft, at: datetime) -> list[Message]:
    if draft.category not in Message.Category.values:
        raise LookupError(f"unknown category {draft.category!r}")
    for part in draft.attachments:
        if part["kind"] not in _renderers:
            raise LookupError(f"nobody renders attachments of kind {part['kind']!r}")
    addresses = distinct(draft.recipients)
    if draft.category != Message.Category.MARKETING or len(addresses) < 2:
        return [_message(company, draft, addresses, at)]
    return [_message(company, draft, [address], at) for address in addresses]


def _message(company: Company, draft: Draft, addresses: list[str], at: datetime) -> Message:
    message = Message(
        company=company,
        customer=draft.customer,
        template=draft.template,
        category=draft.category,
        language=draft.language,
        sender=sender_of(company),
        reply_to=company.mail_reply_to,
        recipients=addresses,
        subject=" ".join(draft.subject.split())[:300],
        body=draft.body,
        html=draft.html,
        attachments=[dict(part) for part in draft.attachments],
        subject_kind=draft.subject_kind,
        subject_id=draft.subject_id,
        created_at=at,
    )
    if draft.category == Message.Category.MARKETING:
        message.body = f"{message.body.rstrip()}\n\n{unsubscribing.footer(message)}\n"
    return message


def sender_of(company: Company) -> str:
    """From: the company's name with its own address, else with the installation's."""
    address = company.mail_address or company.email or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return formataddr((" ".join((company.mail_name or company.name).split()), address))[:300]


@transaction.atomic
def resend(*, message: Message, by: Actor, at: datetime) -> Message:
    """The same mail again, as a new message with the addresses and the sender that hold now."""
    draft = Draft(
        message.customer, message.template, message.language, message.subject, unsubscribing.without_footer(message),
        message.recipients, message.attachments, message.subject_kind, message.subject_id, message.category,
        message.html,
    )  # fmt: skip
    [again, *_others] = write_many(company=message.company, drafts=[draft], at=at)
    trail.audit(
        company_id=message.company_id, at=at, by=by, verb="message.resend", subject_kind="message",
        subject_id=message.pk, customer_id=message.customer_id, facts={"message": again.ref},
    )  # fmt: skip
    return again


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
