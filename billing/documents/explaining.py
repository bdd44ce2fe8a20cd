"""Why a line costs what it costs: one sentence per step, in the reader's language.

Staff pages, the portal, the API and the PDF show these very sentences; they are made from the line's stored
calculation alone, never from today's price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from billing.documents.explaining_credit import credit_texts, edited_texts, pack_texts
from billing.documents.explaining_prices import is_tiered, price_texts
from billing.documents.explaining_usage import usage_texts
from billing.documents.figures import Figures
from billing.models import CreditNoteLine, InvoiceLine

Step = Literal[
    "price", "usage", "share", "full", "part", "credit", "discount", "edited", "allowance", "pack", "version", "tax"
]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One step in words. `step` lets a page leave out what it already shows in columns."""

    step: Step
    text: str

    def __str__(self) -> str:
        return self.text


def explain(line: InvoiceLine | CreditNoteLine | Mapping[str, Any], language: str, *, currency: str = "") -> list[str]:
    """The sentences of a line: a row, or a line of a snapshot (then `currency` is its document's)."""
    return [sentence.text for sentence in sentences(facts_of(line), language, currency or _currency_of(line))]


def facts_of(line: InvoiceLine | CreditNoteLine | Mapping[str, Any]) -> dict[str, Any]:
    """The same few facts from a row or a snapshot's line."""
    if isinstance(line, Mapping):
        return {
            "calculation": line.get("calculation") or {},
            "amount": line["amount"],
            "period_start": line.get("period_start"),
            "period_end": line.get("period_end"),
        }
    return {
        "calculation": line.calculation or {},
        "amount": line.amount_minor,
        "period_start": line.period_start,
        "period_end": line.period_end,
    }


def sentences(facts: Mapping[str, Any], language: str, currency: str) -> list[Sentence]:
    """The steps of one line's calculation, in the order they were taken."""
    figures = Figures(language, currency)
    calculation = facts["calculation"]
    facts = {**facts, "undiscounted": undiscounted(facts)}
    with override(language):
        steps = [
            *_usage(calculation, figures),
            *_models(calculation, figures),
            *_price(calculation, figures),
            *_less(calculation, figures),
            *([] if "minimum_minor" in calculation else _share(calculation, facts, figures)),
            *_part(calculation, facts, figures),
            *_credit(calculation, facts, figures),
            *_discounts(calculation, facts, figures),
            *(Sentence("edited", text) for text in edited_texts(calculation, figures)),
            *(Sentence("allowance", text) for text in credit_texts(calculation, figures)),
            *(Sentence("pack", text) for text in pack_texts(calculation, figures)),
            *_version(calculation),
            *_tax(calculation, figures),
        ]
    return steps


def every(interval: str) -> str:
    """An interval as people say it: "per month", "every 3 months"; empty for none."""
    count_text, _space, unit = interval.partition(" ")
    if not unit:
        return ""
    count = int(count_text)
    words = {
        "day": ngettext("per day", "every %(count)d days", count),
        "week": ngettext("per week", "every %(count)d weeks", count),
        "month": ngettext("per month", "every %(count)d months", count),
        "year": ngettext("per year", "every %(count)d years", count),
    }[unit.removesuffix("s")]
    return words % {"count": count}


def _usage(calculation: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    return [Sentence("usage", text) for text in usage_texts(calculation, figures)]


def _models(calculation: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    interval = every(calculation.get("interval") or "")
    return [Sentence("usage", text) for text in price_texts(calculation, interval, figures)]


def _price(calculation: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    if calculation.get("unit_amount") is None or "usage" in calculation or is_tiered(calculation):
        return []
    price = _("%(amount)s %(currency)s") % {
        "amount": figures.unit_amount(str(calculation["unit_amount"])),
        "currency": figures.currency,
    }
    words = {
        "price": price,
        "quantity": figures.quantity(_units(calculation)),
        "every": every(calculation.get("interval") or ""),
    }
    if calculation.get("model") == "flat":
        text = _("The price is %(price)s %(every)s.") if words["every"] else _("The price is %(price)s.")
    elif words["every"]:
        text = _("The price is %(quantity)s × %(price)s %(every)s.")
    else:
        text = _("The price is %(quantity)s × %(price)s.")
    return [Sentence("price", text % words)]


def _less(calculation: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    """Of another price for a period that is billed, only the difference is charged."""
    if calculation.get("less_minor") is None:
        return []
    text = _("Less the price before: %(amount)s.") % {"amount": figures.money(calculation["less_minor"])}
    return [Sentence("price", text)]


def _units(calculation: Mapping[str, Any]) -> str:
    """How many units the line charges: of more units at an unchanged price, those that were added."""
    quantity = str(calculation.get("quantity", "1"))
    added = Decimal(quantity) - Decimal(str(calculation.get("quantity_before") or 0))
    return f"{added:f}" if added > 0 else quantity


def _share(calculation: Mapping[str, Any], facts: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    days, full_days = calculation.get("days"), calculation.get("full_days")
    if days is None or not full_days or days == full_days or {"of_minor", "usage", "edited"} & calculation.keys():
        return []
    if str(calculation.get("share", "")) in ("1", "1/1"):
        text = _("A started period is charged in full.")
        return [Sentence("full", text)]
    words = {
        "days": days,
        "full_days": full_days,
        "period": _full_period(calculation, figures),
        "amount": figures.money(facts["undiscounted"]),
    }
    if words["period"]:
        text = ngettext(
            "%(days)s of the %(full_days)s days of the period %(period)s is charged: %(amount)s.",
            "%(days)s of the %(full_days)s days of the period %(period)s are charged: %(amount)s.",
            int(days),
        )
    else:
        text = ngettext(
            "%(days)s of %(full_days)s days is charged: %(amount)s.",
            "%(days)s of %(full_days)s days are charged: %(amount)s.",
            int(days),
        )
    return [Sentence("share", text % words)]


def _part(calculation: Mapping[str, Any], facts: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    """Which part of a period a line is that a change of the tax rate cut in two."""
    part = calculation.get("part")
    if not part or "of_minor" in calculation:
        return []
    text = ngettext(
        "The tax rate changes within these days: %(days)s of %(of_days)s bears this rate, %(amount)s of %(of)s.",
        "The tax rate changes within these days: %(days)s of %(of_days)s bear this rate, %(amount)s of %(of)s.",
        int(part["days"]),
    )
    words = {
        "days": part["days"],
        "of_days": part["of_days"],
        "amount": figures.money(facts["amount"]),
        "of": figures.money(part["of_minor"]),
    }
    return [Sentence("part", text % words)]


def _full_period(calculation: Mapping[str, Any], figures: Figures) -> str:
    if calculation.get("full_start") and calculation.get("full_end"):
        return figures.period(calculation["full_start"], calculation["full_end"])
    return ""


def _credit(calculation: Mapping[str, Any], facts: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    """What a credit note gives back of an invoice line: unused days of it, or an amount."""
    if calculation.get("of_minor") is None:
        return []
    days, full_days = calculation.get("days"), calculation.get("full_days")
    words = {
        "days": days,
        "full_days": full_days,
        "of": figures.money(calculation["of_minor"]),
        "amount": figures.money(facts["amount"]),
    }
    if days is not None and full_days and days != full_days:
        text = ngettext(
            "%(days)s of %(full_days)s days charged with %(of)s is given back: %(amount)s.",
            "%(days)s of %(full_days)s days charged with %(of)s are given back: %(amount)s.",
            int(days),
        )
    elif facts["amount"] == calculation["of_minor"]:
        text = _("The line of %(of)s is given back in full.")
    else:
        text = _("Of the line of %(of)s, %(amount)s is given back.")
    return [Sentence("credit", text % words)]


def undiscounted(facts: Mapping[str, Any]) -> int:
    """What the line came to before discounts and granted credit lowered it, in minor units; whole, where a change of
    tax cut it in parts."""
    calculation = facts["calculation"]
    if "part" in calculation:
        amount = int(calculation["part"]["of_minor"])
    else:
        amount = int(facts["amount"]) + sum(int(row["amount_minor"]) for row in calculation.get("allowances", ()))
    return amount + sum(int(row["taken_minor"]) for row in calculation.get("discounts", ()))


def _discounts(calculation: Mapping[str, Any], facts: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    """What it came to before, and what each discount took."""
    taken = calculation.get("discounts")
    if not taken:
        return []
    found = [_("Before discounts: %(amount)s.") % {"amount": figures.money(facts["undiscounted"])}]
    for row in taken:
        words = {"name": row["name"], "taken": figures.money(-row["taken_minor"])}
        if row.get("percent") is not None:
            words["percent"] = figures.rate(str(row["percent"]))
            found.append(_("Discount “%(name)s”, %(percent)s: %(taken)s.") % words)
        else:
            found.append(_("Discount “%(name)s”: %(taken)s.") % words)
    return [Sentence("discount", text) for text in found]


def _version(calculation: Mapping[str, Any]) -> list[Sentence]:
    version = calculation.get("price_version")
    if version is None:
        return []
    return [Sentence("version", _("The price is version %(version)s.") % {"version": version})]


def _tax(calculation: Mapping[str, Any], figures: Figures) -> list[Sentence]:
    tax = calculation.get("tax")
    if not tax:
        return []
    return [
        Sentence(
            "tax", tax_rule(tax.get("rule") or tax.get("reason", ""), tax["category"], figures.rate(str(tax["rate"])))
        )
    ]


def tax_rule(reason: str, category: str, rate: str) -> str:
    """Why a line bears its tax, in the active language. `rate` is printed already; Decimal 0 categories name none."""
    by_reason = {
        "domestic": _("Tax: %(rate)s, the rate of the seller's country."),
        "destination": _("Tax: %(rate)s, the rate of the customer's country."),
        "origin": _("Tax: %(rate)s, the seller's rate, because its sales abroad are below the threshold."),
        "seller_country": _("Tax: %(rate)s, the rate of the seller's country."),
        "place_of_supply": _("Tax: %(rate)s, the rate of the place of supply."),
        "special_territory": _("Tax: %(rate)s, the rate of the special territory."),
        "unknown_country": _("Tax: %(rate)s, the seller's standard rate, because the customer's country is not known."),
        "company_default": _("Tax: %(rate)s, the seller's usual rate."),
        "small_business": _("Tax: none, under the small-business scheme."),
        "exempt": _("Tax: none, exempt."),
        "customer_exempt": _("Tax: none, the customer is exempt."),
    }
    by_category = {
        "AE": _("Tax: none, the customer owes it (reverse charge)."),
        "K": _("Tax: none, supply to another member state."),
        "G": _("Tax: none, export."),
        "O": _("Tax: none, outside the scope of the tax."),
        "E": _("Tax: none, exempt."),
        "Z": _("Tax: zero rate."),
        "S": _("Tax: %(rate)s."),
    }
    if category in ("AE", "K", "G", "O"):
        return by_category[category]
    return by_reason.get(reason, by_category[category]) % {"rate": rate}


def _currency_of(line: InvoiceLine | CreditNoteLine | Mapping[str, Any]) -> str:
    if isinstance(line, InvoiceLine):
        return line.invoice.currency
    if isinstance(line, CreditNoteLine):
        return line.credit_note.currency
    raise ValueError("a snapshot's line needs its document's currency")
