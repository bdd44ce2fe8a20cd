"""Subscriptions in bulk: a few hundred are agreed by the verb, the rest are equal rows with ids of their own.

The rule that matters: the product's own tables, with every index, constraint and trigger on. A stock is made once as a
database, and every measurement works on a fresh copy of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.core.management import call_command
from django.db import connection, connections

from benchmarks.meters import admin, use
from pricing.periods import add_months

if TYPE_CHECKING:
    from catalog.models import Product
    from core.actors import Actor
    from core.models import Company
    from subscriptions.models import Subscription

FIRST: Final = date(2026, 1, 1)
LAST: Final = date(2026, 1, 31)
AT: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
PREFIX: Final = "turnus_bench"
BLOCK: Final = 500
#: Tables that make up the stock, and which of their columns point to rows that are multiplied, too.
#: Beside them in a mixed stock: half of the subscriptions have tiers, a discount and usage, too.
MIXED: Final = {
    "subscriptions_agreeddiscount": {
        "id": "subscriptions_agreeddiscount", "subscription_id": "subscriptions_subscription",
    },
    "subscriptions_usageday": {"id": "subscriptions_usageday", "subscription_id": "subscriptions_subscription"},
}  # fmt: skip
TABLES: Final = {
    "customers_customer": {"id": "customers_customer"},
    "customers_address": {"id": "customers_address", "customer_id": "customers_customer"},
    "subscriptions_subscription": {"id": "subscriptions_subscription", "customer_id": "customers_customer"},
    "subscriptions_slot": {"id": "subscriptions_slot", "subscription_id": "subscriptions_subscription"},
    "subscriptions_slotterms": {"id": "subscriptions_slotterms", "slot_id": "subscriptions_slot"},
}


def name_of(count: int, *, mixed: bool = False) -> str:
    return f"{PREFIX}_{'mixed_' if mixed else ''}{count}"


def make(count: int, *, mixed: bool = False) -> str:
    """A database with so many subscriptions due in January 2026, half of them with two positions; its name.

    `mixed`: half of them have a graduated price, a discount and the usage of a month that closes, too.
    """
    name = name_of(count, mixed=mixed)
    tables = TABLES | (MIXED if mixed else {})
    begun = time.monotonic()
    drop(name)
    with admin() as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    use(name)
    call_command("migrate", verbosity=0)
    _agree(min(count, BLOCK), mixed=mixed)
    if count > BLOCK:
        multiply(count // BLOCK, tables)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (FREEZE, ANALYZE) {', '.join(tables)}")
        cursor.execute("SELECT count(*) FROM subscriptions_subscription WHERE next_bill_on <= %s", [LAST])
        made = cursor.fetchone()[0]
    assert made == count, f"{made} subscriptions instead of {count}"
    connections.close_all()
    print(f"# {count:,} {'mixed ' if mixed else ''}subscriptions made in {time.monotonic() - begun:.0f} s", flush=True)
    return name


def copy(name: str) -> str:
    """A fresh copy to measure on; Django uses it from now on."""
    work = f"{PREFIX}_work"
    drop(work)
    with admin() as server:
        server.execute(f"CREATE DATABASE {work} TEMPLATE {name} STRATEGY FILE_COPY")
        server.execute("CHECKPOINT")
    use(work)
    return work


def drop(name: str) -> None:
    connections.close_all()
    with admin() as server:
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _agree(count: int, *, mixed: bool) -> None:
    from billing.services.companies import open_company
    from catalog.models import TaxCategory
    from catalog.services.plans import PlanItemSpec, PriceSpec, create_plan
    from catalog.services.products import create_product
    from core.actors import Actor
    from customers.services.customers import create_customer
    from subscriptions.services.starting import AgreementSpec, agree_many

    by = Actor.system("bench")
    company = open_company(
        name="Bench", slug="bench", legal_name="Bench GmbH", country="DE", currency="EUR", language="en",
        time_zone="Europe/Berlin", books_start_on=date(2020, 1, 1), is_live=False, clock_at=AT, owner=None,
        by=by, at=AT,
    )  # fmt: skip
    category = TaxCategory.objects.get(company=company, code="standard-electronic")
    products = [
        create_product(company=company, code=code, name={"en": code}, tax_category=category, by=by, at=AT)
        for code in ("Access", "Support")
    ]
    plans = []
    for number in range(4):
        price = PriceSpec(currency="EUR", unit_amount=Decimal(f"{9 + 10 * number}.90"), valid_from=date(2020, 1, 1))
        items = [PlanItemSpec(product=product, prices=[price]) for product in products[: 1 + number % 2]]
        plans.append(
            create_plan(
                company=company,
                code=f"plan-{number}",
                name={"en": f"Plan {number}"},
                items=items,
                status="on_sale",
                rules={},
                by=by,
                at=AT,
            )  # fmt: skip
        )
    specs = []
    more = _extras(company, products, by) if mixed else {}
    for number in range(count):
        country, kind = (("DE", "company"), ("FR", "person"), ("DE", "company"))[number % 3]
        customer = create_customer(
            company=company, name=f"Customer {number} & Söhne", kind=kind, email=f"customer{number}@example.com",
            address={"lines": [f"Gasse {number}"], "postal_code": "10115", "city": "Berlin", "country": country},
            by=by, at=AT,
        )  # fmt: skip
        start_on = FIRST + timedelta(days=number % 28)
        # The usage of a month closes with the due day: they began a month earlier, billed elsewhere until then.
        earlier = {"start_on": add_months(start_on, -1), "billed_through_on": start_on - timedelta(days=1)}
        given = earlier | more if mixed and number % 2 else {"start_on": start_on}
        specs.append(AgreementSpec(customer=customer, plan=plans[number % 4], **given))
    made = agree_many(company=company, specs=specs, on=LAST, by=by, at=AT)
    if mixed:
        _use([one for number, one in enumerate(made) if number % 2])


def _extras(company: Company, products: list[Product], by: Actor) -> dict[str, Any]:
    """What half of a mixed stock has beside a plan: a graduated position, usage by graduated tiers, 10 percent off."""
    from catalog.services.discounts import create_discount
    from catalog.services.meters import create_meter
    from subscriptions.services.items import ItemSpec

    meter = create_meter(company=company, code="calls", name={"en": "Calls"}, aggregation="sum", by=by, at=AT)
    off = create_discount(
        company=company, code="ten", name={"en": "Ten off"}, percent=Decimal(10), duration="forever", by=by, at=AT
    )
    tiers = {"tiers": [{"up_to": "5", "unit_price": "4"}, {"unit_price": "3.50"}]}
    seats = ItemSpec(product=products[0], quantity=Decimal(7), unit_amount=Decimal(0), model="graduated", details=tiers)
    calls = {"tiers": [{"up_to": "100", "unit_price": "0.10"}, {"unit_price": "0.05"}]}
    used = ItemSpec(
        product=products[1], unit_amount=Decimal(0), model="graduated", details=calls, kind="usage", meter=meter
    )
    return {"items": [seats, used], "discounts": [off]}


def _use(subscriptions: list[Subscription]) -> None:
    """Ten days of usage each, through the product's own way in, and the days before the close still unbilled."""
    from subscriptions.models import Slot
    from subscriptions.services.usage import ingest

    company = subscriptions[0].company
    for subscription in subscriptions:
        usage = Slot.objects.filter(subscription=subscription, kind="usage")
        usage.update(billed_through_on=subscription.start_on - timedelta(days=1), elsewhere_through_on=None)
    events = [
        {
            "meter": "calls", "event_id": f"{subscription.pk}-{number}", "subscription": subscription.ref,
            "at": datetime.combine(subscription.start_on, AT.timetz()) + timedelta(days=number), "value": "25",
        }
        for subscription in subscriptions for number in range(10)
    ]  # fmt: skip
    taken = ingest(company=company, events=events, at=AT)
    assert taken.accepted == len(events), taken


def use_again(months: int) -> None:
    """The usage of the first month once more, so many months later: by its sums, as the multiplied ones have it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscriptions_usageday (company_id, meter_id, subscription_id, day, event_count, value_sum, "
            "value_max, latest_at, latest_value) SELECT u.company_id, meter_id, subscription_id, "
            "day + make_interval(months => %s), event_count, value_sum, value_max, "
            "latest_at + make_interval(months => %s), latest_value "
            "FROM subscriptions_usageday u JOIN subscriptions_subscription s ON s.id = u.subscription_id "
            "WHERE u.day BETWEEN s.start_on AND s.start_on + 9 ON CONFLICT DO NOTHING",
            [months, months],
        )


def multiply(
    times: int, tables: Mapping[str, Mapping[str, str]], changed: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Repeats the rows there are: same values, ids moved on by whole blocks; `k` counts the copies from 1.

    `tables`: which columns of each name rows that are multiplied, and of which table. `changed`: further columns, by
    table, and the SQL that makes their value in a copy.
    """
    with connection.cursor() as cursor:
        steps = {}
        for table, moved in tables.items():
            if "id" in moved:
                cursor.execute(f"SELECT max(id) - min(id) + 1 FROM {table}")
                steps[table] = cursor.fetchone()[0]
        for table, moved in tables.items():
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' "
                "AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position",
                [table],
            )
            columns = [row[0] for row in cursor.fetchall()]
            made = {name: f"{name} + {steps[to]} * k" for name, to in moved.items()} | dict(
                (changed or {}).get(table, {})
            )
            values = [made.get(name, "uuidv7()" if name == "public_id" else name) for name in columns]
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE SELECT {', '.join(values)} "
                f"FROM {table} CROSS JOIN generate_series(1, %s) k ORDER BY k, {next(iter(moved))}",
                [times - 1],
            )
            cursor.execute(f"ANALYZE {table}")
            if "id" in moved:
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
