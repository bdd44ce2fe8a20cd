"""What the customer has used so far, in the customer's words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import get_language

from billing.documents.figures import Figures
from billing.services import current_usage
from catalog.services.texts import in_language
from subscriptions.models import Subscription
from subscriptions.services.terms import ONE_DAY


def used(subscription: Subscription, at: datetime) -> list[dict[str, Any]]:
    """Each position charged by usage: quantity and cost of its running period so far."""
    language, fallback = get_language() or "en", subscription.company.language
    figures = Figures(language, subscription.currency)
    return [
        {
            "name": in_language(one.slot.product.name, language, fallback),
            "unit": in_language(one.slot.meter.unit_name, language, fallback) if one.slot.meter else "",
            "quantity": figures.quantity(f"{round(one.quantity, 6):f}"),
            "cost_minor": one.cost_minor,
            "currency": one.currency,
            "start": one.start,
            "last_on": one.end - ONE_DAY,
            "is_free": one.is_free,
        }
        for one in current_usage.current(subscription, at)
    ]
