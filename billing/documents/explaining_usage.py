"""What usage costs, step by step: what was counted and what was free, tiers, packages, percentages, earlier bills.

Made from the line's stored calculation alone. `Figures` prints; the active language is the reader's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.documents.figures import Figures

#: Exact figures can have no end; beyond these places nobody reads them.
_PLACES = 6


def usage_texts(calculation: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    """One text per step of a usage line, in the order they were taken; nothing for other lines."""
    usage = calculation.get("usage")
    if not usage:
        return
    yield _counted(usage, figures)
    yield from _allowances(calculation, figures)
    for row in calculation.get("steps", ()):
        text = step_text(row, calculation, figures)
        if text:
            yield text
    yield from _before(usage, figures)


def _counted(usage: Mapping[str, Any], figures: Figures) -> str:
    events = int(usage["events"])
    words = {"quantity": _number(usage["quantity"], figures), "events": figures.quantity(str(events))}
    if usage["kind"] == "interim":
        text = ngettext(
            "Used so far, from %(events)s event: %(quantity)s.", "Used so far, from %(events)s events: %(quantity)s.",
            events,
        )  # fmt: skip
    else:
        text = ngettext(
            "Used in the period, from %(events)s event: %(quantity)s.",
            "Used in the period, from %(events)s events: %(quantity)s.",
            events,
        )
    return text % words


def _allowances(calculation: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    details = calculation.get("details") or {}
    if details.get("free_units"):
        yield _("Free: %(quantity)s.") % {"quantity": _number(details["free_units"], figures)}
    if details.get("free_events"):
        count = int(details["free_events"])
        yield ngettext("Free: the first %(count)s event.", "Free: the first %(count)s events.", count) % {
            "count": figures.quantity(str(count))
        }
    if details.get("free_value"):
        yield _("Free: the first %(value)s of the value.") % {"value": _number(details["free_value"], figures)}
    scaled = (
        details.get("tiers") or details.get("free_units") or details.get("free_events") or details.get("free_value")
    )
    if scaled and calculation.get("share", "1") != "1":
        yield _("The period is shorter: tiers and what is free count for %(days)s of %(full_days)s days.") % {
            "days": calculation["days"],
            "full_days": calculation["full_days"],
        }


def step_text(row: Mapping[str, Any], calculation: Mapping[str, Any], figures: Figures) -> str:
    """One step of a charge model in words; empty for one that has none."""
    words = {
        "quantity": _number(row["quantity"], figures),
        "price": _price(row["price"], figures),
        "amount": _price(row["amount"], figures),
    }
    match row["step"]:
        case "flat":
            return _("The price is %(price)s: %(amount)s.") % words
        case "units":
            return _("%(quantity)s × %(price)s: %(amount)s.") % words
        case "tier_units":
            return _tier(row, calculation, words, figures)
        case "tier_fee":
            return _("Fee of the tier above %(above)s: %(amount)s.") % (words | _bounds(row, figures))
        case "packages":
            size = (calculation.get("details") or {}).get("package_size", "1")
            words["size"] = _number(size, figures)
            text = ngettext(
                "%(quantity)s package of %(size)s × %(price)s: %(amount)s.",
                "%(quantity)s packages of %(size)s × %(price)s: %(amount)s.",
                int(Decimal(row["quantity"])),
            )
            return text % words
        case "rate":
            return _("%(rate)s of %(quantity)s: %(amount)s.") % (words | {"rate": _rate(row["price"], figures)})
    return _of_events(row, words)


def _tier(row: Mapping[str, Any], calculation: Mapping[str, Any], words: Mapping[str, str], figures: Figures) -> str:
    words = {**words, **_bounds(row, figures)}
    if calculation.get("model") == "graduated_percentage":
        words["price"] = _rate(row["price"], figures)
    if "up_to" in row:
        return _("Tier above %(above)s up to %(up_to)s: %(quantity)s × %(price)s: %(amount)s.") % words
    return _("Tier above %(above)s: %(quantity)s × %(price)s: %(amount)s.") % words


def _of_events(row: Mapping[str, Any], words: Mapping[str, str]) -> str:
    count = int(Decimal(row["quantity"]))
    match row["step"]:
        case "fee":
            text = ngettext(
                "%(quantity)s event × %(price)s: %(amount)s.", "%(quantity)s events × %(price)s: %(amount)s.", count
            )
        case "floor":
            text = ngettext(
                "%(quantity)s event is raised to at least %(price)s: %(amount)s more.",
                "%(quantity)s events are raised to at least %(price)s: %(amount)s more.",
                count,
            )
        case "ceiling":
            text = ngettext(
                "%(quantity)s event is capped at %(price)s: %(amount)s.",
                "%(quantity)s events are capped at %(price)s: %(amount)s.",
                count,
            )
        case _:
            return ""
    return text % words


def _before(usage: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    if usage.get("deducted_minor") is None:
        return
    words = {"cost": figures.money(usage["cost_minor"]), "billed": figures.money(usage["deducted_minor"])}
    if usage["kind"] == "late":
        yield _("Usage came in late: the whole period costs %(cost)s, of which %(billed)s was charged before.") % words
    else:
        yield _("That is %(cost)s, of which %(billed)s was charged before the close.") % words


def _bounds(row: Mapping[str, Any], figures: Figures) -> dict[str, str]:
    return {name: _number(row[name], figures) for name in ("above", "up_to") if name in row}


def _number(value: str, figures: Figures) -> str:
    return figures.quantity(f"{round(Decimal(value), _PLACES):f}")


def _price(value: str, figures: Figures) -> str:
    return figures.price(f"{round(Decimal(value), _PLACES):f}")


def _rate(share: str, figures: Figures) -> str:
    return figures.rate(f"{round(Decimal(share) * 100, _PLACES):f}")
