"""Registration of the catalog room."""

from __future__ import annotations

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"

    def ready(self) -> None:
        from catalog import event_types, refusals  # noqa: F401  registering is their effect
