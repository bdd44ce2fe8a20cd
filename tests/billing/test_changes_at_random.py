"""Any acts on any days: no day is forgotten or billed twice, what is kept and what is given back is what was charged,
revenue follows the terms, and every act does what its preview showed."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from core.refusal import Refused
from tests.billing.changes import agreed, figures, passes, problems
from tests.factories import BY, TODAY, a_company, a_plan, a_product, at_noon, set_clock

pytestmark = pytest.mark.django_db

#: What acts may be refused for; anything else is a defect.
EXPECTED = {
    "change.nothing", "change.same_plan", "change.undo_too_late", "change.later_first", "change.is_replaced",
    "change.item_not_there", "subscription.act_after_end", "subscription.ended", "subscription.undo_too_late",
    "subscription.end_too_early", "change.day_taken", "subscription.end_before_start",
    "subscription.act_before_paid",
}  # fmt: skip

DAYS = st.sampled_from([0, 0, 1, 3, 9, 17, 28, 33])
TIMING = st.sampled_from([None, "now", "now", "period_end", "date"])
ACT = st.one_of(
    st.tuples(st.just("quantity"), st.integers(1, 12), TIMING),
    st.tuples(st.just("price"), st.sampled_from(["7", "10", "31", "49.99"]), TIMING),
    st.tuples(st.just("cycle"), st.sampled_from([("month", 1), ("month", 3), ("year", 1)]), TIMING),
    st.tuples(st.just("plan"), st.integers(0, 1), TIMING),
    st.tuples(st.just("add"), st.sampled_from(["5", "12.34"]), TIMING),
    st.tuples(st.just("remove"), st.integers(1, 3), TIMING),
    st.tuples(st.just("undo"), st.just(0), st.none()),
    st.tuples(st.just("back"), st.integers(1, 40), st.none()),
    st.tuples(st.just("cancel"), st.just(0), st.sampled_from(["now", "period_end"])),
    st.tuples(st.just("undo_cancel"), st.just(0), st.none()),
)
STEPS = st.lists(st.tuples(DAYS, ACT, st.booleans()), min_size=2, max_size=6)


def the_act(company: Any, subscription: Any, plans: list[Any], act: tuple[Any, ...], today: date, keep: bool) -> Any:
    """The act as a call that takes a preview's token; None when there is nothing to do it to."""
    from billing.services import acts, acts_changing
    from subscriptions.models import Change
    from subscriptions.services.change_specs import ItemChange

    what, value, timing = act
    common: dict[str, Any] = {"on": today, "by": BY, "at": at_noon(today)}
    slots = list(subscription.slots.order_by("position"))
    changed: dict[str, Any] = {"subscription": subscription, "timing": timing, "keep_anchor": keep}
    if timing == "date":
        changed["effective_on"] = today + timedelta(days=11)
    if what == "quantity":
        changed["items"] = [ItemChange(slot=slots[0], **figures({"quantity": str(value)}))]
    elif what == "price":
        changed["items"] = [ItemChange(slot=slots[0], **figures({"unit_amount": value}))]
    elif what == "cycle":
        changed["items"] = [ItemChange(slot=slots[0], interval_unit=value[0], interval_count=value[1])]
    elif what == "plan":
        changed["plan"] = plans[value]
    elif what == "add":
        changed["items"] = [ItemChange(product=a_product(company), **figures({"unit_amount": value}))]
    elif what == "remove":
        if len(slots) <= value:
            return None
        changed["items"] = [ItemChange(slot=slots[value], remove=True)]
    elif what == "back":
        changed |= {"effective_on": today - timedelta(days=value), "timing": "date", "override": True}
        changed |= {"override_reason": "counted late"}
        changed["items"] = [ItemChange(slot=slots[0], **figures({"quantity": "8"}))]
    elif what == "undo":
        made = Change.objects.filter(subscription=subscription).order_by("pk").last()
        if made is None:
            return None
        return lambda token: acts_changing.undo_change(change=made, preview_token=token, **common)
    elif what == "cancel":
        return lambda token: acts.cancel(subscription=subscription, timing=timing, preview_token=token, **common)
    else:
        return lambda token: acts.undo_cancel(subscription=subscription, preview_token=token, **common)
    return lambda token: acts_changing.change(preview_token=token, **changed, **common)


def check_money(company: Any) -> None:
    """Each line keeps what its days that are still billed are worth, to the rounding of its notes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.amount_minor, l.period_end - l.period_start,
                   coalesce((SELECT sum(upper(d.days) - lower(d.days)) FROM billing_billeddays d
                             WHERE d.line_id = l.id AND d.released_at IS NULL), 0),
                   coalesce((SELECT sum(n.amount_minor) FROM billing_creditnoteline n
                             WHERE n.invoice_line_id = l.id), 0),
                   (SELECT count(*) FROM billing_creditnoteline n WHERE n.invoice_line_id = l.id)
            FROM billing_invoiceline l WHERE l.company_id = %s
            """,
            [company.pk],
        )
        rows = cursor.fetchall()
    for amount, days, live, credited, notes in rows:
        kept = amount - int(credited)
        assert abs(kept - Fraction(amount) * live / days) <= Fraction(notes, 2), (amount, days, live, credited)
        assert live or not kept


def check_revenue(subscription: Any) -> None:
    from subscriptions.services import holding, moves

    held = holding.read(subscription)
    now = {slot.pk: slot.mrr_minor for slot in held.slots.all()}
    assert sum(row.amount_minor for row in held.movements.all()) == sum(now.values())
    if held.state in moves.EARNING:
        on = held.company.clock_at.date()
        assert now == holding.worth([held], on)


# Shrinking acts on a database takes minutes; the steps are noted.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, prorated=st.booleans(), billed=st.sampled_from(["advance", "advance", "arrears"]))
def test_whatever_is_changed_nothing_is_lost(steps, prorated, billed):
    from billing.services import previews, tiling
    from subscriptions.models import Subscription

    company = a_company()
    price = {"is_prorated": prorated, "billed": billed}
    plans = [a_plan(company, amount="22.00", price=price), a_plan(company, amount="240.00", rules={
        "interval_unit": "year"}, price=price)]  # fmt: skip
    subscription = agreed(company, "10", quantity="3", item=price, overrides={"notice_to": "any_day"})
    today = TODAY
    for days, act, keep in steps:
        today += timedelta(days=days)
        note(f"{today} {act} keep={keep}")
        set_clock(company, today)
        passes(company, today.isoformat())
        subscription = Subscription.objects.get(pk=subscription.pk)
        do = the_act(company, subscription, plans, act, today, keep)
        if do is None:
            continue
        try:
            seen = previews.preview(lambda do=do: do(None))
        except Refused as refused:
            assert refused.code in EXPECTED, refused.code
            continue
        do(seen.token)
        subscription.refresh_from_db()
        assert subscription.parked_code == "", subscription.parked_detail
        assert problems(subscription) == []
        check_money(company)
        check_revenue(subscription)
    for _ in range(3):
        today += timedelta(days=31)
        passes(company, today.isoformat())
        assert tiling.check(company, today) == []
    subscription.refresh_from_db()
    assert subscription.parked_code == "", subscription.parked_detail
    check_money(company)
    check_revenue(subscription)
