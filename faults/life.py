"""The months, day by day: in peace, or with the day's faults and the machines going on after them until nothing waits.

The rule that matters: both lives ask the same ticks on the same days by the same clock; only the faults differ.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Final

from faults.hands import Hand
from faults.plan import NIGHT, NIGHTS, Injection, deed_of
from faults.strikes import Strikes
from faults.town import Town

FIRST: Final = date(2025, 1, 1)
#: When the day's ticks are asked, and how long after that they are asked again until nothing waits: past the leases,
#: past the looks at what is unknown, past the waiting times of effects.
MORNING: Final = time(6, 0)
LATER: Final = tuple(timedelta(minutes=minutes) for minutes in (50, 57, 100, 190, 370, 600, 760))
#: So many relays carry out what a day brought, and so many seconds they may take.
RELAYS: Final = 2
RELAY_SECONDS: Final = 240
#: Beside another a relay takes so few rows at a time that both have something to do.
SHARE: Final = 8
#: From one struck tick to the next.
BETWEEN: Final = timedelta(seconds=20)
#: From one struck relay to the next: what the first had leased is free again.
LEASE: Final = timedelta(seconds=130)


#: In these days nobody is asked anything: then the clock is 40 days ahead, and all is caught up with.
STANDSTILL: Final = (date(2025, 7, 3), date(2025, 8, 11))


def days(months: int, step: int) -> list[date]:
    """The days on which the machines are asked: every so many, so that missed ones are caught up with, and the days
    after the nights on which the local clock jumps."""
    end = FIRST + timedelta(days=round(months * 30.44))
    nights = {night for night in map(date.fromisoformat, NIGHTS) if night < end}
    every = {FIRST + timedelta(days=number) for number in range(0, (end - FIRST).days, step)}
    first, last = STANDSTILL
    resumed = {last + timedelta(days=1)} if last < end else set()
    return sorted({day for day in every if not first <= day <= last} | nights | resumed)


def morning(day: date) -> datetime:
    return datetime.combine(day, MORNING, UTC)


@dataclass(slots=True)
class Told:
    """What came of a life: injections that struck, how many were asked for again, days on which something stayed."""

    struck: list[Injection] = field(default_factory=list)
    unmet: list[Injection] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    seconds: float = 0.0
    #: How long the strikes of each kind took, and what the machines did between and after them.
    spent: Counter[str] = field(default_factory=Counter)


def live(
    town: Town, hand: Hand, calendar: list[date], plan: list[Injection], *, seed: int,
    later: tuple[timedelta, ...] = LATER,
) -> Told:  # fmt: skip
    """Lives these days. Injections of the plan are spread over them; one that met nothing waits for another day.

    `later`: when a day's machines are asked again, at most, before it is said that something stays.
    """
    begun, told, strikes = monotonic(), Told(), Strikes(town, hand, seed)
    waiting = deque(plan)
    nights = {date.fromisoformat(night) for night in NIGHTS} if plan else set()
    for left, day in zip(range(len(calendar), 0, -1), calendar, strict=True):
        # More are tried than must strike: not every point is passed on every day.
        most = min(len(waiting), -(-len(waiting) // left) * 2)
        chosen = sorted((waiting.popleft() for _ in range(most)), key=lambda one: one.place(left))
        at = morning(day)
        town.follow(at)
        if day in nights and strikes.night(datetime.combine(day, time(1), UTC)):
            told.struck.append(Injection(NIGHT))
        for deed in ("tick", "people_pay", "relay"):
            for one in [one for one in chosen if deed_of(one) == deed]:
                at += BETWEEN if deed == "tick" else LEASE
                if one.point.startswith("attempt."):
                    # Whatever other strikes left undone: there is something to charge for.
                    hand.do("tick", at=at, name="billing.run")
                since = monotonic()
                has_struck = strikes.strike(one, at)
                told.spent[one.kind] += monotonic() - since
                if has_struck:
                    told.struck.append(one)
                else:
                    one.waited += 1
                    waiting.append(one)
            if deed != "relay":
                at += BETWEEN
                hand.do(deed, at=at)
        since = monotonic()
        left_over = _settle_down(hand, day, later)
        told.spent["settling down"] += monotonic() - since
        if plan and later is LATER:
            came = f"{len(told.struck)} struck, {len(waiting)} to come, {monotonic() - begun:.0f} s"
            print(f"# {day}, {len(calendar) - left + 1} of {len(calendar)} days: {came}", flush=True)
        if left_over:
            told.stuck.append(f"{day}: {left_over}")
    told.unmet = list(waiting)
    told.seconds = monotonic() - begun
    return told


def _relays(hand: Hand, at: datetime, many: int) -> None:
    running = [hand.begin("relay", at=at, limit=SHARE if many > 1 else 50) for _ in range(many)]
    for one in running:
        one.finish(RELAY_SECONDS)


def _settle_down(hand: Hand, day: date, passes: tuple[timedelta, ...]) -> str:
    """The machines go on, undisturbed, until nothing waits; what still does when the day is over."""
    found: dict[str, int] = {}
    for number, later in enumerate(passes):
        at = morning(day) + later
        hand.town.follow(at)
        hand.do("tick", at=at)
        _relays(hand, at + BETWEEN, 1 if number else RELAYS)
        found = hand.read("waiting", at=at)
        # What a tick began, another goes on with: once is not enough, in peace either.
        if number and not any(found.values()):
            return ""
    return ", ".join(f"{count} {name}" for name, count in found.items() if count)
