"""The pure functions that worked cases call by name: figures as text in, figures as text out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from pricing.charge_models import PriceSpec, Tier, amount, event_rows
from pricing.discounts import Discount, DiscountableLine, discounted
from pricing.money import round_half_up, to_minor
from pricing.periods import Anchor, Interval, boundary, period_at, periods_between
from pricing.proration import credit_for_days, prorated
from pricing.taxes import TaxGroup, TaxLine, taxed
from pricing.totals import document_totals

CURRENCY = "EUR"


def minor(text: str) -> int:
    return to_minor(Decimal(text), CURRENCY)


def text_of(amount_minor: int) -> str:
    return f"{Decimal(amount_minor) / 100:.2f}"


def day_of(text: str) -> date:
    return date.fromisoformat(text)


def anchor_of(start: date, interval: Interval, rule: Any) -> Anchor:
    if rule in (None, "anniversary"):
        return Anchor.anniversary(start)
    return Anchor.calendar(interval, start) if rule == "calendar" else Anchor.chosen_day(interval, rule, start)


def periods(given: dict[str, Any]) -> Any:
    # A quarter is three months.
    unit, count = ("month", 3) if given["interval"] == "quarter" else (given["interval"], 1)
    interval = Interval(unit, given.get("count", count))  # type: ignore[arg-type]
    if "instant" in given:
        return _in_zone(given, interval)
    start = day_of(given["start"])
    anchor = anchor_of(start, interval, given.get("anchor"))
    if given.get("first"):
        return anchor.on.isoformat()
    if "n" in given:
        return [boundary(anchor, interval, n).isoformat() for n in given["n"]]
    if "containing" in given:
        found = [period_at(anchor, interval, day_of(day)) for day in given["containing"]]
        return [[one.start.isoformat(), one.end.isoformat()] for one in found]
    price, by = Decimal(given["price"]), day_of(given["run"])
    end = day_of(given["end"]) if given["end"] else period_at(anchor, interval, by).end
    cut = [one for one in periods_between(anchor, interval, start, end) if one.start <= by]
    return [
        [one.start.isoformat(), one.end.isoformat(), text_of(to_minor(prorated(price, one.share), CURRENCY))]
        for one in cut
    ]


def _in_zone(given: dict[str, Any], interval: Interval) -> Any:
    zone = ZoneInfo(given["time_zone"])
    start = datetime.fromisoformat(given["instant"]).astimezone(zone).date()
    on = boundary(anchor_of(start, interval, given.get("anchor")), interval, given["n"])
    begins = [datetime.combine(day, datetime.min.time(), zone) for day in (on, on + timedelta(days=1))]
    window = [moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in begins]
    return {"start": start.isoformat(), "boundary": on.isoformat(), "utc_window": window}


def proration(given: dict[str, Any]) -> Any:
    share = Fraction(given["days"], given["of_days"])
    if "minimum" in given:
        least = to_minor(prorated(Decimal(given["minimum"]), share), CURRENCY)
        return {"minimum": text_of(least), "true_up": text_of(max(0, least - minor(given["counted"])))}
    return text_of(to_minor(prorated(Decimal(given["amount"]), share), CURRENCY))


def charge_model(given: dict[str, Any]) -> Any:
    if given["model"] == "weighted_sum":
        return _weighted(given)
    figures = {"rate": "rate", "fee": "fee", "floor": "floor", "ceiling": "ceiling", "free_value": "free_value",
               "package_size": "package_size", "package_price": "unit_price", "free_units": "free_units",
               "unit_price": "unit_price"}  # fmt: skip
    spec = PriceSpec(
        tiers=tuple(
            Tier(
                up_to=None if tier["up_to"] is None else Decimal(tier["up_to"]),
                unit_price=Decimal(tier.get("unit_price", 0)),
                flat_fee=Decimal(tier.get("flat", 0)),
                rate=Decimal(tier.get("rate", 0)),
            )
            for tier in given.get("tiers", ())
        ),
        free_events=given.get("free_events"),
        **{ours: Decimal(given[theirs]) for theirs, ours in figures.items() if theirs in given},
    )
    if "events" in given:
        rows = event_rows(spec, [Decimal(value) for value in given["events"]])
        return sum((row.amount for row in rows), Fraction(0))
    exact = amount(given["model"], spec, Decimal(given["units"]))
    if "delta_of" in given:
        exact -= amount(given["model"], spec, Decimal(given["delta_of"]))
    return exact


def _weighted(given: dict[str, Any]) -> Fraction:
    from pricing.usage import weighted_sum

    start, end = (datetime.combine(day_of(day), datetime.min.time(), UTC) for day in given["period"])
    changes = [(datetime.combine(day_of(day), datetime.min.time(), UTC), Decimal(by)) for day, by in given["changes"]]
    held = weighted_sum(Decimal(given.get("level", 0)), changes, start, end, start, end)
    return held * Fraction(Decimal(given["unit_price"]))


def discount(given: dict[str, Any]) -> Any:
    made = []
    for one in given["discounts"]:
        if "percent" in one:
            made.append(Discount(percent=Decimal(one["percent"])))
        else:
            made.append(Discount(amount_minor=minor(one["amount"]) - minor(one.get("used", "0"))))
    lines = [minor(line) for line in given["lines"]]
    taken = discounted([DiscountableLine(line) for line in lines], made)
    return {
        "line_discounts": [text_of(part) for part in taken.by_line],
        "used": [text_of(part) for part in taken.by_discount],
        "net": text_of(sum(lines) - sum(taken.by_line)),
    }


def tax(given: dict[str, Any]) -> Any:
    lines = [TaxLine(minor(net), _group(rate)) for net, rate in given["lines"]]
    rows, _ = taxed(lines, "exclusive")
    totals = document_totals(lines, "exclusive", CURRENCY).totals
    return {
        "by_rate": {f"{row.rate:f}": text_of(row.tax_minor) for row in rows},
        "net": text_of(totals.net),
        "tax": text_of(totals.tax),
        "gross": text_of(totals.gross),
    }


def _group(rate: str) -> TaxGroup:
    return TaxGroup("S" if Decimal(rate) else "Z", Decimal(rate))


def credit_allocation(given: dict[str, Any]) -> Any:
    if "existing" in given:
        return [_repaired(*line) for line in given["existing"]]
    rate, found = given["tax_rate"], []
    for note in given["notes"]:
        lines = [TaxLine(minor(net), _group(rate)) for net in note]
        totals = document_totals(lines, "exclusive", CURRENCY).totals
        found.append({"net": text_of(totals.net), "tax": text_of(totals.tax), "gross": text_of(totals.gross)})
    return found


def _repaired(start: str, end: str, charged: str, gaps: list[list[str]]) -> dict[str, Any]:
    days = (day_of(end) - day_of(start)).days
    left, credited, credits = days, 0, []
    for first, last in gaps:
        unused = (day_of(last) - day_of(first)).days
        given_back = credit_for_days(minor(charged), days, unused, left, credited)
        left, credited = left - unused, credited + given_back
        credits.append(text_of(given_back))
    return {"credits": credits, "kept": text_of(minor(charged) - credited)}


FUNCTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "periods": periods,
    "proration": proration,
    "charge_model": charge_model,
    "discount": discount,
    "tax": tax,
    "credit_allocation": credit_allocation,
}


def as_figure(answer: Any, expected: Any) -> Any:
    """An exact amount with as many places as the case gives; anything else as it is."""
    if isinstance(answer, Fraction):
        places = len(expected.partition(".")[2])
        return f"{Decimal(round_half_up(answer, places)).scaleb(-places):.{places}f}"
    return answer
