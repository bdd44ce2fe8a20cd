"""The timetable of direct debits: put into files, and in test companies credited by a bank that isn't one.

The rule that matters: the bank of a test company never acts in a live one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.utils.translation import gettext_lazy as _

from billing.models import DebitBatch, Gateway
from billing.services import debit_files, gateway_accounts, mandates
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from pricing import banking_days

log = structlog.get_logger(__name__)
EVERY: Final = timedelta(hours=1)
TEST_BANK: Final = Actor.system("Test bank")


def play_bank(*, company: Company, at: datetime) -> dict[str, int]:
    """The bank of a test company: takes every file at its last moment, and credits it on its collection day.

    Only so that demos and simulations run by themselves; ValueError for a live company.
    """
    if company.is_live:
        raise ValueError("a live company has a bank of its own")
    today = clock.day_in(at, company.time_zone)
    taken = credited = 0
    for batch in debit_files.batches_of(company, states=[DebitBatch.State.MADE]):
        if banking_days.before(batch.collection_on, batch.gateway.lead_days) <= today:
            if debit_files.check(batch):
                debit_files.cancel_batch(batch=batch, by=TEST_BANK, at=at)
                continue
            debit_files.mark_sent(batch=batch, by=TEST_BANK, at=at)
            taken += 1
    rows = DebitBatch.objects.filter(
        company=company, state=DebitBatch.State.SENT, collection_on__lte=today,
        attempts__state__in=debit_files.UNDER_WAY,
    )  # fmt: skip
    for batch in rows.select_related("gateway__company").distinct().order_by("collection_on", "pk"):
        credited += debit_files.settle_batch(batch=batch, on=batch.collection_on, by=TEST_BANK, at=at)
    return {"taken": taken, "credited": credited}


@ticks.tick(
    "billing.debits", order=34, every=EVERY, title=_("Direct debit files"),
    text=_("Makes the direct debit files that are due and ends mandates nobody used for 36 months."),
)  # fmt: skip
def debits_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Ends dead mandates, makes the files that are due; a test company's bank does its part."""
    if not Gateway.objects.filter(company=company, kind=Gateway.Kind.SEPA).exists():
        return {}
    ended = len(mandates.end_unused(company=company, at=at))
    let_go = debit_files.let_go(company=company, at=at)
    done: dict[str, Any] = {"ended": ended, "let_go": let_go, "files": 0}
    gateway = gateway_accounts.of_kind(company, Gateway.Kind.SEPA)
    if gateway is not None and gateway.makes_files:
        try:
            today = clock.day_in(at, company.time_zone)
            made = debit_files.make_batches(company=company, gateway=gateway, on=today, by=debit_files.SYSTEM, at=at)
            done["files"] = len(made)
        except Refused as refused:
            log.warning("no_debit_files", company=company.pk, why=refused.code)
    if not company.is_live:
        done |= play_bank(company=company, at=at)
    return done
