"""Figures of recurring revenue in exact amounts, and against a reader that counts them naively."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from reporting import audit, registry
from reporting.shapes import IN_ONE, Asked
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, set_clock
from tests.reporting.opening import ask
from tests.reporting.rich import FIRST
from tests.reporting.rich import TODAY as NOW

pytestmark = [pytest.mark.django_db]


def lines_of(report: Any, name: str) -> list[dict[str, Any]]:
    table = report.table(name)
    names = [column.name for column in table.columns]
    return [{"currency": line.currency, **dict(zip(names, line.cells, strict=True))} for line in table.lines]


def asked_whole(**more: Any) -> Asked:
    return replace(Asked(NOW, FIRST, NOW), **more)


@pytest.mark.parametrize("by", ["", "plan", "product", "country", "campaign", "source", "cohort"])
def test_opening_and_movements_are_closing_in_every_month_currency_and_value(rich: Any, by: str) -> None:
    """Month by month: each closes as it opens, less and more what moved; the next opens where it closed."""
    from reporting import movements

    wanted = movements.Wanted(rich.company, FIRST, NOW, by)
    lines = movements.line(wanted)
    movements.count_customers(wanted, lines)
    assert {currency for currency, _value in lines} == {"EUR", "USD"}
    for rows in lines.values():
        for before, after in zip(rows, rows[1:], strict=False):
            assert after.opening == before.closing
            assert after.customers_opening == before.customers
        assert all(row.closing >= 0 and row.customers >= 0 for row in rows)
    for currency in ("EUR", "USD"):
        whole = movements.line(movements.Wanted(rich.company, FIRST, NOW))[currency, ""]
        for place, month in enumerate(whole):
            parts = [rows[place] for (of, _value), rows in lines.items() if of == currency]
            assert sum(part.closing for part in parts) == month.closing
            for kind in month.kinds:
                assert sum(part.kinds[kind] for part in parts) == month.kinds[kind], (month.month, kind)


def test_a_change_of_plan_takes_its_revenue_along(rich: Any) -> None:
    """Bert's 19.90 pass to the dearer plan, the difference is what it expands by."""
    people, subs = rich.cast
    report = ask(rich.company, "mrr", date(2025, 4, 1), date(2025, 4, 30), by="plan")
    moved = {line["value"]: line["moved"] for line in lines_of(report, "by") if line["moved"]}
    assert sorted(moved.values()) == [-1990, 1990]


def test_a_new_address_takes_its_revenue_to_another_country(rich: Any) -> None:
    report = ask(rich.company, "mrr", date(2025, 5, 1), date(2025, 5, 31), by="country")
    moved = {line["value"]: line["moved"] for line in lines_of(report, "by") if line["moved"]}
    assert moved == {"Germany": -8333, "France": 8333}


def test_the_figures_agree_with_the_audit(rich: Any) -> None:
    said = StringIO()
    call_command("check_figures", company=rich.company.slug, on=NOW, stdout=said)
    assert said.getvalue() == f"{rich.company.slug}: all agrees\n"


def test_the_audit_names_a_closed_month_that_says_something_else(rich: Any) -> None:
    from django.db import transaction

    from reporting.models import ClosedMonth, ClosedRevenue

    with transaction.atomic():
        month = ClosedMonth.objects.get(company=rich.company, month="2025-01-01")
        month.totals["EUR"]["new"] += 1
        month.save()
        row = ClosedRevenue.objects.filter(company=rich.company, kind="new").earliest("id")
        ClosedRevenue.objects.filter(pk=row.pk).update(amount_minor=row.amount_minor + 1)
        found = [str(one) for one in audit.differences(rich.company, NOW)]
        said = StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("check_figures", company=rich.company.slug, on=NOW, stdout=said)
        transaction.set_rollback(True)
    assert ended.value.code == 1
    told = rf"told {row.amount_minor + 1}, reckoned {row.amount_minor}$"
    assert any(one.startswith("closed month 2025-01-01 new EUR") and re.search(told, one) for one in found)
    assert any(one.startswith("2025-01 EUR, new") for one in found)


def test_a_movement_of_the_wrong_kind_is_named() -> None:
    from subscriptions.models import Movement

    company = a_company()
    subscription = a_subscription(company)
    Movement.objects.create(
        company=company, customer=subscription.customer, subscription=subscription, slot=subscription.slots.get(),
        kind="reactivation", cause="subscription.change", currency="EUR", amount_minor=5, effective_on=TODAY,
        booked_on=TODAY,
    )  # fmt: skip
    found = {str(one) for one in audit.differences(company, TODAY)}
    assert any("told reactivation, reckoned expansion" in one for one in found)
    assert any("its movements added up: told 1000, reckoned 1005" in one for one in found)


# Retention and cohorts, naively


def worth(company: Any, currency: str, day: date) -> dict[int, int]:
    """Each customer's monthly revenue at the end of a day."""
    from subscriptions.models import Movement

    found: defaultdict[int, int] = defaultdict(int)
    for row in Movement.objects.filter(company=company, currency=currency, booked_on__lte=day):
        found[row.customer_id] += row.amount_minor
    return found


@pytest.mark.parametrize("first", [date(2025, 3, 1), date(2025, 6, 1), date(2025, 7, 15)])
@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_retention_is_what_a_naive_reader_finds(rich: Any, first: date, currency: str) -> None:
    report = ask(rich.company, "mrr", first, NOW)
    had = {who: minor for who, minor in worth(rich.company, currency, first - timedelta(days=1)).items() if minor > 0}
    now = worth(rich.company, currency, NOW)
    net = Decimal(sum(now[who] for who in had) * 100) / sum(had.values())
    gross = Decimal(sum(min(now[who], minor) for who, minor in had.items()) * 100) / sum(had.values())
    assert abs(report.figure("net_retention", currency).value - net) <= Decimal("0.005")
    assert abs(report.figure("gross_retention", currency).value - gross) <= Decimal("0.005")


def test_cohorts_are_what_a_naive_reader_finds(rich: Any) -> None:
    from subscriptions.models import Movement

    began: dict[int, date] = {}
    for row in Movement.objects.filter(company=rich.company).order_by("booked_on"):
        began.setdefault(row.customer_id, row.booked_on.replace(day=1))
    report = ask(rich.company, "cohorts", FIRST, NOW)
    customers, revenue = lines_of(report, "customers"), lines_of(report, "revenue")
    assert len(customers) > 5
    for people, money in zip(customers, revenue, strict=True):
        month, place = people["cohort"], 0
        while month <= NOW:
            after = (month + timedelta(days=32)).replace(day=1)
            there = worth(rich.company, people["currency"], min(after - timedelta(days=1), NOW))
            mine = [minor for who, minor in there.items() if began[who] == people["cohort"]]
            assert people[f"m{place}"] == sum(minor > 0 for minor in mine)
            assert money[f"m{place}"] == sum(mine)
            month, place = after, place + 1


# Exact amounts


def test_what_is_signed_and_what_is_leaving_make_the_committed_revenue(rich: Any) -> None:
    """Hugo's 49.00 begin in May; Jan's 1000 a year (83.33 a month) are canceled and run on."""
    report = ask(rich.company, "mrr", FIRST, NOW, currency="EUR")
    value = {figure.name: figure.value for figure in report.figures}
    assert (value["signed"], value["leaving"]) == (4900, 8333)
    assert value["committed"] == value["mrr"] + 4900 - 8333
    assert value["arr"] == value["mrr"] * 12


def test_who_is_suspended_is_at_risk() -> None:
    from billing.services import acts_pausing

    company = a_company()
    subscription, _other = a_subscription(company), a_subscription(company)
    acts_pausing.suspend(subscription=subscription, by=BY, at=company.clock_at)
    assert ask(company, "mrr", TODAY, TODAY).figure("at_risk").value == 1000


def test_nobody_lost_has_no_lifetime_value() -> None:
    company = a_company()
    a_subscription(company)
    figure = ask(company, "mrr", TODAY, TODAY).figure("lifetime")
    assert figure.value is None
    assert "No customer was lost" in str(figure.definition)


def test_several_currencies_are_told_in_one_at_each_months_end() -> None:
    """30 francs at 1.10 are 27.27 euros on 31 January, at 1.20 25.00 on 28 February: the rate took 2.27."""
    from billing.models import ExchangeRate

    company = a_company()
    dollars = a_plan(company, amount="30.00", currency="CHF")
    a_subscription(company, None, dollars, currency="CHF")
    a_subscription(company)
    for day, rate in ((date(2025, 12, 31), "1"), (date(2026, 1, 30), "1.10"), (date(2026, 2, 27), "1.20")):
        ExchangeRate.objects.create(day=day, currency="CHF", rate=Decimal(rate), source="test")
    set_clock(company, date(2026, 2, 28))
    report = ask(company, "mrr", TODAY, date(2026, 2, 28), currency=IN_ONE)
    january, february = lines_of(report, "months")
    assert (january["opening"], january["new"], january["exchange"], january["closing"]) == (0, 3727, 0, 3727)
    assert (february["opening"], february["exchange"], february["closing"]) == (3727, -227, 3500)
    assert [line["customers"] for line in (january, february)] == [2, 2]
    assert report.warnings == []


def test_a_missing_rate_leaves_a_currency_apart_and_says_so() -> None:
    company = a_company()
    a_subscription(company, None, a_plan(company, amount="30.00", currency="CHF"), currency="CHF")
    a_subscription(company)
    report = ask(company, "mrr", TODAY, TODAY, currency=IN_ONE)
    assert {line["currency"]: line["closing"] for line in lines_of(report, "months")} == {"EUR": 1000, "CHF": 3000}
    assert "No exchange rate of CHF" in report.warnings[0]


def test_churn_is_told_by_reason_and_by_whose_will_it_was(rich: Any) -> None:
    """Emil gave up 19.90 for the price, Ida's 19.90 ended for want of payment, Anna left with 49.00."""
    report = ask(rich.company, "churn", FIRST, NOW, currency="EUR")
    reasons = {line["value"]: line["lost_revenue"] for line in lines_of(report, "reason")}
    assert reasons["too expensive"] == 1990
    assert reasons["does not pay"] == 1990
    ways = {line["value"]: line["lost_customers"] for line in lines_of(report, "way")}
    assert ways["For want of payment"] == 1
    assert report.figure("involuntary").value == 1990
    assert report.figure("lost_revenue").value == sum(reasons.values())


def test_free_words_stand_beside_the_reason(rich: Any) -> None:
    from reporting import rows
    from reporting.shapes import Rows

    where = Rows("churn", {"first": FIRST.isoformat(), "last": NOW.isoformat(), "reason": "too_expensive"})
    shown = [rows.source_of(where).cells(row) for row in rows.query(rich.company, where)]
    assert [cells[4:6] for cells in shown] == [("too expensive", "It costs too much.")]


def test_growth_tells_new_revenue_by_what_brought_it(rich: Any) -> None:
    report = ask(rich.company, "growth", FIRST, NOW, currency="EUR")
    by_source = {line["value"]: line["new"] for line in lines_of(report, "source")}
    # Dora came from the fair with 1000 a year; Finn by an offer's code, 49.00 less 20 %.
    assert by_source["fair"] == 8333
    assert by_source["Offer code"] == 3920
    campaign = {line["value"]: line for line in lines_of(report, "campaign")}
    assert campaign["Fair"]["customers"] == 2
    # Finn's discount was used up by then: 49.00 and 83.33 instead of 39.20 and 83.33.
    assert campaign["Fair"]["kept_3"] == Decimal("108.00")


def test_a_campaign_is_told_with_what_its_discounts_cost(rich: Any) -> None:
    """Three periods of 49.00 less a fifth."""
    report = ask(rich.company, "campaigns", FIRST, NOW, currency="EUR")
    fair = next(line for line in lines_of(report, "campaigns") if line["campaign"] == "Fair")
    assert (fair["customers"], fair["subscriptions"]) == (2, 1)
    assert fair["cost"] == 3 * 980
    offers = {line["discount"]: line for line in lines_of(report, "discounts")}
    assert offers["Ten"]["campaign"] == "Fair"
    assert offers["Less"]["cost"] >= 0


def test_a_value_that_nothing_has_is_refused(rich: Any) -> None:
    from core.refusal import Refused

    for only in ({"plan": "pln_nothing"}, {"country": "Germany"}, {"cohort": "2026"}):
        with pytest.raises(Refused) as refused:
            registry.build(name="mrr", company=rich.company, asked=asked_whole(only=only))
        assert refused.value.code == "report.value_unknown"


def test_one_companys_report_has_nothing_of_another() -> None:
    one, other = a_company(), a_company()
    a_subscription(other, a_customer(other))
    assert ask(one, "mrr", TODAY, TODAY).table("months").lines == []
