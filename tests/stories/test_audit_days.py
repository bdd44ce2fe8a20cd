"""The audit of days given back: it bears that a note rounds to nothing, and sees that one is missing."""

from __future__ import annotations

from datetime import date

import pytest

from tests.billing.test_crediting import an_invoice
from tests.factories import BY, a_company, set_clock
from tests.stories.audit_days import notes_give_back_days

pytestmark = pytest.mark.django_db


def test_days_worth_less_than_half_a_cent_leave_no_note_and_no_fault() -> None:
    """0.01 for the 31 days of January: the six after the 25th are worth 0.0019, and no note is written."""
    from billing.models import BilledDays, CreditNote
    from billing.services import acts

    company = a_company()
    invoice = an_invoice(company, amount="0.01", rules={"notice_to": "any_day"})
    subscription = invoice.lines.get().subscription
    acts.cancel(
        subscription=subscription, timing="now", unused="credit", by=BY, at=set_clock(company, date(2026, 1, 25))
    )
    assert BilledDays.objects.filter(company=company, released_at__isnull=False).exists()
    assert not CreditNote.objects.filter(company=company).exists()
    notes_give_back_days(company)


def test_days_that_were_given_back_without_their_note_are_found() -> None:
    from billing.models import BilledDays

    company = a_company()
    an_invoice(company, amount="31.00")
    BilledDays.objects.filter(company=company).update(released_at=company.clock_at)
    with pytest.raises(AssertionError):
        notes_give_back_days(company)
