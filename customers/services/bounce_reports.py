"""Delivery reports that come back as mail (RFC 3464): which address of which mail was refused, and why.

The rule that matters: what a report says is believed only of an address that the mail it names was really sent to; that
is checked where it is applied.
"""

from __future__ import annotations

import hashlib
import mailbox
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, cast

from core.models import MailEvent
from customers.services import mail_events

_OUR_ID: Final = re.compile(r"<(msg_[0-9a-hjkmnp-tv-z]{26})@")


def take(content: bytes) -> int:
    """Keeps what one report says of each address; how many of them were new. A mail that is no report says nothing."""
    mail = message_from_bytes(content, policy=policy.default)
    if mail.get_content_type() != "multipart/report":
        return 0
    ref = _our_mail(mail)
    if not ref:
        return 0
    given_id = str(mail["Message-ID"] or "") or hashlib.sha256(content).hexdigest()
    return sum(_keep(fields, ref, given_id, mail) for fields in _recipients(mail))


def _keep(fields: Message, ref: str, given_id: str, mail: EmailMessage) -> bool:
    action = str(fields.get("Action", "")).strip().lower()
    types = {"failed": "bounced", "delivered": "delivered", "relayed": "delivered"}
    address = str(fields.get("Original-Recipient") or fields.get("Final-Recipient") or "").rpartition(";")[2].strip()
    if action not in types or not address:
        return False
    status = str(fields.get("Status", "")).strip()
    words = str(fields.get("Diagnostic-Code", "")).rpartition(";")[2].strip()
    row: MailEvent | None = mail_events.keep(
        provider=mail_events.REPORTS,
        key=hashlib.sha256(f"{given_id} {address.lower()} {action}".encode()).hexdigest(),
        type=types[action],
        is_hard=status.startswith("5.1."),
        address=address,
        message_ref=ref,
        words=" ".join(part for part in (status, words) if part),
        body={"action": action, "status": status, "diagnostic": words[:1000]},
        happened_at=_when(mail),
    )
    return row is not None


def _recipients(mail: EmailMessage) -> Iterator[Message]:
    """The fields of each address in the report's machine part; those of the mail come first and are left out."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status":
            blocks = cast("list[Message]", part.get_payload())
            yield from (block for block in blocks if block.get("Final-Recipient") or block.get("Original-Recipient"))


def _our_mail(mail: EmailMessage) -> str:
    """The id of the mail that came back: of the original, or its headers, within the report."""
    for part in mail.walk():
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/global-headers"):
            payload: Any = part.get_payload()
            text = payload[0].as_string() if isinstance(payload, list) else str(payload)
            if found := _OUR_ID.search(text):
                return found[1]
    found = _OUR_ID.search(f"{mail['In-Reply-To'] or ''} {mail['References'] or ''}")
    return found[1] if found else ""


def _when(mail: EmailMessage) -> Any:
    try:
        when = parsedate_to_datetime(str(mail["Date"]))
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo is not None else None


def in_maildir(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Key and content of each mail of a maildir."""
    box = mailbox.Maildir(str(folder), create=False)
    for key in sorted(box.keys()):
        yield key, box.get_bytes(key)


def drop(folder: Path, key: str) -> None:
    """Takes a mail out of a maildir."""
    mailbox.Maildir(str(folder), create=False).discard(key)
