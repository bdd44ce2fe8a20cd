"""What time it is. The only module that asks: everything else gets time as an argument.

Live companies follow the machine's clock, shifted by `TURNUS_CLOCK_OFFSET` seconds when rehearsing faults (in a process
that is to be wrong further, by `TURNUS_CLOCK_ERROR`); a test company follows its own, which stands still until it is
advanced.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from core.models import Company


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def machine_now() -> datetime:
    """The instant by the machine's clock, for leases, queues and logs: never for a business fact."""
    offset = os.environ.get("TURNUS_CLOCK_OFFSET")
    now = datetime.now(UTC)
    return now + timedelta(seconds=float(offset)) + _error() if offset else now


def _error() -> timedelta:
    """How wrong this machine's clock is made in a rehearsal, beyond the shift that all share."""
    return timedelta(seconds=float(os.environ.get("TURNUS_CLOCK_ERROR") or 0))


def ahead_of(theirs: datetime) -> timedelta:
    """How far this machine's own clock is ahead of another's, asked right now; below zero: behind."""
    return datetime.now(UTC) + _error() - theirs


def now(company: Company) -> datetime:
    """The instant for `company`: its own clock when it is a test company that has one."""
    return company.clock_at or machine_now()


def day_in(instant: datetime, time_zone: str) -> date:
    """The calendar day of an instant in an IANA zone."""
    return instant.astimezone(zone(time_zone)).date()


def today(company: Company, time_zone: str | None = None) -> date:
    """Today for `company`, in its own zone or in the one named."""
    return day_in(now(company), time_zone or company.time_zone)
