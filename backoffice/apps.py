"""Registration of the backoffice room."""

from __future__ import annotations

from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    name = "backoffice"

    def ready(self) -> None:
        from backoffice import refusals  # noqa: F401  registering is its effect
