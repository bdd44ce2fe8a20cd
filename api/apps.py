"""Registration of the api room."""

from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "api"

    def ready(self) -> None:
        from api import idempotency, refusals  # noqa: F401  registering is their effect
