"""Carries mails to the mail server: each recipient's fate is kept, blocked addresses are left out.

One rule matters: what an address's server took is never sent to it again. The server may take a mail and the answer be
lost: then it goes out twice, under the same Message-ID.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any, Final

from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused
from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from core import clock, smtp
from core.actors import Actor
from core.fault_points import point
from core.models import Outbox
from core.refusal import Refused
from core.services import outbox
from customers.models import Message, Suppression
from customers.services import consents, mail_events, mail_layout, mail_states, messages, suppressing, unsubscribing

State = Message.State
SERVER: Final = Actor.system("mail server")
#: Enhanced status codes (RFC 3463) that say the address itself is wrong; 5.1.7 and 5.1.8 speak of the sender.
_NO_SUCH_ADDRESS: Final = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
#: Answers of a provider's interface that another try may change: a wrong key, too fast, its own troubles.
_PASSING: Final = {401, 403, 408, 425, 429}
_REFUSED: Final = {"rejected", "invalid", "failed"}


class Deferred(Exception):
    """Some addresses were refused for the time being."""


@dataclass(slots=True)
class Outcome:
    """What the server said: the provider's ids of what it took, and code and words for each address it refused."""

    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)


@outbox.handler("mail")
def deliver(row: Outbox) -> None:
    """Sends a message to those of its addresses that have not got it. The last try leaves the rest failed."""
    message = Message.objects.select_related("company__logo").get(pk=row.payload["message"], company_id=row.company_id)
    if message.state not in (State.WAITING, State.FAILED):
        return
    if not message.recipients:
        _give_up(message, "no recipient")
        raise outbox.PermanentFailure("ValueError: no recipient")
    open_now = [address for address in message.recipients if mail_states.of(message, address) in mail_states.OPEN]
    unwanted = _unwanted(message, open_now)
    for address, words in unwanted.items():
        _note(message, address, State.HELD, words)
    addresses = [address for address in open_now if address not in unwanted]
    if not addresses:
        return _keep(message, is_last=True)
    try:
        outcome = _send(message, addresses)
    except smtplib.SMTPRecipientsRefused as error:
        outcome = Outcome(refused=_plain(error.recipients))
    except Exception as error:
        if _is_for_good(error):
            _give_up(message, str(error))
            raise outbox.PermanentFailure(f"{type(error).__name__}: {error}") from error
        if outbox.is_last_try(row):
            _give_up(message, str(error))
        raise
    point("mail.sent")
    _take(message, addresses, outcome, is_last=outbox.is_last_try(row))
    return None


def _unwanted(message: Message, addresses: Sequence[str]) -> dict[str, str]:
    """Which of the addresses are not sent to as things stand now, and why: blocked, or advertising not allowed."""
    if message.category == Message.Category.MARKETING:
        pairs = [(message.customer_id, address) for address in addresses]
        return {address: words for (_id, address), words in consents.refused(message.company_id, pairs).items()}
    blocked = suppressing.blocked(message.company_id, addresses, category=message.category)
    return {address: str(suppression.get_reason_display()) for address, suppression in blocked.items()}


def _take(message: Message, addresses: Sequence[str], outcome: Outcome, *, is_last: bool) -> None:
    """Keeps what became of each address; raises for the relay what is to be tried again, or never will be."""
    gone: list[tuple[str, str]] = []
    waits = False
    for address in addresses:
        if address not in outcome.refused:
            _note(message, address, State.SENT, "", outcome.ids.get(address, ""))
            continue
        code, words = outcome.refused[address]
        passing = code < 500
        waits = waits or passing
        _note(message, address, State.WAITING if passing and not is_last else State.FAILED, f"{code} {words}".strip())
        if not passing and _NO_SUCH_ADDRESS.search(words):
            gone.append((address, f"{code} {words}"))
    with transaction.atomic():
        for address, words in gone:
            suppressing.suppress(
                company=message.company, address=address, reason=Suppression.Reason.BOUNCED, by=SERVER,
                at=clock.now(message.company), words=words, message=message,
            )  # fmt: skip
        _keep(message, is_last=is_last or not waits)
    if waits:
        raise Deferred(message.error)
    if message.state == State.FAILED:
        raise outbox.PermanentFailure(f"SMTPRecipientsRefused: {message.error}")


def _keep(message: Message, *, is_last: bool) -> None:
    """Writes what is known, beside what was told meanwhile; tells the listener when the first address has it."""
    with transaction.atomic():
        held = Message.objects.select_for_update().get(pk=message.pk)
        message.results = mail_states.merged(held.results, message.results)
        is_first = held.sent_at is None and mail_states.is_out(message)
        message.sent_at = clock.machine_now() if is_first else held.sent_at
        message.state = mail_states.summary(message, is_last=is_last)
        lines = [
            f"{address}: {known['words']}"
            for address, known in message.results.items()
            if known.get("words") and known["state"] in mail_states.UNSENT
        ]
        message.error = "\n".join(lines)[:2000]
        ids = [known["id"] for known in message.results.values() if known.get("id")]
        message.provider_id = held.provider_id or (ids[0][:255] if ids else "")
        message.save(update_fields=["state", "results", "error", "sent_at", "provider_id"])
        listener = messages.listener_of(message) if is_first else None
        if listener is not None:
            listener(message)
        mail_events.match(message, ids)
        point("mail.keeping")


def _give_up(message: Message, words: str) -> None:
    for address in message.recipients:
        if mail_states.of(message, address) == State.WAITING:
            _note(message, address, State.FAILED, words)
    message.state = mail_states.summary(message, is_last=True)
    message.error = words[:2000]
    message.save(update_fields=["state", "results", "error"])


def _note(message: Message, address: str, state: str, words: str, provider_id: str = "") -> None:
    known = {"state": str(state), "at": clock.machine_now().isoformat(), "words": words[:500]}
    message.results = {**message.results, address: known | ({"id": provider_id} if provider_id else {})}


def _send(message: Message, addresses: Sequence[str]) -> Outcome:
    """Hands the mail to the server."""
    mail = mail_of(message, addresses)
    try:
        smtp.connection_for(message.company).send_messages([mail])
    except AnymailRecipientsRefused:
        return _told(mail, addresses)
    if hasattr(mail, "anymail_status"):
        return _told(mail, addresses)
    return Outcome(refused=_plain(getattr(mail, "refused", {})))


def mail_of(message: Message, addresses: Sequence[str]) -> EmailMultiAlternatives:
    """The mail as it goes out: plain text, the same in the company's layout, attachments."""
    company = message.company
    domain = parseaddr(message.sender)[1].rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{message.ref}@{domain}>", "Auto-Submitted": "auto-generated"}
    if message.category == Message.Category.MARKETING:
        headers |= unsubscribing.headers(message)
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.body,
        from_email=message.sender,
        to=list(addresses),
        reply_to=[message.reply_to] if message.reply_to else None,
        headers=headers,
    )
    # Providers give it back with what they tell.
    setattr(mail, "metadata", {"turnus": message.ref})  # noqa: B010  known to their backends alone
    for part in message.attachments:
        stored = messages.rendered(part)
        mail.attach(stored.name, bytes(stored.content), stored.media_type)
    if message.html or company.mails_have_html:
        mail.attach_alternative(message.html or _layout(message), "text/html")
        if mail_layout.has_logo(company):
            mail.attach(mail_layout.logo_part(company))
    return mail


def _layout(message: Message) -> str:
    return mail_layout.html_of(message.company, language=message.language, subject=message.subject, body=message.body)


def _told(mail: EmailMultiAlternatives, addresses: Sequence[str]) -> Outcome:
    """What a provider's interface said of each address."""
    known: Mapping[str, Any] = getattr(mail, "anymail_status").recipients or {}  # noqa: B009  set by the backend
    by_address = {suppressing.normal(address): one for address, one in known.items()}
    refused, ids = {}, {}
    for address in addresses:
        one = by_address.get(suppressing.normal(address))
        if one is None:
            continue
        if one.status in _REFUSED:
            refused[address] = (550, f"{one.status} by the provider")
        elif one.message_id:
            ids[address] = str(one.message_id)
    return Outcome(refused, ids)


def _is_for_good(error: Exception) -> bool:
    """Whether another try would end the same: unusable content, refused mail, never a connection or a login."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return False
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    if isinstance(error, AnymailAPIError):
        return error.status_code is not None and 400 <= error.status_code < 500 and error.status_code not in _PASSING
    return isinstance(error, (ValueError, LookupError, Refused, smtp.NoTestMail))


def _plain(refused: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Code and words for each address, the words in letters."""
    found = {}
    for address, (code, words) in refused.items():
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        found[str(address)] = (int(code), text)
    return found
