"""A change of an agreement in the reader's words: what is added, removed, dearer, more; when service stops or goes on.

The rule that matters: it reads the summary the change was written with, never the terms of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing.documents.explaining import every
from billing.documents.figures import Figures
from catalog.models import Product
from catalog.services.texts import in_language
from core.design import formats
from core.models import Company
from subscriptions.models import Change

#: Models whose amount of one unit is what is paid.
_PLAIN = ("flat", "per_unit", "package")


def product_names(company: Company, changes: list[Change]) -> dict[str, str]:
    """The products these changes speak of, by code, in the reader's language. One query."""
    codes = {one["product"] for change in changes for one in change.summary.get("items", ())}
    if not codes:
        return {}
    language = get_language() or company.language
    rows = Product.objects.filter(company=company, code__in=codes)
    return {row.code: in_language(row.name, language, company.language) for row in rows}


def lines_of(change: Change, currency: str, names: Mapping[str, str]) -> list[str]:
    """What it does, a line each; `names` as `product_names` gives them."""
    summary: Mapping[str, Any] = change.summary
    figures = Figures(get_language() or "en", currency)
    found = []
    if change.plan is not None:
        language, own = get_language() or "en", change.plan.company.language
        found.append(_("To the plan %(plan)s") % {"plan": in_language(change.plan.name, language, own)})
    for one in summary.get("items", ()):
        found += _of_position(one, names.get(one["product"], one["product"]), figures)
    if change.kind == Change.Kind.DAY and "day" in summary:
        found.append(_("Periods begin on day %(day)s of the month") % {"day": summary["day"]})
    if change.kind == Change.Kind.PAUSE and summary.get("until"):
        found.append(_("Service resumes on %(day)s") % {"day": formats.day(date.fromisoformat(summary["until"]))})
    return found


def _of_position(one: Mapping[str, Any], name: str, figures: Figures) -> list[str]:
    before, after = one.get("before"), one.get("after")
    if before is None and after is not None:
        words = {"product": name, "quantity": figures.quantity(after["quantity"]), "price": _price(after, figures)}
        return [_("%(product)s added: %(quantity)s at %(price)s") % words]
    if after is None or before is None:
        return [_("%(product)s removed") % {"product": name}]
    found = []
    prices = _price(before, figures), _price(after, figures)
    pairs = [(figures.quantity(before["quantity"]), figures.quantity(after["quantity"])), prices]
    for was, becomes in pairs:
        if was != becomes:
            found.append(_("%(product)s: %(before)s → %(after)s") % {"product": name, "before": was, "after": becomes})
    return found or [_("%(product)s: agreed anew") % {"product": name}]


def _price(content: Mapping[str, Any], figures: Figures) -> str:
    if content["model"] not in _PLAIN:
        return _("priced by tiers or share, %(every)s") % {"every": every(content["interval"])}
    return f"{figures.price(content['unit_amount'])} {every(content['interval'])}"
