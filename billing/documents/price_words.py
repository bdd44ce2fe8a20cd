"""A price of any model in a few words, row by row, for the pages that show it.

The rule that matters: an amount stands for a price only where it is one; tiers and shares are told row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from billing.documents.explaining import every
from billing.documents.figures import Figures

#: Models whose amount says it all.
_PLAIN: Final = ("flat", "per_unit", "package")


def rows_of(price: Any, currency: str) -> list[str]:
    """What a row of a price, of terms or of a one-off charge says beside its amount: tiers, packages, rates."""
    details: Mapping[str, Any] = price.details
    figures = Figures(get_language() or "en", currency)
    rows = [*_tiers(details, figures), *_figures(details, figures)]
    least = getattr(price, "minimum_amount", None)
    if least is not None:
        rows.append(_("at least %(amount)s per cycle") % {"amount": figures.price(str(least))})
    return rows


def has_amount(price: Any) -> bool:
    """Whether its amount of one unit is what is paid."""
    return price.model in _PLAIN


def amount_of(price: Any, currency: str, *, interval: str = "", unit: str | None = None) -> str:
    """What is paid for one, and how often: "€49.00 per month"; without an amount the interval alone.

    `interval` as `every` reads it. `unit`: what is counted, of a price by usage ("€0.10 / call"; empty: "per unit").
    """
    often = every(interval) if unit is None or price.model == "flat" else ""
    if not has_amount(price):
        return often
    amount = Figures(get_language() or "en", currency).price(str(price.unit_amount))
    if unit is not None and price.model == "per_unit":
        return f"{amount} / {unit}" if unit else f"{amount} {_('per unit')}"
    return f"{amount} {often}".rstrip()


def _tiers(details: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    above = Decimal(0)
    for tier in details.get("tiers", ()):
        words = {"above": figures.quantity(str(above)), "price": _price(tier, figures)}
        if "up_to" in tier:
            above = Decimal(tier["up_to"])
            yield _("above %(above)s up to %(up_to)s: %(price)s") % (words | {"up_to": figures.quantity(str(above))})
        else:
            yield _("above %(above)s: %(price)s") % words
    if details.get("first_fee_at_zero"):
        yield _("the first fee also without any unit")


def _price(tier: Mapping[str, Any], figures: Figures) -> str:
    if "rate" in tier:
        text = _("%(rate)s %%") % {"rate": figures.quantity(str(tier["rate"]))}
    else:
        text = figures.price(str(tier.get("unit_price", "0")))
    if "flat_fee" in tier:
        text = _("%(price)s plus %(fee)s") % {"price": text, "fee": figures.price(str(tier["flat_fee"]))}
    return text


def _figures(details: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    if "package_size" in details:
        size = Decimal(details["package_size"])
        words = ngettext("for each unit started", "for each %(count)s units started", _plural(size))
        yield words % {"count": figures.quantity(str(size))}
    if "free_units" in details:
        free = Decimal(details["free_units"])
        words = ngettext("%(count)s unit is free", "%(count)s units are free", _plural(free))
        yield words % {"count": figures.quantity(str(free))}
    if "rate" in details:
        yield _("%(rate)s %% of the value") % {"rate": figures.quantity(str(details["rate"]))}
    for name, words in (
        ("fee", _("%(amount)s for each event")),
        ("free_value", _("the first %(amount)s are free")),
        ("floor", _("at least %(amount)s for an event")),
        ("ceiling", _("at most %(amount)s for an event")),
    ):
        if name in details:
            yield words % {"amount": figures.price(str(details[name]))}
    if "free_events" in details:
        events = int(details["free_events"])
        yield ngettext("%(count)s event is free", "%(count)s events are free", events) % {"count": events}


def _plural(quantity: Decimal) -> int:
    """The number that chooses the form: a part of one is said as many are."""
    return int(quantity) if quantity == int(quantity) else 2
