"""Signed links of reminders: a customer sees the subscription and takes the offer without signing in.

The rule that matters: a token names one reminder and a last day; it opens nothing else and can't be made up.
"""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse

from core import clock
from core.ids import BadId, encode
from core.refusal import Refused
from crm.models import Reminder

SALT: Final = "turnus.reminder"
#: Days a link is good for.
LINK_DAYS: Final = 60


def link_of(public_id: uuid.UUID, *, on: date, until: date | None = None) -> str:
    """The address of the reminder's page, good for `LINK_DAYS` and as long as its offer holds."""
    last = max(on + timedelta(days=LINK_DAYS), until or on)
    token = Signer(salt=SALT).sign_object([encode(Reminder.PREFIX, public_id), last.isoformat()])
    return f"{settings.SITE_URL}{_path().format(token)}"


@lru_cache(maxsize=1)
def _path() -> str:
    """The address of such a page, with a gap for the token."""
    try:
        return reverse("reminder", kwargs={"token": "TOKEN"}).replace("TOKEN", "{}")
    except NoReverseMatch:  # the product without its portal
        return "/r/{}/"


def token_of(reminder: Reminder, *, on: date) -> str:
    """The token alone, for pages of ours."""
    last = max(on + timedelta(days=LINK_DAYS), reminder.offer_until_on or on)
    return Signer(salt=SALT).sign_object([reminder.ref, last.isoformat()])


def read(token: str) -> Reminder:
    """The reminder a token names. Refuses `reminder_link.invalid`, and after its last day `reminder_link.over`.

    Refuses `reminder_link.closed` where the customer is archived: nobody is led to what is closed.
    """
    rows = Reminder.objects.select_related(
        "company", "customer__company", "rule", "offer__discount", "subscription__company", "subscription__plan",
        "subscription__customer", "agreed__subscription",
    )  # fmt: skip
    try:
        ref, until = Signer(salt=SALT).unsign_object(token)
        reminder = Reminder.by_ref(rows, ref)
        last = date.fromisoformat(until)
    except (BadSignature, BadId, ValueError, TypeError, Reminder.DoesNotExist) as error:
        raise Refused("reminder_link.invalid") from error
    if clock.today(reminder.company) > last:
        raise Refused("reminder_link.over", day=last)
    if reminder.customer.archived_at is not None:
        raise Refused("reminder_link.closed", company=reminder.company.name, email=reminder.company.email)
    return reminder
