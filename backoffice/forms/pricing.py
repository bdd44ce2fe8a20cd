"""A price of any model as a form: the amount, tiers row by row, packages, percentages, the minimum.

Rows left empty are no tiers; what the chosen model doesn't read is left out, so a change of model needs no clearing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import AmountField, CurrencyField, DayField, NumberField, fields_of
from backoffice.forms.sections import Section
from catalog.models import Price
from catalog.services.price_specs import READS
from catalog.services.prices import PriceSpec
from core.models import Company

TIERS: Final = 8
_TIER: Final = ("up_to", "unit_price", "flat_fee", "rate")
_FIGURES: Final = ("package_size", "free_units", "rate", "fee", "free_events", "free_value", "floor", "ceiling")
_numbered = lazy(lambda text, number: f"{number}. {text}", str)


def price_fields(company: Company, on: date | None) -> dict[str, forms.Field]:
    """The fields of a price version, by name."""
    amount = {"required": False, "places": 10}
    found: dict[str, forms.Field] = {
        "currency": CurrencyField(initial=company.currency),
        "unit_amount": AmountField(
            label=_("Price"), help_text=_("For one unit and cycle; empty with tiers or a percentage."), **amount
        ),
        **fields_of(Price, ("model", "billed", "is_prorated", "tax_behavior")),
        "valid_from": DayField(
            label=_("Valid from"), initial=on, help_text=_("First day new sales get it, in the company's time zone.")
        ),
        "minimum_amount": AmountField(
            label=_("Minimum"), help_text=_("Least charge per cycle; what is missing is charged at its end."), **amount
        ),
    }
    for number in range(1, TIERS + 1):
        labels = (_("up to"), _("price of one"), _("fee"), _("percent"))
        for name, label in zip(_TIER, labels, strict=True):
            found[f"tier{number}_{name}"] = NumberField(label=_numbered(label, number), required=False)
    found["first_fee_at_zero"] = forms.BooleanField(
        label=_("First fee also at zero"), required=False, help_text=_("Otherwise zero units cost nothing.")
    )
    words = {
        "package_size": _("Units in a package"),
        "free_units": _("Free units"),
        "rate": _("Percent of the value"),
        "fee": _("Fee for each event"),
        "free_events": _("Free events"),
        "free_value": _("Free value"),
        "floor": _("Least for one event"),
        "ceiling": _("Most for one event"),
    }
    for name, label in words.items():
        found[name] = NumberField(label=label, required=False, places=0 if name == "free_events" else 10)
    return found


PRICE_SECTIONS: Final = (
    Section(
        _("Price"),
        (
            ("unit_amount", "currency"),
            ("model", "billed"),
            ("tax_behavior", "valid_from"),
            ("minimum_amount", "is_prorated"),
        ),
    ),
    Section(
        _("Tiers"),
        (*(tuple(f"tier{number}_{name}" for name in _TIER) for number in range(1, TIERS + 1)), "first_fee_at_zero"),
        _("For the models graduated, volume and graduated percentage. The last tier has no upper bound."),
        folded=True,
    ),
    Section(_("Packages"), (("package_size", "free_units"),), folded=True),
    Section(
        _("Percentage"),
        (("rate", "fee"), ("free_events", "free_value"), ("floor", "ceiling")),
        folded=True,
    ),
)


def initial_of(price: Price) -> dict[str, Any]:
    """What a form for the next version starts with: what this one says."""
    names = ("currency", "unit_amount", "model", "billed", "is_prorated", "tax_behavior", "minimum_amount")
    found: dict[str, Any] = {name: getattr(price, name) for name in names}
    details: Mapping[str, Any] = price.details
    for number, tier in enumerate(details.get("tiers", ()), 1):
        found |= {f"tier{number}_{name}": tier[name] for name in _TIER if name in tier}
    found |= {name: details[name] for name in (*_FIGURES, "first_fee_at_zero") if name in details}
    return found


def details_of(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What the chosen model reads of what was typed."""
    found: dict[str, Any] = {}
    reads = READS[cleaned["model"]]
    for name in _FIGURES:
        if name in reads and cleaned.get(name) is not None:
            found[name] = int(cleaned[name]) if name == "free_events" else cleaned[name]
    if "tiers" in reads:
        tiers = [
            {name: cleaned[f"tier{number}_{name}"] for name in _TIER if cleaned.get(f"tier{number}_{name}") is not None}
            for number in range(1, TIERS + 1)
        ]
        found["tiers"] = [tier for tier in tiers if tier]
        if cleaned.get("first_fee_at_zero"):
            found["first_fee_at_zero"] = True
    return found


def spec_of(cleaned: Mapping[str, Any]) -> PriceSpec:
    """The price version that was typed."""
    names = ("currency", "valid_from", "model", "billed", "is_prorated", "tax_behavior", "minimum_amount")
    return PriceSpec(
        **{name: cleaned[name] for name in names},
        unit_amount=cleaned["unit_amount"] or Decimal(0),
        details=details_of(cleaned),
    )
