"""Signed links of quotes: the recipient reads, accepts and declines without signing in.

The rule that matters: a token names one version of one quote and a last day; it opens nothing else and can't be made
up.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse

from core import clock
from core.ids import BadId
from core.refusal import Refused
from crm.models import Quote

SALT: Final = "turnus.quote"
#: Days a link is good for after the quote's last day, to read what was agreed.
AFTER_DAYS: Final = 180


def token_of(quote: Quote) -> str:
    """What names the quote in addresses."""
    until = quote.valid_until + timedelta(days=AFTER_DAYS)
    return Signer(salt=SALT).sign_object([quote.ref, until.isoformat()])


def link_of(quote: Quote) -> str:
    """The address of the quote's page."""
    token = token_of(quote)
    try:
        path = reverse("quote", kwargs={"token": token})
    except NoReverseMatch:  # the product without its portal
        path = f"/q/{token}/"
    return f"{settings.SITE_URL}{path}"


def read(token: str) -> Quote:
    """The quote a token names. Refuses `quote_link.invalid`, and after its last day `quote_link.over`."""
    rows = Quote.objects.select_related(
        "company", "customer__company", "lead__stage", "plan", "owner", "subscription", "invoice"
    )
    try:
        ref, until = Signer(salt=SALT).unsign_object(token)
        quote = Quote.by_ref(rows, ref)
        last = date.fromisoformat(until)
    except (BadSignature, BadId, ValueError, TypeError, Quote.DoesNotExist) as error:
        raise Refused("quote_link.invalid") from error
    if quote.state == Quote.State.DRAFT:
        raise Refused("quote_link.invalid")
    if clock.today(quote.company) > last:
        raise Refused("quote_link.over", day=last)
    return quote
