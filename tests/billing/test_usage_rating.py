"""Usage is rated when its window closes: worked examples. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import BilledDays, CreditNote, CreditNoteLine, ExchangeRate, Invoice, InvoiceLine, RatedUsage
from billing.services import acts, tiling, voiding
from billing.services.settling import Settlement, settle
from core.models import Company
from subscriptions.models import Slot, SlotTerms, Subscription
from tests.factories import BY, a_company, a_product, at_noon, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

pytestmark = pytest.mark.django_db
JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
#: Of subscriptions that are over: what comes in later is billed at once, for there is no next invoice.
JAN_END = date(2026, 1, 31)


@pytest.fixture
def company() -> Company:
    return a_company(today=JAN)


def bill(company: Company, on: date, **changes: Any) -> Settlement:
    at = set_clock(company, on)
    return settle(company=company, customer_ids=sorted(_customers(company)), on=on, at=at, by=BY, **changes)


def _customers(company: Company) -> set[int]:
    return set(Subscription.objects.filter(company=company).values_list("customer_id", flat=True))


@pytest.fixture(autouse=True)
def no_day_is_forgotten_or_billed_twice():
    yield
    for company in Company.objects.all():
        assert tiling.check(company) == []


def lines(subscription: Subscription) -> list[tuple[str, str, str, int]]:
    rows = InvoiceLine.objects.filter(subscription=subscription, invoice__sequence__isnull=False)
    return [
        (row.kind, str(row.period_start), str(row.period_end), row.amount_minor)
        for row in rows.order_by("invoice__sequence", "position")
    ]


def rated(subscription: Subscription) -> list[tuple[str, str, str, int, int]]:
    rows = RatedUsage.objects.filter(slot__subscription=subscription).order_by("pk")
    return [
        (row.kind, str(row.period_start), f"{row.quantity.normalize():f}", row.cost_minor, row.billed_minor)
        for row in rows
    ]


def used(company: Company, meter: Any, subscription: Subscription, *uses: tuple[str, Any], **more: Any) -> None:
    outcome = take_in(company, *[sent(meter, subscription, f"{day}T12:00:00Z", value, **more) for day, value in uses])
    assert outcome.refused == []


def a_month_of(
    model: str, *values: str, amount: str = "0", aggregation: str = "sum", **details: Any
) -> tuple[int, InvoiceLine | None]:
    """What the usage of January costs, and its line."""
    company = a_company(today=JAN)
    meter = a_meter(company, aggregation)
    item = a_usage_item(meter, amount, model=model, details=details)
    subscription = a_user(company, item)
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, *[(f"2026-01-{n:02}", value) for n, value in enumerate(values, 1)])
    bill(company, FEB)
    line = InvoiceLine.objects.filter(subscription=subscription).first()
    return (line.amount_minor if line else 0), line


# Models ---------------------------------------------------------------------------------------------------------------

TIERS = [{"up_to": "100", "unit_price": "0.10"}, {"up_to": "200", "unit_price": "0.05"}, {"unit_price": "0.01"}]


@pytest.mark.parametrize(
    ("values", "minor"),
    # 100 x 0.10 = 10.00; + 100 x 0.05 = 15.00; + 50 x 0.01 = 15.50.
    [(["40", "60"], 1000), (["100.5"], 1003), (["200"], 1500), (["250"], 1550)],
)
def test_graduated_tiers(values, minor):
    assert a_month_of("graduated", *values, tiers=TIERS)[0] == minor


def test_volume_tiers_price_all_units_alike():
    # 150 lie in the second tier: 150 x 0.05.
    assert a_month_of("volume", "150", tiers=TIERS)[0] == 750


@pytest.mark.parametrize(("units", "minor"), [("10", 0), ("11", 10000), ("20", 10000), ("21", 20000), ("121", 120000)])
def test_packages_round_up_after_the_free_units(units, minor):
    assert a_month_of("package", units, amount="100.00", package_size="10", free_units="10")[0] == minor


def test_a_percentage_has_a_floor_and_a_ceiling_for_each_event():
    # 10 x 2.99 % = 0.299 is raised to 1.75; 80 x 2.99 % = 2.392; 10000 x 2.99 % = 299 is cut to 12: 16.142.
    minor, line = a_month_of("percentage", "10", "80", "10000", rate="2.99", floor="1.75", ceiling="12.00")
    assert minor == 1614
    assert line is not None
    assert line.quantity == 10090
    assert [row["step"] for row in line.calculation["steps"]] == ["rate", "floor", "ceiling"]


@pytest.mark.parametrize(
    ("events", "minor"), [(["100"], 200), (["100", "1000"], 1300), (["100", "1000", "10000"], 2500)]
)
def test_a_percentage_with_a_fee_per_event(events, minor):
    # 1 % + 1.00 each, between 1.75 and 12.00: 2.00, 11.00, 12.00.
    assert a_month_of("percentage", *events, rate="1", fee="1.00", floor="1.75", ceiling="12.00")[0] == minor


def test_only_the_fee_of_events():
    assert a_month_of("percentage", "50", "100", "250", "400", rate="0", fee="2.00")[0] == 800


def test_the_event_that_crosses_the_free_value_pays_the_excess_and_the_whole_fee():
    # Free are 100: 60 is inside, 70 crosses by 30: 30 x 10 % + 1.00; 5 x 10 % + 1.00.
    assert a_month_of("percentage", "60", "70", "5", rate="10", fee="1.00", free_value="100")[0] == 550


def test_free_events_are_the_first_that_happened_not_the_first_that_came():
    company = a_company(today=JAN)
    meter = a_meter(company)
    item = a_usage_item(meter, "0", model="percentage", details={"rate": "10", "free_events": 1})
    subscription = a_user(company, item)
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-20", "500"))
    used(company, meter, subscription, ("2026-01-10", "30"))
    bill(company, FEB)
    # The 30 happened first and is free: 500 x 10 %.
    assert lines(subscription) == [("usage", "2026-01-01", "2026-02-01", 5000)]


def test_a_graduated_percentage_is_of_the_whole_value():
    tiers = [{"up_to": "1000", "rate": "2"}, {"rate": "1"}]
    # 1000 x 2 % + 500 x 1 %.
    assert a_month_of("graduated_percentage", "700", "800", tiers=tiers)[0] == 2500


def test_a_flat_price_and_a_price_per_unit():
    assert a_month_of("flat", "7", amount="5.00")[0] == 500
    assert a_month_of("per_unit", "7.5", amount="0.333")[0] == 250


@pytest.mark.parametrize(
    ("aggregation", "minor"),
    # The values are 3, 1, 3, 2 at 1.00: 9, 4, 3, 3, 2. A level of 3 from 1 January 12:00, 4 from the 2nd, 7, 9.
    [("sum", 900), ("count", 400), ("unique_count", 300), ("max", 300), ("latest", 200)],
)
def test_each_meter_is_billed_as_it_counts(aggregation, minor):
    assert a_month_of("per_unit", "3", "1", "3", "2", amount="1.00", aggregation=aggregation)[0] == minor


def test_a_weighted_sum_is_carried_into_the_next_window():
    """2500 x 27/31 = 2177.42; April: 2500 x 3/30 + 500 x 2/30 + 300 x 25/30 = 533.33, at 1.00 each."""
    company = a_company(today=date(2023, 3, 1), time_zone="UTC")
    meter = a_meter(company, "weighted_sum")
    subscription = a_user(company, a_usage_item(meter, "1.00"), on=date(2023, 3, 1), overrides={"time_zone": "UTC"})
    set_clock(company, date(2023, 4, 20))
    take_in(
        company,
        sent(meter, subscription, "2023-03-05T00:00:00Z", "2500"),
        sent(meter, subscription, "2023-04-04T00:00:00Z", "-2000"),
        sent(meter, subscription, "2023-04-06T00:00:00Z", "-200"),
    )
    bill(company, date(2023, 5, 1))
    assert [amount for *_, amount in lines(subscription)] == [217742, 53333]


def test_gross_prices_and_other_currencies():
    company = a_company(today=JAN)
    meter = a_meter(company)
    ExchangeRate.objects.create(day=date(2026, 1, 30), currency="JPY", rate=Decimal(160), source="test")
    item = a_usage_item(meter, "3.5")
    subscription = a_user(company, item, currency="JPY", overrides={"tax_behavior": "inclusive"})
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-02", "101"))
    bill(company, FEB)
    # 353.5 yen are 354 with tax: 19/119 of it is 57.
    # The tax is said in euros, too.
    invoice = Invoice.objects.get()
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (297, 57, 354)


# Windows --------------------------------------------------------------------------------------------------------------


def test_usage_is_billed_on_the_first_day_after_its_period(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 100))
    assert bill(company, date(2026, 1, 31)).invoice_ids == []
    bill(company, FEB)
    assert lines(subscription) == [("usage", "2026-01-01", "2026-02-01", 1000)]
    assert rated(subscription) == [("closed", "2026-01-01", "100", 1000, 1000)]
    assert Slot.objects.get().billed_through_on == date(2026, 1, 31)
    assert bill(company, FEB).invoice_ids == []


def test_the_next_window_starts_where_the_last_one_ended(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter), overrides={"time_zone": "America/Sao_Paulo"})
    bill(company, date(2026, 4, 1))
    rows = list(RatedUsage.objects.order_by("start_at"))
    assert [row.end_at for row in rows[:-1]] == [row.start_at for row in rows[1:]]
    assert [str(row.period_start) for row in rows] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert str(rows[0].start_at) == "2026-01-01 03:00:00+00:00"
    assert lines(subscription) == []


def test_nothing_used_is_no_line_and_its_days_count_as_billed(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    assert bill(company, FEB).invoice_ids == []
    days = BilledDays.objects.get(slot__subscription=subscription)
    assert (days.component, str(days.days.lower), str(days.days.upper), days.line_id) == (
        "usage", "2026-01-01", "2026-02-01", None,
    )  # fmt: skip
    subscription.refresh_from_db()
    assert subscription.next_bill_on == MAR


def test_base_and_usage_of_one_day_share_an_invoice(company):
    from subscriptions.services.items import ItemSpec

    meter = a_meter(company)
    base = ItemSpec(product=a_product(company), unit_amount=Decimal("29.00"))
    subscription = a_user(company, base, a_usage_item(meter, "12.00"))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-31", 1))
    bill(company, FEB)
    assert lines(subscription) == [
        ("base", "2026-01-01", "2026-02-01", 2900),
        ("base", "2026-02-01", "2026-03-01", 2900),
        ("usage", "2026-01-01", "2026-02-01", 1200),
    ]
    assert Invoice.objects.count() == 2


def test_a_stub_has_its_share_of_tiers_and_free_units(company):
    meter = a_meter(company)
    tiers = [{"up_to": "310", "unit_price": "1.00", "flat_fee": "31.00"}, {"unit_price": "0.10"}]
    item = a_usage_item(meter, "0", model="graduated", details={"tiers": tiers})
    subscription = a_user(company, item, on=date(2026, 1, 22))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-25", 150))
    bill(company, FEB)
    # 10 of 31 days: the tier ends at 100 and its fee is 10.00: 100 x 1.00 + 10.00 + 50 x 0.10.
    assert lines(subscription) == [("usage", "2026-01-22", "2026-02-01", 11500)]
    assert InvoiceLine.objects.get().calculation["share"] == "10/31"


def test_an_unprorated_price_keeps_its_whole_allowance_in_a_stub(company):
    meter = a_meter(company)
    details = {"package_size": "1", "free_units": "31"}
    item = a_usage_item(meter, "1.00", model="package", details=details, is_prorated=False)
    subscription = a_user(company, item, on=date(2026, 1, 22))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-25", 40))
    bill(company, FEB)
    assert lines(subscription) == [("usage", "2026-01-22", "2026-02-01", 900)]


def _new_price(slot: Slot, day: date, amount: str) -> None:
    from subscriptions.services import retiming

    [held] = SlotTerms.objects.filter(slot=slot)
    retiming.replace(slot, day, [retiming.copy_of(held, from_on=day, unit_amount=Decimal(amount))])
    slot.subscription.next_bill_on = day
    slot.subscription.save(update_fields=["next_bill_on"])


def test_a_new_price_closes_the_window_and_each_part_is_rated_on_its_own(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-09", 5), ("2026-01-10", 7))
    _new_price(Slot.objects.get(subscription=subscription), date(2026, 1, 10), "2.00")
    bill(company, date(2026, 1, 10))
    assert lines(subscription) == [("usage", "2026-01-01", "2026-01-10", 500)]
    bill(company, FEB)
    assert lines(subscription)[1:] == [("usage", "2026-01-10", "2026-02-01", 1400)]


def test_a_cancellation_closes_the_window_the_day_after_the_last_day_of_service(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "12.00"), overrides={"notice_to": "any_day"})
    used(company, meter, subscription, ("2026-01-01", 1))
    acts.cancel(subscription=subscription, timing="now", unused="credit", on=JAN, by=BY, at=at_noon(JAN))
    assert lines(subscription) == []
    bill(company, date(2026, 1, 2))
    assert lines(subscription) == [("usage", "2026-01-01", "2026-01-02", 1200)]
    subscription.refresh_from_db()
    assert subscription.next_bill_on is None


# Late ---------------------------------------------------------------------------------------------------------------


def test_late_usage_is_a_line_with_its_own_period_on_the_next_invoice(company):
    meter = a_meter(company)
    tiers = [{"up_to": "100", "unit_price": "1.00"}, {"unit_price": "0.50"}]
    subscription = a_user(company, a_usage_item(meter, "0", model="graduated", details={"tiers": tiers}))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 90))
    bill(company, FEB)
    set_clock(company, date(2026, 2, 10))
    used(company, meter, subscription, ("2026-01-20", 30))
    subscription.refresh_from_db()
    assert subscription.next_bill_on == MAR
    assert bill(company, date(2026, 2, 11)).invoice_ids == []
    used(company, meter, subscription, ("2026-02-08", 10))
    [invoice_id] = bill(company, MAR).invoice_ids
    # The whole of January costs 100 x 1.00 + 20 x 0.50 = 110.00; 90.00 were billed.
    assert lines(subscription) == [
        ("usage", "2026-01-01", "2026-02-01", 9000),
        ("usage", "2026-02-01", "2026-03-01", 1000),
        ("late", "2026-01-01", "2026-02-01", 2000),
    ]
    line = InvoiceLine.objects.get(kind="late")
    assert line.invoice_id == invoice_id
    assert (line.quantity, line.calculation["usage"]["deducted_minor"]) == (30, 9000)
    assert rated(subscription) == [
        ("closed", "2026-01-01", "90", 9000, 9000),
        ("closed", "2026-02-01", "10", 1000, 1000),
        ("late", "2026-01-01", "120", 11000, 2000),
    ]
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 4, 1)
    assert bill(company, date(2026, 3, 2)).invoice_ids == []


def test_late_usage_again_is_a_further_line(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    bill(company, FEB)
    for day in (10, 11):
        set_clock(company, date(2026, 2, day))
        used(company, meter, subscription, ("2026-01-20", 3))
        bill(company, date(2026, 2, day))
    assert [line for line in lines(subscription) if line[0] == "late"] == [
        ("late", "2026-01-01", "2026-02-01", 300),
        ("late", "2026-01-01", "2026-02-01", 300),
    ]
    components = BilledDays.objects.filter(slot__subscription=subscription).order_by("pk")
    assert list(components.values_list("component", flat=True)) == ["usage", "late:1", "late:2"]


def test_a_correction_that_lowers_a_closed_period_is_a_credit_note(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 50))
    bill(company, FEB)
    set_clock(company, date(2026, 2, 10))
    used(company, meter, subscription, ("2026-01-06", -20))
    outcome = bill(company, date(2026, 2, 10))
    assert outcome.invoice_ids == []
    note = CreditNote.objects.get(pk=outcome.credit_note_ids[0])
    # 20.00 and 19 % of it.
    assert (note.cause, note.net_minor, note.gross_minor) == ("usage", 2000, 2380)
    assert CreditNoteLine.objects.get().amount_minor == 2000
    assert rated(subscription)[1:] == [("late", "2026-01-01", "30", 3000, -2000)]
    assert RatedUsage.objects.get(kind="late").note_id == note.pk
    # The days stay billed.
    assert BilledDays.objects.filter(released_at__isnull=True).count() == 1
    # And what comes after is counted from there.
    used(company, meter, subscription, ("2026-01-07", 5))
    bill(company, date(2026, 2, 10))
    assert lines(subscription)[1:] == [("late", "2026-01-01", "2026-02-01", 500)]


def test_usage_that_comes_after_the_end_of_the_subscription_is_billed(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=date(2026, 1, 31))
    bill(company, FEB)
    set_clock(company, date(2026, 2, 20))
    used(company, meter, subscription, ("2026-01-31", 4))
    bill(company, date(2026, 2, 20))
    assert lines(subscription) == [("late", "2026-01-01", "2026-02-01", 400)]


def test_usage_is_accepted_90_days_after_the_close_and_then_listed(company):
    from subscriptions.models import UsageRefusal

    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    bill(company, FEB)
    # The period closed on 1 February: 90 days later is 2 May.
    set_clock(company, date(2026, 5, 2))
    assert take_in(company, sent(meter, subscription, "2026-01-31T12:00:00Z")).accepted == 1
    set_clock(company, date(2026, 5, 3))
    outcome = take_in(company, sent(meter, subscription, "2026-01-31T12:00:00Z"))
    assert [bad.code for bad in outcome.refused] == ["usage.too_late"]
    assert UsageRefusal.objects.get().code == "usage.too_late"


def test_usage_of_a_running_period_waits_for_its_close(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    before = subscription.next_bill_on
    set_clock(company, date(2026, 1, 10))
    used(company, meter, subscription, ("2026-01-05", 4))
    subscription.refresh_from_db()
    assert subscription.next_bill_on == before == FEB


def test_a_voided_invoice_has_its_usage_billed_again(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 50))
    [invoice_id] = bill(company, FEB).invoice_ids
    at = set_clock(company, date(2026, 2, 3))
    voiding.void(invoice=Invoice.objects.get(pk=invoice_id), reason="wrong address", at=at, by=BY)
    used(company, meter, subscription, ("2026-01-06", 7))
    bill(company, date(2026, 2, 3))
    assert lines(subscription)[1:] == [("usage", "2026-01-01", "2026-02-01", 5700)]
    assert [row[0] for row in rated(subscription)] == ["closed", "late"]


def test_late_usage_of_a_voided_line_is_billed_again_alone(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 50))
    bill(company, FEB)
    set_clock(company, date(2026, 2, 3))
    used(company, meter, subscription, ("2026-01-06", 7))
    [late] = bill(company, date(2026, 2, 3)).invoice_ids
    at = set_clock(company, date(2026, 2, 4))
    voiding.void(invoice=Invoice.objects.get(pk=late), reason="wrong address", at=at, by=BY)
    bill(company, date(2026, 2, 4))
    assert [line[0] for line in lines(subscription)] == ["usage", "late", "late"]
    assert lines(subscription)[2] == ("late", "2026-01-01", "2026-02-01", 700)
    assert bill(company, date(2026, 2, 5)).invoice_ids == []


def test_usage_that_was_given_away_stays_so_when_more_comes(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 50))
    [invoice_id] = bill(company, FEB).invoice_ids
    at = set_clock(company, date(2026, 2, 3))
    voiding.void(invoice=Invoice.objects.get(pk=invoice_id), days="free", reason="goodwill", at=at, by=BY)
    used(company, meter, subscription, ("2026-01-06", 7))
    bill(company, date(2026, 2, 3))
    assert lines(subscription)[1:] == [("late", "2026-01-01", "2026-02-01", 700)]


def test_usage_given_away_after_it_was_billed_anew_is_given_away_once(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    set_clock(company, JAN_END)
    used(company, meter, subscription, ("2026-01-05", 50))
    for days, on in (("bill_again", FEB), ("free", date(2026, 2, 2))):
        [invoice_id] = bill(company, on).invoice_ids
        voiding.void(
            invoice=Invoice.objects.get(pk=invoice_id), days=days, reason="x", at=set_clock(company, on), by=BY
        )
    set_clock(company, date(2026, 2, 3))
    used(company, meter, subscription, ("2026-01-06", 7))
    bill(company, date(2026, 2, 3))
    assert lines(subscription)[2:] == [("late", "2026-01-01", "2026-02-01", 700)]


@pytest.mark.parametrize(("days", "at_once"), [("bill_again", [15000]), ("free", [])])
def test_usage_billed_before_its_close_is_billed_again_or_given_away(company, days, at_once):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=10000))
    set_clock(company, date(2026, 1, 5))
    used(company, meter, subscription, ("2026-01-05", 150))
    [invoice_id] = bill(company, date(2026, 1, 5)).invoice_ids
    at = set_clock(company, date(2026, 1, 6))
    voiding.void(invoice=Invoice.objects.get(pk=invoice_id), days=days, reason="wrong address", at=at, by=BY)
    bill(company, date(2026, 1, 6))
    assert [line[3] for line in lines(subscription)[1:]] == at_once
    set_clock(company, date(2026, 1, 20))
    used(company, meter, subscription, ("2026-01-20", 20))
    bill(company, FEB)
    assert [line[3] for line in lines(subscription) if line[0] == "usage"] == [2000]


def test_a_draft_computed_anew_has_the_usage_that_came_meanwhile():
    from billing.services import approving, running

    company = a_company(today=JAN, draft_hours=48)
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 50))
    at = set_clock(company, FEB)
    started = running.start(company=company, on=FEB, by=BY, at=at)
    assert started is not None
    running.work(started)
    assert lines(subscription) == []
    used(company, meter, subscription, ("2026-01-06", 7))
    draft = Invoice.objects.get(company=company)
    approving.approve(company=company, invoice_ids=[draft.pk], at=set_clock(company, FEB), by=BY)
    assert lines(subscription) == [("usage", "2026-01-01", "2026-02-01", 5700)]


def test_late_usage_counts_again_after_a_void_and_a_second_bill(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    set_clock(company, date(2026, 1, 31))
    used(company, meter, subscription, ("2026-01-05", 50))
    [invoice_id] = bill(company, FEB).invoice_ids
    at = set_clock(company, date(2026, 2, 3))
    voiding.void(invoice=Invoice.objects.get(pk=invoice_id), reason="wrong address", at=at, by=BY)
    bill(company, date(2026, 2, 3))
    used(company, meter, subscription, ("2026-01-06", 7))
    bill(company, date(2026, 2, 3))
    assert [line[0] + str(line[3]) for line in lines(subscription)] == ["usage5000", "usage5000", "late700"]


# Before the close -----------------------------------------------------------------------------------------------------


def test_usage_that_passes_its_amount_is_billed_at_once_and_deducted_at_the_end():
    """A stop on 18 December bills 18 days; the usage of 200.00 was billed on the 6th."""
    from subscriptions.services.items import ItemSpec

    company = a_company(today=date(2022, 12, 1))
    meter = a_meter(company)
    base = ItemSpec(product=a_product(company), unit_amount=Decimal("31.00"), billed="arrears")
    item = a_usage_item(meter, "0.0002", interim_minor=20000)
    subscription = a_user(company, base, item, on=date(2022, 12, 1), overrides={"notice_to": "any_day"})
    set_clock(company, date(2022, 12, 6))
    used(company, meter, subscription, ("2022-12-06", 1_000_000))
    bill(company, date(2022, 12, 6))
    assert lines(subscription) == [("interim", "2022-12-01", "2022-12-07", 20000)]
    at = set_clock(company, date(2022, 12, 18))
    acts.cancel(subscription=subscription, timing="now", by=BY, at=at)
    bill(company, date(2022, 12, 19))
    assert lines(subscription)[1:] == [
        ("base", "2022-12-01", "2022-12-19", 1800),
        ("usage", "2022-12-01", "2022-12-19", 0),
    ]
    assert rated(subscription) == [
        ("interim", "2022-12-01", "1000000", 20000, 20000),
        ("closed", "2022-12-01", "1000000", 20000, 0),
    ]


def test_what_comes_after_the_last_interim_invoice_is_billed_at_the_close(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=10000))
    for day, units, found in ((5, 60, 0), (8, 50, 1), (9, 99, 1), (10, 1, 2), (20, 5, 2)):
        set_clock(company, date(2026, 1, day))
        used(company, meter, subscription, (f"2026-01-{day:02}", units))
        bill(company, date(2026, 1, day))
        assert len(lines(subscription)) == found, day
    bill(company, FEB)
    # 110.00 on the 8th, 100.00 on the 10th, the last 5.00 at the close.
    assert lines(subscription) == [
        ("interim", "2026-01-01", "2026-01-09", 11000),
        ("interim", "2026-01-01", "2026-01-11", 10000),
        ("usage", "2026-01-01", "2026-02-01", 500),
    ]


def test_what_a_voided_line_billed_before_the_close_is_not_billed(company):
    from billing.services import current_usage

    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=10000))
    set_clock(company, date(2026, 1, 5))
    used(company, meter, subscription, ("2026-01-05", 150))
    [invoice_id] = bill(company, date(2026, 1, 5)).invoice_ids
    at = set_clock(company, date(2026, 1, 6))
    [before] = current_usage.current(subscription, at)
    voiding.void(invoice=Invoice.objects.get(pk=invoice_id), reason="wrong address", at=at, by=BY)
    [after] = current_usage.current(subscription, at)
    assert (before.billed_minor, after.billed_minor, after.cost_minor) == (15000, 0, 15000)


def test_a_close_that_comes_to_less_than_was_billed_gives_the_rest_back(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=10000))
    set_clock(company, date(2026, 1, 5))
    used(company, meter, subscription, ("2026-01-05", 150))
    bill(company, date(2026, 1, 5))
    set_clock(company, date(2026, 1, 6))
    used(company, meter, subscription, ("2026-01-06", -30))
    bill(company, FEB)
    assert CreditNote.objects.get().net_minor == 3000
    assert rated(subscription) == [
        ("interim", "2026-01-01", "150", 15000, 15000),
        ("closed", "2026-01-01", "120", 12000, 0),
        ("late", "2026-01-01", "120", 12000, -3000),
    ]


def test_a_run_expects_late_usage_and_is_not_held_for_it(company):
    from billing.services import running

    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), ends_on=JAN_END)
    bill(company, FEB)
    set_clock(company, date(2026, 2, 10))
    used(company, meter, subscription, ("2026-01-20", 3))
    started = running.start(company=company, on=date(2026, 2, 10), by=BY, at=set_clock(company, date(2026, 2, 10)))
    assert started is not None
    finished = running.work(started)
    assert (finished.state, finished.forecast_lines) == ("done", 1)
    assert lines(subscription) == [("late", "2026-01-01", "2026-02-01", 300)]


# Trials ---------------------------------------------------------------------------------------------------------------


def test_usage_of_a_trial_is_free(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), overrides={"trial_days": 10})
    set_clock(company, date(2026, 1, 20))
    used(company, meter, subscription, ("2026-01-05", 40), ("2026-01-11", 2))
    bill(company, FEB)
    assert lines(subscription) == [("usage", "2026-01-11", "2026-02-01", 200)]


def test_usage_of_a_trial_is_billed_at_conversion_where_that_is_agreed(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), overrides={"trial_days": 10, "trial_usage": "billed"})
    set_clock(company, date(2026, 1, 10))
    used(company, meter, subscription, ("2026-01-05", 40))
    assert bill(company, date(2026, 1, 10)).invoice_ids == []
    bill(company, date(2026, 1, 11))
    assert lines(subscription) == [("usage", "2026-01-01", "2026-01-11", 4000)]


def test_usage_of_a_trial_that_led_nowhere_is_free_whatever_was_agreed(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"), overrides={"trial_days": 10, "trial_usage": "billed"})
    set_clock(company, date(2026, 1, 5))
    used(company, meter, subscription, ("2026-01-05", 40))
    acts.cancel(subscription=subscription, timing="now", by=BY, at=at_noon(date(2026, 1, 5)))
    bill(company, FEB)
    assert lines(subscription) == []


# One path -------------------------------------------------------------------------------------------------------------


def test_many_customers_are_rated_with_as_many_statements_as_few(company):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    meter = a_meter(company)
    subscriptions = [a_user(company, a_usage_item(meter, "1.00")) for _ in range(6)]
    set_clock(company, date(2026, 1, 31))
    take_in(company, *[sent(meter, subscription, "2026-01-05T12:00:00Z", 3) for subscription in subscriptions])
    at = set_clock(company, FEB)
    sizes = []
    for batch in (subscriptions[:1], subscriptions[1:]):
        with CaptureQueriesContext(connection) as caught:
            ids = [subscription.customer_id for subscription in batch]
            settle(company=company, customer_ids=ids, on=FEB, at=at, by=BY)
        sizes.append(len(caught))
    assert sizes[0] == sizes[1]
    assert InvoiceLine.objects.filter(kind="usage", amount_minor=300).count() == 6


def test_an_unpriceable_quantity_parks_its_subscription_alone(company):
    meter = a_meter(company)
    bad, good = (a_user(company, a_usage_item(meter, "1.00")) for _ in range(2))
    set_clock(company, date(2026, 1, 31))
    used(company, meter, bad, ("2026-01-05", 10**15))
    used(company, meter, good, ("2026-01-05", 1))
    outcome = bill(company, FEB)
    assert [(row[0], row[1]) for row in outcome.parked] == [(bad.pk, "billing.quantity_too_large")]
    assert lines(good) == [("usage", "2026-01-01", "2026-02-01", 100)]
    assert rated(bad) == []


# Worked cases of others -----------------------------------------------------------------------------------------------


def test_an_upgrade_closes_usage_at_the_start_of_its_day_and_deducts_what_was_billed():
    """Base 31.00 in arrears and usage at 0.0002 become dearer on 18 December: 17 days of the base, usage billed."""
    from billing.services.acts_changing import change
    from subscriptions.services.change_specs import ItemChange
    from subscriptions.services.items import ItemSpec

    company = a_company(today=date(2022, 12, 1))
    meter = a_meter(company)
    base = ItemSpec(product=a_product(company), unit_amount=Decimal("31.00"), billed="arrears")
    item = a_usage_item(meter, "0.0002", interim_minor=20000)
    subscription = a_user(company, base, item, on=date(2022, 12, 1))
    set_clock(company, date(2022, 12, 6))
    used(company, meter, subscription, ("2022-12-06", 1_000_000))
    bill(company, date(2022, 12, 6))
    at = set_clock(company, date(2022, 12, 18))
    first, second = Slot.objects.filter(subscription=subscription).order_by("position")
    dearer = [ItemChange(first, unit_amount=Decimal("62.00")), ItemChange(second, unit_amount=Decimal("0.0003"))]
    change(subscription=subscription, items=dearer, timing="now", by=BY, at=at)
    assert lines(subscription) == [
        ("interim", "2022-12-01", "2022-12-07", 20000),
        ("base", "2022-12-01", "2022-12-18", 1700),
        ("usage", "2022-12-01", "2022-12-18", 0),
    ]


def test_a_stop_on_the_first_day_bills_the_usage_of_that_day_from_the_credit():
    """29.00 in advance for a leap February, one event at 12.00, a stop on the first day: 28.00 back, 16.00 left."""
    from billing.models import Credit
    from subscriptions.services.items import ItemSpec

    company = a_company(today=date(2024, 2, 1), is_small_business=True)
    meter = a_meter(company)
    base = ItemSpec(product=a_product(company), unit_amount=Decimal("29.00"))
    rules = {"notice_to": "any_day"}
    subscription = a_user(company, base, a_usage_item(meter, "12.00"), on=date(2024, 2, 1), overrides=rules)
    [invoice_id] = bill(company, date(2024, 2, 1)).invoice_ids
    _pay(Invoice.objects.get(pk=invoice_id))
    used(company, meter, subscription, ("2024-02-01", 1))
    acts.cancel(
        subscription=subscription, timing="now", unused="credit", by=BY, at=set_clock(company, date(2024, 2, 1))
    )
    bill(company, date(2024, 2, 2))
    assert lines(subscription) == [
        ("base", "2024-02-01", "2024-03-01", 2900),
        ("usage", "2024-02-01", "2024-02-02", 1200),
    ]
    assert CreditNote.objects.get().net_minor == 2800
    assert Invoice.objects.latest("pk").balance.open_minor == 0
    assert Credit.objects.get().balance.left_minor == 1600


def _pay(invoice: Invoice) -> None:
    from billing.services import payments

    payments.record(
        company=invoice.company, customer=invoice.customer, amount_minor=invoice.gross_minor, currency="EUR",
        method="transfer", received_on=invoice.issued_on, invoice=invoice, by=BY, at=invoice.created_at,
    )  # fmt: skip
