"""Every way in, walked: who stands before which door with what in hand, and what the door must say.

A door is a list of `Way`s (an address with a method) and a `Visitor` that can call. The walk below knows nothing of
any door: the API brings its operations and keys, the back office its views and roles, the portal its contacts.
To add a door, write `ways()` for it and call `strangers` and `unentitled` in `test_every_door.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Way:
    """One method of one address. `places` are the names in the address; `rights`: any of them opens it."""

    method: str
    address: str
    places: tuple[str, ...]
    rights: tuple[str, ...]
    body: Any = None

    def at(self, ids: Mapping[str, str]) -> str:
        return self.address.format(**{place: ids[place] for place in self.places})

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.address}"


#: Calls a way at an address and gives the status.
Visit = Callable[[Way, str], int]


@dataclass
class Walk:
    """What was found on a walk: `passed` counts answers as they must be, `faults` names the others."""

    passed: int = 0
    faults: list[str] = field(default_factory=list)

    def expect(self, way: Way, who: str, status: int, allowed: Iterable[int]) -> None:
        if status in allowed:
            self.passed += 1
        else:
            self.faults.append(f"{way} by {who}: {status}")


def strangers(ways: Iterable[Way], visit: Visit, ids: Mapping[str, str], *, who: str, says: Iterable[int]) -> Walk:
    """Somebody of another company calls every address that names a row, with ids of rows that exist."""
    walk = Walk()
    for way in ways:
        if way.places:
            walk.expect(way, who, visit(way, way.at(ids)), says)
    return walk


def unentitled(
    ways: Iterable[Way], visit_without: Callable[[Way], Visit], ids: Mapping[str, str], *, says: Iterable[int]
) -> Walk:
    """Somebody of the company with every right but those that open the way calls it."""
    walk = Walk()
    for way in ways:
        walk.expect(way, f"one without {' and '.join(way.rights)}", visit_without(way)(way, way.at(ids)), says)
    return walk


def nobody(ways: Iterable[Way], visit: Visit, ids: Mapping[str, str], *, says: Iterable[int]) -> Walk:
    """Somebody who hasn't signed in, or shows no key, calls everything."""
    walk = Walk()
    for way in ways:
        walk.expect(way, "nobody", visit(way, way.at(ids)), says)
    return walk


def entitled(ways: Iterable[Way], visit: Visit, ids: Mapping[str, str], *, never: Iterable[int]) -> Walk:
    """Somebody who may do everything calls everything: a refusal would hide what the other walks are to show."""
    walk = Walk()
    forbidden = set(never)
    for way in ways:
        status = visit(way, way.at(ids))
        walk.expect(way, "one who may", status, () if status in forbidden else (status,))
    return walk
