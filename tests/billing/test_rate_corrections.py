"""A rate that is entered after documents were issued: which lines it touches, and their correction in one batch."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.models import CreditNote, Invoice, InvoiceLine
from billing.services import rate_corrections, tiling
from billing.services.settling import settle
from catalog.models import TaxRate
from catalog.services import taxes
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Subscription
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db

START = date(2026, 3, 10)


def bill(company: Company, on: date) -> None:
    ids = list(Subscription.objects.filter(company=company).values_list("customer_id", flat=True))
    settle(company=company, customer_ids=ids, on=on, at=set_clock(company, on), by=BY)


def a_house(rate_change: str = "end_of_period", amount: str = "310.00") -> Company:
    """Billed monthly from the 10th: 10 March (ends 9 April) and 10 April (ends 9 May), 19 percent."""
    company = a_company(today=START, rate_change=rate_change)
    a_subscription(company, plan=a_plan(company, amount=amount), on=START)
    bill(company, START)
    bill(company, date(2026, 4, 10))
    return company


def new_rate(company: Company, percent: str = "21", valid_from: date = date(2026, 4, 1), **more: str) -> TaxRate:
    values = {"country": "DE", "level": "standard", "source": "BGBl."} | more
    return taxes.set_rate(
        company=company, percent=Decimal(percent), valid_from=valid_from, by=BY, at=at_noon(START), **values
    )


def seen(company: Company, rate: TaxRate) -> list[tuple[date | None, Decimal, list[Decimal]]]:
    return [
        (entry.line.period_start, entry.old_percent, list(entry.new_percents))
        for entry in rate_corrections.touched(company, rate)
    ]


@pytest.mark.parametrize(
    ("rate_change", "expected"),
    [
        ("end_of_period", [(START, [21]), (date(2026, 4, 10), [21])]),
        ("tax_point", [(date(2026, 4, 10), [21])]),
        ("split", [(START, [19, 21]), (date(2026, 4, 10), [21])]),
    ],
)
def test_the_lines_it_touches_follow_the_companys_rule(rate_change, expected) -> None:
    company = a_house(rate_change)
    assert [(start, new) for start, _, new in seen(company, new_rate(company))] == expected


def test_lines_of_other_places_levels_and_days_are_not_touched() -> None:
    company = a_house()
    french = a_customer(company, country="FR", kind="person")
    a_subscription(company, french, a_plan(company), on=date(2026, 4, 10))
    reduced = a_plan(company, product=a_product(company, category="reduced-electronic"))
    a_subscription(company, plan=reduced, on=date(2026, 4, 10))
    bill(company, date(2026, 4, 10))
    assert [start for start, _, _ in seen(company, new_rate(company))] == [START, date(2026, 4, 10)]
    assert seen(company, new_rate(company, country="FR")) == [(date(2026, 4, 10), Decimal(20), [Decimal(21)])]
    assert seen(company, new_rate(company, valid_from=date(2026, 6, 1), percent="22")) == []


def test_a_reverse_charge_line_is_not_touched() -> None:
    company = a_company(today=START)
    customer = a_customer(company, country="FR", vat_id="FR40303265045", vat_state="valid")
    a_subscription(company, customer, on=START)
    bill(company, START)
    assert rate_corrections.touched(company, new_rate(company, country="FR")) == []


def test_one_batch_credits_and_bills_anew() -> None:
    """310.00 at 19 percent: 368.90; at 21 percent: 375.10; 6.20 more for each of the two invoices."""
    company = a_house()
    rate = new_rate(company)
    at = at_noon(date(2026, 4, 10))
    done = rate_corrections.correct(company=company, rate=rate, reason="The rate was late", by=BY, at=at)
    assert [(one.note.gross_minor, one.fresh.gross_minor, one.difference_minor) for one in done] == [
        (36890, 37510, 620), (36890, 37510, 620),
    ]  # fmt: skip
    assert rate_corrections.totals(done) == {
        "EUR": {"invoices": 2, "credited": 73780, "billed": 75020, "difference": 1240, "skipped": 0}
    }
    assert rate_corrections.touched(company, rate) == []
    assert tiling.check(company, date(2026, 4, 10)) == []
    with pytest.raises(Refused, match=r"rate_correction\.nothing"):
        rate_corrections.correct(company=company, rate=rate, reason="Again", by=BY, at=at)


def test_a_preview_shows_the_same_and_leaves_nothing() -> None:
    company = a_house()
    rate = new_rate(company)
    at = at_noon(date(2026, 4, 10))

    def act():
        return rate_corrections.correct(company=company, rate=rate, reason="Late", by=BY, at=at)

    shown = rate_corrections.totals(rate_corrections.preview(act))
    assert (Invoice.objects.count(), CreditNote.objects.count()) == (2, 0)
    assert rate_corrections.totals(act()) == shown


def test_a_split_company_gets_its_lines_cut() -> None:
    """10 March to 10 April are 31 days: 22 at 19 percent, 9 at 21. 310.00 is 220.00 and 90.00: 41.80 + 18.90."""
    company = a_house("split")
    rate = new_rate(company)
    first = Invoice.objects.order_by("sequence").first()
    done = rate_corrections.correct(
        company=company, rate=rate, invoice_ids=[first.pk], reason="Late", by=BY, at=at_noon(date(2026, 4, 10))
    )
    assert [one.fresh.tax_minor for one in done] == [4180 + 1890]
    lines = InvoiceLine.objects.filter(invoice=done[0].fresh).order_by("position")
    assert [(line.amount_minor, line.tax_rate) for line in lines] == [(22000, Decimal(19)), (9000, Decimal(21))]
    assert tiling.check(company, date(2026, 4, 10)) == []


@pytest.mark.parametrize("rate_change", ["end_of_period", "tax_point", "split"])
def test_only_touched_lines_leave_the_database(rate_change, monkeypatch) -> None:
    """A third invoice bears the new rate already: the database hands over the lines to correct, none to look at."""
    company = a_house(rate_change)
    rate = new_rate(company, valid_from=date(2026, 4, 10))
    bill(company, date(2026, 5, 10))
    read = []
    wanted = rate_corrections._wanted

    def told(company: Company, line: InvoiceLine, *rest: object) -> tuple[Decimal, ...]:
        read.append(line.period_start)
        return wanted(company, line, *rest)

    monkeypatch.setattr(rate_corrections, "_wanted", told)
    assert [entry.line.period_start for entry in rate_corrections.touched(company, rate)] == [date(2026, 4, 10)]
    assert read == [date(2026, 4, 10)]
    assert rate_corrections.touched_lines(company, rate).count() == 1


def test_a_regions_own_row_takes_over_from_the_countrys_within_a_period() -> None:
    """Madeira: 22 percent of its own; Portugal's new rate is not its, a new one of Madeira is."""
    company = a_company(today=START, rate_change="split")
    address = {"lines": ["Rua 1"], "postal_code": "9000-001", "city": "Funchal", "country": "PT"}
    customer = a_customer(company, address=address, kind="person")
    a_subscription(company, customer, a_plan(company, amount="310.00"), on=START)
    bill(company, START)
    line = InvoiceLine.objects.get()
    assert (line.calculation["tax"]["region"], line.tax_rate) == ("30", Decimal(22))
    assert seen(company, new_rate(company, country="PT", percent="25")) == []
    rate = new_rate(company, country="PT", region="30", percent="20")
    assert seen(company, rate) == [(START, Decimal(22), [Decimal(22), Decimal(20)])]


def test_a_batch_does_what_its_preview_showed_or_nothing() -> None:
    company = a_house()
    rate = new_rate(company)
    at = at_noon(date(2026, 4, 10))

    def act(token: str | None = None) -> list[rate_corrections.Corrected]:
        return rate_corrections.correct(
            company=company, rate=rate, reason="Late", by=BY, at=at, preview_token=token
        )  # fmt: skip

    token = rate_corrections.token_of(rate_corrections.preview(act))
    taxes.correct_rate(rate=rate, percent=Decimal(22), source="BGBl.", reason="A typo", by=BY, at=at)
    with pytest.raises(Refused, match=r"preview\.differs"):
        act(token)
    assert (Invoice.objects.count(), CreditNote.objects.count()) == (2, 0)
    fresh = rate_corrections.token_of(rate_corrections.preview(act))
    assert [one.fresh.gross_minor for one in act(fresh)] == [37820, 37820]
