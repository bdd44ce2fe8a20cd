"""U1 and U3: usage coming in against slower ways of the same effect, and a period rated against a scan of its events.

The rule that matters: the product's own tables with everything on; only ratios within one run are judged. Run alone:
python -m benchmarks.usage [--large]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction

from benchmarks import stock
from benchmarks.meters import Goals, admin, use
from catalog.models import Meter
from catalog.services.meters import create_meter
from core.actors import Actor
from core.models import Company
from subscriptions.models import Subscription, UsageDay, UsageEvent
from subscriptions.services import usage_windows
from subscriptions.services.usage import ingest
from subscriptions.services.usage_windows import Window

BY = Actor.system("bench")
NAME = f"{stock.PREFIX}_usage"
FIRST, END = date(2026, 1, 1), date(2026, 2, 1)
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROUNDS = 3
#: Events one by one, each in its own transaction.
ONE_BY_ONE = 300
SUBSCRIPTIONS = 500
BATCH = 20_000
SCAN = "SELECT sum(value), count(*) FROM subscriptions_usageevent WHERE at >= %s AND at < %s"

Event = dict[str, Any]


@contextmanager
def database() -> Iterator[None]:
    """A fresh database with a company, its subscriptions and two meters."""
    before = settings.DATABASES["default"]["NAME"]
    stock.drop(NAME)
    with admin() as server:
        server.execute(f"CREATE DATABASE {NAME} TEMPLATE template0 ENCODING 'UTF8'")
    use(NAME)
    try:
        call_command("migrate", verbosity=0)
        _agree()
        yield
    finally:
        stock.drop(NAME)
        use(before)


def _agree() -> None:
    """Subscriptions that are charged by usage: priced by the sum, and by the different values."""
    from billing.services.companies import open_company
    from catalog.models import TaxCategory
    from catalog.services.products import create_product
    from customers.services.customers import create_customer
    from subscriptions.services.items import ItemSpec
    from subscriptions.services.starting import AgreementSpec, agree_many

    company = open_company(
        name="Bench", slug="bench", legal_name="Bench GmbH", country="DE", currency="EUR", language="en",
        time_zone="Europe/Berlin", books_start_on=date(2020, 1, 1), is_live=False, clock_at=AT, owner=None,
        by=BY, at=AT,
    )  # fmt: skip
    category = TaxCategory.objects.get(company=company, code="standard-electronic")
    product = create_product(company=company, code="Calls", name={"en": "Calls"}, tax_category=category, by=BY, at=AT)
    meter, _ = (
        create_meter(company=company, code=code, name={"en": code}, aggregation=aggregation, by=BY, at=AT)
        for code, aggregation in (("calls", "sum"), ("people", "unique_count"))
    )
    specs = []
    for number in range(SUBSCRIPTIONS):
        customer = create_customer(
            company=company, name=f"Customer {number}", email=f"customer{number}@example.com",
            address={"lines": [f"Gasse {number}"], "postal_code": "10115", "city": "Berlin", "country": "DE"},
            by=BY, at=AT,
        )  # fmt: skip
        item = ItemSpec(product=product, kind="usage", meter=meter, unit_amount=Decimal("0.01"))
        rules = {"anchor_rule": "calendar"}
        specs.append(AgreementSpec(customer, FIRST, items=[item], overrides=rules, external_id=f"s{number}"))
    agree_many(company=company, specs=specs, on=FIRST, by=BY, at=AT)


def events(count: int, start: int = 0, meter: str = "calls") -> list[Event]:
    """Events over all subscriptions and all days of the month, as a sender writes them."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    step = timedelta(seconds=30 * 86_400 / max(count, 1))
    return [
        {
            "meter": meter,
            "event_id": f"e{start + number}",
            "subscription": f"s{number * 7919 % SUBSCRIPTIONS}",
            "at": (begun + number * step).isoformat(),
            "value": str(number % 17 + 1),
            "key": f"k{number % 97}" if meter == "people" else "",
        }
        for number in range(count)
    ]


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


# The same effect in the ways it is usually written: an event counted once, its day summed up.
_EVENT = """
INSERT INTO subscriptions_usageevent (company_id, meter_id, subscription_id, event_id, at, value, key, received_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (meter_id, event_id) DO NOTHING
"""
_DAY = """
INSERT INTO subscriptions_usageday AS d (company_id, subscription_id, meter_id, day, event_count, value_sum, value_max,
                                         latest_at, latest_value)
VALUES (%s, %s, %s, %s, 1, %s, %s, %s, %s)
ON CONFLICT (subscription_id, meter_id, day) DO UPDATE SET event_count = d.event_count + 1,
    value_sum = d.value_sum + excluded.value_sum, value_max = greatest(d.value_max, excluded.value_max),
    latest_at = greatest(d.latest_at, excluded.latest_at), latest_value = excluded.latest_value
"""


def executemany(company: Company, sent: list[Event]) -> None:
    """All events in one transaction, row by row through the driver's fastest way for many rows."""
    meters = dict(Meter.objects.values_list("code", "pk"))
    ids = dict(Subscription.objects.values_list("external_id", "pk"))
    rows, days = [], []
    for event in sent:
        at = datetime.fromisoformat(event["at"])
        meter_id, subscription_id, value = meters[event["meter"]], ids[event["subscription"]], Decimal(event["value"])
        rows.append((company.pk, meter_id, subscription_id, event["event_id"], at, value, event["key"], AT))
        days.append((company.pk, subscription_id, meter_id, at.date(), value, value, at, value))
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.executemany(_EVENT, rows)
        cursor.executemany(_DAY, days)
        cursor.execute("COMMIT")


def one_by_one(company: Company, sent: list[Event]) -> None:
    """A transaction an event, as an ORM is usually asked for it."""
    meters = {meter.code: meter for meter in Meter.objects.all()}
    for event in sent:
        at, value, meter = datetime.fromisoformat(event["at"]), Decimal(event["value"]), meters[event["meter"]]
        with transaction.atomic():
            subscription = Subscription.objects.get(company=company, external_id=event["subscription"])
            _, is_new = UsageEvent.objects.get_or_create(
                company=company, meter=meter, event_id=event["event_id"],
                defaults={"subscription": subscription, "at": at, "value": value, "received_at": AT},
            )  # fmt: skip
            if not is_new:
                continue
            day, is_first = UsageDay.objects.select_for_update().get_or_create(
                company=company, subscription=subscription, meter=meter, day=at.date(),
                defaults={"event_count": 1, "value_sum": value, "value_max": value, "latest_at": at,
                          "latest_value": value},
            )  # fmt: skip
            if not is_first:
                day.event_count, day.value_sum = day.event_count + 1, day.value_sum + value
                day.value_max = max(day.value_max, value)
                if at >= day.latest_at:
                    day.latest_at, day.latest_value = at, value
                day.save()


def coming_in(count: int, goals: Goals) -> None:
    """U1: a batch of so many events against one transaction an event, and against executemany."""
    company = Company.objects.get()
    alone, many, batches = [], [], []
    place = 0
    for _ in range(ROUNDS):
        single = events(ONE_BY_ONE, place)
        place += ONE_BY_ONE
        alone.append(_seconds(lambda: one_by_one(company, single)) / ONE_BY_ONE)  # noqa: B023
        sent = events(count, place)
        place += count
        many.append(_seconds(lambda: executemany(company, sent)) / count)  # noqa: B023
        sent = events(count, place)
        place += count
        outcome = []
        batches.append(_seconds(lambda: outcome.append(ingest(company=company, events=sent, at=AT))) / count)  # noqa: B023
        assert outcome[0].accepted == count
    one, other, batch = (statistics.median(taken) for taken in (alone, many, batches))
    print(
        f"# {count:,} events: {1 / batch:,.0f}/s in batches, {1 / other:,.0f}/s by executemany, {1 / one:,.0f}/s "
        "in a transaction each",
        flush=True,
    )
    goals.judge("U1", one / batch, must=25, aim=50, places=0, words=f"usage against a transaction each, {count:,}")
    goals.judge("U1", other / batch, must=2, aim=3, words=f"usage against executemany, {count:,}")


def _windows(meter: Meter) -> list[Window]:
    rows = Subscription.objects.order_by("pk").values_list("pk", "time_zone")
    return [Window(pk, meter.pk, zone, FIRST, END, FIRST, END) for pk, zone in rows]


def rating(count: int, goals: Goals) -> None:
    """U3: quantities of all windows of a month, from the events and from their sums by day, against one scan."""
    company = Company.objects.get()
    for meter in ("calls", "people"):
        for first in range(0, count, BATCH):
            part = events(min(BATCH, count - first), 10**8 + first, meter)
            ingest(company=company, events=part, at=AT)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) subscriptions_usageevent, subscriptions_usageday")
        # One process reads the windows, so one process scans.
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    calls, people = (Meter.objects.get(code=code) for code in ("calls", "people"))
    by_day, by_event = [], []
    for _ in range(ROUNDS):
        before = _seconds(_scan)
        days = _seconds(lambda: usage_windows.read(_windows(calls)))
        between = _seconds(_scan)
        whole = _seconds(lambda: usage_windows.read(_windows(people)))
        after = _seconds(_scan)
        by_day.append(days / ((before + between) / 2))
        by_event.append(whole / ((between + after) / 2))
    goals.judge(
        "U3", statistics.median(by_event), must=7, aim=4, at_most=True,
        words=f"usage of a month from {count:,} events / a scan of them",
    )  # fmt: skip
    goals.judge(
        "U3", statistics.median(by_day), must=1, aim=0.7, at_most=True, words="the same from sums by day / a scan"
    )


def _scan() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            SCAN, [usage_windows.midnight(FIRST, "Europe/Berlin"), usage_windows.midnight(END, "Europe/Berlin")]
        )
        cursor.fetchall()


def main(*, large: bool = False) -> bool:
    """Prints the goals; whether all were met."""
    goals = Goals()
    with database():
        coming_in(100_000 if large else 20_000, goals)
        rating(1_000_000 if large else 200_000, goals)
        connections.close_all()
    return goals.met


if __name__ == "__main__":
    raise SystemExit(0 if main(large="--large" in sys.argv) else 1)
