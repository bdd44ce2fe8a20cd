"""Mail to customers: written in the transaction of its cause, sent later by the relay (`delivering`).

One rule matters: a message is a row before it is a mail, with the text as sent; what is attached is named by kind and
id and rendered when it goes out. Advertising is let through here and again when it is sent, or kept with why not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import formataddr, parseaddr
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from core import clock, copying
from core.actors import Actor
from core.copying import as_json, optional, take_ids, text
from core.ids import encode, new_id
from core.models import Company, Outbox, StoredFile
from core.services import trail
from customers.models import Customer, Message
from customers.services import consents, suppressing, unsubscribing

Renderer = Callable[[int], StoredFile]
Listener = Callable[[Message], None]
#: Rows written by one statement.
CHUNK: Final = 1000
_SEQUENCE: Final = "customers_message_id_seq"
_COLUMNS: Final = (
    "id, public_id, company_id, customer_id, template, category, language, sender, reply_to, recipients, subject, "
    "body, html, attachments, subject_kind, subject_id, state, results, provider_id, error, created_at"
)
_EFFECT_COLUMNS: Final = "company_id, kind, key, payload, state, attempts, due_at, lease_by, last_error, created_at"
_CATEGORIES: Final = frozenset(Message.Category.values)
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
    #: In place of `customer`, where the row itself is not at hand.
    customer_id: int | None = None


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
    which is put below the text; answered is the first. Who did not allow it is not sent it (`write_many`). Blocked
    addresses are left out when it is sent.
    """
    draft = Draft(
        customer, template, language, subject, body, list(recipients), attachments, subject_kind, subject_id, category,
        html,
    )  # fmt: skip
    written = write_many(company=company, drafts=[draft], at=at)[0]
    message = Message(
        company=company, customer=customer, template=template, sender=sender_of(company),
        reply_to=company.mail_reply_to, attachments=[dict(part) for part in attachments], subject_kind=subject_kind,
        created_at=at,
        **{name: getattr(written, name) for name in Written.__slots__ if name != "customer_id"},
    )  # fmt: skip
    message._state.adding, message._state.db = False, connection.alias
    return message


@dataclass(slots=True)
class Written:
    """What became of a draft, for one address where it is advertising: the message's own fields."""

    pk: int
    public_id: UUID
    customer_id: int | None
    subject_id: int | None
    category: str
    language: str
    recipients: list[str]
    subject: str
    body: str
    html: str
    state: str
    results: dict[str, Any]
    error: str

    @property
    def ref(self) -> str:
        return encode(Message.PREFIX, self.public_id)


def write_many(*, company: Company, drafts: Iterable[Draft], at: datetime) -> list[Written]:
    """Writes many messages of one company as `write` does, with their outbox rows: by COPY, a few statements a portion.

    Advertising goes out only to who allowed it and did not unsubscribe: to others it is kept as not sent, with why.
    """
    made: list[Written] = []
    waiting = iter(drafts)
    with transaction.atomic():
        while portion := list(islice(waiting, CHUNK)):
            made += _write(company, portion, at)
    return made


def _write(company: Company, drafts: Sequence[Draft], at: datetime) -> list[Written]:
    made = [(written, draft) for draft in drafts for written in _each(draft)]
    _hold_unwanted(company, [written for written, draft in made if draft.category == Message.Category.MARKETING])
    fresh = take_ids({_SEQUENCE: len(made)})[_SEQUENCE]
    sender, reply_to, created_at = text(sender_of(company)), text(company.mail_reply_to), at.isoformat()
    due_at = clock.machine_now().isoformat()
    # The key of an effect is the id of a message that is just made: it never comes again.
    lines, effects = [], []
    for id_, (one, draft) in zip(fresh, made, strict=True):
        one.pk, ref = id_, one.ref
        if draft.category == Message.Category.MARKETING:
            one.body = f"{one.body.rstrip()}\n\n{unsubscribing.footer(company, ref, one.language)}\n"
        lines.append(
            f"{id_}\t{one.public_id}\t{company.pk}\t{optional(one.customer_id)}\t{text(draft.template)}\t"
            f"{one.category}\t{one.language}\t{sender}\t{reply_to}\t{as_json(one.recipients)}\t{text(one.subject)}\t"
            f"{text(one.body)}\t{text(one.html)}\t{as_json(draft.attachments)}\t{text(draft.subject_kind)}\t"
            f"{optional(one.subject_id)}\t{one.state}\t{as_json(one.results)}\t\t{text(one.error)}\t{created_at}"
        )
        if one.state == Message.State.WAITING:
            effects.append(f'{company.pk}\tmail\t{ref}\t{{"message":{id_}}}\twaiting\t0\t{due_at}\t\t\t{due_at}')
    copying.copy(Message._meta.db_table, _COLUMNS, lines)
    copying.copy(Outbox._meta.db_table, _EFFECT_COLUMNS, effects)
    return [written for written, _draft in made]


def _each(draft: Draft) -> Iterator[Written]:
    """The messages of a draft: one, or of advertising one for each address."""
    if draft.category not in _CATEGORIES:
        raise LookupError(f"unknown category {draft.category!r}")
    for part in draft.attachments:
        if part["kind"] not in _renderers:
            raise LookupError(f"nobody renders attachments of kind {part['kind']!r}")
    addresses = distinct(draft.recipients)
    customer_id = draft.customer.pk if draft.customer is not None else draft.customer_id
    subject = " ".join(draft.subject.split())[:300]
    single = draft.category != Message.Category.MARKETING or len(addresses) < 2
    for to in [addresses] if single else [[address] for address in addresses]:
        yield Written(
            0, new_id(), customer_id, draft.subject_id, str(draft.category), draft.language, to, subject, draft.body,
            draft.html, "waiting", {}, "",
        )  # fmt: skip


def _hold_unwanted(company: Company, advertising: Sequence[Written]) -> None:
    """What nobody may be sent is kept as not sent, with why."""
    if not advertising:
        return
    refused = consents.refused(
        company.pk, [(one.customer_id, address) for one in advertising for address in one.recipients]
    )
    noted, held = clock.machine_now().isoformat(), str(Message.State.HELD)
    for one in advertising:
        why = {address: refused.get((one.customer_id, address), "") for address in one.recipients}
        if all(why.values()):
            one.state = held
            one.results = {address: {"state": held, "at": noted, "words": words} for address, words in why.items()}
            one.error = "\n".join(f"{address}: {words}" for address, words in why.items())[:2000]


def sender_of(company: Company) -> str:
    """From: the company's name with its own address, else with the installation's."""
    address = company.mail_address or company.email or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return formataddr((" ".join((company.mail_name or company.name).split()), address))[:300]


@transaction.atomic
def resend(*, message: Message, by: Actor, at: datetime) -> Message:
    """The same mail again, as a new message with the sender that holds now.

    In place of an address that gets no mail any more it goes to the customer's own of now.
    """
    draft = Draft(
        message.customer, message.template, message.language, message.subject, unsubscribing.without_footer(message),
        _reachable(message), message.attachments, message.subject_kind, message.subject_id, message.category,
        message.html,
    )  # fmt: skip
    again = write_many(company=message.company, drafts=[draft], at=at)[0]
    trail.audit(
        company_id=message.company_id, at=at, by=by, verb="message.resend", subject_kind="message",
        subject_id=message.pk, customer_id=message.customer_id, facts={"message": again.ref},
    )  # fmt: skip
    return Message.objects.get(pk=again.pk)


def _reachable(message: Message) -> list[str]:
    """Its addresses, the customer's own of now in place of blocked ones."""
    blocked = suppressing.blocked(message.company_id, message.recipients, category=message.category)
    if message.customer is None or not blocked or message.category == Message.Category.MARKETING:
        return list(message.recipients)
    kept = [address for address in message.recipients if address not in blocked]
    return distinct([*kept, message.customer.email]) or list(message.recipients)


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
