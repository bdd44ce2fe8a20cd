"""The injections of a campaign, by seed: kinds and named points, each with its quota.

The rule that matters: the same seed gives the same list in the same order. An injection whose point is not reached on
its day waits for a later one, and only one that struck counts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from core.fault_points import POINTS

#: Which deed comes by a point, and in which order within it.
TICK: Final = (
    "moves.moved", "billing.claimed", "billing.lines", "billing.numbered", "billing.linked", "billing.written",
    "billing.committed", "attempt.opened", "attempt.intent", "attempt.called", "attempt.applied", "dunning.step",
    "reminder.written", "alert.raised",
)  # fmt: skip
PEOPLE: Final = ("payment.recorded",)
RELAY: Final = (
    "outbox.claiming", "outbox.claimed", "mail.composed", "mail.keeping", "mail.sent", "outbox.effected",
    "webhook.claimed", "webhook.sent", "webhook.recording",
)  # fmt: skip
#: Which tick comes by a point: it alone is asked, so that a strike that meets nothing leaves the others their work.
TICK_OF: Final = {
    "moves": "subscriptions.moves", "billing": "billing.run", "attempt": "billing.collect",
    "dunning": "billing.dunning", "reminder": "crm.reminders", "alert": "crm.alerts",
}  # fmt: skip
DEED_OF: Final = {
    **dict.fromkeys(TICK, "tick"), **dict.fromkeys(PEOPLE, "people_pay"), **dict.fromkeys(RELAY, "relay"),
}  # fmt: skip
PLACE: Final = {name: place for place, name in enumerate((*TICK, *PEOPLE, *RELAY))}
#: Nothing in the story comes by these: it has no mailings and no bucket. They are struck in `tests/crm`, `tests/core`.
ELSEWHERE: Final = frozenset({"mailing.started", "mailing.portion", "sweep.dropped", "file.put", "file.back"})
#: What is done at a point: the process is killed, PostgreSQL loses its power, its connections are cut; where no
#: transaction is open, kills are fewer.
AT_POINTS: Final = {"kill": 3, "postgres": 1, "cut": 1}
KILLS_OUTSIDE: Final = 2
#: The product's real servers: Celery workers, beats, the web server. Once at each of these points, or so often.
WORKER_POINTS: Final = (
    "moves.moved", "billing.claimed", "billing.lines", "billing.numbered", "billing.linked", "billing.written",
    "attempt.opened", "attempt.called", "dunning.step", "alert.raised", "job.begun",
)  # fmt: skip
MACHINES: Final = {
    "worker_killed": len(WORKER_POINTS), "worker_killed_in_its_work": 2, "beats_and_workers": 3, "web_killed": 2,
    "web_killed_at_random": 2,
}  # fmt: skip
#: How often the others happen in a whole campaign.
OTHERS: Final = {
    "ticks_killed_at_random": 4, "relay_killed_at_random": 4, "postgres_killed_at_random": 2, "valkey_killed": 2,
    "valkey_flushed": 2, "three_beats": 2, "clock_plus_hour": 2, "clock_minus_hour": 2, "clock_plus_40_days": 2,
    "relay_plus_40_days": 2, "poison_effect": 2, "poison_row": 2, "disk_full": 3, "network_cut": 2, "smtp_refuses": 2,
    "smtp_hangs": 2, "smtp_drops": 2, "hooks_refuse": 2, "hooks_hang": 2, "hooks_drop": 2, "provider_gone": 2,
    "provider_silent": 2, "provider_mute": 2, "two_relays": 2, "three_payers": 2, "days_twice": 2,
}  # fmt: skip
#: So many must strike in a whole campaign.
FEWEST: Final = 176
#: The kind of the two nights below; they are struck where the calendar has them.
NIGHT: Final = "daylight_saving"
#: Of these two nights the local clock skips an hour, or has one twice.
NIGHTS: Final = ("2025-03-30", "2025-10-26")


@dataclass(slots=True)
class Injection:
    """One fault: its kind, the point it strikes at, at which pass; how many days it waited for its point."""

    kind: str
    point: str = ""
    number: int = 1
    waited: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind} at {self.point}" if self.point else self.kind

    def place(self, day: int) -> tuple[int, bool]:
        """Within a day and a deed: points in the order they are passed, kills first, since they leave the work undone.

        What needs no point comes before them on every other day, and else finds what they left.
        """
        return PLACE.get(self.point, -1 if day % 2 else len(PLACE)), self.kind != "kill"

    @property
    def given(self) -> dict[str, Any]:
        """What the deed is told."""
        tick = TICK_OF.get(self.point.partition(".")[0]) if self.point in TICK else None
        return {"name": tick} if tick else {}


def deed_of(injection: Injection) -> str:
    """The deed that it strikes at, or is tried beside."""
    if injection.kind.startswith("web"):
        return "people_pay"
    if injection.kind in MACHINES:
        return "tick"
    if injection.point:
        return DEED_OF[injection.point]
    if injection.kind == "three_payers":
        return "people_pay"
    return "relay" if injection.kind.startswith(("relay", "smtp", "hooks", "poison_effect", "two_relays")) else "tick"


def planned(seed: int, share: float = 1.0, kinds: set[str] | None = None) -> list[Injection]:
    """The whole campaign's injections in their order; `share` of each quota, at least one of each."""
    dice = random.Random(f"plan {seed}")
    found: list[Injection] = []
    for point in DEED_OF:
        assert point in POINTS
        for kind, most in AT_POINTS.items():
            passes = (1, 2, 3) if point.startswith("mail") else (1,)
            most = min(most, most if POINTS[point] else KILLS_OUTSIDE)
            found += [Injection(kind, point, dice.choice(passes)) for _ in range(max(1, round(most * share)))]
    struck = dice.sample(WORKER_POINTS, max(1, round(len(WORKER_POINTS) * share)))
    found += [Injection("worker_killed", point) for point in struck]
    for kind, most in {**MACHINES, **OTHERS}.items():
        if kind == "worker_killed":
            continue
        found += [Injection(kind) for _ in range(max(1, round(most * share)))]
    for one in found:
        if one.kind == "disk_full":
            one.point = dice.choice(("billing.claimed", "billing.lines", "attempt.opened", "mail.composed"))
        if one.kind in ("provider_gone", "provider_silent"):
            one.point = "attempt.intent"
        if one.kind == "web_killed":
            one.point = "payment.recorded"
        if one.kind.startswith("valkey"):
            one.point = dice.choice(("billing.numbered", "mail.composed"))
    if kinds is not None:
        found = [one for one in found if one.kind in kinds]
    dice.shuffle(found)
    return found
