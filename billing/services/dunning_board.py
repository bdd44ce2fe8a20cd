"""The recovery board: every open case in one lane, what is at risk there and what came back.

The rule that matters: it is read from what stands, in a fixed number of queries however many cases there are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.gateways import reasons
from billing.models import (
    Attempt,
    DunningCase,
    DunningEntry,
    DunningStep,
    InvoiceBalance,
    PaymentMethod,
)
from billing.services import lateness
from core.models import Company
from subscriptions.models import Subscription

State, Action = DunningCase.State, DunningStep.Action
LIVE: Final = (State.OPEN, State.PROMISED, State.PAUSED)
#: Lanes in order. A case stands in the first one that fits, from the last to the first but for promises and disputes.
LANES: Final[dict[str, str | Promise]] = {
    "retrying": _("trying again"),
    "waiting": _("waiting for the customer"),
    "promised": _("promised or paused"),
    "disputed": _("disputed"),
    "suspended": _("suspended"),
    "final": _("last steps"),
}
#: What came back is shown for so many days.
RECOVERED_DAYS: Final = 30


@dataclass(slots=True)
class Lane:
    """A lane: its cases, and by currency what is at risk and what came back of them, in minor units."""

    key: str
    label: str
    case_ids: list[int] = field(default_factory=list)
    at_risk: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    recovered: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def count(self) -> int:
        return len(self.case_ids)


@dataclass(frozen=True, slots=True)
class Board:
    """The lanes in order, the lane of each open case, and by currency what came back in the last 30 days."""

    lanes: list[Lane]
    lane_of: dict[int, str]
    recovered: dict[str, int]

    def lane(self, key: str) -> Lane:
        return next(lane for lane in self.lanes if lane.key == key)


def board(company: Company, on: date) -> Board:
    """The open cases as they stand that day, lane by lane."""
    cases = list(DunningCase.objects.filter(company=company, state__in=LIVE).order_by("next_step_on", "pk"))
    customers = {case.customer_id for case in cases}
    steps = _steps({case.policy_id for case in cases})
    late = _late(company, customers, on)
    ids = [id_ for rows in late.values() for id_, _minor in rows]
    disputed = lateness.disputed(ids)
    suspended = set(
        Subscription.objects.filter(customer_id__in=customers, state=Subscription.State.SUSPENDED)
        .values_list("customer_id", "currency")
        .distinct()
    )
    payable = set(
        PaymentMethod.objects.filter(
            customer_id__in=customers, status=PaymentMethod.Status.ACTIVE, gateway__is_active=True
        ).values_list("customer_id", flat=True)
    )
    refused = _refused(ids)
    lanes = {key: Lane(key, str(label)) for key, label in LANES.items()}
    lane_of: dict[int, str] = {}
    for case in cases:
        rows = late.get((case.customer_id, case.currency), [])
        left = [step for step in steps[case.policy_id] if str(step.pk) not in case.handled]
        if any(id_ in disputed for id_, _minor in rows):
            key = "disputed"
        elif case.state != State.OPEN:
            key = "promised"
        elif not left or all(step.action in (Action.CANCEL, Action.WRITE_OFF, Action.HAND_OVER) for step in left):
            key = "final"
        elif (case.customer_id, case.currency) in suspended:
            key = "suspended"
        elif (
            any(step.action == Action.RETRY for step in left)
            and case.customer_id in payable
            and not all(id_ in refused for id_, _minor in rows)
        ):
            key = "retrying"
        else:
            key = "waiting"
        lane_of[case.pk] = key
        lanes[key].case_ids.append(case.pk)
        lanes[key].at_risk[case.currency] += sum(minor for _id, minor in rows)
        lanes[key].recovered[case.currency] += case.recovered_minor
    return Board(list(lanes.values()), lane_of, recovered(company, on - timedelta(days=RECOVERED_DAYS - 1), on))


def recovered(company: Company, first: date, last: date) -> dict[str, int]:
    """What came while its case was open, less what was taken back, by currency, in minor units; both days counted."""
    rows: Any = DunningEntry.objects.filter(
        company=company, action__in=["paid", "returned"], on__gte=first, on__lte=last
    ).values_list("case__currency")
    return {currency: int(total) for currency, total in rows.annotate(total=Sum("amount_minor")).order_by()}


def _steps(policy_ids: set[int]) -> dict[int, list[DunningStep]]:
    found: dict[int, list[DunningStep]] = defaultdict(list)
    for step in DunningStep.objects.filter(policy_id__in=policy_ids):
        found[step.policy_id].append(step)
    return found


def _late(company: Company, customers: set[int], on: date) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """Overdue invoices with what is open on them, by customer and currency."""
    found: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    rows = InvoiceBalance.objects.filter(pk__in=lateness.of_company(company, on).values("pk"))
    for row in rows.filter(customer_id__in=customers).values_list(
        "customer_id", "currency", "invoice_id", "open_minor"
    ):
        found[row[0], row[1]].append((row[2], row[3]))
    return found


def _refused(invoice_ids: list[int]) -> set[int]:
    """Invoices whose last try failed for a reason that doesn't pass."""
    last = Attempt.objects.filter(invoice_id__in=invoice_ids).order_by("invoice_id", "-pk").distinct("invoice_id")
    refused: set[int] = set()
    for invoice_id, state, reason, expires_at in last.values_list("invoice_id", "state", "reason", "expires_at"):
        was_left = state == Attempt.State.CANCELED and expires_at is not None
        if was_left or (state == Attempt.State.FAILED and reasons.kind_of(reason) != reasons.SOFT):
            refused.add(invoice_id)
    return refused
