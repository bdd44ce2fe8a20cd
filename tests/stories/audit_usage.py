"""Usage and allowances, added up once more from events and uses."""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Sum


def usage_is_billed_once(company: Any) -> None:
    """Windows of a slot follow each other; each costs what its events cost, billed once, late ones with it.

    Only events that came after the close and wait for a due day that is still to come are not in it yet.
    """
    from billing.models import RatedUsage
    from subscriptions.models import Slot, UsageEvent

    today = company.clock_at.date()
    for slot in Slot.objects.filter(company=company, kind="usage").prefetch_related("terms"):
        windows: defaultdict[Any, list[Any]] = defaultdict(list)
        for row in RatedUsage.objects.filter(slot=slot).order_by("id"):
            windows[row.start_at].append(row)
        events = UsageEvent.objects.filter(meter_id=slot.meter_id, subscription_id=slot.subscription_id)
        before = None
        for start_at in sorted(windows):
            told = windows[start_at]
            last = told[-1]
            assert before is None or before <= start_at, (slot.pk, before, start_at)
            before = last.end_at
            if slot.late_from_on is not None and last.period_end > slot.late_from_on and slot.usage_due_on >= today:
                continue
            happened = events.filter(at__gte=start_at, at__lt=last.end_at)
            quantity = happened.aggregate(all=Sum("value"))["all"] or Decimal(0)
            [held] = [
                terms
                for terms in slot.terms.all()
                if terms.from_on <= last.period_start and (terms.until_on is None or last.period_start < terms.until_on)
            ]
            cost = (quantity * held.unit_amount * 100).quantize(Decimal(1), ROUND_HALF_UP)
            said = (slot.pk, start_at, [(row.kind, row.quantity, row.cost_minor, row.billed_minor) for row in told])
            assert last.quantity == quantity, (quantity, said)
            assert last.cost_minor == cost, (cost, said)
            assert sum(row.billed_minor for row in told) == cost, (cost, said)


def allowances_are_what_lines_took(company: Any) -> None:
    """Uses of discounts make each issued line's discount; uses of credit make what is gone of it."""
    from billing.models import Credit, CreditUse, DiscountUse, InvoiceLine

    taken: defaultdict[int, int] = defaultdict(int)
    for use in DiscountUse.objects.filter(company=company, amount_minor__gt=0, line_id__isnull=False):
        taken[use.line_id] += use.amount_minor
    for line in InvoiceLine.objects.filter(company=company, invoice__sequence__isnull=False):
        assert line.discount_minor == taken[line.pk], (line.pk, line.discount_minor, taken[line.pk])
    for credit in Credit.objects.filter(company=company, source="granted").select_related("balance"):
        used = CreditUse.objects.filter(credit=credit).aggregate(all=Sum("amount_minor"))["all"] or 0
        assert credit.balance.used_minor == used >= 0
        assert credit.balance.left_minor == credit.amount_minor - used - credit.balance.lapsed_minor >= 0
