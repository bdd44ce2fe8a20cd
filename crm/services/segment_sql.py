"""The rules of a segment as one question to the database.

The rule that matters: conditions about subscriptions that stand together and have all to hold are asked about one and
the same subscription; "not" before such a condition means that no subscription is like that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Exists, OuterRef, Q

from core.models import Company
from crm.services import segment_rules
from crm.services.segment_fields import DAY_OPS, Asked, window
from crm.services.segment_rules import Condition, Match, Rules
from pricing.money import Money
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Question:
    """`customers` says who belongs; `subscriptions` which of theirs are meant, None for each."""

    customers: Q
    subscriptions: Q | None


def question(company: Company, rules: Rules, on: date) -> Question:
    """The conditions on customers of the company, as things stand; days are counted from `on`."""
    rows = segment_rules.rows_of(company, rules)
    compiler = Compiler(company, on, {ref: row.pk for ref, row in rows.items()})
    parts = list(compiler.parts(rules.match, rules.conditions))
    for group in rules.groups:
        found = _joined(group.match, list(compiler.parts(group.match, group.conditions)))
        parts.append(~found if group.negated else found)
    meant = [one for one in rules.conditions if one.field.is_of_subscription and not one.negated]
    own = _joined("all", [compiler.plain(one) for one in meant]) if meant and rules.match == "all" else None
    return Question(_joined(rules.match, parts), own)


class Compiler:
    """Turns conditions into questions. `ids` are those of the rows that conditions name."""

    def __init__(self, company: Company, on: date, ids: Mapping[str, int]) -> None:
        self.company, self.on, self.ids = company, on, ids

    def parts(self, match: Match, conditions: Sequence[Condition]) -> Iterable[Q]:
        """The conditions of one group; those on subscriptions that belong together as one."""
        together = []
        for one in conditions:
            if not one.field.is_of_subscription:
                plain = self.plain(one)
                yield ~plain if one.negated else plain
            elif one.negated:
                yield ~self._has(self.plain(one))
            else:
                together.append(self.plain(one))
        if together:
            yield self._has(_joined(match, together))

    def _has(self, condition: Q) -> Q:
        rows = Subscription.objects.filter(company=self.company, customer=OuterRef("pk"))
        return Q(Exists(rows.filter(condition)))

    def plain(self, one: Condition) -> Q:
        """What the condition says of the customer or the subscription, without its "not"."""
        found = one.field.condition(self._asked(one))
        is_opposite = one.op == "not_in" or (one.field.kind == "yes" and one.value is False)
        return ~found if is_opposite else found

    def _asked(self, one: Condition) -> Asked:
        given: dict[str, Any] = {"company": self.company, "on": self.on, "op": one.op, "value": one.value}
        match one.field.kind:
            case "ref":
                given["value"] = [self.ids[ref] for ref in one.value if ref in self.ids]
            case "money":
                money = Money.of(Decimal(one.value["amount"]), one.value["currency"])
                given |= {"value": money.minor, "currency": one.value["currency"]}
            case "date":
                value = date.fromisoformat(one.value) if one.op in DAY_OPS else one.value
                first, last = window(one.op, value, self.on)
                given |= {"value": value, "first": first, "last": last}
            case "entry":
                given |= {"key": one.value["key"], "value": one.value.get("value")}
            case "usage":
                first = self.on - timedelta(days=one.value["days"] - 1)
                given |= {
                    "value": Decimal(one.value["quantity"]), "meter_id": self.ids.get(one.value["meter"], 0),
                    "first": first, "last": self.on,
                }  # fmt: skip
        return Asked(**given)


def _joined(match: Match, parts: list[Q]) -> Q:
    """All of the parts, or any; without a part: everybody."""
    if not parts:
        return Q()
    return reduce(and_ if match == "all" else or_, parts)
