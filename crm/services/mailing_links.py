"""Signed links of mailings: a customer sees the offer and takes it without signing in.

The rule that matters: a token names one customer in one mailing and a last day; it opens nothing else.
"""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse

from core import clock
from core.ids import BadId, decode, encode
from core.refusal import Refused
from crm.models import Mailing, MailingRecipient
from customers.models import Customer

SALT: Final = "turnus.mailing"
#: Days a link is good for, and longer where its offer holds longer.
LINK_DAYS: Final = 60


def link_of(mailing: uuid.UUID, customer: uuid.UUID, *, on: date, until: date | None = None) -> str:
    """The address of the page behind a mail of that mailing to that customer."""
    last = max(on + timedelta(days=LINK_DAYS), until or on)
    parts = [encode(Mailing.PREFIX, mailing), encode(Customer.PREFIX, customer), last.isoformat()]
    token = Signer(salt=SALT).sign_object(parts)
    try:
        path = reverse("mailing", kwargs={"token": token})
    except NoReverseMatch:  # the product without its portal
        path = f"/m/{token}/"
    return f"{settings.SITE_URL}{path}"


def example_link() -> str:
    """Where the link of a test leads: nobody's click is counted."""
    return f"{settings.SITE_URL}/portal/"


def read(token: str) -> MailingRecipient:
    """The recipient a token names. Refuses `mailing_link.invalid`, and after its last day `mailing_link.over`."""
    rows = MailingRecipient.objects.select_related(
        "company", "customer__company", "mailing__campaign", "mailing__offer__discount", "mailing__offer_code",
        "subscription__company", "subscription__plan", "subscription__customer", "agreed",
    )  # fmt: skip
    try:
        mailing, customer, until = Signer(salt=SALT).unsign_object(token)
        recipient = rows.get(
            mailing__public_id=decode(Mailing.PREFIX, mailing), customer__public_id=decode(Customer.PREFIX, customer),
            sent_at__isnull=False,
        )  # fmt: skip
        last = date.fromisoformat(until)
    except (BadSignature, BadId, ValueError, TypeError, MailingRecipient.DoesNotExist) as error:
        raise Refused("mailing_link.invalid") from error
    if clock.today(recipient.company) > last:
        raise Refused("mailing_link.over", day=last)
    return recipient
