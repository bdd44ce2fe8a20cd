"""The doctor: looks at an installation and says what is wrong and what to do about it. It mends nothing.

The rule that matters: each finding ends with something a person can do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.functional import Promise


class Level(StrEnum):
    """`fine`: as it should be; `look`: somebody should look at it; `broken`: something is lost, late or wrong."""

    FINE = "fine"
    LOOK = "look"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and what to do. `advice` is empty where all is fine."""

    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing the doctor looks at; `slow` ones read whole tables."""

    name: str
    title: str | Promise
    slow: bool
    function: Callable[[datetime], Iterable[Finding]]


_examinations: dict[str, Examination] = {}


def examination(
    name: str, title: str | Promise, *, slow: bool = False
) -> Callable[[Callable[[datetime], Iterable[Finding]]], Callable[[datetime], Iterable[Finding]]]:
    """Registers `function(at)`, which yields what it found at the machine's instant `at`; nothing means fine."""

    def register(function: Callable[[datetime], Iterable[Finding]]) -> Callable[[datetime], Iterable[Finding]]:
        _examinations[name] = Examination(name, title, slow, function)
        return function

    return register


def examinations() -> list[Examination]:
    """All of them, in the order their rooms stand in."""
    return list(_examinations.values())


def examine(
    at: datetime, *, names: Iterable[str] = (), quick: bool = False
) -> Iterable[tuple[Examination, list[Finding]]]:
    """Each examination with its findings, never empty; one that can't be made is broken itself."""
    wanted = set(names)
    for one in examinations():
        if (wanted and one.name not in wanted) or (quick and one.slow):
            continue
        try:
            findings = list(one.function(at))
        except Exception as error:  # noqa: BLE001  the others are looked at all the same
            findings = [Finding(Level.BROKEN, f"{type(error).__name__}: {error}"[:500], "Look at the log.")]
        yield one, findings or [Finding(Level.FINE, "")]
