"""Registration of the catalog room."""

from __future__ import annotations

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"

    def ready(self) -> None:
        from catalog import refusals  # noqa: F401  registering is its effect
