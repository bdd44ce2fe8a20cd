"""Any change of any agreement: what is reckoned in memory is what the act itself does, to the last field; where the act
refuses, so does the preview; the act accepts the token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from core.refusal import Refused
from tests.billing.changes import agreed, figures, passes
from tests.factories import BY, TODAY, a_company, a_plan, a_product, at_noon, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, sent, take_in

pytestmark = pytest.mark.django_db

AMOUNTS = st.sampled_from(["0", "7", "10", "33.33", "240"])
WORLD = st.fixed_dictionaries(
    {
        "company": st.sampled_from(
            [{}, {}, {}, {"draft_hours": 24}, {"issues_zero_invoices": True}, {"invoice_per_subscription": True},
             {"rate_change": "split"}, {"tax_currency": "EUR", "currency": "EUR"}]
        ),
        "behavior": st.sampled_from(["exclusive", "exclusive", "inclusive"]),
        "billed": st.sampled_from(["advance", "advance", "arrears"]),
        "prorated": st.sampled_from([True, True, False]),
        "cycle": st.sampled_from([("month", 1), ("month", 1), ("month", 3), ("week", 2), ("year", 1)]),
        "trial_days": st.sampled_from([0, 0, 0, 20]),
        "is_calendar": st.booleans(),
        "amount": AMOUNTS,
        "minimum": st.sampled_from([None, None, None, "price", "whole"]),
        "usage": st.sampled_from([None, None, "plain", "interim"]),
        "once": st.booleans(),
        "second": st.booleans(),
        "discounts": st.lists(
            st.sampled_from(
                [
                    {},
                    {"duration": "periods", "periods": 2},
                    {"duration": "periods", "periods": 1, "amount_minor": 300},
                    {"duration": "once", "amount_minor": 5000},
                    {"amount_minor": 200},
                ]
            ),
            max_size=2,
        ),
        "credit": st.sampled_from([None, None, "money", "granted", "prepaid"]),
        "is_paid": st.booleans(),
    }
)  # fmt: skip

DAYS = st.sampled_from([0, 0, 1, 3, 9, 17, 28, 33])
TIMING = st.sampled_from([None, "now", "now", "now", "period_end", "date"])
ACT = st.one_of(
    st.tuples(st.just("quantity"), st.integers(1, 9), TIMING),
    st.tuples(st.just("price"), AMOUNTS, TIMING),
    st.tuples(st.just("cycle"), st.sampled_from([("month", 1), ("month", 3), ("year", 1)]), TIMING),
    st.tuples(st.just("plan"), st.integers(0, 1), TIMING),
    st.tuples(st.just("add"), st.sampled_from(["5", "12.34"]), TIMING),
    st.tuples(st.just("remove"), st.integers(0, 3), TIMING),
    st.tuples(st.just("ends"), st.integers(0, 50), TIMING),
    st.tuples(st.just("back"), st.integers(1, 40), st.none()),
)
BETWEEN = st.sampled_from(
    [None, None, None, None, "pause", "pause_later", "resume", "cancel", "move_day", "suspend", "use", "use_late"]
)
STEPS = st.lists(st.tuples(DAYS, BETWEEN, ACT, st.booleans(), st.booleans()), min_size=1, max_size=4)


def agree(world: dict[str, Any]) -> tuple[Any, Any, list[Any], Any]:
    """The company, its subscription, two plans to change to, and the meter, if any."""
    from billing.services import acts, granting, payments, selling
    from catalog.models import TaxCategory
    from subscriptions.services.items import ItemSpec
    from tests.billing.test_discounting import a_discount

    company = a_company(**world["company"])
    unit, count = world["cycle"]
    price = {"is_prorated": world["prorated"], "billed": world["billed"], "tax_behavior": world["behavior"]}
    rules = {"interval_unit": unit, "interval_count": count, "notice_to": "any_day"}
    plans = [
        a_plan(company, amount="22.00", price=price, rules=rules),
        a_plan(
            company, amount="300.00", price=price, rules={"interval_unit": "year", "notice_to": "any_day"},
            minimum_amounts={"EUR": "400"} if world["minimum"] else {},
        ),
    ]  # fmt: skip
    own_plan = a_plan(company, amount=world["amount"], price=price, rules=rules)
    [own] = own_plan.items.all()
    items = [ItemSpec(own.product, quantity=Decimal(3), price=own.prices.get())]
    meter = a_meter(company) if world["usage"] else None
    if meter is not None:
        more = {"interim_minor": 500} if world["usage"] == "interim" else {}
        items.append(a_usage_item(meter, "0.50", **more))
    if world["once"]:
        items.append(ItemSpec(a_product(company), kind="one_off", unit_amount=Decimal("49")))
    overrides = rules | {"trial_days": world["trial_days"]}
    if world["is_calendar"] and unit != "week":
        overrides["anchor_rule"] = "calendar"
    if world["minimum"] == "whole":
        overrides["minimum_amount"] = Decimal(60)
    elif world["minimum"] == "price":
        items[0] = ItemSpec(own.product, quantity=Decimal(3), price=own.prices.get(), minimum_amount=Decimal(60))
    found = agreed(
        company, plan=own_plan, items=items, overrides=overrides, discounts=[
            a_discount(company, **discount) for discount in world["discounts"]
        ],
    )  # fmt: skip
    customer, at = found.customer, at_noon(TODAY)
    if world["second"]:
        acts.start(company=company, customer=customer, plan=plans[0], start_on=TODAY, on=TODAY, by=BY, at=at)
    if world["is_paid"] or world["credit"] == "money":
        payments.record(
            company=company, customer=customer, amount_minor=20000, currency="EUR", method="transfer",
            received_on=TODAY, by=BY, at=at,
        )  # fmt: skip
    if world["credit"] == "granted":
        granting.grant(customer=customer, amount_minor=2500, currency="EUR", reason="goodwill", by=BY, at=at)
    elif world["credit"] == "prepaid":
        category = TaxCategory.objects.get(company=company, code="standard-electronic")
        selling.sell_credit_pack(
            customer=customer, amount_minor=2500, currency="EUR", tax_category=category, by=BY, at=at
        )  # fmt: skip
    return company, found, plans, meter


def meanwhile(company: Any, subscription: Any, meter: Any, what: str, today: date) -> None:
    """Something happens before the change; what can't happen does not."""
    from billing.services import acts, acts_pausing

    common: dict[str, Any] = {"subscription": subscription, "on": today, "by": BY, "at": at_noon(today)}
    try:
        match what:
            case "pause":
                acts_pausing.pause(**common)
            case "pause_later":
                acts_pausing.pause(
                    from_on=today + timedelta(days=12), until=today + timedelta(days=40), keep_anchor=True, **common
                )  # fmt: skip
            case "resume":
                acts_pausing.resume(**common)
            case "suspend":
                acts_pausing.suspend(**common)
            case "cancel":
                acts.cancel(timing="date", ends_on=today + timedelta(days=50), **common)
            case "move_day":
                acts_pausing.move_billing_day(day=17, **common)
            case "use" | "use_late" if meter is not None:
                day = today - timedelta(days=25) if what == "use_late" else today
                take_in(company, sent(meter, subscription, f"{max(day, TODAY)}T09:00:00Z", 37))
    except Refused:
        return


def asked(company: Any, subscription: Any, plans: list[Any], act: tuple[Any, ...], today: date) -> dict[str, Any]:
    """The keywords of the change."""
    from subscriptions.services.change_specs import ItemChange

    what, value, timing = act
    slots = list(subscription.slots.order_by("position"))
    found: dict[str, Any] = {"timing": timing}
    if timing == "date":
        found["effective_on"] = today + timedelta(days=11)
    match what:
        case "quantity":
            found["items"] = [ItemChange(slot=slots[0], **figures({"quantity": str(value)}))]
        case "price":
            found["items"] = [ItemChange(slot=slots[0], **figures({"unit_amount": value}))]
        case "cycle":
            found["items"] = [ItemChange(slot=slots[0], interval_unit=value[0], interval_count=value[1])]
        case "plan":
            found["plan"] = plans[value]
        case "add":
            found["items"] = [ItemChange(product=a_product(company), **figures({"unit_amount": value}))]
        case "remove":
            found["items"] = [ItemChange(slot=slots[min(value, len(slots) - 1)], remove=True)]
        case "ends":
            found["items"] = [ItemChange(slot=slots[-1], ends_on=today + timedelta(days=value))]
        case "back":
            found |= {"effective_on": today - timedelta(days=value), "timing": "date", "override": True}
            found |= {"override_reason": "counted late"}
            found["items"] = [ItemChange(slot=slots[0], **figures({"quantity": "8"}))]
    return found


def told(seen: Any) -> dict[str, Any]:
    """A preview, field by field; of the change what does not differ from one time it is made to the next."""
    found = {field.name: getattr(seen, field.name) for field in fields(seen)}
    made = found["change"]
    found["change"] = [made.kind, made.status, made.effective_on, made.proration, made.plan_id, made.values]
    found["items"] = [{**one, "slot": ""} for one in made.summary.get("items", ())]
    found["replaced"] = [(one.pk, one.status) for one in found["replaced"]]
    return found


def preview(act: Any, **how: Any) -> dict[str, Any] | str:
    """What is shown, or the code of the refusal."""
    from billing.services import previews

    try:
        return told(previews.preview(act, **how))
    except Refused as refused:
        return refused.code


# Shrinking acts on a database takes minutes; the steps are noted.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts which way previews take: the property would hold, too, if every change were done and taken back."""
    from billing.services import looking

    found: Counter[str] = Counter()
    really = looking.look

    def look(*given: Any, **named: Any) -> Any:
        seen = really(*given, **named)
        found["done" if seen is None else "reckoned"] += 1
        return seen

    monkeypatch.setattr(looking, "look", look)
    yield found
    assert found["reckoned"] > 0


@settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(world=WORLD, steps=STEPS)
def test_a_change_does_what_was_reckoned_in_memory(world, steps, ways):
    from billing.services import acts_changing
    from subscriptions.models import Subscription

    company, subscription, plans, meter = agree(world)
    today, pk = TODAY, subscription.pk
    for days, between, act, keep, is_run in steps:
        today += timedelta(days=days)
        note(f"{today} {between} {act} keep={keep} run={is_run}")
        set_clock(company, today)
        if is_run:
            passes(company, today.isoformat())
        if between is not None:
            meanwhile(company, Subscription.objects.get(pk=pk), meter, between, today)
        given_ = asked(company, Subscription.objects.get(pk=pk), plans, act, today) | {"keep_anchor": keep}

        def change(token: str | None = None, given_: dict[str, Any] = given_, today: date = today) -> Any:
            return acts_changing.change(
                subscription=Subscription.objects.get(pk=pk), on=today, by=BY, at=at_noon(today), preview_token=token,
                **given_,
            )  # fmt: skip

        seen = preview(change)
        assert seen == preview(change, by_doing=True)
        if isinstance(seen, str):
            continue
        change(seen["token"])
