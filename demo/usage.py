"""The scenes of usage: meters, prices by tiers and by percentage, and two customers whose usage comes in every morning.

The rule that matters: events go through the very act that the API uses, in the morning they fall in; one comes late.
"""

from __future__ import annotations

import random
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from billing.services import using
from catalog.models import Meter, PlanItem, TaxCategory
from catalog.services import meters, plans, products
from catalog.services.plans import PlanItemSpec, PriceSpec
from core import clock
from demo.scenes import Stage, scene
from subscriptions.services.agreeing import ItemSpec

DAYS = 124
"""So many days of usage: four months."""
EARLY = time(5, 10)
INTERIM_MINOR = 12_000


@scene(150)
def the_document_reader_goes_on_sale(stage: Stage) -> None:
    service = TaxCategory.objects.get(company=stage.company, code="standard-electronic")
    pages = meters.create_meter(
        company=stage.company, code="pages", aggregation="sum",
        name={"de": "Gelesene Seiten", "en": "Pages read", "fr": "Pages lues", "it": "Pagine lette",
              "es": "Páginas leídas"},
        unit_name={"de": "Seite", "en": "page", "fr": "page", "it": "pagina", "es": "página"}, **stage.now,
    )  # fmt: skip
    takings = meters.create_meter(
        company=stage.company, code="takings", aggregation="sum",
        name={"de": "Kartenumsatz", "en": "Card takings", "fr": "Encaissements par carte", "it": "Incassi con carta",
              "es": "Cobros con tarjeta"}, **stage.now,
    )  # fmt: skip
    tiers = [
        {"up_to": "500", "unit_price": "0.08"},
        {"up_to": "2000", "unit_price": "0.06"},
        {"unit_price": "0.04"},
    ]
    _sell(
        stage, service, "reader", "Belegleser", "Document reader", "19.00", pages,
        {"de": "Gelesene Seiten", "en": "Pages read", "fr": "Pages lues", "it": "Pagine lette",
         "es": "Páginas leídas"},
        PriceSpec("EUR", Decimal(0), stage.day, model="graduated", details={"tiers": tiers}),
    )  # fmt: skip
    details = {"rate": "1.2", "fee": "0.08", "free_events": 10}
    _sell(
        stage, service, "till", "Kasse", "Till", "15.00", takings,
        {"de": "Kartenzahlungen", "en": "Card payments", "fr": "Paiements par carte", "it": "Pagamenti con carta",
         "es": "Pagos con tarjeta"},
        PriceSpec("EUR", Decimal(0), stage.day, model="percentage", details=details, minimum_amount=Decimal(60)),
    )  # fmt: skip


def _sell(
    stage: Stage, service: TaxCategory, code: str, german: str, english: str, base: str, meter: Meter,
    usage_name: dict[str, str], price: PriceSpec,
) -> None:  # fmt: skip
    """A plan of a monthly base and what is used."""
    names = {"de": german, "en": english}
    every = dict.fromkeys(("de", "en", "fr", "it", "es"), f"Hafenlicht {german}")
    product = products.create_product(company=stage.company, code=code, name=every, tax_category=service, **stage.now)
    used = products.create_product(
        company=stage.company, code=f"{code}-usage", name=usage_name, tax_category=service, **stage.now
    )
    plans.create_plan(
        company=stage.company, code=code, name=names, status="on_sale",
        items=[
            PlanItemSpec(product, prices=[PriceSpec("EUR", Decimal(base), stage.day, model="flat")]),
            PlanItemSpec(used, prices=[price], kind="usage", meter=meter),
        ],
        rules={"interval_unit": "month", "interval_count": 1, "notice_to": "any_day"}, **stage.now,
    )  # fmt: skip


@scene(DAYS)
def two_pay_by_usage(stage: Stage) -> None:
    items = [
        ItemSpec(item.product, interim_minor=INTERIM_MINOR if item.kind == PlanItem.Kind.USAGE else None)
        for item in PlanItem.objects.filter(plan__company=stage.company, plan__code="reader").select_related("product")
    ]
    office = stage.enter("reader", "Steuerkanzlei Papierberg PartG mbB")
    stage.start("reader", "reader", office, items=items)
    stage.start("till", "till", stage.enter("till", "Hofladen Kassenbach GmbH"))


def usage_of_the_morning(stage: Stage, *, most: int) -> None:
    """What the scanner and the till sent last night; `most` card payments at the till."""
    if stage.day.weekday() == 6:
        return
    draw = random.Random(f"usage {stage.day}")  # noqa: S311  a story, no secret
    events = [_event(stage, "pages", "reader", draw.randint(60, 130))]
    for number in range(draw.randint(1, most)):
        cents = Decimal(draw.randint(800, 12_000)).scaleb(-2)
        events.append(_event(stage, "takings", "till", cents, number=number))
    using.take_in(company=stage.company, events=events, **stage.now)


for _days_before in range(DAYS - 1, -1, -1):
    # The shop gains customers from month to month.
    scene(_days_before)(partial(usage_of_the_morning, most=2 + (DAYS - _days_before) // 30))


@scene(50)
def some_usage_comes_late(stage: Stage) -> None:
    """A scanner was offline: what it read stands in a month that is invoiced already."""
    event = _event(stage, "pages", "reader", 240, at=stage.at - timedelta(days=17), number=99)
    using.take_in(company=stage.company, events=[event], **stage.now)


def _event(
    stage: Stage, meter: str, key: str, value: int | Decimal, *, at: datetime | None = None, number: int = 0
) -> dict[str, Any]:
    early = datetime.combine(stage.day, EARLY, clock.zone(stage.company.time_zone)) + timedelta(minutes=number)
    return {
        "meter": meter,
        "event_id": f"{key}-{stage.day}-{number}",
        "subscription": f"CAST-{key}",
        "at": (at or early).isoformat(),
        "value": value,
    }
