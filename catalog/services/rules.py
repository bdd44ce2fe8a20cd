"""The rules of a term: which values a cycle, term, notice and renewal may have together.

What passes here can be billed and answered by the contract clock; what can't is refused before it is sold.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from catalog.models import AnchorRule, CancelTiming, NoticeTo, RenewalRule, TermRules, Unit, Unused
from core import checks
from core.refusal import Refused
from pricing.errors import PricingError
from pricing.periods import Anchor, Interval, boundary

_CHOICES: dict[str, list[str]] = {
    "interval_unit": Unit.values,
    "anchor_rule": AnchorRule.values,
    "minimum_unit": Unit.values,
    "notice_unit": [Unit.DAY, Unit.WEEK, Unit.MONTH],
    "notice_to": NoticeTo.values,
    "renewal_rule": RenewalRule.values,
    "renewal_unit": Unit.values,
    "cancel_timing": CancelTiming.values,
    "cancel_unused": Unused.values,
}
_COUNTS: dict[str, tuple[int, int]] = {
    "interval_count": (1, 366),
    "minimum_count": (0, 3660),
    "notice_count": (0, 3660),
    "renewal_count": (0, 3660),
    "grace_days": (0, 366),
}
FIELDS = (*_CHOICES, *_COUNTS, "anchor_day")
# Any day will do: the rules are tried on it.
_SOME_DAY = date(2024, 1, 31)


def checked_rules(values: Mapping[str, Any]) -> dict[str, Any]:
    """Each value on its own: known names, choices and ranges."""
    checks.known(values, FIELDS)
    kept = dict(values)
    for name, choices in _CHOICES.items():
        if name in kept:
            checks.choice(kept[name], choices, field=name)
    for name, (least, most) in _COUNTS.items():
        if name in kept:
            checks.whole(kept[name], field=name, least=least, most=most)
    if kept.get("anchor_day") is not None:
        checks.whole(kept["anchor_day"], field="anchor_day", least=1, most=31)
    return kept


def check(rules: TermRules) -> None:
    """The values together: an anchor the cycle can have, a term where one is needed."""
    if rules.anchor_rule == AnchorRule.CALENDAR:
        if rules.interval_unit == Unit.DAY:
            raise Refused("plan.calendar_of_days", field="anchor_rule")
        if 12 % rules.interval_count:
            raise Refused("plan.calendar_count", field="interval_count", count=rules.interval_count)
    if rules.anchor_rule == AnchorRule.DAY:
        if rules.anchor_day is None:
            raise Refused("plan.anchor_day_missing", field="anchor_day")
        if rules.interval_unit not in (Unit.MONTH, Unit.YEAR):
            raise Refused("plan.anchor_day_cycle", field="interval_unit")
    ends = rules.renewal_rule in (RenewalRule.EXPIRE, RenewalRule.ASK)
    if ends and not rules.minimum_count and not rules.renewal_count:
        raise Refused("plan.term_missing", field="minimum_count")
    try:
        # Five cycles and both terms must still lie in the calendar.
        interval = Interval(rules.interval_unit, rules.interval_count)  # type: ignore[arg-type]
        boundary(Anchor(_SOME_DAY), interval, 5)
        for count, unit in (
            (rules.minimum_count, rules.minimum_unit),
            (rules.renewal_count, rules.renewal_unit),
        ):
            if count:
                boundary(Anchor(_SOME_DAY), Interval(unit, count), 1)  # type: ignore[arg-type]
    except PricingError:
        raise Refused("plan.interval_too_long", field="interval_count") from None
