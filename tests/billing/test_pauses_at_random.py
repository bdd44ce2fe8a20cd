"""Pauses, suspensions, moves of the day and ends in any order: whatever happens, every day has one fate and every cent
one cause.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from billing.models import BilledDays, CreditNoteLine, InvoiceLine
from billing.services import acts, acts_pausing, tiling
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Slot, Subscription
from tests.billing.test_settling import bill
from tests.factories import BY, TODAY, a_company, a_plan, a_subscription, set_clock

pytestmark = pytest.mark.django_db

ACTS: dict[str, Any] = {
    "pause": acts_pausing.pause,
    "resume": acts_pausing.resume,
    "undo_pause": acts_pausing.undo_pause,
    "suspend": acts_pausing.suspend,
    "reinstate": acts_pausing.reinstate,
    "move": acts_pausing.move_billing_day,
    "undo_move": acts_pausing.undo_move_billing_day,
    "cancel": acts.cancel,
    "undo_cancel": acts.undo_cancel,
}
step = st.fixed_dictionaries(
    {
        "act": st.sampled_from([*ACTS, "pause", "resume", "pause", "resume", "suspend", "reinstate", "nothing"]),
        "days": st.sampled_from([0, 0, 1, 3, 9, 17, 31, 45]),
        "ahead": st.sampled_from([0, 0, 0, 2, 12, 40]),
        "until": st.sampled_from([None, None, 5, 20, 60]),
        "keep_anchor": st.booleans(),
        "billing": st.sampled_from(["stop", "credit", "continue"]),
        "day": st.sampled_from([1, 10, 15, 28, 31]),
        "run": st.booleans(),
    }
)


def given_for(step: dict[str, Any], on: date) -> dict[str, Any]:
    first = on + timedelta(days=step["ahead"])
    match step["act"]:
        case "pause":
            until = None if step["until"] is None else first + timedelta(days=step["until"])
            return {"from_on": first, "until": until, "keep_anchor": step["keep_anchor"]}
        case "resume":
            return {"from_on": first, "keep_anchor": step["keep_anchor"]}
        case "suspend":
            return {"suspended_billing": step["billing"]}
        case "move":
            return {"day": step["day"]}
        case "cancel":
            return {"timing": "period_end" if step["keep_anchor"] else "now"}
    return {}


def check(company: Company, subscription: Subscription, on: date) -> None:
    held = Subscription.objects.get(pk=subscription.pk)
    assert held.parked_at is None, held.parked_detail
    assert tiling.check(company, on) == []
    earned = sum(held.movements.values_list("amount_minor", flat=True))
    earns = held.state in ("active", "suspended")
    assert (earned, held.slots.get().mrr_minor) == ((3100, 3100) if earns else (0, 0))
    slot = Slot.objects.prefetch_related("terms").get(subscription=held)
    for row in BilledDays.objects.filter(slot=slot, released_at__isnull=True, kind="billed"):
        for terms in slot.terms.all():
            rests = terms.standing == "paused" and not terms.settles
            assert not rests or terms.from_on >= row.days.upper or (terms.until_on or date.max) <= row.days.lower
    for line in InvoiceLine.objects.filter(subscription=held):
        back = sum(CreditNoteLine.objects.filter(invoice_line=line).values_list("amount_minor", flat=True))
        live = sum((row.days.upper - row.days.lower).days for row in line.days.filter(released_at__isnull=True))
        assert 0 <= back <= line.amount_minor
        assert (back == line.amount_minor) == (live == 0)


@settings(max_examples=25, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(step, min_size=2, max_size=9), st.sampled_from(["advance", "arrears"]))
def test_every_day_has_one_fate(steps: list[dict[str, Any]], billed: str) -> None:
    with transaction.atomic():
        try:
            live(steps, billed)
            connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
        finally:
            transaction.set_rollback(True)


def live(steps: list[dict[str, Any]], billed: str) -> None:
    company = a_company()
    plan = a_plan(company, amount="31.00", price={"billed": billed}, rules={"notice_to": "any_day"})
    subscription = a_subscription(company, plan=plan, on=TODAY)
    on = TODAY
    bill(company, on)
    for one in [*steps, {"act": "nothing", "days": 70, "run": True}]:
        on += timedelta(days=one["days"])
        at = set_clock(company, on)
        if one["run"] or one["act"] == "nothing":
            acts.move_due(company=company, at=at, by=BY)
            bill(company, on)
            check(company, subscription, on)
        if one["act"] == "nothing":
            continue
        try:
            with transaction.atomic():
                ACTS[one["act"]](subscription=subscription, on=on, by=BY, at=at, **given_for(one, on))
        except Refused:
            continue
        acts.move_due(company=company, at=at, by=BY)
        bill(company, on)
        check(company, subscription, on)
