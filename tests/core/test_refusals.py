"""How a refusal reads: its days and amounts in the active language."""

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone, translation

from core.refusal import Refused
from pricing.money import Money


@pytest.mark.parametrize(("language", "text"), [("en", "31 Dec 2026"), ("de", "31.12.2026")])
def test_a_refusal_writes_days_as_its_language_does(language, text):
    with translation.override(language):
        assert text in Refused("subscription.end_too_early", day=date(2026, 12, 31)).message


@pytest.mark.parametrize(("language", "text"), [("en", "€24.37"), ("de", "24,37\xa0€")])
def test_a_refusal_writes_money_as_its_language_does(language, text):
    with translation.override(language):
        assert text in Refused("credit.above_left", left=Money(2437, "EUR")).message


def test_a_refusal_writes_a_moment_to_the_minute():
    with timezone.override(UTC):
        message = Refused("company.clock_goes_forward", now=datetime(2026, 1, 31, 14, 5, tzinfo=UTC)).message
    assert message == "The clock only moves forward; it stands at 31 Jan 2026, 14:05."


@pytest.mark.parametrize(("count", "text"), [(1, "There is 1 draft"), (2, "There are 2 drafts")])
def test_a_refusal_that_counts_speaks_of_one_as_of_one(count, text):
    assert Refused("erasure.draft", count=count).message.startswith(text)
