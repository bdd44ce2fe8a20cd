"""A company's gateways: set up, checked, found, and connected with the file that talks to the provider.

The rule that matters: a live company never talks to a provider's address on this machine, and a test company never to
the provider's real one.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from billing.gateways import bank_accounts, registry
from billing.gateways.base import Gateway as Connection
from billing.models import Gateway
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from pricing import sepa_rules

Kind = Gateway.Kind
#: Fields a person may set, by kind.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    Kind.STRIPE: ("name", "public_key", "secret", "webhook_id", "webhook_secret", "address"),
    Kind.PAYPAL: ("name", "public_key", "secret", "webhook_id", "address"),
    Kind.SEPA: ("name", "creditor_id", "creditor_name", "iban", "bic", "notice_days", "lead_days", "makes_files"),
    Kind.TRANSFER: ("name", "iban", "bic"),
    Kind.CASH: ("name",),
}
SECRETS: Final = frozenset({"secret", "webhook_secret", "iban"})
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    Kind.STRIPE: ("secret",),
    Kind.PAYPAL: ("public_key", "secret"),
    Kind.SEPA: ("creditor_id",),
}


def connect(account: Gateway) -> Connection:
    """The account, ready to talk. Refuses `gateway.address_local`, `gateway.address_missing`."""
    return registry.of_kind(account.kind)(account, address=address_of(account))


def is_local(address: str) -> bool:
    """Whether an address leads to this machine or its neighbours."""
    host = (urlsplit(address).hostname or "").lower()
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_private or found.is_link_local or found.is_unspecified


def address_of(account: Gateway) -> str:
    """Where the account's provider is reached; empty for the provider's own address."""
    company = account.company
    if account.kind not in (Kind.STRIPE, Kind.PAYPAL):
        return ""
    if company.is_live:
        if account.address and is_local(account.address):
            raise Refused("gateway.address_local", field="address", address=account.address)
        return account.address
    address = account.address or settings.GATEWAY_ADDRESSES.get(account.kind, "")
    if not address:
        raise Refused("gateway.address_missing", gateway=account.name)
    return address


def of_kind(company: Company, kind: str) -> Gateway | None:
    """The company's active gateway of that kind."""
    return Gateway.objects.filter(company=company, kind=kind, is_active=True).first()


def save(
    *, company: Company, gateway: Gateway | None = None, kind: str = "", by: Actor, at: datetime, **fields: Any
) -> Gateway:
    """Makes a gateway, or changes one. A secret left out or empty stays as it is.

    Refuses fields the kind doesn't have, missing ones (`gateway.field_missing`), a second active one of a kind
    (`gateway.kind_taken`) and, in a live company, addresses of this machine.
    """
    fresh = gateway is None
    if gateway is None:
        if kind not in Kind.values:
            raise Refused("field.choice", field="kind", value=kind, choices=", ".join(Kind.values))
        gateway = Gateway(company=company, kind=kind, name=str(Kind(kind).label), created_at=at)
    allowed = FIELDS[gateway.kind]
    for name, value in fields.items():
        if name not in (*allowed, "is_active"):
            raise Refused("field.unknown", field=name, name=name)
        if name in SECRETS and value in ("", None):
            continue
        if isinstance(value, str):
            value = checked(value.strip(), field=name, limit=500)
        setattr(gateway, name, value)
    for name in REQUIRED.get(gateway.kind, ()):
        if not getattr(gateway, name):
            raise Refused("gateway.field_missing", field=name, name=Gateway.field_name(name))
    if gateway.address and company.is_live and is_local(gateway.address):
        raise Refused("gateway.address_local", field="address", address=gateway.address)
    _check_account(gateway)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        others = Gateway.objects.filter(company=company, kind=gateway.kind, is_active=True).exclude(pk=gateway.pk)
        if gateway.is_active and others.exists():
            raise Refused("gateway.kind_taken", field="kind", kind=gateway.get_kind_display())
        gateway.save()
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="gateway.create" if fresh else "gateway.change",
            subject_kind="gateway",
            subject_id=gateway.pk,
            facts={"kind": gateway.kind, "fields": sorted(fields), "is_active": gateway.is_active},
        )
    return gateway


def _check_account(gateway: Gateway) -> None:
    """The creditor id's check digits hold; the account is one that SEPA reaches. Both are kept as they are written."""
    if gateway.creditor_id:
        gateway.creditor_id = gateway.creditor_id.replace(" ", "").upper()
        if not sepa_rules.is_creditor_id(gateway.creditor_id):
            raise Refused("gateway.creditor_id_wrong", field="creditor_id", value=gateway.creditor_id)
    if gateway.iban:
        account = bank_accounts.account_of(gateway.iban, gateway.bic)
        gateway.iban, gateway.bic = account.iban, account.bic
