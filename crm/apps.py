"""Registration of the room that knows whom to talk to, and when."""

from __future__ import annotations

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"

    def ready(self) -> None:
        from crm import tasks  # noqa: F401  registering is its effect
