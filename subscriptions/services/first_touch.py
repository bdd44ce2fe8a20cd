"""Keeping which campaign brought a customer first.

The rule that matters: the first word stands. A second one changes nothing, however many say it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from catalog.models import Campaign
from core.models import Company
from core.refusal import Refused
from customers.models import Customer
from subscriptions.models import FirstTouch

SOURCE_LENGTH = 80
#: The source of a customer whose first subscription started with a campaign's offer code.
OFFER_CODE = "offer_code"


def note(*, company: Company, customer: Customer, campaign: Campaign | None, source: str, at: datetime) -> None:
    """Keeps that `campaign`, or `source` alone, brought this customer, unless something is kept already.

    Says nothing when neither is known. Refuses `not_found` for a customer or campaign of another company.
    """
    if customer.company_id != company.pk or (campaign is not None and campaign.company_id != company.pk):
        raise Refused("not_found", field="campaign")
    if campaign is None and not source:
        return
    note_many(company=company, touches=[(customer.pk, campaign.pk if campaign else None, source)], at=at)


def note_many(*, company: Company, touches: Sequence[tuple[int, int | None, str]], at: datetime) -> None:
    """The same for many in one statement: (customer's id, campaign's id, source), all of the company."""
    rows = [
        FirstTouch(company=company, customer_id=customer, campaign_id=campaign, source=source[:SOURCE_LENGTH],
                   touched_at=at)
        for customer, campaign, source in touches
    ]  # fmt: skip
    FirstTouch.objects.bulk_create(rows, ignore_conflicts=True)
