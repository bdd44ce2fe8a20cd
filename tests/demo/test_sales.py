"""What the demo's scenes of selling leave behind: leads in every stage, quotes in every state, a mailing's results."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def test_leads_stand_in_every_stage(story: Any) -> None:
    from crm.models import Lead

    rows = Lead.objects.filter(company=story.company).select_related("stage")
    assert Counter(row.stage.name for row in rows) == {
        "Neu": 5, "Qualifiziert": 2, "Angebot gesendet": 2, "Gewonnen": 1, "Verloren": 2,
    }  # fmt: skip


def test_of_five_quotes_one_became_a_subscription_and_its_invoice(story: Any) -> None:
    from crm.models import Quote

    rows = Quote.objects.filter(company=story.company)
    assert Counter(row.state for row in rows) == {"declined": 1, "accepted": 1, "expired": 1, "sent": 1, "draft": 1}
    won = rows.get(state="accepted")
    assert won.subscription is not None and won.invoice is not None
    # Twelve seats at 135.00 a year.
    assert (won.invoice.net_minor, won.lead.customer.name) == (162000, "Vermessungsbüro Ostermann PartG mbB")


def test_the_mailing_went_to_all_who_allowed_it_and_some_took_its_offer(story: Any) -> None:
    from crm.models import Mailing

    mailing = Mailing.objects.get(company=story.company)
    sent = mailing.recipients.filter(sent_at__isnull=False)
    assert mailing.state == "done" and mailing.recipients.filter(left_out="", sent_at__isnull=True).count() == 0
    assert sent.count() >= 20
    assert sent.filter(clicked_at__isnull=False).count() == -(-sent.count() // 3)
    assert 1 <= sent.filter(accepted_at__isnull=False).count() <= 3


def test_both_segments_have_members(story: Any) -> None:
    from crm.models import Segment
    from crm.services import segments

    rows = Segment.objects.filter(company=story.company)
    assert rows.count() == 2
    assert all(segments.members(segment=row, on=story.now.date()).exists() for row in rows)
