"""Failed payments and what brought the money after all, as plain reads.

The rule that matters: everything is counted from what was written when it happened; nothing is guessed from today's
state. Days are the company's, both ends counted; amounts are minor units by currency.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.db.models import Count, Exists, OuterRef, Q, Sum

from billing.gateways import reasons
from billing.models import Attempt, DunningCase, DunningEntry, DunningStep, InvoiceBalance
from core import clock
from core.models import Company
from core.replica import reads_replica

State = Attempt.State
LIVE: Final = ("open", "promised", "paused")


@dataclass(slots=True)
class FailedReason:
    """Tries that failed for one reason: its code and kind (soft, hard, ask), invoices, amounts, and of these those
    whose invoice is paid by now."""

    code: str
    kind: str
    attempts: int = 0
    invoices: int = 0
    amount: dict[str, int] = field(default_factory=dict)
    paid_since: int = 0

    @property
    def words(self) -> str:
        return reasons.words_of(self.code)


@dataclass(frozen=True, slots=True)
class FailedPayments:
    """All tries whose end became known in the time, those that failed among them, and the reasons, most first."""

    ended: int
    failed: int
    settled: int
    reasons: list[FailedReason]


@dataclass(slots=True)
class StepRecovery:
    """What a step did: how often it was done and passed over, and what came after it and before the next."""

    policy: str
    days: int
    action: str
    level: int
    done: int = 0
    skipped: int = 0
    paid: int = 0
    recovered: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """Cases by how they stand, what they were about when opened and what came, by currency."""

    opened: int
    paid: int
    given_up: int
    still_open: int
    opened_amount: dict[str, int]
    recovered: dict[str, int]


@reads_replica
def failed_payments(company: Company, first: date, last: date) -> FailedPayments:
    """Tries that ended from the first to the last day, by why they failed."""
    start, end = _instants(company, first, last)
    rows = Attempt.objects.filter(company=company, closed_at__gte=start, closed_at__lt=end)
    counts = dict(rows.values_list("state").annotate(count=Count("pk")).order_by())
    paid = InvoiceBalance.objects.filter(invoice_id=OuterRef("invoice_id"), status="paid")
    failed = rows.filter(state=State.FAILED).annotate(is_paid=Exists(paid))
    by_reason: dict[str, FailedReason] = {}
    grouped: Any = failed.values_list("reason", "currency").annotate(
        attempts=Count("pk"), invoices=Count("invoice", distinct=True), amount=Sum("amount_minor"),
        paid=Count("invoice", distinct=True, filter=Q(is_paid=True)),
    )  # fmt: skip
    for code, currency, attempts, invoices, amount, paid_since in grouped.order_by():
        row = by_reason.setdefault(code, FailedReason(code, reasons.kind_of(code)))
        row.attempts += attempts
        row.invoices += invoices
        row.paid_since += paid_since
        row.amount[currency] = int(amount)
    found = sorted(by_reason.values(), key=lambda row: (-row.attempts, row.code))
    ended = sum(counts.values())
    return FailedPayments(ended, counts.get(State.FAILED, 0), counts.get(State.SETTLED, 0), found)


@reads_replica
def recovered_by_step(company: Company, first: date, last: date) -> list[StepRecovery]:
    """Each step of each policy with what it brought: money that came after it and before the next step counts for it.

    Money that came before any step was done stands first, with the action `before`.
    """
    rows: Any = (
        DunningEntry.objects.filter(company=company, on__gte=first, on__lte=last)
        .filter(Q(action__in=DunningStep.Action.values) | Q(action__in=["paid", "returned"]))
        .values_list("step_id", "action", "result", "case__currency")
        .annotate(count=Count("pk"), amount=Sum("amount_minor"))
        .order_by()
    )
    found: dict[int | None, StepRecovery] = {}
    ids = {row[0] for row in rows if row[0] is not None}
    for step in DunningStep.objects.filter(pk__in=ids).select_related("policy"):
        found[step.pk] = StepRecovery(step.policy.name, step.days, step.action, step.level)
    for step_id, action, result, currency, count, amount in rows:
        row = found.get(step_id)
        if row is None:
            row = found.setdefault(None, StepRecovery("", 0, "before", 0))
        if action in ("paid", "returned"):
            row.paid += count if action == "paid" else 0
            row.recovered[currency] += int(amount)
        elif result == DunningEntry.Result.DONE:
            row.done += count
        elif result == DunningEntry.Result.SKIPPED:
            row.skipped += count
    return sorted(found.values(), key=lambda row: (row.action != "before", row.policy, row.days, row.action))


@reads_replica
def cases(company: Company, first: date, last: date) -> CaseFigures:
    """Cases opened in the time, as they stand now."""
    start, end = _instants(company, first, last)
    rows: Any = DunningCase.objects.filter(company=company, opened_at__gte=start, opened_at__lt=end)
    grouped = rows.values_list("state", "currency").annotate(
        count=Count("pk"), opened=Sum("opened_minor"), back=Sum("recovered_minor")
    )
    counts: dict[str, int] = defaultdict(int)
    amount: dict[str, int] = defaultdict(int)
    recovered: dict[str, int] = defaultdict(int)
    for state, currency, count, opened, back in grouped.order_by():
        counts["open" if state in LIVE else state] += count
        amount[currency] += int(opened)
        recovered[currency] += int(back)
    return CaseFigures(
        sum(counts.values()), counts["paid"], counts["given_up"], counts["open"], dict(amount), dict(recovered)
    )


def _instants(company: Company, first: date, last: date) -> tuple[datetime, datetime]:
    """From the first day's midnight to the one after the last, in the company's zone."""
    zone = clock.zone(company.time_zone)
    return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)
