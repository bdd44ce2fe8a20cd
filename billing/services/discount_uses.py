"""Uses of discounts as they are written: on which line, how much, and what is left of the discount.

The rule that matters: a draft uses nothing; it does when it is issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from billing.services.clauses import Clause, carry_out
from billing.services.copying import array
from billing.services.discounting import Take, left_after, used
from billing.services.grouping import InvoiceDoc
from core.models import Company

_TAKEN: Final = """
    INSERT INTO billing_discountuse (company_id, agreed_id, line_id, due_on, amount_minor, period_used)
    SELECT %(taken_company)s, v.* FROM unnest(
        %(taken_by)s::bigint[], %(taken_lines)s::bigint[], %(taken_days)s::date[], %(taken_minors)s::bigint[],
        %(taken_periods)s::bool[]
    ) v
"""
_COUNTED: Final = """
    UPDATE subscriptions_agreeddiscount d
    SET periods_left = v.periods_left, left_minor = v.left_minor, until_on = v.until_on,
        next_change_on = coalesce(v.change_on, d.next_change_on),
        ended_at = CASE WHEN v.is_over THEN %(counted_at)s END
    FROM unnest(%(counted)s::bigint[], %(counted_periods)s::int[], %(counted_minors)s::bigint[],
                %(counted_until)s::date[], %(counted_change)s::date[], %(counted_over)s::bool[])
         v(id, periods_left, left_minor, until_on, change_on, is_over)
    WHERE d.id = v.id
"""
_MOVES: Final = """
    UPDATE subscriptions_subscription s SET next_move_on = least(s.next_move_on, v.day)
    FROM unnest(%(moving)s::bigint[], %(moving_on)s::date[]) v(id, day)
    WHERE s.id = v.id AND s.state NOT IN ('canceled', 'expired')
"""


@dataclass(slots=True)
class Uses:
    """The clauses that write them, and by subscription the day on which its revenue changes because of them."""

    clauses: list[Clause] = field(default_factory=list)
    moves: dict[int, date] = field(default_factory=dict)

    def carry_out(self) -> None:
        """Writes them alone, in one statement."""
        days = {"moving": array(self.moves), "moving_on": array(self.moves.values())}
        carry_out(self.clauses + ([Clause("moves", _MOVES, days)] if self.moves else []))


def uses(company: Company, takes: Sequence[Take], drafts: Sequence[InvoiceDoc], *, at: datetime) -> Uses:
    """What was used, on lines that have their ids, and what is left; nothing for lines of `drafts`.

    A document that costs nothing and is not issued uses discounts.
    """
    done = used(takes, drafts)
    if not done:
        return Uses()
    parts = [(made, part) for made in done for part in made.parts]
    taken = {
        "taken_company": company.pk,
        "taken_by": array(made.row.id for made, _ in parts),
        "taken_lines": array(part.line.id or None for _, part in parts),
        "taken_days": array(made.due_on for made, _ in parts),
        "taken_minors": array(part.taken_minor for _, part in parts),
        "taken_periods": array(part.uses_period for _, part in parts),
    }
    found = Uses([Clause("taken", _TAKEN, taken)])
    left = left_after(done)
    if left:
        counted = {
            "counted_at": at,
            "counted": array(one.row.id for one in left),
            "counted_periods": array(one.periods_left for one in left),
            "counted_minors": array(one.left_minor for one in left),
            "counted_until": array(one.until_on for one in left),
            "counted_change": array(one.change_on for one in left),
            "counted_over": array(one.is_over for one in left),
        }
        found.clauses.append(Clause("counted", _COUNTED, counted))
    for one in left:
        subscription_id = one.taken[0].parts[0].line.subscription_id
        if one.change_on is not None and subscription_id is not None:
            found.moves[subscription_id] = min(found.moves.get(subscription_id, one.change_on), one.change_on)
    return found
