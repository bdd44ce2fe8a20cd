"""Registration of the room that knows whom to talk to, and when."""

from __future__ import annotations

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"

    def ready(self) -> None:
        from crm import alert_ticks, event_types, refusals, task_words, tasks  # noqa: F401  registering is its effect
        from crm.services import (  # noqa: F401
            alert_sources,
            alert_sources_customers,
            alert_sources_machine,
            reminder_texts,
            reminding,
            renewal_law,
        )
