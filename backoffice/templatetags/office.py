"""Words of the back office's templates: cycles, lengths and unit prices as people say them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.design import formats
from pricing.money import places

register = template.Library()


@register.simple_tag
def length(count: int, unit: str) -> str:
    """A length of time: "12 months"; no length at all is "none"."""
    if not count:
        return _("none")
    words = {
        "day": ngettext("%(count)d day", "%(count)d days", count),
        "week": ngettext("%(count)d week", "%(count)d weeks", count),
        "month": ngettext("%(count)d month", "%(count)d months", count),
        "year": ngettext("%(count)d year", "%(count)d years", count),
    }
    return words[str(unit)] % {"count": count}


@register.simple_tag
def every(rules: Any) -> str:
    """How often a plan or subscription is billed: "monthly", "every 3 months"."""
    count, unit = rules.interval_count, str(rules.interval_unit)
    if (count, unit) in ((12, "month"), (1, "year")):
        return _("yearly")
    if (count, unit) == (3, "month"):
        return _("quarterly")
    once = {"day": _("daily"), "week": _("weekly"), "month": _("monthly")}
    if count == 1:
        return once[unit]
    return _("every %(length)s") % {"length": length(count, unit)}


def price_text(amount: Decimal, currency: str) -> str:
    """A unit price with all its decimals, at least those of the currency."""
    least = places(currency)
    text = f"{amount:f}".rstrip("0").rstrip(".") if "." in f"{amount:f}" else f"{amount:f}"
    shown = max(least, len(text.partition(".")[2]))
    if shown == least:
        return formats.money(int((amount * 10**least).to_integral_value()), currency)
    number = format_decimal(amount, format="#,##0." + "0" * shown, locale=formats.current_locale())
    return f"{number}\xa0{currency}"


@register.simple_tag
def unit_price(price: Any, currency: str = "") -> SafeString:
    """The price of one unit: of a price row, or of an amount with its currency."""
    amount = getattr(price, "unit_amount", price)
    return format_html('<span class="money">{}</span>', price_text(amount, currency or price.currency))


@register.simple_tag
def quantity(value: Decimal | None) -> str:
    """A quantity without zeros after its last decimal."""
    if value is None:
        return "–"
    text = f"{value:f}"
    return formats.number(Decimal(text.rstrip("0").rstrip(".") if "." in text else text))


@register.simple_tag
def period(start: date | None, end: date | None) -> SafeString:
    """A period as people say it, from its first to its last day; `end` is the first day not covered."""
    if start is None or end is None:
        return mark_safe("–")
    last = end - timedelta(days=1)
    return format_html(
        '<span><time class="nowrap" datetime="{}">{}</time> – <time class="nowrap" datetime="{}">{}</time></span>',
        start.isoformat(), formats.day(start), last.isoformat(), formats.day(last),
    )  # fmt: skip
