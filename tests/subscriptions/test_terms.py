"""The contract clock of a subscription, in figures and words."""

from __future__ import annotations

from datetime import date

import pytest

from tests.factories import TODAY, a_company, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db

YEAR = {
    "minimum_count": 12,
    "notice_count": 1,
    "notice_unit": "month",
    "notice_to": "term_end",
    "renewal_rule": "renew",
}


def clock_of(subscription, on):
    from subscriptions.services.terms import contract_clock_of

    return contract_clock_of(subscription, on=on)


def test_the_clock_says_until_when_to_cancel():
    company = a_company()
    clock = clock_of(a_subscription(company, plan=a_plan(company, rules=YEAR)), date(2026, 3, 1))
    assert (clock.cancel_by, clock.earliest_end, clock.renews_on) == (
        date(2026, 11, 30),
        date(2026, 12, 31),
        date(2027, 1, 1),
    )


def test_the_words_name_the_days():
    from subscriptions.services.terms import in_words

    company = a_company()
    clock = clock_of(a_subscription(company, plan=a_plan(company, rules=YEAR)), date(2026, 3, 1))
    assert in_words(clock, "en") == [
        "Canceled by 30 Nov 2026, it ends on 31 Dec 2026.",
        "The minimum term runs until then.",
        "Without notice it renews on 1 Jan 2027.",
    ]


def test_a_planned_end_is_said():
    from subscriptions.services.ending import plan_end
    from subscriptions.services.terms import in_words
    from tests.factories import BY

    subscription = a_subscription(a_company())
    ended = plan_end(subscription=subscription, timing="period_end", on=TODAY, by=BY, at=at_noon(TODAY))
    assert in_words(clock_of(ended, TODAY), "en") == ["Its last day is 31 Jan 2026, as canceled."]


def test_a_contract_that_expires_says_so():
    from subscriptions.services.terms import in_words

    company = a_company()
    plan = a_plan(company, rules={"minimum_count": 6, "renewal_rule": "expire"})
    assert in_words(clock_of(a_subscription(company, plan=plan), TODAY), "en") == ["It ends by itself on 30 Jun 2026."]


def test_an_ended_contract_says_when():
    from subscriptions.services.terms import in_words

    company = a_company()
    ended = a_subscription(company, start_on=date(2025, 10, 1), ends_on=date(2025, 12, 31))
    assert in_words(clock_of(ended, TODAY), "en") == ["It ended on 31 Dec 2025."]


def test_an_open_contract_goes_on():
    from subscriptions.services.terms import in_words

    assert in_words(clock_of(a_subscription(a_company()), date(2026, 1, 10)), "en") == [
        "Canceled by 31 Jan 2026, it ends on 31 Jan 2026.",
        "It ends with a billing period.",
        "Without notice it goes on.",
    ]
