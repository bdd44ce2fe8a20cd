"""Whether a gateway works: its provider answers to the key we have, its account is complete.

The rule that matters: asking changes nothing, at the provider or here.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from billing.models import Gateway
from billing.services import debit_files, gateway_accounts
from core import clock
from core.refusal import Refused

log = structlog.get_logger(__name__)


def check(gateway: Gateway) -> None:
    """Asks the provider for its newest messages, or looks whether the bank details are there. Outside transactions.

    Refuses `gateway.unreachable`, `gateway.account_missing` and what `gateway_accounts.connect` refuses.
    """
    if gateway.kind == Gateway.Kind.SEPA:
        debit_files.creditor_of(gateway)
    if gateway.kind not in (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL):
        return
    connection = gateway_accounts.connect(gateway)
    try:
        next(iter(connection.messages_since(clock.machine_now() - timedelta(minutes=1))), None)
    except Exception as error:
        log.info("gateway_unreachable", gateway=gateway.pk, error=type(error).__name__)
        raise Refused("gateway.unreachable", gateway=gateway.name, error=type(error).__name__) from error
