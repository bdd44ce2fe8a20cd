"""Logs that only grow: what a room noted to work by is dropped when it is over and old.

The rule that matters: a portion at a time, each in a transaction of its own, so that nothing is held up and a crash
leaves whole portions behind; what is not over stays, however old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core import clock
from core.fault_points import point
from core.models import Company
from core.services import ticks

logger = structlog.get_logger(__name__)
#: Nobody outside tells a thing again after a month, and webhooks are sent again for 30 days: so long it is known.
LEAST_DAYS: Final = 31
PORTION: Final = 1000
#: Portions of one log in one turn; the next turn goes on.
MOST_PORTIONS: Final = 200

#: Drops up to so many rows that were over before an instant; how many there were, 0 when there are no more.
Portion = Callable[[Company, datetime, int], int]
#: How long rows are kept after they are over; None: for ever.
Kept = Callable[[], timedelta | None]


@dataclass(frozen=True, slots=True)
class Log:
    """Rows of one kind that are of no use once they are old."""

    name: str
    kept: Kept
    portion: Portion


_logs: dict[str, Log] = {}


def log(name: str, *, kept: Kept, portion: Portion) -> None:
    """Registers a log. A record that somebody must keep is none."""
    _logs[name] = Log(name, kept, portion)


def names() -> list[str]:
    """The logs there are, in the order in which they are swept."""
    return sorted(_logs)


def days_of(setting: str) -> Kept:
    """As many days as a setting says, a month at least; 0: for ever."""

    def kept() -> timedelta | None:
        days = getattr(settings, setting)
        return timedelta(days=max(days, LEAST_DAYS)) if days else None

    return kept


def rows(model: type[models.Model], *, at: str, over: Q | None = None, of_company: bool = True) -> Portion:
    """Drops rows that meet `over` and whose instant `at` has passed, oldest first; both want an index.

    `of_company`: those of the company asked alone; otherwise of all, where rows belong to nobody.
    """
    manager: models.Manager[Any] = model._default_manager

    def portion(company: Company, before: datetime, limit: int) -> int:
        found = manager.filter(over or Q(), **{f"{at}__lt": before}, **({"company": company} if of_company else {}))
        with transaction.atomic():
            old = found.order_by(at).select_for_update(skip_locked=True).values_list("pk", flat=True)
            ids = list(old[:limit])
            return manager.filter(pk__in=ids).delete()[0] if ids else 0

    return portion


def sweep(company: Company, now: datetime, only: Iterable[str] | None = None) -> dict[str, int]:
    """Drops what is over and old, by the machine's clock; how many rows of each log that lost some.

    A log that fails stops no other; the first error is raised at the end.
    """
    gone: dict[str, int] = {}
    failed: Exception | None = None
    for name in names() if only is None else only:
        try:
            if count := _sweep(_logs[name], company, now):
                gone[name] = count
        except Exception as error:  # noqa: BLE001  raised once the others had their turn
            failed = failed or error
    if gone:
        logger.info("swept", company=company.slug, **gone)
    if failed is not None:
        raise failed
    return gone


def _sweep(one: Log, company: Company, now: datetime) -> int:
    kept, gone = one.kept(), 0
    if kept is None:
        return 0
    for _portion in range(MOST_PORTIONS):
        count = one.portion(company, now - kept, PORTION)
        if not count:
            break
        gone += count
        point("sweep.dropped")
    return gone


@ticks.tick(
    "core.upkeep", order=98, every=timedelta(hours=24), about_now=True, title=_("Tidying up"),
    text=_("Drops what was only noted on the way, once it is old; how long it is kept is set for the installation."),
)  # fmt: skip
def upkeep(company: Company, at: datetime) -> dict[str, Any]:
    """Keeps every log to the days it is of use."""
    return {"forgotten": sum(sweep(company, clock.machine_now()).values())}


# Sign-ins that ran out belong to no company: whichever is asked first drops them.
log("sign_ins", kept=timedelta, portion=rows(Session, at="expire_date", of_company=False))
