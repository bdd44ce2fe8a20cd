"""Changes of a running subscription, to the cent and to the day. Figures are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from core.refusal import Refused
from tests.billing.changes import (
    a_plan,
    a_product,
    agreed,
    agreed_plan,
    billed,
    change,
    credited,
    day,
    invoices,
    item,
    movements,
    new_item,
    passes,
    problems,
    terms,
    undo,
)
from tests.factories import BY, TODAY, a_company, at_noon

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company()


# Price ----------------------------------------------------------------------------------------------------------------


def test_the_day_of_a_change_belongs_to_the_new_price(company):
    subscription = agreed(company)
    result = change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    # 11 to 31 January are 21 of 31 days: 21.00 of 31.00 come back, 42.00 of 62.00 are charged.
    assert credited(subscription) == [2100]
    assert billed(subscription) == [("01-01", "02-01", 3100), ("01-11", "02-01", 4200)]
    assert (result.mrr_before, result.mrr_after) == (3100, 6200)
    assert movements(subscription)[1:] == [("expansion", "01-11", 3100)]
    assert problems(subscription) == []


def test_the_anchor_stays_with_the_same_cycle(company):
    subscription = agreed(company)
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    passes(company, "02-01", "03-01")
    assert billed(subscription)[2:] == [("02-01", "03-01", 6200), ("03-01", "04-01", 6200)]


def test_two_changes_on_one_day_net_to_zero_for_the_first(company):
    subscription = agreed(company)
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    change(subscription, "01-11", items=[item(subscription, unit_amount="93")])
    # The first one's 42.00 come back whole; 93.00 x 21/31 = 63.00.
    assert credited(subscription) == [2100, 4200]
    assert [net for _, _, net in billed(subscription)] == [3100, 4200, 6300]
    assert problems(subscription) == []


def test_a_price_that_brings_back_the_morning_takes_the_change_back(company):
    subscription = agreed(company)
    first = change(subscription, "01-11", items=[item(subscription, unit_amount="62")]).change
    result = change(subscription, "01-11", items=[item(subscription, unit_amount="31")])
    assert result.change.pk == first.pk
    assert result.change.status == "undone"
    # 42.00 come back and the 21.00 given back before are charged again.
    assert credited(subscription) == [2100, 4200]
    assert [net for _, _, net in billed(subscription)] == [3100, 4200, 2100]
    assert sum(amount for _, _, amount in movements(subscription)) == 3100
    assert problems(subscription) == []


def test_a_change_is_taken_back_on_its_own_day_only(company):
    subscription = agreed(company)
    made = change(subscription, "01-11", items=[item(subscription, unit_amount="62")]).change
    with pytest.raises(Refused) as refused:
        undo(made, "01-12")
    assert refused.value.code == "change.undo_too_late"


def test_a_price_changes_up_and_down_within_a_month(company):
    subscription = agreed(company)
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    change(subscription, "01-21", items=[item(subscription, unit_amount="31")], timing="now")
    # 42.00 for 21 days: 11 of them come back, 22.00; 31.00 x 11/31 = 11.00.
    assert credited(subscription) == [2100, 2200]
    assert [net for _, _, net in billed(subscription)] == [3100, 4200, 1100]
    assert movements(subscription)[1:] == [("expansion", "01-11", 3100), ("contraction", "01-21", -3100)]
    assert problems(subscription) == []


def test_a_lower_price_waits_for_the_end_of_the_period(company):
    subscription = agreed(company)
    result = change(subscription, "01-11", items=[item(subscription, unit_amount="20")])
    assert (result.change.status, result.change.effective_on) == ("planned", date(2026, 2, 1))
    assert credited(subscription) == []
    assert movements(subscription) == [("new", "01-01", 3100)]
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 2000)]
    assert movements(subscription)[1:] == [("contraction", "02-01", -1100)]
    result.change.refresh_from_db()
    assert result.change.status == "done"
    assert problems(subscription) == []


# Quantity -------------------------------------------------------------------------------------------------------------


def test_more_units_charge_only_the_difference(company):
    from billing.models import InvoiceLine

    subscription = agreed(company, "10", quantity="10")
    result = change(subscription, "01-11", items=[item(subscription, quantity="15")])
    # 5 units x 10.00 x 21/31 = 33.870..
    assert credited(subscription) == []
    assert billed(subscription)[1:] == [("01-11", "02-01", 3387)]
    line = InvoiceLine.objects.get(kind="added")
    assert (line.quantity, line.calculation["quantity"], line.calculation["quantity_before"]) == (5, "15", "10")
    assert result.change.kind == "quantity"
    passes(company, "02-01")
    assert billed(subscription)[2:] == [("02-01", "03-01", 15000)]
    assert problems(subscription) == []


def test_units_added_twice_on_one_day_are_charged_once(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="15")])
    change(subscription, "01-11", items=[item(subscription, quantity="20")])
    # The first five's 33.87 come back whole; ten units: 100.00 x 21/31 = 67.74.
    assert credited(subscription) == [3387]
    assert [net for _, _, net in billed(subscription)] == [10000, 3387, 6774]
    assert problems(subscription) == []


def test_units_added_and_taken_back_on_one_day_cost_nothing(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="15")])
    change(subscription, "01-11", items=[item(subscription, quantity="10")], timing="now")
    assert credited(subscription) == [3387]
    assert [net for _, _, net in billed(subscription)] == [10000, 3387]
    assert terms(subscription)[-1][2] == "10"
    assert problems(subscription) == []


def test_fewer_and_then_more_units_on_one_day_charge_only_the_difference(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="4")], timing="now")
    change(subscription, "01-11", items=[item(subscription, quantity="15")])
    # The first one's 67.74 and 27.10 are undone to the cent, on an invoice of its own; 5 x 10.00 x 21/31 = 33.87.
    assert credited(subscription) == [6774, 2710]
    assert invoices(subscription) == [("01-01", 10000), ("01-11", 2710), ("01-11", 6774), ("01-11", 3387)]
    assert problems(subscription) == []
    passes(company, "02-01")
    assert billed(subscription)[4:] == [("02-01", "03-01", 15000)]


def test_units_changed_four_times_on_one_day_are_charged_once(company):
    subscription = agreed(company, "10", quantity="10")
    for quantity in ("4", "15", "20", "12"):
        change(subscription, "01-11", items=[item(subscription, quantity=quantity)], timing="now")
    # 2 x 10.00 x 21/31 = 13.55
    assert sum(net for _, _, net in billed(subscription)) - sum(credited(subscription)) == 10000 + 1355
    assert problems(subscription) == []


def test_more_units_on_the_day_of_a_planned_change_are_billed_instead_of_it(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="15")], timing="period_end")
    passes(company, "02-01")
    change(subscription, "02-01", items=[item(subscription, quantity="20")])
    assert credited(subscription) == [15000]
    assert billed(subscription) == [
        ("01-01", "02-01", 10000),
        ("02-01", "03-01", 15000),
        ("02-01", "03-01", 20000),
    ]
    assert problems(subscription) == []


def test_the_units_before_a_planned_change_come_back_on_its_day(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="15")], timing="period_end")
    passes(company, "02-01")
    change(subscription, "02-01", items=[item(subscription, quantity="10")], timing="now")
    assert credited(subscription) == [15000]
    assert billed(subscription)[-1] == ("02-01", "03-01", 10000)
    assert problems(subscription) == []


def test_units_added_after_a_pause_of_no_day_charge_only_the_difference(company):
    from billing.services import acts_pausing

    subscription = agreed(company, "10", quantity="10")
    acts_pausing.pause(
        subscription=subscription, from_on=day("01-11"), on=day("01-11"), by=BY, at=at_noon(day("01-11"))
    )
    acts_pausing.resume(subscription=subscription, on=day("01-11"), by=BY, at=at_noon(day("01-11")))
    change(subscription, "01-11", items=[item(subscription, quantity="15")])
    assert sum(net for _, _, net in billed(subscription)) - sum(credited(subscription)) == 10000 + 3387
    assert problems(subscription) == []


def test_a_tranche_is_added_on_another_day(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="15")])
    change(subscription, "01-21", items=[item(subscription, quantity="20")])
    # 5 x 10.00 x 11/31 = 17.74
    assert [net for _, _, net in billed(subscription)] == [10000, 3387, 1774]
    assert credited(subscription) == []
    assert problems(subscription) == []


def test_a_change_over_added_units_gives_both_lines_back(company):
    from billing.models import CreditNoteLine

    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="15")])
    change(subscription, "01-21", items=[item(subscription, unit_amount="20")])
    # 11 days: 100.00 x 11/31 = 35.48 of the base, 33.87 x 11/21 = 17.74 of the added; new: 300.00 x 11/31 = 106.45.
    assert sorted(CreditNoteLine.objects.values_list("amount_minor", flat=True)) == [1774, 3548]
    assert billed(subscription)[-1] == ("01-21", "02-01", 10645)
    assert problems(subscription) == []


def test_fewer_units_now_are_credited(company):
    subscription = agreed(company, "10", quantity="10")
    change(subscription, "01-11", items=[item(subscription, quantity="4")], timing="now")
    # 100.00 x 21/31 = 67.74 back, 40.00 x 21/31 = 27.10 charged.
    assert credited(subscription) == [6774]
    assert billed(subscription)[-1] == ("01-11", "02-01", 2710)
    assert problems(subscription) == []


# Whole periods (fi-quantity-change) -----------------------------------------------------------------------------------

WHOLE = {"is_prorated": False}


@pytest.mark.parametrize(
    ("steps", "amounts"),
    [
        ([("01-10", "5", "period_end")], [10000]),
        ([("01-10", "15", "now")], [10000, 5000]),
        ([("01-10", "5", "period_end"), ("01-11", "15", "now")], [10000, 5000]),
        ([("01-10", "15", "now"), ("01-11", "20", "now")], [10000, 5000, 5000]),
        ([("01-10", "15", "period_end")], [10000]),
        # On one day the first is given back whole: 50.00 back, 100.00 charged.
        ([("01-10", "15", "now"), ("01-10", "20", "now")], [10000, 5000, 10000]),
    ],
)
def test_units_of_a_price_for_whole_periods(company, steps, amounts):
    subscription = agreed(company, "10", quantity="10", item=WHOLE)
    for on, quantity, timing in steps:
        change(subscription, on, items=[item(subscription, quantity=quantity)], timing=timing)
    assert [net for _, _, net in billed(subscription)] == amounts
    assert sum(amounts) - sum(credited(subscription)) == 1000 * max(
        [10, *(int(quantity) for _, quantity, timing in steps if timing == "now")]
    )
    assert problems(subscription) == []


def test_fewer_units_of_whole_periods_wait_for_the_boundary(company):
    subscription = agreed(company, "10", quantity="10", item=WHOLE)
    change(subscription, "01-10", items=[item(subscription, quantity="5")], timing="now")
    assert (credited(subscription), len(billed(subscription))) == ([], 1)
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 5000)]
    assert movements(subscription)[1:] == [("contraction", "02-01", -5000)]
    assert problems(subscription) == []


def test_a_dearer_price_for_whole_periods_costs_the_difference(company):
    subscription = agreed(company, "10", quantity="10", item=WHOLE)
    change(subscription, "01-10", items=[item(subscription, unit_amount="12")])
    assert credited(subscription) == []
    assert billed(subscription)[1:] == [("01-10", "02-01", 2000)]
    passes(company, "02-01")
    assert billed(subscription)[2:] == [("02-01", "03-01", 12000)]
    assert problems(subscription) == []


def test_a_dearer_price_for_whole_periods_is_explained_by_both_prices(company):
    from billing.documents import explaining
    from billing.models import InvoiceLine

    subscription = agreed(company, "10", quantity="10", item=WHOLE)
    change(subscription, "01-10", items=[item(subscription, unit_amount="12")])
    line = InvoiceLine.objects.get(kind="added")
    assert (line.quantity, line.unit_amount) == (1, 20)
    assert explaining.explain(line, "en")[:3] == [
        "The price is 10 × 12.00 EUR per month.",
        "Less the price before: €100.00.",
        "A started period is charged in full.",
    ]


def test_another_cycle_of_whole_periods_begins_after_the_paid_one(company):
    subscription = agreed(company, "10", item=WHOLE)
    change(subscription, "01-10", items=[item(subscription, unit_amount="100", interval_unit="year")], timing="now")
    assert (credited(subscription), len(billed(subscription))) == ([], 1)
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "2027-02-01", 10000)]
    assert problems(subscription) == []


# Cycles and anchors (kb-chg-001, kb-chg-005, kb-rep-028) --------------------------------------------------------------

ANCHORED = {"overrides": {"anchor_rule": "day", "anchor_day": 1, "trial_days": 30}}


@pytest.mark.parametrize(
    ("keep", "start", "end", "amount"),
    [(False, "2012-05-12", "2013-05-12", 239995), (True, "2012-05-12", "2013-05-01", 232762)],
)
def test_another_cycle_is_counted_from_the_day_unless_the_anchor_is_kept(keep, start, end, amount):
    company = a_company(today=date(2012, 4, 1), books_start_on=date(2010, 1, 1))
    subscription = agreed(company, "249.95", on="2012-04-01", **ANCHORED)
    passes(company, "2012-05-01")
    yearly = item(subscription, unit_amount="2399.95", interval_unit="year")
    change(subscription, "2012-05-12", items=[yearly], timing="now", keep_anchor=keep)
    # 249.95 x 20/31 = 161.26 back; kept: 2399.95 x 354/365 = 2327.62.
    assert credited(subscription) == [16126]
    assert billed(subscription) == [("2012-05-01", "2012-06-01", 24995), (start, end, amount)]
    subscription.refresh_from_db()
    assert (subscription.interval_unit, str(subscription.anchor_on)) == ("year", start if not keep else "2012-05-01")
    assert problems(subscription) == []


def test_yearly_to_monthly_and_back_on_one_day_restores_the_anchor():
    company = a_company(today=date(2012, 4, 1), books_start_on=date(2010, 1, 1))
    subscription = agreed(
        company, "2399.95", on="2012-04-01", overrides=ANCHORED["overrides"] | {"interval_unit": "year"}
    )
    passes(company, "2012-05-01")
    monthly = item(subscription, unit_amount="249.95", interval_unit="month")
    made = change(subscription, "2012-05-11", items=[monthly], timing="now").change
    # 2399.95 x 355/365 = 2334.20; back: the month whole, and the rest of the year again.
    assert credited(subscription) == [233420]
    undo(made, "2012-05-11")
    assert credited(subscription) == [233420, 24995]
    assert billed(subscription) == [
        ("2012-05-01", "2013-05-01", 239995),
        ("2012-05-11", "2012-06-11", 24995),
        ("2012-05-11", "2013-05-01", 233420),
    ]
    subscription.refresh_from_db()
    assert (subscription.anchor_on, subscription.interval_unit) == (date(2012, 5, 1), "year")
    assert subscription.next_bill_on == date(2013, 5, 1)
    assert problems(subscription) == []


def test_yearly_to_monthly_on_the_first_day_gives_all_back():
    company = a_company(today=date(2012, 4, 1), books_start_on=date(2010, 1, 1))
    subscription = agreed(
        company, "2399.95", on="2012-04-01", overrides=ANCHORED["overrides"] | {"interval_unit": "year"}
    )
    passes(company, "2012-05-01")
    change(
        subscription, "2012-05-01", items=[item(subscription, unit_amount="249.95", interval_unit="month")],
        timing="now",
    )  # fmt: skip
    passes(company, "2012-06-01", "2012-07-01")
    assert credited(subscription) == [239995]
    assert [net for _, _, net in billed(subscription)] == [239995, 24995, 24995, 24995]
    assert problems(subscription) == []


def test_a_month_end_stays_a_month_end(company):
    subscription = agreed(company, on="01-31")
    change(subscription, "02-10", items=[item(subscription, unit_amount="80", interval_count=3)], timing="period_end")
    passes(company, "02-28", "05-31")
    # From 28 February on quarters: the 31st is aimed at again.
    assert billed(subscription)[1:] == [("02-28", "05-31", 8000), ("05-31", "08-31", 8000)]
    assert problems(subscription) == []


# Arrears, late runs ---------------------------------------------------------------------------------------------------


def test_a_change_closes_the_running_period_in_arrears(company):
    subscription = agreed(company, item={"billed": "arrears"})
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    assert billed(subscription) == [("01-01", "01-11", 1000)]
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("01-11", "02-01", 4200)]
    assert credited(subscription) == []
    assert problems(subscription) == []


def test_a_change_on_the_first_day_and_an_end_two_days_later_in_arrears():
    from billing.services import acts

    company = a_company(today=date(2024, 4, 24))
    subscription = agreed(
        company, "0", on="2024-04-24", item={"billed": "arrears"}, overrides={"anchor_rule": "calendar"}
    )
    change(subscription, "2024-04-24", items=[item(subscription, unit_amount="20")])
    on = date(2024, 4, 26)
    acts.cancel(subscription=subscription, timing="now", override=True, override_reason="test", on=on, by=BY,
                at=at_noon(on))  # fmt: skip
    passes(company, "2024-04-27")
    # 20.00 x 3/30
    assert billed(subscription) == [("2024-04-24", "2024-04-27", 200)]
    assert problems(subscription) == []


def test_a_planned_price_is_billed_by_a_late_run():
    company = a_company(today=date(2011, 9, 1), books_start_on=date(2010, 1, 1))
    subscription = agreed(company, "5", on="2011-09-01")
    change(subscription, "2011-09-01", items=[item(subscription, unit_amount="10")], timing="date",
           effective_on="2011-10-15")  # fmt: skip
    passes(company, "2011-12-03")
    assert [net for _, _, net in billed(subscription)] == [500, 226, 548, 1000, 1000]
    assert [on for on, _ in invoices(subscription)][1:] == ["2011-10-01", "2011-10-15", "2011-11-01", "2011-12-01"]
    assert movements(subscription)[1:] == [("expansion", "2011-10-15", 500)]
    assert problems(subscription) == []


# Dated back -----------------------------------------------------------------------------------------------------------


def test_a_change_dated_back_credits_each_invoice_and_bills_one(company):
    subscription = agreed(company)
    passes(company, "02-01")
    change(
        subscription, "02-10", items=[item(subscription, unit_amount="62")], effective_on="01-11", override=True,
        override_reason="promised in January",
    )  # fmt: skip
    # 21 of 31 days of January, all of February; new: 42.00 and 62.00 on one document of today.
    assert credited(subscription) == [2100, 3100]
    assert billed(subscription)[2:] == [("01-11", "02-01", 4200), ("02-01", "03-01", 6200)]
    assert invoices(subscription)[2:] == [("02-10", 10400)]
    assert movements(subscription)[1:] == [("expansion", "01-11", 3100)]
    assert problems(subscription) == []


def test_units_dated_back_charge_the_difference_of_every_period(company):
    subscription = agreed(company, "10", quantity="10")
    passes(company, "02-01")
    change(
        subscription, "02-10", items=[item(subscription, quantity="15")], effective_on="01-11", override=True,
        override_reason="counted late",
    )  # fmt: skip
    assert credited(subscription) == []
    assert billed(subscription)[2:] == [("01-11", "02-01", 3387), ("02-01", "03-01", 5000)]
    assert problems(subscription) == []


@pytest.mark.parametrize(
    ("effective_on", "override", "code"),
    [
        ("01-11", False, "subscription.act_in_the_past"),
        ("2025-12-31", True, "subscription.act_before_paid"),
    ],
)
def test_a_day_of_the_past_needs_the_right_and_lies_in_the_contract(company, effective_on, override, code):
    subscription = agreed(company)
    with pytest.raises(Refused) as refused:
        change(
            subscription, "02-10", items=[item(subscription, unit_amount="62")], effective_on=effective_on,
            override=override, override_reason="test" if override else "",
        )  # fmt: skip
    assert refused.value.code == code


def test_no_change_reaches_into_closed_books(company):
    subscription = agreed(company)
    company.books_closed_on = date(2026, 1, 31)
    company.save()
    with pytest.raises(Refused) as refused:
        change(
            subscription, "02-10", items=[item(subscription, unit_amount="62")], effective_on="01-31",
            override=True, override_reason="test",
        )  # fmt: skip
    assert refused.value.code == "subscription.books_closed"


# Planned --------------------------------------------------------------------------------------------------------------


def test_a_planned_change_settles_on_its_day(company):
    subscription = agreed(company)
    change(subscription, "01-05", items=[item(subscription, unit_amount="62")], effective_on="01-11")
    assert credited(subscription) == []
    subscription.refresh_from_db()
    assert (subscription.next_move_on, subscription.next_bill_on) == (date(2026, 1, 11), date(2026, 1, 11))
    passes(company, "01-11")
    assert credited(subscription) == [2100]
    assert billed(subscription)[1:] == [("01-11", "02-01", 4200)]
    assert movements(subscription)[1:] == [("expansion", "01-11", 3100)]
    assert problems(subscription) == []


def test_a_planned_change_is_taken_back(company):
    subscription = agreed(company)
    made = change(subscription, "01-05", items=[item(subscription, unit_amount="62")], effective_on="01-11").change
    result = undo(made, "01-06")
    assert result.change.status == "undone"
    assert terms(subscription) == [("01-01", "agreed", "1", "31.00")]
    passes(company, "01-11", "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 3100)]
    assert movements(subscription) == [("new", "01-01", 3100)]
    assert problems(subscription) == []


def test_a_later_plan_for_the_same_day_replaces_the_earlier(company):
    subscription = agreed(company)
    first = change(subscription, "01-05", items=[item(subscription, unit_amount="20")]).change
    result = change(subscription, "01-06", items=[item(subscription, quantity="3")], timing="period_end")
    first.refresh_from_db()
    assert first.status == "replaced"
    assert [one.pk for one in result.replaced] == [first.pk]
    assert result.change.summary["replaces"][0]["id"] == first.ref
    assert terms(subscription) == [("01-01", "agreed", "1", "31.00"), ("02-01", "agreed", "3", "31.00")]


def test_a_change_now_drops_planned_ones_of_the_same_position(company):
    subscription = agreed(company)
    first = change(subscription, "01-05", items=[item(subscription, unit_amount="20")]).change
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    first.refresh_from_db()
    assert first.status == "replaced"
    passes(company, "02-01")
    assert billed(subscription)[-1] == ("02-01", "03-01", 6200)
    assert problems(subscription) == []


def test_a_planned_change_of_another_position_stays(company):
    subscription = agreed(company)
    change(subscription, "01-02", items=[new_item(a_product(company), unit_amount="10")])
    first = change(subscription, "01-05", items=[item(subscription, 0, unit_amount="20")]).change
    change(subscription, "01-11", items=[item(subscription, 1, quantity="2")])
    first.refresh_from_db()
    assert first.status == "planned"
    passes(company, "02-01")
    assert billed(subscription)[-2:] == [("02-01", "03-01", 2000), ("02-01", "03-01", 2000)]
    assert problems(subscription) == []


def test_what_builds_on_a_planned_change_goes_first(company):
    subscription = agreed(company)
    first = change(subscription, "01-05", items=[item(subscription, unit_amount="20")]).change
    change(subscription, "01-06", items=[item(subscription, quantity="2")], effective_on="02-15")
    with pytest.raises(Refused) as refused:
        undo(first, "01-07")
    assert (refused.value.code, refused.value.params["day"]) == ("change.later_first", date(2026, 2, 15))


def test_an_end_wins_over_a_change_planned_for_later(company):
    from billing.services import acts

    subscription = agreed(company, overrides={"notice_to": "any_day"})
    made = change(subscription, "01-05", items=[item(subscription, unit_amount="62")], effective_on="01-21").change
    on = date(2026, 1, 11)
    acts.cancel(subscription=subscription, timing="now", on=on, by=BY, at=at_noon(on))
    passes(company, "01-12", "01-21", "02-01")
    # 31.00 x 20/31: the days from 12 January on come back, nothing else happens.
    assert credited(subscription) == [2000]
    assert len(billed(subscription)) == 1
    made.refresh_from_db()
    assert made.status == "replaced"
    subscription.refresh_from_db()
    assert (subscription.next_bill_on, subscription.next_move_on) == (None, None)
    assert problems(subscription) == []


def test_a_change_after_the_end_is_refused(company):
    from billing.services import acts

    subscription = agreed(company, overrides={"notice_to": "any_day"})
    acts.cancel(subscription=subscription, timing="date", ends_on=date(2026, 1, 20), on=TODAY, by=BY,
                at=at_noon(TODAY))  # fmt: skip
    with pytest.raises(Refused) as refused:
        change(subscription, "01-05", items=[item(subscription, unit_amount="20")], timing="period_end")
    assert refused.value.code == "subscription.act_after_end"


def test_nothing_to_change_is_refused(company):
    subscription = agreed(company)
    with pytest.raises(Refused) as refused:
        change(subscription, "01-05", items=[item(subscription, quantity="1")])
    assert refused.value.code == "change.nothing"


# Without proration ----------------------------------------------------------------------------------------------------


def test_without_proration_the_running_period_stays_as_it_is(company):
    subscription = agreed(company)
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")], timing="now", proration="none")
    assert (credited(subscription), len(billed(subscription))) == ([], 1)
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 6200)]
    assert movements(subscription)[1:] == [("expansion", "02-01", 3100)]
    assert problems(subscription) == []


def test_a_position_added_without_proration_is_free_until_the_next_period(company):
    subscription = agreed(company)
    change(subscription, "01-11", items=[new_item(a_product(company), unit_amount="10")], proration="none")
    assert len(billed(subscription)) == 1
    assert terms(subscription, 1) == [("01-11", "free", "1", "10.00"), ("02-01", "agreed", "1", "10.00")]
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 3100), ("02-01", "03-01", 1000)]
    assert movements(subscription)[1:] == [("expansion", "02-01", 1000)]
    assert problems(subscription) == []


# Positions ------------------------------------------------------------------------------------------------------------


def test_a_position_is_added_for_the_rest_of_the_period(company):
    subscription = agreed(company)
    result = change(subscription, "01-11", items=[new_item(a_product(company), unit_amount="10", quantity="2")])
    # 20.00 x 21/31 = 13.55
    assert billed(subscription)[1:] == [("01-11", "02-01", 1355)]
    assert (result.change.kind, credited(subscription)) == ("items", [])
    assert movements(subscription)[1:] == [("expansion", "01-11", 2000)]
    assert problems(subscription) == []


def test_a_removed_position_is_given_back(company):
    subscription = agreed(company)
    change(subscription, "01-11", items=[new_item(a_product(company), unit_amount="31")])
    change(subscription, "01-21", items=[item(subscription, 1, remove=True)], timing="now")
    # Added: 31.00 x 21/31 = 21.00; 11 of its 21 days come back.
    assert credited(subscription) == [1100]
    assert movements(subscription)[-1] == ("contraction", "01-21", -3100)
    passes(company, "02-01")
    assert billed(subscription)[2:] == [("02-01", "03-01", 3100)]
    assert problems(subscription) == []


def test_a_position_ends_by_itself(company):
    subscription = agreed(company)
    new = new_item(a_product(company), unit_amount="28", ends_on=date(2026, 2, 14))
    change(subscription, "01-11", items=[new])
    passes(company, "02-01", "02-15", "03-01")
    # 28.00 x 21/31 = 18.97; 14 of February's 28 days.
    assert [net for _, _, net in billed(subscription)] == [3100, 1897, 3100, 1400, 3100]
    assert movements(subscription)[-1] == ("contraction", "02-15", -2800)
    assert problems(subscription) == []


# Plans ----------------------------------------------------------------------------------------------------------------


def test_a_plan_keeps_the_position_and_names_its_own_product(company):
    from billing.models import InvoiceLine

    small, large = a_plan(company, amount="31.00"), a_plan(company, amount="62.00")
    subscription = agreed_plan(company, small)
    slot = subscription.slots.get()
    result = change(subscription, "01-11", plan=large)
    assert result.change.kind == "plan"
    lines = list(InvoiceLine.objects.order_by("pk").values_list("slot_id", "description", "net_minor"))
    old, new = small.items.get().product, large.items.get().product
    assert lines == [(slot.pk, old.name["en"], 3100), (slot.pk, new.name["en"], 4200)]
    subscription.refresh_from_db()
    assert (subscription.plan, subscription.name) == (large, large.name["en"])
    slot.refresh_from_db()
    assert (slot.product, slot.item) == (new, large.items.get())
    assert movements(subscription)[1:] == [("expansion", "01-11", 3100)]
    assert problems(subscription) == []


def test_days_in_arrears_before_a_plan_keep_the_old_product(company):
    from billing.models import InvoiceLine

    small = a_plan(company, amount="31.00", price={"billed": "arrears"})
    large = a_plan(company, amount="62.00", price={"billed": "arrears"})
    subscription = agreed_plan(company, small)
    change(subscription, "01-11", plan=large)
    passes(company, "02-01")
    lines = list(InvoiceLine.objects.order_by("pk").values_list("description", "net_minor"))
    old, new = small.items.get().product, large.items.get().product
    assert lines == [(old.name["en"], 1000), (new.name["en"], 4200)]


def test_a_cheaper_plan_waits_for_the_end_of_the_paid_period(company):
    small = a_plan(company, amount="10.00", rules={"notice_count": 1, "notice_unit": "month"})
    subscription = agreed_plan(company, a_plan(company, amount="31.00"))
    result = change(subscription, "01-11", plan=small)
    assert result.change.effective_on == date(2026, 2, 1)
    subscription.refresh_from_db()
    assert (subscription.plan == small, subscription.notice_count) == (False, 0)
    passes(company, "02-01")
    subscription.refresh_from_db()
    assert (subscription.plan, subscription.notice_count) == (small, 1)
    assert subscription.slots.get().product == small.items.get().product
    assert billed(subscription)[1:] == [("02-01", "03-01", 1000)]
    assert problems(subscription) == []


def test_back_to_the_old_plan_on_one_day_restores_its_price_version(company):
    from catalog.services.prices import PriceSpec, add_price_version

    small, large = a_plan(company, amount="31.00"), a_plan(company, amount="62.00")
    subscription = agreed_plan(company, small)
    spec = PriceSpec(currency="EUR", unit_amount=Decimal("35.00"), valid_from=date(2026, 1, 5))
    add_price_version(item=small.items.get(), spec=spec, by=BY, at=at_noon(TODAY))
    change(subscription, "01-11", plan=large)
    change(subscription, "01-11", plan=small, timing="now")
    held = subscription.slots.get().terms.order_by("from_on").last()
    assert (held.unit_amount, held.price.version) == (Decimal(31), 1)
    assert credited(subscription) == [2100, 4200]
    assert [net for _, _, net in billed(subscription)] == [3100, 4200, 2100]
    subscription.refresh_from_db()
    assert (subscription.plan, subscription.slots.get().product) == (small, small.items.get().product)
    assert problems(subscription) == []


def test_a_plan_takes_the_version_on_sale_that_day(company):
    from catalog.services.prices import PriceSpec, add_price_version

    large = a_plan(company, amount="62.00")
    spec = PriceSpec(currency="EUR", unit_amount=Decimal("93.00"), valid_from=date(2026, 1, 11))
    add_price_version(item=large.items.get(), spec=spec, by=BY, at=at_noon(TODAY))
    subscription = agreed_plan(company, a_plan(company, amount="31.00"))
    change(subscription, "01-11", plan=large)
    assert billed(subscription)[-1] == ("01-11", "02-01", 6300)


def test_a_chosen_number_of_units_outlives_the_plan(company):
    subscription = agreed_plan(company, a_plan(company, amount="10.00"))
    change(subscription, "01-01", items=[item(subscription, quantity="4")])
    change(subscription, "01-11", plan=a_plan(company, amount="20.00"))
    assert terms(subscription)[-1][1:] == ("agreed", "4", "20.00")


def test_a_planned_plan_is_taken_back_with_its_columns(company):
    large = a_plan(company, amount="62.00")
    subscription = agreed_plan(company, a_plan(company, amount="31.00"))
    made = change(subscription, "01-11", plan=large, timing="period_end").change
    undo(made, "01-12")
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 3100)]
    subscription.refresh_from_db()
    assert subscription.plan != large


def test_the_same_plan_again_is_refused(company):
    plan = a_plan(company)
    subscription = agreed_plan(company, plan)
    with pytest.raises(Refused) as refused:
        change(subscription, "01-11", plan=plan)
    assert refused.value.code == "change.same_plan"


# Trial, pause ---------------------------------------------------------------------------------------------------------


def test_a_change_in_a_trial_bills_nothing_and_keeps_its_end(company):
    small = a_plan(company, amount="31.00", trial_days=30)
    yearly = a_plan(company, amount="300.00", rules={"interval_unit": "year"})
    subscription = agreed_plan(company, small)
    change(subscription, "01-11", plan=yearly)
    assert (billed(subscription), credited(subscription), movements(subscription)) == ([], [], [])
    passes(company, "01-31")
    assert billed(subscription) == [("01-31", "2027-01-31", 30000)]
    assert movements(subscription) == [("new", "01-31", 2500)]
    assert problems(subscription) == []


def test_a_planned_pause_outlives_a_change(company):
    from billing.services import acts_pausing

    subscription = agreed(company)
    acts_pausing.pause(subscription=subscription, from_on=date(2026, 1, 21), until=date(2026, 1, 26),
                       keep_anchor=True, on=TODAY, by=BY, at=at_noon(TODAY))  # fmt: skip
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    assert [row[:2] for row in terms(subscription)] == [
        ("01-01", "agreed"), ("01-11", "agreed"), ("01-21", "paused"), ("01-26", "agreed"),
    ]  # fmt: skip
    passes(company, "01-21", "01-26", "02-01")
    # 62.00 for ten days, then for six: 20.00 and 12.00 of the month.
    assert sum(net for _, _, net in billed(subscription)) - sum(credited(subscription)) == 1000 + 2000 + 1200 + 6200
    assert problems(subscription) == []


# Previews -------------------------------------------------------------------------------------------------------------


def test_a_preview_is_the_act(company):
    from billing.services import acts_changing, previews

    subscription = agreed(company, "10", quantity="10")
    given = {"items": [item(subscription, quantity="15")], "by": BY, "on": day("01-11"), "at": at_noon(day("01-11"))}
    seen = previews.preview(lambda: acts_changing.change(subscription=subscription, **given))
    assert (seen.documents[0].net, seen.mrr_before, seen.mrr_after) == (3387, 10000, 15000)
    assert len(billed(subscription)) == 1
    acts_changing.change(subscription=subscription, preview_token=seen.token, **given)
    assert billed(subscription)[-1][2] == 3387
    with pytest.raises(Refused) as refused:
        acts_changing.change(
            subscription=subscription, preview_token=seen.token,
            **(given | {"items": [item(subscription, quantity="16")]}),
        )  # fmt: skip
    assert refused.value.code == "preview.differs"


def test_an_act_is_told_once(company):
    from core.models import AuditEntry, Event

    subscription = agreed(company)
    made = change(subscription, "01-11", items=[item(subscription, unit_amount="62")]).change
    assert AuditEntry.objects.filter(verb="subscription.change").count() == 1
    event = Event.objects.get(type="subscription.changed")
    assert (event.data["change"], event.data["effective_on"]) == (made.ref, "2026-01-11")


def test_a_change_that_waits_for_a_boundary_is_a_planned_one(company):
    subscription = agreed(company, "10", quantity="10", item=WHOLE)
    made = change(subscription, "01-10", items=[item(subscription, quantity="5")], timing="now").change
    assert (made.status, made.effective_on) == ("planned", date(2026, 2, 1))
    undo(made, "01-11")
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 10000)]


def test_units_added_before_a_plan_is_charged_hold_under_both(company):
    subscription = agreed_plan(company, a_plan(company, amount="31.00"))
    change(subscription, "01-11", plan=a_plan(company, amount="62.00"), proration="none")
    change(subscription, "01-21", items=[item(subscription, quantity="2")])
    # One unit more at the old price, 31.00 x 11/31; February at the new plan's price.
    assert billed(subscription)[1:] == [("01-21", "02-01", 1100)]
    passes(company, "02-01")
    assert billed(subscription)[2:] == [("02-01", "03-01", 12400)]
    assert problems(subscription) == []


def test_a_moved_billing_day_outlives_a_change(company):
    from billing.services import acts_pausing

    subscription = agreed(company)
    acts_pausing.move_billing_day(subscription=subscription, day=15, on=TODAY, by=BY, at=at_noon(TODAY))
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")])
    passes(company, "02-01", "02-15")
    # 1 to 14 February are 14 of the 31 days from 15 January on.
    assert billed(subscription)[2:] == [("02-01", "02-15", 2800), ("02-15", "03-15", 6200)]
    assert problems(subscription) == []


def test_a_planned_cycle_leaves_other_positions_counted_as_before(company):
    monthly, yearly = a_plan(company, amount="31.00"), a_plan(company, amount="365.00", rules={"interval_unit": "year"})
    subscription = agreed_plan(company, monthly, on="01-10")
    change(subscription, "01-10", items=[new_item(a_product(company), unit_amount="10")])
    result = change(subscription, "01-20", plan=yearly, effective_on="03-01")
    passes(company, "02-10", "03-01", "03-10")
    subscription.refresh_from_db()
    assert (subscription.anchor_on, subscription.interval_unit) == (date(2026, 3, 1), "year")
    # 10 February to 9 March has 28 days, 19 of them before March; the other position runs on from the 10th.
    assert billed(subscription)[2:] == [
        ("02-10", "03-01", 2104), ("02-10", "03-10", 1000), ("03-01", "2027-03-01", 36500), ("03-10", "04-10", 1000),
    ]  # fmt: skip
    assert result.change.values["anchor_on"] == "2026-03-01"
    assert problems(subscription) == []


def test_a_planned_change_done_today_is_taken_back_today(company):
    subscription = agreed(company)
    made = change(subscription, "01-05", items=[item(subscription, unit_amount="62")], effective_on="01-11").change
    passes(company, "01-11")
    undo(made, "01-11")
    # As of the morning: 42.00 come back and 21.00 are charged again.
    assert credited(subscription) == [2100, 4200]
    assert billed(subscription)[-1] == ("01-11", "02-01", 2100)
    assert sum(amount for _, _, amount in movements(subscription)) == 3100
    assert problems(subscription) == []


def test_a_position_agreed_to_end_takes_its_revenue_with_it(company):
    subscription = agreed(company, item={"ends_on": date(2026, 2, 14)})
    passes(company, "02-01", "02-15")
    # 14 of February's 28 days.
    assert billed(subscription)[1:] == [("02-01", "02-15", 1550)]
    assert movements(subscription)[1:] == [("churn", "02-15", -3100)]
    assert problems(subscription) == []
