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

    def __init__(self, *, is_whole: bool, other: str = "", least: int = 50, **overrides: Any) -> None:
        self.company: Company = a_company()
        self.meter = a_meter(self.company)
        own = {} if is_whole else {"minimum_amount": Decimal(least)}
        items = [a_usage_item(self.meter, "0.10", **own)]
        if other:
            items.append(a_usage_item(a_meter(self.company), "0.10", minimum_amount=Decimal(other)))
        whole = {"minimum_amount": Decimal(least)} if is_whole else {}
        # It ends with January: what comes in later is billed at once.
        self.subscription: Subscription = a_user(
            self.company, *items, overrides=whole | overrides, ends_on=date(2026, 1, 31)
        )
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


@pytest.mark.parametrize("is_whole", [False, True])
def test_usage_corrected_below_the_minimum_costs_the_minimum(is_whole: bool) -> None:
    january = January(is_whole=is_whole, least=20)
    assert january.lines == [("usage", 3000)]
    january.late(-200)
    # 10.00 were used: 20.00 come back, and 10.00 are lacking of the 20.00.
    assert january.given_back == [("usage", 2000)]
    assert january.lines == [("usage", 3000), ("minimum", 1000)]
    line = InvoiceLine.objects.get(kind="minimum")
    assert (str(line.period_start), str(line.period_end)) == ("2026-01-01", "2026-02-01")
    assert line.invoice.charge_due_on == date(2026, 2, 10)
    sound(january.company)
    bill(january.company, date(2026, 2, 12))
    assert len(january.lines) == 2


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_minimum_given_back_is_charged_again_when_usage_is_corrected(is_whole: bool) -> None:
    january = January(is_whole=is_whole)
    january.late(300, 10)
    # 60.00 were used: nothing of the 20.00 is lacking.
    assert january.given_back == [("minimum", 2000)]
    january.late(-200, 11)
    # 40.00 were used: 20.00 of the late usage come back, 10.00 are lacking.
    assert january.given_back[1:] == [("late", 2000)]
    assert january.lines[2:] == [("late", 3000), ("minimum", 1000)]
    january.late(50, 12)
    # 45.00: 5.00 more, and 5.00 of the minimum too much.
    assert january.lines[4:] == [("late", 500)]
    assert january.given_back[2:] == [("minimum", 500)]
    sound(january.company)


def test_a_minimum_charged_again_counts_when_its_window_is_billed_again() -> None:
    january = January(is_whole=False)
    january.late(-200)
    # 10.00 were used: 40.00 are lacking, 20.00 are charged already.
    assert january.lines[1:] == [("minimum", 2000), ("minimum", 2000)]
    first = InvoiceLine.objects.filter(kind="minimum").earliest("pk").invoice
    voiding.void(invoice=first, reason="wrong address", at=set_clock(january.company, date(2026, 2, 12)), by=BY)
    bill(january.company, date(2026, 2, 13))
    # 10.00 of usage and 20.00 that are lacking besides the 20.00 that stand.
    assert january.lines[3:] == [("usage", 1000), ("minimum", 2000)]
    sound(january.company)


def test_usage_corrected_above_the_minimum_leaves_it_alone() -> None:
    january = January(is_whole=False, least=20)
    january.late(-50)
    assert (january.lines, january.given_back) == ([("usage", 3000)], [("usage", 500)])


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_minimum_charged_again_is_charged_once_more_after_a_void(is_whole: bool) -> None:
    january = January(is_whole=is_whole)
    january.late(-200)
    further = InvoiceLine.objects.filter(kind="minimum").latest("pk")
    voiding.void(invoice=further.invoice, reason="wrong", at=set_clock(january.company, date(2026, 2, 12)), by=BY)
    bill(january.company, date(2026, 2, 13))
    assert january.lines[2:] == [("minimum", 2000), ("minimum", 2000)]
    bill(january.company, date(2026, 2, 14))
    assert len(january.lines) == 4
    sound(january.company)


def test_a_minimum_charged_again_on_a_draft_is_issued() -> None:
    from billing.services import approving

    january = January(is_whole=False)
    january.company.draft_hours = 48
    january.company.save(update_fields=["draft_hours"])
    january.late(-200)
    draft = InvoiceLine.objects.filter(kind="minimum").latest("pk").invoice
    at = set_clock(january.company, date(2026, 2, 12))
    issued = approving.issue(invoice=draft, at=at, by=BY)
    assert (issued.net_minor, issued.public_id) == (2000, draft.public_id)
    sound(january.company)


def test_what_was_given_back_of_a_minimum_by_hand_is_not_charged_again() -> None:
    from billing.services.crediting import GiveBack, give_back

    january = January(is_whole=False)
    line = InvoiceLine.objects.get(kind="minimum")
    give_back(
        company=january.company, invoice_lines=[GiveBack(line.pk, 1500, None)], cause="manual", reason="goodwill",
        at=set_clock(january.company, date(2026, 2, 5)), by=BY,
    )  # fmt: skip
    january.late(-10)
    assert january.lines[2:] == [("minimum", 100)]
    assert january.given_back[1:] == [("usage", 100)]
