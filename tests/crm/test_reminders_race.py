"""Reminders and offers from several sides at once: real threads, real transactions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest
from django.db import connection

from tests.crm.reminding import a_house, a_rule, a_subscriber, an_offer, consent
from tests.factories import at_noon, set_clock

pytestmark = pytest.mark.django_db(transaction=True)
SENT = date(2027, 1, 30)


def at_once(*functions):
    """Runs them at the same time, each on a connection of its own; what they answered."""
    barrier = Barrier(len(functions))

    def run(function):
        try:
            barrier.wait()
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, function) for function in functions]]


def test_several_ticks_at_once_remind_each_once():
    from crm.models import Reminder
    from crm.services import reminding
    from customers.models import Message

    company = a_house()
    for _ in range(3):
        a_subscriber(company)
    a_rule(company)
    at = set_clock(company, SENT)
    found = at_once(*[lambda: reminding.remind_due(company=company, at=at)] * 4)
    assert sum(one["reminded"] for one in found) == 3
    assert (Reminder.objects.count(), Message.objects.filter(subject_kind="reminder").count()) == (3, 3)


def test_several_clicks_at_once_are_one():
    from core.models import Event
    from crm.models import Reminder
    from crm.services import offers, reminding

    company = a_house()
    subscription = a_subscriber(company)
    consent(subscription.customer)
    a_rule(company, category="marketing", offer=an_offer(company))
    at = set_clock(company, SENT)
    reminding.remind_due(company=company, at=at)
    reminder = Reminder.objects.select_related("company").get()
    at_once(*[lambda: offers.accept(reminder=reminder, by=offers.READER, at=at_noon(SENT))] * 4)
    assert subscription.discounts.count() == 1
    assert Event.objects.filter(type="offer.accepted").count() == 1


def test_several_ticks_at_once_send_a_notice_once():
    from crm.services import renewal_law
    from subscriptions.models import RenewalNotice

    company = a_house()
    a_subscriber(company, kind="person", country="FR")
    at = set_clock(company, date(2026, 12, 1))
    at_once(*[lambda: renewal_law.keep_law(company=company, at=at)] * 4)
    assert RenewalNotice.objects.count() == 1
