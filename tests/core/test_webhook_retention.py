"""What endpoints were sent is dropped when it is old and over, in portions; what waits or is recent stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from core import clock
from core.models import Company, WebhookDelivery, WebhookEndpoint, WebhookTry
from core.services import sweeping, webhook_endpoints
from tests.core.hooking import happens, hooked
from tests.factories import BY

DAY = timedelta(days=1)


@pytest.fixture
def company(db: None, settings: Any) -> Company:
    settings.WEBHOOKS_TO_LOOPBACK, settings.WEBHOOK_LOG_DAYS = True, 90
    return hooked()


@pytest.fixture
def endpoint(company: Company) -> WebhookEndpoint:
    found, _secret = webhook_endpoints.create(
        company=company, url="http://127.0.0.1:9999/in", types=["company.*"], by=BY, at=clock.now(company)
    )
    return found


def a_delivery(company: Company, written: datetime, *, state: str = "delivered", tries: int = 1) -> WebhookDelivery:
    """A delivery of that day with its tries; closed then, unless it waits."""
    event = happens(company)
    row = WebhookDelivery.objects.get(event=event)
    closed = None if state == "waiting" else written
    WebhookDelivery.objects.filter(pk=row.pk).update(state=state, created_at=written, closed_at=closed)
    for _number in range(tries):
        WebhookTry.objects.create(
            company=company, delivery=row, at=written, url="http://127.0.0.1:9999/in", status=200, milliseconds=1
        )
    return row


def forget(company: Company) -> int:
    """How many rows went, deliveries and tries."""
    return sweeping.sweep(company, clock.machine_now(), ["webhooks"]).get("webhooks", 0)


def left() -> list[int]:
    return list(WebhookDelivery.objects.order_by("pk").values_list("pk", flat=True))


def test_what_is_over_and_older_than_the_setting_goes_with_its_tries(
    company: Company, endpoint: WebhookEndpoint
) -> None:
    now = clock.machine_now()
    a_delivery(company, now - 91 * DAY, tries=2)
    a_delivery(company, now - 91 * DAY, state="dead", tries=10)
    kept = [a_delivery(company, now - 89 * DAY), a_delivery(company, now - DAY, state="dead")]
    assert forget(company) == 14
    assert left() == [row.pk for row in kept]
    assert WebhookTry.objects.count() == 2
    assert forget(company) == 0


def test_what_waits_or_was_sent_again_lately_stays(company: Company, endpoint: WebhookEndpoint) -> None:
    now = clock.machine_now()
    waiting = a_delivery(company, now - 200 * DAY, state="waiting", tries=3)
    again = a_delivery(company, now - 200 * DAY)
    WebhookDelivery.objects.filter(pk=again.pk).update(closed_at=now - DAY)
    assert forget(company) == 0
    assert left() == [waiting.pk, again.pk]


def test_it_goes_in_portions_past_what_stays(
    company: Company, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PORTION", 3)
    now = clock.machine_now()
    waiting = a_delivery(company, now - 100 * DAY, state="waiting")
    for _number in range(7):
        a_delivery(company, now - 95 * DAY)
    with CaptureQueriesContext(connection) as asked:
        assert forget(company) == 14
    # Two, two, two, one, and a last look.
    assert len(asked) == 5
    assert left() == [waiting.pk]


def test_another_companys_log_is_its_own(company: Company, endpoint: WebhookEndpoint) -> None:
    other = hooked("other")
    row = a_delivery(company, clock.machine_now() - 100 * DAY)
    assert forget(other) == 0
    assert left() == [row.pk]


@pytest.mark.parametrize(("days", "gone"), [(0, 0), (1, 1), (31, 1), (50, 0)])
def test_the_setting_keeps_for_ever_or_for_a_month_at_least(
    company: Company, endpoint: WebhookEndpoint, settings: Any, days: int, gone: int
) -> None:
    settings.WEBHOOK_LOG_DAYS = days
    a_delivery(company, clock.machine_now() - 30.5 * DAY)
    a_delivery(company, clock.machine_now() - 32 * DAY)
    WebhookDelivery.objects.filter(created_at__gt=clock.machine_now() - 31 * DAY).update(created_at=clock.machine_now())
    forget(company)
    assert WebhookDelivery.objects.count() == 2 - gone


def test_the_database_keeps_the_log_of_the_last_month_whoever_asks(company: Company, endpoint: WebhookEndpoint) -> None:
    a_delivery(company, clock.machine_now() - 29 * DAY)
    for statement in ("DELETE FROM core_webhooktry", "UPDATE core_webhooktry SET status = 500"):
        refused = pytest.raises(DatabaseError, match="only ever appended")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert WebhookTry.objects.get().status == 200
