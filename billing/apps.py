"""Registration of the billing room."""

from __future__ import annotations

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import refusals, tasks  # noqa: F401  registering is their effect
        from billing.services import acts, approving, granting, mailing, vat_waits  # noqa: F401
