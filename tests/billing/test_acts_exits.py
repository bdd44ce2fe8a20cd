"""Leaving beside the cancellation, to the cent. A month costs 31.00: in January a day is worth 1.00."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.models import CreditNote, Invoice, Refund
from billing.services import acts_exits, payments, tiling
from billing.services.acting import ActResult
from billing.services.previews import preview
from core.refusal import Refused
from subscriptions.models import Subscription
from subscriptions.services import exits
from tests.billing.test_settling import bill, lines_of
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, set_clock

pytestmark = pytest.mark.django_db
YEAR = {
    "minimum_count": 12,
    "notice_count": 1,
    "notice_unit": "month",
    "notice_to": "term_end",
    "renewal_rule": "renew",
}


def billed(
    *, kind: str = "person", paid: bool = True, rules: dict[str, Any] | None = None, **price: Any
) -> Subscription:
    """Of a consumer, monthly since 1 January, its first month billed and paid."""
    company = a_company()
    plan = a_plan(company, amount="31.00", price=price, rules=rules or {})
    subscription = a_subscription(company, a_customer(company, kind=kind), plan)
    bill(company, date(2026, 1, 1))
    if paid:
        invoice = Invoice.objects.get(company=company)
        payments.record(
            company=company,
            customer=subscription.customer, amount_minor=invoice.gross_minor, currency="EUR", method="card",
            received_on=date(2026, 1, 1), by=BY, at=company.clock_at,
        )  # fmt: skip
    return subscription


def act(verb: Any, subscription: Subscription, on: date, **more: Any) -> ActResult:
    return verb(subscription=subscription, on=on, by=BY, at=set_clock(subscription.company, on), **more)


def net_of_notes() -> list[int]:
    return list(CreditNote.objects.order_by("pk").values_list("net_minor", flat=True))


def test_a_withdrawal_gives_everything_back_the_way_it_came() -> None:
    subscription = billed()
    result = act(acts_exits.withdraw, subscription, date(2026, 1, 15))
    note = CreditNote.objects.get()
    assert (note.net_minor, note.gross_minor, note.cause) == (3100, 3689, "cancel")
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor) == ("pending", 3689)
    held = result.subscription
    assert (held.state, held.ends_on, held.end_reason) == ("canceled", date(2025, 12, 31), "withdrawal")
    assert [(row.kind, row.amount_minor) for row in held.movements.order_by("pk")] == [("new", 3100), ("churn", -3100)]
    assert tiling.check(subscription.company, date(2026, 3, 1)) == []
    assert bill(subscription.company, date(2026, 3, 1)).invoice_ids == []


def test_what_is_not_paid_yet_is_settled_and_not_refunded() -> None:
    subscription = billed(paid=False)
    act(acts_exits.withdraw, subscription, date(2026, 1, 15))
    note = CreditNote.objects.get()
    assert (note.settled_minor, note.to_account_minor, Refund.objects.count()) == (3689, 0, 0)


def test_a_withdrawal_after_service_was_asked_for_keeps_the_days_used() -> None:
    subscription = billed()
    result = act(acts_exits.withdraw, subscription, date(2026, 1, 10), start_requested=True)
    # 11 to 31 January are 21 days.
    assert (net_of_notes(), result.subscription.ends_on) == ([2100], date(2026, 1, 10))
    assert Refund.objects.get().amount_minor == 2499


@pytest.mark.parametrize(("start_requested", "net"), [(True, 2100), (False, 3100)])
def test_an_unprorated_price_is_given_back_all_the_same(start_requested: bool, net: int) -> None:
    subscription = billed(is_prorated=False)
    act(acts_exits.withdraw, subscription, date(2026, 1, 10), start_requested=start_requested)
    assert net_of_notes() == [net]
    assert tiling.check(subscription.company, date(2026, 3, 1)) == []


def test_fourteen_days_are_counted_from_the_day_after_the_conclusion() -> None:
    subscription = billed()
    with pytest.raises(Refused, match=r"exit\.too_late"):
        act(acts_exits.withdraw, subscription, date(2026, 1, 16))
    act(acts_exits.withdraw, subscription, date(2026, 1, 16), override=True, override_reason="was not told of it")
    assert net_of_notes() == [3100]


def test_a_business_can_not_withdraw() -> None:
    with pytest.raises(Refused, match=r"exit\.consumers_only"):
        act(acts_exits.withdraw, billed(kind="company"), date(2026, 1, 2))


def test_withdrawing_twice_changes_nothing() -> None:
    subscription = billed()
    act(acts_exits.withdraw, subscription, date(2026, 1, 10))
    act(acts_exits.withdraw, subscription, date(2026, 1, 10))
    assert net_of_notes() == [3100]


def test_a_good_cause_ends_it_whatever_the_term() -> None:
    subscription = billed(rules=YEAR)
    with pytest.raises(Refused, match=r"exit\.reason_missing"):
        act(acts_exits.terminate, subscription, date(2026, 1, 10), reason=" ")
    result = act(acts_exits.terminate, subscription, date(2026, 1, 10), reason="no service for three weeks")
    held = result.subscription
    assert (held.ends_on, held.end_reason, net_of_notes()) == (date(2026, 1, 10), "extraordinary", [2100])
    with pytest.raises(Refused, match=r"subscription\.act_in_the_past"):
        act(acts_exits.terminate, billed(), date(2026, 1, 10), reason="fraud", ends_on=date(2026, 1, 5))


def test_a_good_cause_may_name_a_day_to_come() -> None:
    subscription = billed(rules=YEAR)
    act(acts_exits.terminate, subscription, date(2026, 1, 10), reason="price rise", ends_on=date(2026, 2, 14))
    bill(subscription.company, date(2026, 2, 1))
    # 14 of 28 days.
    assert lines_of(subscription)[1:] == [("2026-02-01", "2026-02-15", 1550)]


def test_switching_takes_two_months_at_most() -> None:
    subscription = billed(rules=YEAR, kind="company")
    result = act(acts_exits.switch, subscription, date(2026, 1, 10))
    assert (result.subscription.ends_on, result.subscription.end_reason) == (date(2026, 3, 10), "switching")


def test_switching_ends_with_the_contract_where_that_comes_first() -> None:
    subscription = billed(kind="company")
    assert act(acts_exits.switch, subscription, date(2026, 1, 10)).subscription.ends_on == date(2026, 1, 31)


def test_there_was_no_switching_before_the_data_act() -> None:
    company = a_company(today=date(2025, 9, 1))
    subscription = a_subscription(company, on=date(2025, 9, 1))
    with pytest.raises(Refused, match=r"exit\.no_right_yet"):
        act(acts_exits.switch, subscription, date(2025, 9, 11))


def test_a_withdrawal_does_what_its_preview_showed() -> None:
    subscription = billed()
    on = date(2026, 1, 10)
    seen = preview(lambda: act(acts_exits.withdraw, subscription, on))
    assert (seen.money_now, seen.mrr_after) == (-3689, 0)
    result = act(acts_exits.withdraw, subscription, on, preview_token=seen.token)
    assert len(result.settlement.credit_note_ids) == 1


@pytest.mark.parametrize(
    ("start_on", "last"),
    [
        # 14 days after Thursday, 1 January 2026, is a Thursday.
        (date(2026, 1, 1), date(2026, 1, 15)),
        # Friday, Saturday and Sunday: what ends on a day of the weekend ends with the Monday after it.
        (date(2026, 1, 2), date(2026, 1, 16)),
        (date(2026, 1, 3), date(2026, 1, 19)),
        (date(2026, 1, 4), date(2026, 1, 19)),
    ],
)
def test_the_time_to_withdraw_never_ends_on_a_weekend(start_on: date, last: date) -> None:
    company = a_company(today=start_on)
    subscription = a_subscription(company, a_customer(company, kind="person"), on=start_on)
    assert exits.withdrawable_until(subscription) == last
    act(acts_exits.withdraw, subscription, last)
    subscription.refresh_from_db()
    assert subscription.end_reason == "withdrawal"


def test_the_day_after_a_weekend_is_the_last_one_to_withdraw() -> None:
    start_on = date(2026, 1, 3)
    company = a_company(today=start_on)
    subscription = a_subscription(company, a_customer(company, kind="person"), on=start_on)
    with pytest.raises(Refused) as refused:
        act(acts_exits.withdraw, subscription, date(2026, 1, 20))
    assert (refused.value.code, refused.value.params["day"]) == ("exit.too_late", date(2026, 1, 19))
