"""A price of any model in a few words, row by row, for the pages that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from backoffice.templatetags.office import price_text, quantity

#: Models whose amount says it all.
_PLAIN: Final = ("flat", "per_unit", "package")


def rows_of(price: Any, currency: str) -> list[str]:
    """What a row of a price, of terms or of a single charge says beside its amount: tiers, packages, rates, minimum."""
    details: Mapping[str, Any] = price.details
    rows = [*_tiers(details, currency), *_figures(details, currency)]
    least = getattr(price, "minimum_amount", None)
    if least is not None:
        rows.append(_("at least %(amount)s per cycle") % {"amount": price_text(least, currency)})
    return rows


def has_amount(price: Any) -> bool:
    """Whether its amount of one unit is what is paid."""
    return price.model in _PLAIN


def _tiers(details: Mapping[str, Any], currency: str) -> Iterator[str]:
    above = Decimal(0)
    for tier in details.get("tiers", ()):
        words = {"above": quantity(above), "price": _price(tier, currency)}
        if "up_to" in tier:
            above = Decimal(tier["up_to"])
            yield _("above %(above)s up to %(up_to)s: %(price)s") % (words | {"up_to": quantity(above)})
        else:
            yield _("above %(above)s: %(price)s") % words
    if details.get("first_fee_at_zero"):
        yield _("the first fee also without any unit")


def _price(tier: Mapping[str, Any], currency: str) -> str:
    if "rate" in tier:
        text = _("%(rate)s %%") % {"rate": quantity(Decimal(tier["rate"]))}
    else:
        text = price_text(Decimal(tier.get("unit_price", "0")), currency)
    if "flat_fee" in tier:
        text = _("%(price)s plus %(fee)s") % {"price": text, "fee": price_text(Decimal(tier["flat_fee"]), currency)}
    return text


def _figures(details: Mapping[str, Any], currency: str) -> Iterator[str]:
    if "package_size" in details:
        yield _("for each %(count)s units started") % {"count": quantity(Decimal(details["package_size"]))}
    if "free_units" in details:
        yield _("%(count)s units are free") % {"count": quantity(Decimal(details["free_units"]))}
    if "rate" in details:
        yield _("%(rate)s %% of the value") % {"rate": quantity(Decimal(details["rate"]))}
    for name, words in (
        ("fee", _("%(amount)s for each event")),
        ("free_value", _("the first %(amount)s are free")),
        ("floor", _("at least %(amount)s for an event")),
        ("ceiling", _("at most %(amount)s for an event")),
    ):
        if name in details:
            yield words % {"amount": price_text(Decimal(details[name]), currency)}
    if "free_events" in details:
        yield _("%(count)s events are free") % {"count": details["free_events"]}
