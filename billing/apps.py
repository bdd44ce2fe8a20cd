"""Registration of the billing room."""

from __future__ import annotations

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import event_types, event_types_money, mails, refusals, tasks, titles  # noqa: F401  registering is their effect
        from billing.gateways import offline, paypal, sepa, stripe  # noqa: F401
        from billing.services import (  # noqa: F401
            acts,
            approving,
            bank_lines,
            collecting,
            debits,
            dunning,
            dunning_letters,
            examinations,
            granting,
            incoming,
            mailing,
            payment_days,
            payment_methods,
            refunding,
            sending,
            statement_jobs,
            vat_waits,
        )
