"""The history on a subscription's page speaks in words, days by locale, whoever said why."""

from __future__ import annotations

from datetime import date

from django.urls import reverse

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import text_of
from tests.factories import BY


def canceled_page(office: Office, comment: str = "") -> str:
    from billing.services import acts

    subscription = office.start()
    acts.cancel(
        subscription=subscription, timing="date", ends_on=date(2026, 5, 14), reason="too_expensive", comment=comment,
        on=TODAY, by=BY, at=office.at,
    )  # fmt: skip
    return text_of(office.client().get(reverse("backoffice:subscription", args=[subscription.ref])))


def test_a_cancellation_is_told_in_words(office: Office) -> None:
    text = canceled_page(office)
    assert "too expensive" in text and "too_expensive" not in text
    assert "Last day: 14 May 2026 · Cancellation takes effect: a date · Unused days: credited" in text


def test_a_start_is_told_in_words(office: Office) -> None:
    text = canceled_page(office)
    assert "State: active" in text and "First day: 15 Mar 2026" in text and "start_on" not in text


def test_a_movement_names_its_cause_in_words(office: Office) -> None:
    text = canceled_page(office)
    assert "15 Mar 2026 new Agreed" in text and "subscription.start" not in text


def test_the_customers_timeline_says_the_reason_in_words(office: Office) -> None:
    canceled_page(office)
    text = text_of(office.client().get(reverse("backoffice:customer", args=[office.customer.ref])))
    assert "14 May 2026 · too expensive" in text and "too_expensive" not in text


def test_nothing_is_billed_through_before_the_first_bill(office: Office) -> None:
    billed, new = office.start(), office.start(start_on=date(2026, 6, 1))
    shown = [
        office.client().get(reverse("backoffice:subscription", args=[one.ref])).context["slots"][0].through
        for one in (billed, new)
    ]
    assert shown == [date(2026, 4, 14), None]
