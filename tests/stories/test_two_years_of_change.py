"""Two years of subscriptions that change, told with dates and amounts derived in the text.

Customers are German and pay 19 percent; prices are net unless a story says otherwise.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import a_customer, a_plan
from tests.subscriptions.metering import a_meter, a_usage_item, sent

from .life import Life, months

pytestmark = pytest.mark.django_db


def day(text: str) -> date:
    return date.fromisoformat(text)


def spans(life: Life) -> list[tuple[str, str, str, int]]:
    """(document date, first day, day after the last, net in minor units) of every line, in order of issue."""
    return [(str(on), str(start), str(end), net) for on, _, start, end, net in life.lines()]


def moved(life: Life) -> list[tuple[str, int, str]]:
    return [(kind, amount, str(on)) for kind, amount, on in life.movements()]


def seats(subscription: Any, count: int) -> Any:
    from subscriptions.services.change_specs import ItemChange

    return ItemChange(slot=subscription.slots.get(), quantity=Decimal(count))


def invoices(life: Life) -> list[Any]:
    from billing.models import Invoice

    rows = Invoice.objects.filter(company=life.company, sequence__isnull=False).select_related("balance")
    return list(rows.order_by("year", "sequence"))


def test_seats_of_a_yearly_plan_grow_three_times_in_mid_year() -> None:
    """5 seats at 120.00 a year from 1 March 2027. Each growth charges the difference alone, for the days left.

    The first year, to 29 February 2028, has 366 days; the second has 365.
    - 1 March 2027: 5 x 120.00 = 600.00.
    - 10 July 2027, day 132, 3 more; 366 - 131 = 235 days are left: 360.00 x 235/366 = 231.147.. = 231.15.
    - 15 January 2028, 2 more; 17 days of January and 29 of February are left: 240.00 x 46/366 = 30.163.. = 30.16.
    - 1 March 2028: 10 x 120.00 = 1,200.00.
    - 20 September 2028, day 204, 4 more; 365 - 203 = 162 days are left: 480.00 x 162/365 = 213.041.. = 213.04.
    Nothing is ever given back. Monthly revenue is a twelfth of a year's price: 50.00, then 30.00, 20.00 and 40.00 more.
    """
    from billing.services import acts_changing
    from subscriptions.services.items import ItemSpec

    life = Life(day("2027-03-01"))
    plan = a_plan(life.company, amount="120.00", rules={"interval_unit": "year"})
    five = ItemSpec(plan.items.get().product, quantity=Decimal(5))
    subscription = life.start(plan, items=[five])
    for text, count in (("2027-07-10", 8), ("2028-01-15", 10), ("2028-09-20", 14)):
        life.until(day(text))
        life.do(acts_changing.change, subscription=subscription, items=[seats(subscription, count)])
    life.until(day("2029-02-28"))
    assert spans(life) == [
        ("2027-03-01", "2027-03-01", "2028-03-01", 60000),
        ("2027-07-10", "2027-07-10", "2028-03-01", 23115),
        ("2028-01-15", "2028-01-15", "2028-03-01", 3016),
        ("2028-03-01", "2028-03-01", "2029-03-01", 120000),
        ("2028-09-20", "2028-09-20", "2029-03-01", 21304),
    ]
    assert life.notes() == []
    assert moved(life) == [
        ("new", 5000, "2027-03-01"), ("expansion", 3000, "2027-07-10"), ("expansion", 2000, "2028-01-15"),
        ("expansion", 4000, "2028-09-20"),
    ]  # fmt: skip
    life.check()


def test_gross_prices_with_a_code_for_six_periods() -> None:
    """12.99 a month with the tax in it, by the calendar from 20 January 2027; a code takes 25 % off six periods.

    - The stub has 12 of January's 31 days: 12.99 x 12/31 = 5.028.. = 5.03, a quarter of it 1.2575 = 1.26, left 3.77.
      Its tax is 3.77 x 19/119 = 0.601.. = 0.60, its net 3.17. It uses up no period.
    - February to July 2027: a quarter of 12.99 is 3.2475 = 3.25, left 9.74; tax 1.555.. = 1.56, net 8.18.
    - August 2027 to January 2029, 18 months: 12.99; tax 2.074.. = 2.07, net 10.92.
    All the customer pays: 3.77 + 6 x 9.74 + 18 x 12.99 = 296.03.
    Monthly revenue is the exact price without tax: 9.7425 / 1.19 = 8.186.. = 8.19; 12.99 / 1.19 = 10.915.. = 10.92, so
    2.73 more from 1 August 2027 on.
    """
    from catalog.services import discounts
    from subscriptions.models import AgreedDiscount
    from tests.factories import BY

    life = Life(day("2027-01-20"))
    rules, price = {"anchor_rule": "calendar"}, {"tax_behavior": "inclusive"}
    plan = a_plan(life.company, amount="12.99", rules=rules, price=price)
    discount = discounts.create_discount(
        company=life.company, code="spring", name={"en": "Spring"}, percent=Decimal(25), duration="periods", periods=6,
        by=BY, at=life.at,
    )  # fmt: skip
    discounts.create_code(discount=discount, code="SPRING27", valid_until=day("2027-01-31"), by=BY, at=life.at)
    life.start(plan, a_customer(life.company, kind="person"), offer_code="spring27")
    life.until(day("2029-01-19"))
    figures = [(str(row.issued_on), row.net_minor, row.tax_minor, row.gross_minor) for row in invoices(life)]
    firsts = [str(first) for first in months(day("2027-02-01"), 24)]
    assert figures == [
        ("2027-01-20", 317, 60, 377),
        *[(first, 818, 156, 974) for first in firsts[:6]],
        *[(first, 1092, 207, 1299) for first in firsts[6:]],
    ]
    assert sum(gross for *_, gross in figures) == 29603
    agreed = AgreedDiscount.objects.get(company=life.company)
    assert (agreed.periods_left, agreed.ended_at is not None) == (0, True)
    assert moved(life) == [("new", 819, "2027-01-20"), ("expansion", 273, "2027-08-01")]
    life.check()


def test_usage_in_arrears_with_a_least_charge_per_month() -> None:
    """0.10 a call, at least 50.00 a month, by the calendar from 10 February 2027; each month closes on the next first.

    - The stub has 19 of February's 28 days: at least 50.00 x 19/28 = 33.928.. = 33.93. 100 calls cost 10.00, so 23.93
      are lacking.
    - Then 250, 380, 510, 640 and 770 calls in turn: 25.00 and 38.00 lack 25.00 and 12.00; 51.00, 64.00 and 77.00 are
      above, and nothing is added.
    - In September 2027, the turn of 380, nobody calls: there is no usage to bill, and the whole 50.00 are lacking.
    """
    from billing.services import using

    life = Life(day("2027-02-10"))
    meter = a_meter(life.company)
    item = a_usage_item(meter, "0.10", minimum_amount=Decimal(50))
    subscription = life.start(None, items=[item], overrides={"anchor_rule": "calendar"})
    firsts = months(day("2027-02-01"), 25)
    calls = [100, *[(250, 380, 510, 640, 770)[number % 5] for number in range(23)]]
    assert (firsts[7], calls[7]) == (day("2027-09-01"), 380)
    calls[7] = 0
    for first, count in zip(firsts, calls, strict=False):
        life.until(first + timedelta(days=14))
        if count:
            # Two events a month: one call, and the others.
            events = [sent(meter, subscription, life.at, 1), sent(meter, subscription, life.at, count - 1)]
            taken = life.do(using.take_in, company=life.company, events=events)
            assert (taken.ingested.accepted, taken.invoice_ids) == (2, [])
    life.until(day("2029-02-09"))
    wanted = []
    for number, count in enumerate(calls):
        start, end = firsts[number], firsts[number + 1]
        start, least = (day("2027-02-10"), 3393) if number == 0 else (start, 5000)
        if count:
            wanted.append((str(end), "usage", str(start), str(end), count * 10))
        if count * 10 < least:
            wanted.append((str(end), "minimum", str(start), str(end), least - count * 10))
    found = [(str(on), kind, str(start), str(end), net) for on, kind, start, end, net in life.lines()]
    assert found == wanted
    life.check()


def test_an_upgrade_and_a_downgrade_in_one_month_and_then_calm() -> None:
    """From 1 May 2027 at 29.90 a month; to 89.90 on 12 May, to 14.90 on 20 May; then 23 months without a change.

    - 1 May: 29.90, gross 35.58, paid.
    - 12 May, 20 of 31 days are left: back 29.90 x 20/31 = 19.290.. = 19.29, gross 22.955.. = 22.96, to the account.
      Anew 89.90 x 20/31 = 58.00, gross 69.02, less the 22.96: 46.06, paid.
    - 20 May, 12 days are left: back 58.00 x 12/20 = 34.80, gross 41.412 = 41.41. Anew 14.90 x 12/31 = 5.767.. = 5.77,
      gross 6.866.. = 6.87, paid from the account, on which 34.54 remain.
    - June: 14.90, gross 17.73, from the account, 16.81 remain; July: 0.92 to pay; from August on 17.73 each.
    """
    from billing.services import acts_changing

    life = Life(day("2027-05-01"))
    subscription = life.start(a_plan(life.company, amount="29.90"))
    life.pay_all()
    life.until(day("2027-05-12"))
    life.do(acts_changing.change, subscription=subscription, plan=a_plan(life.company, amount="89.90"))
    life.pay_all()
    life.until(day("2027-05-20"))
    small = a_plan(life.company, amount="14.90")
    life.do(acts_changing.change, subscription=subscription, plan=small, timing="now")
    life.until(day("2029-04-30"))
    firsts = [str(first) for first in months(day("2027-06-01"), 24)]
    assert spans(life) == [
        ("2027-05-01", "2027-05-01", "2027-06-01", 2990),
        ("2027-05-12", "2027-05-12", "2027-06-01", 5800),
        ("2027-05-20", "2027-05-20", "2027-06-01", 577),
        *[(first, first, after, 1490) for first, after in zip(firsts, firsts[1:], strict=False)],
    ]
    assert [(str(on), cause, net) for on, cause, net in life.notes()] == [
        ("2027-05-12", "change", 1929), ("2027-05-20", "change", 3480),
    ]  # fmt: skip
    assert [(row.gross_minor, row.balance.open_minor) for row in invoices(life)] == [
        (3558, 0), (6902, 0), (687, 0), (1773, 0), (1773, 92), *[(1773, 1773)] * 21,
    ]  # fmt: skip
    assert moved(life) == [
        ("new", 2990, "2027-05-01"), ("expansion", 6000, "2027-05-12"), ("contraction", -7500, "2027-05-20"),
    ]  # fmt: skip
    life.check()


def test_a_pause_over_the_renewal_of_a_yearly_term() -> None:
    """366.00 a year from 1 June 2027, for a year at a time; paused from 1 May to 14 July 2028.

    - The first year has 366 days, 1.00 each. The pause gives 31 back: 31.00, gross 36.89.
    - The term renews on 1 June 2028 in the pause, and nothing is billed.
    - Resumed on 15 July 2028, years count from that day: 366.00, gross 435.54, less 36.89 of credit: 398.65.
    - The next year is billed on 15 July 2029. Monthly revenue, 30.50, is away from 1 May to 14 July 2028.
    """
    from billing.services import acts_pausing

    life = Life(day("2027-06-01"))
    rules = {
        "interval_unit": "year", "minimum_count": 12, "notice_count": 1, "notice_unit": "month",
        "notice_to": "term_end", "renewal_rule": "renew",
    }  # fmt: skip
    subscription = life.start(a_plan(life.company, amount="366.00", rules=rules))
    life.pay_all()
    life.until(day("2028-05-01"))
    life.do(acts_pausing.pause, subscription=subscription, reason="Rebuilding.")
    life.until(day("2028-07-15"))
    subscription.refresh_from_db()
    term = (str(subscription.term_start_on), str(subscription.term_ends_on))
    assert (subscription.state, *term) == ("paused", "2028-06-01", "2029-05-31")
    assert len(life.lines()) == 1
    life.do(acts_pausing.resume, subscription=subscription)
    life.until(day("2029-07-15"))
    assert spans(life) == [
        ("2027-06-01", "2027-06-01", "2028-06-01", 36600),
        ("2028-07-15", "2028-07-15", "2029-07-15", 36600),
        ("2029-07-15", "2029-07-15", "2030-07-15", 36600),
    ]
    assert [(str(on), cause, net) for on, cause, net in life.notes()] == [("2028-05-01", "pause", 3100)]
    assert [row.balance.open_minor for row in invoices(life)] == [0, 39865, 43554]
    assert moved(life) == [
        ("new", 3050, "2027-06-01"), ("contraction", -3050, "2028-05-01"), ("expansion", 3050, "2028-07-15"),
    ]  # fmt: skip
    subscription.refresh_from_db()
    assert (str(subscription.term_start_on), str(subscription.term_ends_on)) == ("2029-06-01", "2030-05-31")
    life.check()


@pytest.mark.parametrize("unused", ["credit", "refund"])
def test_staff_end_it_back_over_two_invoices(unused: str) -> None:
    """49.90 a month from 1 January 2027; on 10 November 2028 staff end it with 14 October, and say why.

    - October, paid: 17 of 31 days come back, 49.90 x 17/31 = 27.364.. = 27.36, gross 32.558.. = 32.56: to the account,
      or owed to the customer as a refund.
    - November, open: all of it, 49.90, gross 59.38: settles the invoice, and no money moves.
    Revenue ends on 15 October; nothing is billed after it.
    """
    from billing.models import CreditBalance, CreditNote, Refund
    from billing.services import acts
    from core.models import AuditEntry

    life = Life(day("2027-01-01"))
    subscription = life.start(a_plan(life.company, amount="49.90"))
    life.until(day("2028-10-31"))
    life.pay_all()
    life.until(day("2028-11-10"))
    why = "The notice of September lay in the wrong tray."
    life.do(
        acts.cancel, subscription=subscription, timing="date", ends_on=day("2028-10-14"), unused=unused, override=True,
        override_reason=why,
    )  # fmt: skip
    life.until(day("2028-12-31"))
    firsts = [str(first) for first in months(day("2027-01-01"), 24)]
    assert spans(life) == [(first, first, after, 4990) for first, after in zip(firsts, firsts[1:], strict=False)]
    notes = CreditNote.objects.filter(company=life.company).order_by("year", "sequence")
    assert [
        (str(note.issued_on), str(note.invoice.issued_on), note.net_minor, note.gross_minor, note.settled_minor)
        for note in notes
    ] == [
        ("2028-11-10", "2028-10-01", 2736, 3256, 0),
        ("2028-11-10", "2028-11-01", 4990, 5938, 5938),
    ]
    assert [row.balance.open_minor for row in invoices(life)] == [0] * 23
    on_account = sum(row.left_minor for row in CreditBalance.objects.filter(credit__company=life.company))
    refunds = [refund.amount_minor for refund in Refund.objects.filter(company=life.company)]
    assert (on_account, refunds) == ((3256, []) if unused == "credit" else (0, [3256]))
    assert moved(life) == [("new", 4990, "2027-01-01"), ("churn", -4990, "2028-10-15")]
    subscription.refresh_from_db()
    assert (subscription.state, str(subscription.ends_on)) == ("canceled", "2028-10-14")
    entry = AuditEntry.objects.get(company=life.company, verb="subscription.cancel")
    assert (entry.reason, entry.facts["override"]) == (why, True)
    life.check()


def test_calls_that_come_in_late_fill_up_the_least_charge_of_their_month() -> None:
    """0.10 a call, at least 50.00 a month from 1 January 2027; 300 calls a month, and on every 10th some of the month
    before come in late: 100 of odd months, 400 of even ones. They stand on the next invoice, that of the next 1st.

    - A month closes with 30.00 and the 20.00 that are lacking.
    - An odd month was worth 40.00: 10.00 are charged late, and 10.00 of the 20.00 come back: 50.00 in all.
    - An even month was worth 70.00: 40.00 late, and the 20.00 come back.
    Over 24 months: 12 x 50.00 + 12 x 70.00 = 1,440.00; a 25th without calls costs its 50.00.
    """
    from billing.services import using

    life = Life(day("2027-01-01"))
    meter = a_meter(life.company)
    subscription = life.start(None, items=[a_usage_item(meter, "0.10", minimum_amount=Decimal(50))])
    firsts = months(day("2027-01-01"), 26)
    for first, after in zip(firsts[:24], firsts[1:25], strict=True):
        # The 10th of the next month comes before the calls of that month are counted, on its 15th.
        mid = first + timedelta(days=14)
        life.until(mid)
        life.do(using.take_in, company=life.company, events=[sent(meter, subscription, life.at, 300)])
        life.until(after + timedelta(days=9))
        late = 100 if first.month % 2 else 400
        life.do(using.take_in, company=life.company, events=[sent(meter, subscription, f"{mid}T13:00:00Z", late)])
    life.until(firsts[25])
    worth = {"usage": 3000, "minimum": 2000}
    lates = [1000 if first.month % 2 else 4000 for first in firsts[:24]]
    found = life.lines()
    assert [(kind, net) for _, kind, _, _, net in found if kind in worth] == [
        *[*worth.items()] * 24, ("minimum", 5000),
    ]  # fmt: skip
    assert [(str(on), net) for on, kind, _, _, net in found if kind == "late"] == [
        (str(billed), net) for billed, net in zip(firsts[2:], lates, strict=True)
    ]
    notes = [net for _, cause, net in life.notes() if cause == "usage"]
    assert notes == [1000 if first.month % 2 else 2000 for first in firsts[:24]]
    assert sum(net for *_, net in found) - sum(notes) == 149000
    life.check()
