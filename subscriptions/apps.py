"""Registration of the subscriptions room."""

from __future__ import annotations

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "subscriptions"

    def ready(self) -> None:
        from subscriptions import event_types, refusals, titles  # noqa: F401  registering is their effect
        from subscriptions.services import usage_thresholds  # noqa: F401  its tick
        from subscriptions.services.importing import working  # noqa: F401  its job kind
