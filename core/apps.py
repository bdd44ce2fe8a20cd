"""Registration of the core room."""

from __future__ import annotations

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import durability, event_types, refusals, tasks  # noqa: F401  registering is their effect
        from core.services import (  # noqa: F401
            advancing,
            examinations,
            file_sweep,
            sweeping,
            timetable,
            webhook_retention,
        )
