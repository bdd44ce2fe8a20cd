"""Usage that comes in after its month closed below a minimum: the month costs its minimum or its usage, never both.

A call costs 0.10. January closes with 300 calls, 30.00, and 20.00 that are lacking of 50.00; dates are of 2026.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from billing.services import voiding
from core.models import Company
from subscriptions.models import Subscription
from tests.billing.money import sound
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

pytestmark = pytest.mark.django_db

FEB = date(2026, 2, 1)


class January:
    """A subscription whose January is closed; `late` takes in calls of January on a day of February and bills."""

    def __init__(self, *, is_whole: bool, other: str = "", **overrides: Any) -> None:
        self.company: Company = a_company()
        self.meter = a_meter(self.company)
        own = {} if is_whole else {"minimum_amount": Decimal(50)}
        items = [a_usage_item(self.meter, "0.10", **own)]
        if other:
            items.append(a_usage_item(a_meter(self.company), "0.10", minimum_amount=Decimal(other)))
        whole = {"minimum_amount": Decimal(50)} if is_whole else {}
        self.subscription: Subscription = a_user(self.company, *items, overrides=whole | overrides)
        set_clock(self.company, date(2026, 1, 31))
        take_in(self.company, sent(self.meter, self.subscription, "2026-01-05T12:00:00Z", 300))
        bill(self.company, FEB)

    def late(self, calls: int, day: int = 10) -> None:
        on = date(2026, 2, day)
        set_clock(self.company, on)
        take_in(self.company, sent(self.meter, self.subscription, "2026-01-20T12:00:00Z", calls))
        bill(self.company, on)

    @property
    def lines(self) -> list[tuple[str, int]]:
        rows = InvoiceLine.objects.filter(subscription=self.subscription).order_by("invoice_id", "position")
        return list(rows.values_list("kind", "amount_minor"))

    @property
    def given_back(self) -> list[tuple[str, int]]:
        rows = CreditNoteLine.objects.filter(company=self.company).order_by("credit_note_id", "position")
        return list(rows.values_list("invoice_line__kind", "amount_minor"))


@pytest.mark.parametrize("is_whole", [False, True])
def test_late_usage_below_the_minimum_takes_its_place(is_whole: bool) -> None:
    january = January(is_whole=is_whole)
    january.late(100)
    # 40.00 were used: 10.00 are charged, and 10.00 of the 20.00 that were lacking come back.
    assert january.lines == [("usage", 3000), ("minimum", 2000), ("late", 1000)]
    assert january.given_back == [("minimum", 1000)]
    note = CreditNote.objects.get()
    assert (note.cause, note.net_minor, note.gross_minor) == ("usage", 1000, 1190)
    sound(january.company)


@pytest.mark.parametrize("is_whole", [False, True])
def test_late_usage_past_the_minimum_gives_all_of_it_back(is_whole: bool) -> None:
    january = January(is_whole=is_whole)
    january.late(900)
    # 120.00 were used; of the 20.00 nothing is lacking any more.
    assert january.lines[2:] == [("late", 9000)]
    assert january.given_back == [("minimum", 2000)]


def test_usage_that_comes_late_twice_gives_back_what_it_reaches_and_no_more() -> None:
    january = January(is_whole=False)
    january.late(100, 10)
    january.late(50, 11)
    january.late(500, 12)
    # 10.00 and 5.00 of the 20.00, then the 5.00 that were left of it.
    assert january.given_back == [("minimum", 1000), ("minimum", 500), ("minimum", 500)]
    sound(january.company)


def test_a_voided_line_of_late_usage_is_billed_again_without_giving_more_back() -> None:
    january = January(is_whole=False)
    january.late(100)
    late = InvoiceLine.objects.get(kind="late").invoice
    at = set_clock(january.company, date(2026, 2, 12))
    voiding.void(invoice=Invoice.objects.get(pk=late.pk), reason="wrong address", at=at, by=BY)
    bill(january.company, date(2026, 2, 13))
    assert january.lines[2:] == [("late", 1000), ("late", 1000)]
    assert january.given_back == [("minimum", 1000), ("late", 1000)]


def test_what_was_given_back_of_a_minimum_by_hand_counts() -> None:
    from billing.services.crediting import GiveBack, give_back

    january = January(is_whole=False)
    line = InvoiceLine.objects.get(kind="minimum")
    give_back(
        company=january.company, invoice_lines=[GiveBack(line.pk, 1500, None)], cause="manual", reason="goodwill",
        at=set_clock(january.company, date(2026, 2, 5)), by=BY,
    )  # fmt: skip
    january.late(100)
    # 10.00 are lacking still, and just 5.00 of the 20.00 are charged.
    assert january.given_back == [("minimum", 1500)]


def test_the_minimum_of_another_price_stands() -> None:
    january = January(is_whole=False, other="70")
    assert sorted(january.lines) == [("minimum", 2000), ("minimum", 7000), ("usage", 3000)]
    january.late(900)
    assert january.given_back == [("minimum", 2000)]


def test_gross_prices_give_back_the_tax_with_it() -> None:
    january = January(is_whole=False, tax_behavior="inclusive")
    january.late(100)
    note = CreditNote.objects.get()
    # 10.00 x 19/119 = 1.596.. = 1.60.
    assert (note.net_minor, note.tax_minor, note.gross_minor) == (840, 160, 1000)
    sound(january.company)
