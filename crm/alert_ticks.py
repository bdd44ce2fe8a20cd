"""The ticks of alerts: the quick questions every minute, the slow ones every hour, the mail of the morning."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.services import ticks
from crm.services import alert_mails, alerting


def _look(company: Company, at: datetime, slow: bool) -> dict[str, Any]:
    looked = alerting.look(company=company, at=at, slow=slow)
    mails = alert_mails.mail_waiting(company=company, at=at)
    return {"raised": looked.raised, "resolved": looked.resolved, "mails": mails, "failed": looked.failed}


@ticks.tick(
    "crm.alerts", order=80, every=timedelta(minutes=1), about_now=True, title=_("Alerts"),
    text=_("Raises alerts about what needs somebody, makes tasks of them, and closes those whose cause is gone."),
)  # fmt: skip
def alerts_tick(company: Company, at: datetime) -> dict[str, Any]:
    return _look(company, at, slow=False)


@ticks.tick(
    "crm.watch", order=81, every=timedelta(hours=1), about_now=True, title=_("Alerts about customers"),
    text=_("Looks for customers who may leave, big renewals and payment methods that will not do."),
)  # fmt: skip
def watch_tick(company: Company, at: datetime) -> dict[str, Any]:
    return _look(company, at, slow=True)


@ticks.tick(
    "crm.digests", order=82, every=timedelta(minutes=15), title=_("Mail of the morning"),
    text=_("Tells everybody once a morning which alerts and tasks wait for them."),
)  # fmt: skip
def digests_tick(company: Company, at: datetime) -> dict[str, Any]:
    return {"mails": alert_mails.morning(company=company, at=at)}
