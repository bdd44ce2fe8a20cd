"""A preview of a change of terms reads in a few statements and writes in none; what it can't tell so, it does and takes
back. The two statements of its transaction are counted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.services import acts, acts_changing, previews
from tests.billing.changes import agreed_plan, item
from tests.factories import BY, TODAY, a_company, a_plan, a_product, at_noon, set_clock

pytestmark = pytest.mark.django_db
ON = date(2026, 1, 11)


def started(company: Any, amount: str = "10.00", **changes: Any) -> Any:
    return agreed_plan(company, a_plan(company, amount=amount, **changes.pop("plan", {})), **changes)


def a_change(subscription: Any, **asked: Any) -> Any:
    at = set_clock(subscription.company, ON)
    return lambda: acts_changing.change(subscription=subscription, on=ON, by=BY, at=at, **asked)


def statements(act: Any) -> list[str]:
    previews.preview(act)
    with CaptureQueriesContext(connection) as captured:
        previews.preview(act)
    return [query["sql"].split(None, 1)[0] for query in captured.captured_queries]


def reads(act: Any) -> int:
    """How many statements the preview takes, none of which writes."""
    found = statements(act)
    assert set(found) == {"SAVEPOINT", "SELECT", "RELEASE"}
    return len(found)


def test_more_units_now():
    subscription = started(a_company())
    # The transaction (2), the customer, the subscription, its positions, their terms, and all facts.
    assert reads(a_change(subscription, items=[item(subscription, quantity="5")], timing="now")) == 7


def test_a_lower_price_now_which_gives_back_what_was_billed():
    subscription = started(a_company())
    # One more: the invoice that is credited.
    assert reads(a_change(subscription, items=[item(subscription, unit_amount="7")], timing="now")) == 8


def test_another_price_at_the_end_of_the_period():
    subscription = started(a_company())
    assert reads(a_change(subscription, items=[item(subscription, unit_amount="7")], timing="period_end")) == 7


@pytest.mark.parametrize("behavior", ["exclusive", "inclusive"])
@pytest.mark.parametrize(("timing", "count"), [("now", 10), ("period_end", 9)])
def test_another_plan(behavior, timing, count):
    company = a_company()
    price = {"tax_behavior": behavior}
    subscription = started(company, plan={"price": price})
    # Two more: the plan's items and their prices.
    assert reads(a_change(subscription, plan=a_plan(company, amount="25.00", price=price), timing=timing)) == count


def test_another_plan_of_a_customer_with_a_second_subscription():
    company = a_company()
    subscription, plan = started(company), a_plan(company, amount="25.00")
    acts.start(
        company=company, customer=subscription.customer, plan=plan, start_on=TODAY, on=TODAY, by=BY, at=at_noon(TODAY)
    )  # fmt: skip
    # One more: what else the customer has.
    assert reads(a_change(subscription, plan=plan, timing="now")) == 11


def test_a_discount_that_comes_back_with_its_period():
    from tests.billing.test_discounting import a_discount

    company = a_company()
    subscription = started(company, discounts=[a_discount(company, duration="periods", periods=2)])
    act = a_change(subscription, items=[item(subscription, unit_amount="7")], timing="now")
    # 8 as without it, and the discounts of the subscription; a line that keeps days keeps its use.
    assert reads(act) == 9


def test_usage_that_falls_due_with_the_invoices_to_come():
    from subscriptions.services.items import ItemSpec
    from tests.billing.changes import agreed
    from tests.subscriptions.metering import a_meter, a_usage_item, sent, take_in

    company = a_company()
    meter = a_meter(company)
    base = ItemSpec(a_product(company), unit_amount=Decimal(10))
    subscription = agreed(company, items=[base, a_usage_item(meter)])
    set_clock(company, ON)
    take_in(company, sent(meter, subscription, f"{ON}T08:00:00Z", 12))
    # 7, and what the meters say of the days to come.
    assert reads(a_change(subscription, items=[item(subscription, 1, unit_amount="0.20")], timing="now")) == 8


def test_new_drafts_of_an_approval_window_cost_nothing_more():
    company = a_company()
    subscription = started(company)
    company.draft_hours = 24
    company.save(update_fields=["draft_hours"])
    assert reads(a_change(subscription, items=[item(subscription, quantity="5")], timing="now")) == 7


def test_what_would_rewrite_standing_drafts_is_done_and_taken_back():
    from billing.models import Invoice

    company = a_company(draft_hours=24)
    subscription = started(company)
    act = a_change(subscription, items=[item(subscription, quantity="5")], timing="now")
    before = list(Invoice.objects.values_list("pk", "public_id"))
    assert "INSERT" in statements(act)
    assert list(Invoice.objects.values_list("pk", "public_id")) == before


def test_a_refusal_is_the_word_of_the_act_itself():
    from core.refusal import Refused
    from subscriptions.models import Change

    subscription = started(a_company())
    with pytest.raises(Refused) as raised:
        previews.preview(a_change(subscription, items=[item(subscription, quantity="1")], timing="now"))
    assert raised.value.code == "change.nothing"
    assert not Change.objects.exists()


def test_a_look_at_a_change_leaves_the_subscription_as_it_was():
    subscription = started(a_company())
    [slot] = subscription.slots.all()
    act = a_change(subscription, items=[item(subscription, quantity="5")], timing="now")
    seen = previews.preview(act)
    assert (seen.mrr_before, seen.mrr_after) == (1000, 5000)
    assert [terms.quantity for terms in slot.terms.all()] == [Decimal(1)]
    done = acts_changing.change(
        subscription=subscription, items=[item(subscription, quantity="5")], timing="now", on=ON, by=BY,
        at=at_noon(ON), preview_token=seen.token,
    )  # fmt: skip
    assert (done.shown, done.mrr_after) == (None, 5000)
