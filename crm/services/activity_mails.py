"""Mails that came or went outside this system: read from their raw form, matched to whom they are with, kept once.

The rule that matters: a mail is known by its Message-ID; the same mail brought twice, by whomever, is one activity.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses
from html import unescape
from typing import Any, Final

from django.db import IntegrityError, transaction

from core.actors import Actor
from core.models import Company, User
from core.refusal import Refused
from core.services import files
from crm.models import Activity, ActivityFile, Lead
from crm.services import activities, lead_keys
from customers.models import Contact, Customer

#: Bytes of the largest mail that is read.
LARGEST: Final = 15_000_000
#: Attachments of one mail that are kept.
MOST_FILES: Final = 50
#: Addresses of one mail that are looked for among customers and leads.
MOST_ADDRESSES: Final = 50
# A tag ends before the next one begins: what never ends is looked at once, not once from each of its places.
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)?[^<>]*>", re.IGNORECASE)
_BREAKS: Final = re.compile(r"<(br|/p|/div|/tr|/li|/h\d)\b[^<>]*>", re.IGNORECASE)
#: Between these and their end nothing is shown.
_SILENT: Final = frozenset({"style", "script", "head"})


@dataclass(frozen=True, slots=True)
class Attached:
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was read. `key` is the hash of its Message-ID, of the whole mail where it has none."""

    key: str
    sender: str
    sender_address: str
    recipients: str
    addresses: tuple[str, ...]
    subject: str
    text: str
    sent_at: datetime | None
    attached: tuple[Attached, ...]


def read(raw: bytes) -> Mail:
    """The mail in an .eml file. Refuses `mail.too_large`, and `mail.unreadable` what is none."""
    if len(raw) > LARGEST:
        raise Refused("mail.too_large", field="content")
    try:
        parsed = BytesParser(policy=policy.default).parsebytes(raw.lstrip(b"\r\n \t"))
        return _read(parsed, raw)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("mail.unreadable", field="content") from error


def _read(parsed: EmailMessage, raw: bytes) -> Mail:
    sender = _line(str(parsed.get("From", "")))
    pairs = [pair for pair in getaddresses([sender]) if "@" in pair[1]]
    if not pairs:
        raise Refused("mail.unreadable", field="content")
    headers = [_line(str(value)) for name in ("To", "Cc") for value in parsed.get_all(name, [])]
    addresses = [address.strip().lower() for _name, address in getaddresses(headers) if "@" in address]
    known_by = str(parsed.get("Message-ID", "")).strip().encode() or raw
    header = parsed["Date"]
    sent_at = getattr(header, "datetime", None)
    return Mail(
        key=hashlib.sha256(known_by).hexdigest(),
        sender=sender[:300],
        sender_address=pairs[0][1].strip().lower(),
        recipients=", ".join(headers)[:1000],
        addresses=tuple(dict.fromkeys(addresses))[:MOST_ADDRESSES],
        subject=_line(str(parsed.get("Subject", ""))),
        text=_text(parsed),
        sent_at=sent_at if sent_at is not None and sent_at.tzinfo is not None else None,
        attached=tuple(_attached(parsed)),
    )


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _line(text: str) -> str:
    return " ".join(_clean(text).split())


def _text(parsed: EmailMessage) -> str:
    """The plain text; that of an HTML mail without its marks."""
    body = parsed.get_body(preferencelist=("plain", "html"))
    if body is None:
        return ""
    text = _clean(str(body.get_content())).replace("\r\n", "\n")
    if body.get_content_subtype() == "html":
        text = unescape("".join(_shown(_BREAKS.sub("\n", text))))
        text = re.sub(r"\n\s*\n\s*", "\n\n", re.sub(r"[ \t]+", " ", text))
    return text.strip()[: activities.TEXT]


def _shown(html: str) -> Iterator[str]:
    """What stands between the tags, without what is not shown; one pass, however the mail is made."""
    ends = {tag[2].lower(): tag.start() for tag in _TAG.finditer(html) if tag[1] and tag[2]}
    at, silent = 0, ""
    for tag in _TAG.finditer(html):
        name = (tag[2] or "").lower()
        if not silent:
            yield html[at : tag.start()]
            if name in _SILENT and not tag[1] and ends.get(name, -1) > tag.start():
                silent = name
        elif tag[1] and name == silent:
            silent = ""
        at = tag.end()
    yield html[at:]


def _attached(parsed: EmailMessage) -> list[Attached]:
    found = []
    for place, part in enumerate(parsed.iter_attachments(), start=1):
        content = part.get_payload(decode=True)
        if content is None:  # a mail in the mail
            content = b"".join(bytes(inner) for inner in part.get_payload() if isinstance(inner, EmailMessage))
        name = _line(part.get_filename() or "").replace("/", "_").replace("\\", "_")
        found.append(Attached(name[:200] or f"part-{place}", part.get_content_type()[:100], bytes(content)))
    return found[:MOST_FILES]


@dataclass(frozen=True, slots=True)
class Match:
    """Whom a mail is with."""

    customer: Customer | None = None
    contact: Contact | None = None
    lead: Lead | None = None


def match(*, company: Company, addresses: tuple[str, ...]) -> Match:
    """The customer's contact with one of the addresses, else a customer's own address, else a lead; first come."""
    rows = Contact.objects.filter(company=company, archived_at__isnull=True).select_related("customer")
    for address in addresses:
        if contact := rows.filter(email__iexact=address).order_by("pk").first():
            return Match(contact.customer, contact)
        own = Customer.objects.filter(company=company, email__iexact=address, archived_at__isnull=True)
        if customer := own.order_by("pk").first():
            return Match(customer)
        leads = Lead.objects.filter(company=company, email_key=lead_keys.email_key(address), merged_into=None)
        if lead := leads.select_related("customer").order_by("-pk").first():
            return Match(lead.customer, None, lead)
    return Match()


@transaction.atomic
def keep(
    *,
    company: Company,
    raw: bytes,
    customer: Customer | None = None,
    lead: Lead | None = None,
    owner: User | None = None,
    by: Actor,
    at: datetime,
) -> tuple[Activity, bool]:
    """Keeps a mail with its attachments; the activity, and whether it is new.

    It is with `customer` or `lead` where given, else with whom its addresses name; refuses `mail.from_nobody` where
    they name nobody. It came in when its sender is no colleague. The same mail again gives the activity it is.
    """
    mail = read(raw)
    there = Activity.objects.filter(company=company, message_key=mail.key).first()
    if there is not None:
        return there, False
    ours = User.objects.filter(memberships__company=company, email__iexact=mail.sender_address).exists()
    outside = mail.addresses if ours else (mail.sender_address,)
    found = match(company=company, addresses=outside)
    contact = found.contact
    if customer is not None or lead is not None:
        whose = customer or (lead.customer if lead is not None else None)
        contact = contact if contact is not None and whose is not None and contact.customer_id == whose.pk else None
    else:
        customer, lead = found.customer, found.lead
        if customer is None and lead is None:
            raise Refused("mail.from_nobody", field="content", address=", ".join(outside)[:200])
    extra: dict[str, Any] = {"message_key": mail.key, "mail_from": mail.sender, "mail_to": mail.recipients}
    try:
        with transaction.atomic():
            activity = activities.log(
                company=company, customer=customer, lead=lead, contact=contact, owner=owner, extra=extra,
                kind=activities.Kind.MAIL_OUT.value if ours else activities.Kind.MAIL_IN.value,
                subject=mail.subject[:200] or "–", text=mail.text, begins_at=mail.sent_at or at, by=by, at=at,
            )  # fmt: skip
    except IntegrityError:  # somebody else kept it since we looked
        return Activity.objects.get(company=company, message_key=mail.key), False
    ActivityFile.objects.bulk_create(
        ActivityFile(company=company, activity=activity, position=place, file=files.store(
            company_id=company.pk, name=one.name, media_type=one.media_type, content=one.content,
        ))
        for place, one in enumerate(mail.attached, start=1)
    )  # fmt: skip
    return activity, True
