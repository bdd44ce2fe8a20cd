"""Registration of the subscriptions room."""

from __future__ import annotations

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "subscriptions"

    def ready(self) -> None:
        from subscriptions import refusals  # noqa: F401  registering is its effect
