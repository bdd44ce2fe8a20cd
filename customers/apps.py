"""Registration of the customers room."""

from __future__ import annotations

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        from anymail.signals import tracking

        from customers import accounts, event_types, refusals  # noqa: F401  registering is its effect
        from customers.services import delivering, mail_events, mail_texts, vat_ids  # noqa: F401

        # How django-anymail tells of deliveries; the one signal there is.
        tracking.connect(mail_events.receive, dispatch_uid="turnus.mail_events")
