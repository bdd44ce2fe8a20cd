"""Keys of the REST API: made, looked up, revoked. Only a digest is kept; the text is shown once.

A scope is a group of rights, such as `invoices:write`; `*` is everything. Writing includes reading.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from core import clock
from core.actors import Actor
from core.ids import ALPHABET
from core.models import ApiKey, Company, User
from core.refusal import Refused
from core.rights import RIGHTS, rights_of
from core.services import trail

EVERYTHING = "*"
SCOPES: dict[str, frozenset[str]] = {
    "customers:read": frozenset({"customer.read"}),
    "customers:write": frozenset({"customer.read", "customer.write"}),
    "catalog:read": frozenset({"catalog.read"}),
    "catalog:write": frozenset({"catalog.read", "catalog.write"}),
    "subscriptions:read": frozenset({"subscription.read"}),
    "subscriptions:write": frozenset(
        {"subscription.read", "subscription.start", "subscription.change", "subscription.cancel"}
    ),
    "subscriptions:override": frozenset({"subscription.read", "subscription.override"}),
    "usage:read": frozenset({"usage.read"}),
    "usage:write": frozenset({"usage.read", "usage.write"}),
    "invoices:read": frozenset({"invoice.read"}),
    "invoices:write": frozenset({"invoice.read", "invoice.issue", "invoice.credit"}),
    "payments:read": frozenset({"payment.read"}),
    "payments:write": frozenset({"payment.read", "payment.write"}),
    "runs:read": frozenset({"run.read"}),
    "runs:write": frozenset({"run.read", "run.start"}),
    "imports:write": frozenset({"import.run"}),
    "reports:read": frozenset({"report.read"}),
    "reminders:read": frozenset({"reminder.read"}),
    "reminders:write": frozenset({"reminder.read", "reminder.write"}),
    "tasks:read": frozenset({"task.read"}),
    "tasks:write": frozenset({"task.read", "task.write"}),
    "leads:read": frozenset({"lead.read"}),
    "leads:write": frozenset({"lead.read", "lead.write"}),
    "quotes:read": frozenset({"quote.read"}),
    "quotes:write": frozenset({"quote.read", "quote.write", "quote.send"}),
    "segments:read": frozenset({"segment.read"}),
    "segments:write": frozenset({"segment.read", "segment.write"}),
    "campaigns:read": frozenset({"campaign.read"}),
    "campaigns:write": frozenset({"campaign.read", "campaign.write"}),
    "webhooks:read": frozenset({"webhook.read"}),
    "webhooks:write": frozenset({"webhook.read", "webhook.write"}),
    "settings:read": frozenset({"settings.read"}),
    "settings:write": frozenset({"settings.read", "settings.write"}),
    "sandboxes:write": frozenset({"sandbox.open"}),
    "clock:write": frozenset({"clock.advance"}),
}
LIVE_PREFIX, TEST_PREFIX = "sk_live_", "sk_test_"
SECRET_LETTERS = 40  # of 32: 200 random bits, so a plain digest is safe to keep
SHOWN_LETTERS = 4
#: The last use is noted no more often than this, so that reading stays reading.
USE_NOTED_EVERY = timedelta(minutes=1)


def rights_of_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """The rights a list of scopes gives; scopes nobody knows give none."""
    rights: set[str] = set()
    for scope in scopes:
        rights |= RIGHTS.keys() if scope == EVERYTHING else SCOPES.get(scope, frozenset())
    return frozenset(rights)


def scopes_with(right: str) -> list[str]:
    """The scopes that give a right, the narrowest first."""
    giving = [scope for scope, rights in SCOPES.items() if right in rights]
    return sorted(giving, key=lambda scope: (len(SCOPES[scope]), scope))


def digest_of(text: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def issue_key(
    *,
    company: Company,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    user: User | None = None,
    by: Actor,
    at: datetime,
) -> tuple[ApiKey, str]:
    """Makes a key; the row and the text that is shown this once.

    `expires_at` is an instant of the machine's clock. Where `user` asks for it, the key may do no more than
    they may. Refuses `key.name_missing`, `key.needs_a_scope`, `key.unknown_scope`, `key.expires_in_the_past`
    and `key.beyond_your_rights`.
    """
    wanted = sorted(set(scopes))
    if not name.strip():
        raise Refused("key.name_missing", field="name")
    if not wanted:
        raise Refused("key.needs_a_scope", field="scopes")
    for scope in wanted:
        if scope != EVERYTHING and scope not in SCOPES:
            raise Refused("key.unknown_scope", field="scopes", scope=scope)
    if expires_at is not None and expires_at <= clock.machine_now():
        raise Refused("key.expires_in_the_past", field="expires_at")
    if user is not None and not rights_of_scopes(wanted) <= rights_of(user, company):
        raise Refused("key.beyond_your_rights", field="scopes")
    opening = LIVE_PREFIX if company.is_live else TEST_PREFIX
    text = opening + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LETTERS))
    key = ApiKey.objects.create(
        company=company,
        name=name.strip()[:80],
        prefix=text[: len(opening) + SHOWN_LETTERS],
        digest=digest_of(text),
        scopes=wanted,
        created_by=user,
        expires_at=expires_at,
    )
    trail.audit(
        company_id=company.pk,
        at=at,
        by=by,
        verb="key.issue",
        subject_kind="api_key",
        subject_id=key.pk,
        facts={"prefix": key.prefix, "scopes": wanted},
    )
    return key, text


@transaction.atomic
def revoke_key(*, key: ApiKey, by: Actor, at: datetime) -> ApiKey:
    """Ends a key at once and for ever; a second time changes nothing."""
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if key.revoked_at is None:
        key.revoked_at = clock.machine_now()
        key.save(update_fields=["revoked_at"])
        trail.audit(
            company_id=key.company_id,
            at=at,
            by=by,
            verb="key.revoke",
            subject_kind="api_key",
            subject_id=key.pk,
            facts={"prefix": key.prefix},
        )
    return key


def find_key(text: str) -> ApiKey | None:
    """The key with this text, if it may be used now: not revoked, not expired, of its company's kind."""
    if not text.startswith((LIVE_PREFIX, TEST_PREFIX)):
        return None
    key = ApiKey.objects.select_related("company").filter(digest=digest_of(text)).first()
    now = clock.machine_now()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return None
    if key.company.is_live != text.startswith(LIVE_PREFIX):
        return None
    if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key
