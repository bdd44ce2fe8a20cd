"""Which value stands where both sides may change it: the rule of ties in both directions, without a database.

The rule that matters: `base`, what was last seen or written over there, tells who changed what. Our own write comes
back equal to it and is no change, so nothing goes round in circles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Outcome = Literal["", "taken", "theirs", "ours", "kept"]
_NOT_DIALED: Final = re.compile(r"[^\d+]")


@dataclass(frozen=True, slots=True)
class Merged:
    """The value that stands on both sides from here on. `outcome` is empty where nobody over there changed it."""

    value: str
    outcome: Outcome = ""


def same(field: str, one: str, two: str) -> bool:
    """Whether two values say the same: names but for spaces, phone numbers but for how they are written.

    >>> same("phone", "+49 (30) 12-34", "+49301234"), same("name", "Ada  Byron", "Ada Byron"), same("name", "Ada", "")
    (True, True, False)
    """
    if field == "phone":
        return _NOT_DIALED.sub("", one) == _NOT_DIALED.sub("", two)
    return one.split() == two.split()


def merged(
    field: str, *, base: str | None, ours: str, theirs: str, ours_at: datetime | None, theirs_at: datetime
) -> Merged:
    """The value that stays.

    - Only they changed it: theirs. Only we changed it: ours. An empty value over there is no change: ours is put back.
    - Both changed it: who did so later; ours in the same instant, and where nobody knows when we did.
    - At the first meeting (no `base`): ours, unless we have none.

    >>> from datetime import UTC
    >>> noon, later = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=UTC)
    >>> merged("name", base="Ada", ours="Ada", theirs="Ida", ours_at=None, theirs_at=noon)
    Merged(value='Ida', outcome='taken')
    >>> merged("name", base="Ada", ours="Eda", theirs="Ida", ours_at=later, theirs_at=noon)
    Merged(value='Eda', outcome='ours')
    >>> merged("name", base="Ada", ours="Ada", theirs="", ours_at=None, theirs_at=noon)
    Merged(value='Ada', outcome='kept')
    """
    if same(field, theirs, ours) or (base is not None and same(field, theirs, base)):
        return Merged(ours)
    if not theirs.strip():
        return Merged(ours, "kept" if base is not None else "")
    if base is None:
        return Merged(ours, "ours") if ours.strip() else Merged(theirs, "taken")
    if same(field, ours, base):
        return Merged(theirs, "taken")
    if ours_at is not None and theirs_at > ours_at:
        return Merged(theirs, "theirs")
    return Merged(ours, "ours")
