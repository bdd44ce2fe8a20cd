"""Registration of the customers room."""

from __future__ import annotations

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        from customers import refusals  # noqa: F401  registering is its effect
        from customers.services import mail_texts, messages, vat_ids  # noqa: F401
