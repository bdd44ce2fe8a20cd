"""What a price of tiers, packages or a minimum comes to, step by step, and on which day something was supplied once.

Made from the line's stored calculation alone. `Figures` prints; the active language is the reader's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from billing.documents.explaining_usage import step_text
from billing.documents.figures import Figures


def price_texts(calculation: Mapping[str, Any], every: str, figures: Figures) -> Iterator[str]:
    """One text per step of a price that is more than an amount times a quantity; nothing for other lines.

    `every`: the interval in words, such as "per month"; empty for none.
    """
    if "usage" in calculation:
        return
    if calculation.get("minimum_minor") is not None:
        yield from _minimum(calculation, every, figures)
    elif "steps" in calculation:
        yield from _steps(calculation, every, figures)
    elif is_tiered(calculation):
        yield _added(calculation, figures)
    if calculation.get("service_on"):
        yield _("Supplied on %(day)s.") % {"day": figures.day(calculation["service_on"])}


def is_tiered(calculation: Mapping[str, Any]) -> bool:
    """Whether amount times quantity says nothing about the line."""
    if calculation.get("minimum_minor") is not None or "steps" in calculation:
        return True
    return bool(calculation.get("details")) and calculation.get("quantity_before") is not None


def _steps(calculation: Mapping[str, Any], every: str, figures: Figures) -> Iterator[str]:
    words = {"quantity": figures.quantity(str(calculation.get("quantity", "1"))), "every": every}
    if every:
        yield _("The price %(every)s is that of a quantity of %(quantity)s.") % words
    else:
        yield _("The price is that of a quantity of %(quantity)s.") % words
    free = (calculation.get("details") or {}).get("free_units")
    if free:
        yield _("Free: %(quantity)s.") % {"quantity": figures.quantity(str(free))}
    for row in calculation["steps"]:
        text = step_text(row, calculation, figures)
        if text:
            yield text


def _added(calculation: Mapping[str, Any], figures: Figures) -> str:
    words = {
        "quantity": figures.quantity(str(calculation["quantity"])),
        "before": figures.quantity(str(calculation["quantity_before"])),
    }
    return _("The price of %(quantity)s less that of %(before)s.") % words


def _minimum(calculation: Mapping[str, Any], every: str, figures: Figures) -> Iterator[str]:
    words = {"minimum": figures.price(str(calculation["minimum"])), "every": every}
    if calculation.get("minimum_of") == "all":
        yield _("The minimum for all positions is %(minimum)s %(every)s.") % words
    else:
        yield _("The minimum for this position is %(minimum)s %(every)s.") % words
    if calculation.get("share", "1") != "1":
        yield _("For %(days)s of the %(full_days)s days of the period %(period)s it is %(amount)s.") % {
            "days": calculation["days"],
            "full_days": calculation["full_days"],
            "period": figures.period(calculation["full_start"], calculation["full_end"]),
            "amount": figures.money(calculation["minimum_minor"]),
        }
    yield _("Billed for these days: %(counted)s. Missing: %(missing)s.") % {
        "counted": figures.money(calculation["counted_minor"]),
        "missing": figures.money(calculation["minimum_minor"] - calculation["counted_minor"]),
    }
