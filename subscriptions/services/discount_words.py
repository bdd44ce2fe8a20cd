"""A discount in the reader's words: what it takes off, and for how long."""

from __future__ import annotations

from django.utils.translation import ngettext

from catalog.models import DiscountRules
from core.design import formats


def taken_off(row: DiscountRules) -> str:
    """What it takes off: "10%" or "€5.00"."""
    if row.percent is not None:
        places = max(0, -int(row.percent.normalize().as_tuple().exponent))
        return formats.percent(row.percent.scaleb(-2), places=places)
    return formats.money(row.amount_minor or 0, row.currency)


def how_long(row: DiscountRules) -> str:
    """For how long: once, for a number of periods, for good."""
    if row.periods is not None:
        return ngettext("%(count)s period", "%(count)s periods", row.periods) % {"count": row.periods}
    return str(row.get_duration_display())
