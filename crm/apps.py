"""Registration of the room that knows whom to talk to, and when."""

from __future__ import annotations

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"

    def ready(self) -> None:
        from crm import (  # noqa: F401  registering is its effect
            activity_words,
            alert_ticks,
            event_types,
            event_types_sales,
            lead_words,
            reach_words,
            refusals,
            task_words,
            tasks,
        )
        from crm.services import (  # noqa: F401
            activity_reminding,
            activity_timeline,
            alert_sources,
            alert_sources_customers,
            alert_sources_machine,
            bulk_acts,
            mailing_sending,
            mailing_texts,
            quote_mails,
            quote_papers,
            quote_sending,
            reminder_texts,
            reminding,
            renewal_law,
            tying,
        )
