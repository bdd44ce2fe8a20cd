"""Usage that comes in while its period is being closed is in that period or late, never lost."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import pytest
from django.db import connection, transaction

from billing.models import InvoiceLine
from billing.services.settling import settle
from subscriptions.models import Subscription
from tests.factories import BY, a_company, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


@pytest.mark.django_db(transaction=True)
def test_billing_waits_for_the_events_that_are_coming_in():
    company = a_company(today=JAN)
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    at = set_clock(company, FEB)

    def close() -> None:
        try:
            settle(company=company, customer_ids=[subscription.customer_id], on=FEB, at=at, by=BY)
        finally:
            connection.close()

    closing = threading.Thread(target=close)
    with transaction.atomic():
        assert take_in(company, sent(meter, subscription, "2026-01-20T12:00:00Z", 5)).accepted == 1
        closing.start()
        closing.join(timeout=1.0)
        assert closing.is_alive()
    closing.join()
    assert InvoiceLine.objects.get().amount_minor == 500


@pytest.mark.django_db(transaction=True)
def test_events_wait_for_the_close_and_are_late_then():
    company = a_company(today=JAN)
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    at = set_clock(company, FEB)
    outcomes: list[Any] = []

    def send() -> None:
        try:
            outcomes.append(take_in(company, sent(meter, subscription, "2026-01-20T12:00:00Z", 5)))
        finally:
            connection.close()

    sending = threading.Thread(target=send)
    with transaction.atomic():
        settle(company=company, customer_ids=[subscription.customer_id], on=FEB, at=at, by=BY)
        sending.start()
        sending.join(timeout=1.0)
        assert sending.is_alive()
    sending.join()
    assert outcomes[0].accepted == 1
    assert Subscription.objects.get().next_bill_on == MAR
    settle(company=company, customer_ids=[subscription.customer_id], on=MAR, at=set_clock(company, MAR), by=BY)
    line = InvoiceLine.objects.get()
    assert (line.kind, line.amount_minor) == ("late", 500)
