"""The months, day by day: in peace, or with the day's faults and the machines going on after them until nothing waits.

The rule that matters: both lives ask the same ticks on the same days by the same clock; only the faults differ.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Final

from faults.hands import Hand
from faults.plan import NIGHTS, Injection, deed_of
from faults.strikes import Strikes
from faults.town import Town

FIRST: Final = date(2025, 1, 1)
#: When the day's ticks are asked, and how long after that they are asked again until nothing waits: past the leases,
#: past the looks at what is unknown, past the waiting times of effects.
MORNING: Final = time(6, 0)
LATER: Final = tuple(timedelta(minutes=minutes) for minutes in (50, 57, 100, 190, 370, 600, 760))
#: From one struck tick to the next.
BETWEEN: Final = timedelta(seconds=20)
#: From one struck relay to the next: what the first had leased is free again.
LEASE: Final = timedelta(seconds=130)


def days(months: int, step: int) -> list[date]:
    """The days on which the machines are asked: every so many, so that missed ones are caught up with."""
    count = round(months * 30.44)
    return [FIRST + timedelta(days=number) for number in range(0, count, step)]


def morning(day: date) -> datetime:
    return datetime.combine(day, MORNING, UTC)


@dataclass(slots=True)
class Told:
    """What came of a life: injections that struck, how many were asked for again, days on which something stayed."""

    struck: list[Injection] = field(default_factory=list)
    unmet: list[Injection] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    seconds: float = 0.0


def live(town: Town, hand: Hand, calendar: list[date], plan: list[Injection], *, seed: int) -> Told:
    """Lives these days. Injections of the plan are spread over them; one that met nothing waits for another day."""
    begun, told, strikes = monotonic(), Told(), Strikes(town, hand, seed)
    waiting = deque(plan)
    nights = {date.fromisoformat(night) for night in NIGHTS} if plan else set()
    for left, day in zip(range(len(calendar), 0, -1), calendar, strict=True):
        # More are tried than must strike: not every point is passed on every day.
        most = min(len(waiting), -(-len(waiting) // left) * 2)
        chosen = sorted((waiting.popleft() for _ in range(most)), key=lambda one: one.place(left))
        at = morning(day)
        for deed in ("tick", "people_pay", "relay"):
            for one in [one for one in chosen if deed_of(one) == deed]:
                at += BETWEEN if deed == "tick" else LEASE
                if strikes.strike(one, at):
                    told.struck.append(one)
                else:
                    one.waited += 1
                    waiting.append(one)
            if deed != "relay":
                at += BETWEEN
                hand.do(deed, at=at)
        left_over = _settle_down(hand, day)
        if left_over:
            told.stuck.append(f"{day}: {left_over}")
        for night in sorted(night for night in nights if night == day):
            nights.remove(night)
            strikes.night(datetime.combine(night, time(1), UTC))
            told.struck.append(Injection("daylight_saving"))
    told.unmet = list(waiting)
    told.seconds = monotonic() - begun
    return told


def _settle_down(hand: Hand, day: date) -> str:
    """The machines go on, undisturbed, until nothing waits; what still does when the day is over."""
    found: dict[str, int] = {}
    for number, later in enumerate(LATER):
        at = morning(day) + later
        hand.do("tick", at=at)
        hand.do("relay", at=at + BETWEEN)
        found = hand.read("waiting", at=at)
        # What a tick began, another goes on with: once is not enough, in peace either.
        if number and not any(found.values()):
            return ""
    return ", ".join(f"{count} {name}" for name, count in found.items() if count)
