"""Signed links with which an invoice is paid without signing in.

The rule that matters: the token names one invoice and a last day; it opens nothing else and can't be made up.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse

from billing.models import Invoice
from core import clock
from core.refusal import Refused

SALT: Final = "turnus.pay"
#: Days a link is good for.
LINK_DAYS: Final = 90


def token_of(invoice: Invoice, *, on: date | None = None) -> str:
    """The token, good for `LINK_DAYS` from that day, by the company's clock."""
    first = on or clock.today(invoice.company)
    until = first + timedelta(days=LINK_DAYS)
    return Signer(salt=SALT).sign_object([invoice.ref, until.isoformat()])


def paying_link(invoice: Invoice, *, on: date | None = None) -> str:
    """The address of the page that pays the invoice."""
    token = token_of(invoice, on=on)
    try:
        path = reverse("pay", kwargs={"token": token})
    except NoReverseMatch:  # the product without its portal
        path = f"/pay/{token}/"
    return f"{settings.SITE_URL}{path}"


def read(token: str, *, on: date | None = None) -> Invoice:
    """The invoice a token names. Refuses `pay_link.invalid`, and after its last day `pay_link.over`."""
    try:
        ref, until = Signer(salt=SALT).unsign_object(token)
        found = (
            Invoice.objects.select_related("company", "customer").filter(public_id=Invoice.public_id_of(ref)).first()
        )
        last = date.fromisoformat(until)
    except (BadSignature, ValueError, TypeError) as error:
        raise Refused("pay_link.invalid") from error
    if found is None:
        raise Refused("pay_link.invalid")
    if (on or clock.today(found.company)) > last:
        raise Refused("pay_link.over", day=last)
    return found
