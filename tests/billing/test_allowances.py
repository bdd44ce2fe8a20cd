"""Granted and prepaid credit: sold, used before tax in its order, given back, lapsed. Amounts stand in the comments."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.models import Credit, CreditNote, CreditUse, Invoice, InvoiceLine
from billing.services import acts, granting, running, selling
from billing.services.crediting import GiveBack, credit_invoice, give_back
from billing.services.voiding import void
from catalog.models import TaxCategory
from core.models import Company, Event
from core.refusal import Refused
from customers.models import Customer
from tests.billing.money import left, sound
from tests.billing.test_crediting import credit as credit_note
from tests.billing.test_ends import pay
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def grant(customer: Customer, minor: int, **changes: Any) -> Credit:
    values: dict[str, Any] = {"currency": "EUR", "reason": "goodwill", "by": BY, "at": at_noon(JANUARY)}
    return granting.grant(customer=customer, amount_minor=minor, **(values | changes))


def sell(company: Company, customer: Customer, minor: int, **changes: Any) -> tuple[Invoice, Credit]:
    values: dict[str, Any] = {
        "currency": "EUR",
        "tax_category": TaxCategory.objects.get(company=company, code="standard-electronic"),
        "by": BY,
        "at": at_noon(JANUARY),
    }
    invoice = selling.sell_credit_pack(customer=customer, amount_minor=minor, **(values | changes))
    return invoice, Credit.objects.get(invoice=invoice, source="prepaid")


def billed(company: Company, on: date = JANUARY) -> Invoice:
    [invoice_id] = bill(company, on).invoice_ids
    return Invoice.objects.get(pk=invoice_id)


def a_customer_with_plan(company: Company, amount: str = "100.00", **plan: Any) -> Customer:
    customer = a_customer(company)
    a_subscription(company, customer, a_plan(company, amount=amount, **plan))
    return customer


def test_granted_credit_lowers_the_invoice_before_tax() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    given = grant(customer, 1000)
    invoice = billed(company)
    # 100.00 - 10.00 = 90.00; 19 % of it is 17.10.
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (9000, 1710, 10710)
    [line] = invoice.lines.all()
    assert (line.amount_minor, line.calculation["allowances"]) == (9000, [{"source": "granted", "amount_minor": 1000}])
    assert (left(given), list(CreditUse.objects.values_list("line_id", "amount_minor"))) == (0, [(line.pk, 1000)])
    # No money moved: revenue is what was charged.
    assert sound(company) == {"1400": 10710, "1776": -1710, "8400": -9000}


def test_it_is_spread_over_the_lines_by_largest_remainder() -> None:
    company = a_company()
    customer = a_customer(company)
    for amount in ("10.00", "10.00", "10.00"):
        a_subscription(company, customer, a_plan(company, amount=amount))
    grant(customer, 1000)
    invoice = billed(company)
    assert [line.amount_minor for line in invoice.lines.all()] == [666, 667, 667]
    sound(company)


def test_what_an_invoice_does_not_need_stays_for_the_next() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    given = grant(customer, 15000)
    first = billed(company)
    # Wholly covered: issued all the same, and paid.
    assert (first.gross_minor, first.balance.status, left(given)) == (0, "paid", 5000)
    assert billed(company, FEBRUARY).net_minor == 5000
    assert left(given) == 0
    sound(company)


def test_on_gross_prices_it_counts_gross() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "119.00", price={"tax_behavior": "inclusive"})
    grant(customer, 1900)
    invoice = billed(company)
    # 119.00 - 19.00 = 100.00 with tax; 100.00 x 19 / 119 = 15.966 = 15.97.
    assert (invoice.gross_minor, invoice.tax_minor, invoice.net_minor) == (10000, 1597, 8403)
    sound(company)


def test_expired_credit_is_not_used_and_lapses() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    given = grant(customer, 1000, expires_on=date(2026, 1, 31))
    a_day_late = set_clock(company, FEBRUARY)
    assert granting.lapse_due(company, at_noon(date(2026, 1, 31))) == {"credits": 0}
    assert granting.lapse_due(company, a_day_late) == {"credits": 1}
    assert granting.lapse_due(company, a_day_late) == {"credits": 0}
    assert left(given) == 0
    assert sum(Invoice.objects.get(pk=pk).net_minor for pk in bill(company, FEBRUARY).invoice_ids) == 20000
    assert Event.objects.filter(type="credit.lapsed").count() == 1
    sound(company)


def test_credit_is_used_on_its_last_day() -> None:
    company = a_company()
    grant(a_customer_with_plan(company), 1000, expires_on=JANUARY)
    assert billed(company).net_minor == 9000


def test_unused_granted_credit_is_taken_back_used_never() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    given = grant(customer, 12000)
    billed(company)
    granting.reverse(credit=given, reason="by mistake", by=BY, at=at_noon(JANUARY))
    balance = given.balance
    balance.refresh_from_db()
    assert (balance.used_minor, balance.lapsed_minor, balance.left_minor) == (10000, 2000, 0)
    with pytest.raises(Refused) as refused:
        granting.reverse(credit=given, reason="again", by=BY, at=at_noon(JANUARY))
    assert refused.value.code == "credit.nothing_unused"
    sound(company)


def test_a_pack_is_sold_with_tax_and_is_owed_until_it_is_used() -> None:
    company = a_company()
    customer = a_customer(company)
    invoice, pack = sell(company, customer, 10000, expires_on=date(2026, 12, 31))
    assert (invoice.net_minor, invoice.tax_minor, invoice.balance.status) == (10000, 1900, "open")
    assert (pack.amount_minor, pack.tax_category, pack.tax_rate, pack.expires_on) == (
        10000,
        "S",
        19,
        date(2026, 12, 31),
    )
    assert sound(company) == {"1400": 11900, "1719": -10000, "1776": -1900}


def test_using_a_pack_lowers_what_is_taxed_at_its_rate_and_turns_what_is_owed_into_revenue() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "30.00")
    book = a_product(company, category="reduced-electronic")
    a_subscription(company, customer, a_plan(company, amount="20.00", product=book))
    _, pack = sell(company, customer, 10000)
    invoice = billed(company)
    # The 30.00 at 19 % are covered, the 20.00 at 7 % are not: 1.40 of tax.
    assert [(line.amount_minor, line.tax_rate) for line in invoice.lines.all()] == [(0, 19), (2000, 7)]
    assert (invoice.net_minor, invoice.tax_minor, left(pack)) == (2000, 140, 7000)
    assert sound(company) == {"1400": 11900 + 2140, "1719": -7000, "1776": -1900 - 140, "8400": -5000}


def test_on_gross_prices_a_pack_takes_its_tax_off_with_it() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "119.00", price={"tax_behavior": "inclusive"})
    _, pack = sell(company, customer, 4000)
    invoice = billed(company)
    # 40.00 and its tax of 7.60 come off 119.00: 71.40 with 11.40 of tax.
    assert (invoice.gross_minor, invoice.tax_minor, invoice.net_minor) == (7140, 1140, 6000)
    assert left(pack) == 0
    assert sound(company) == {"1400": 4760 + 7140, "1776": -760 - 1140, "8400": -10000}


def test_granted_comes_first_then_packs_by_expiry_then_money() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "10.00")
    old, _ = sell(company, customer, 500)
    pay(old)
    credit_note(old)
    _, later = sell(company, customer, 300, expires_on=date(2026, 12, 31))
    _, sooner = sell(company, customer, 300, expires_on=date(2026, 6, 30))
    given = grant(customer, 200)
    invoice = billed(company)
    # 10.00 - 2.00 granted - 3.00 - 3.00 of the packs = 2.00, with tax 2.38, paid from the money of the credited pack.
    assert (invoice.net_minor, invoice.gross_minor) == (200, 238)
    assert [left(given), left(sooner), left(later)] == [0, 0, 0]
    uses = CreditUse.objects.order_by("pk").values_list("credit_id", flat=True)
    assert list(uses) == [given.pk, sooner.pk, later.pk]
    sound(company)


def test_a_bonus_is_granted_credit() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "10.00")
    invoice, pack = sell(company, customer, 11000, price_minor=10000, expires_on=date(2026, 12, 31))
    bonus = Credit.objects.get(invoice=invoice, source="granted")
    assert (pack.amount_minor, bonus.amount_minor, bonus.expires_on) == (10000, 1000, date(2026, 12, 31))
    # Granted credit goes first: the bonus covers the month.
    assert (billed(company).gross_minor, left(bonus), left(pack)) == (0, 0, 10000)
    sound(company)
    with pytest.raises(Refused) as refused:
        sell(company, customer, 100, price_minor=101)
    assert refused.value.code == "credit.pack_price"


def test_a_credit_note_for_a_pack_takes_back_what_is_unused() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "30.00")
    invoice, pack = sell(company, customer, 10000)
    billed(company)
    [line] = invoice.lines.all()
    with pytest.raises(Refused) as refused:
        credit_invoice(invoice=invoice, lines={line.pk: 7001}, reason="unused", by=BY, at=at_noon(JANUARY))
    assert refused.value.code == "credit.pack_used"
    note = credit_invoice(invoice=invoice, lines={line.pk: 7000}, reason="unused", by=BY, at=at_noon(JANUARY))
    assert (note.net_minor, note.tax_minor, left(pack)) == (7000, 1330, 0)
    # 119.00 - 83.30 of the pack is still due; its 30.00 are revenue.
    assert sound(company) == {"1400": 11900 - 8330, "1776": -570, "8400": -3000}


def test_expired_prepaid_credit_becomes_revenue() -> None:
    company = a_company()
    customer = a_customer(company)
    _, pack = sell(company, customer, 10000, expires_on=date(2026, 1, 31))
    assert granting.lapse_due(company, set_clock(company, FEBRUARY)) == {"credits": 1}
    assert left(pack) == 0
    assert sound(company) == {"1400": 11900, "1776": -1900, "8400": -10000}


def test_a_note_gives_credit_back_in_proportion() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "31.00")
    _, pack = sell(company, customer, 1000)
    given = grant(customer, 600)
    invoice = billed(company)
    [line] = invoice.lines.all()
    # 31.00 - 6.00 - 10.00 = 15.00. A third of it is given back, and with it a third of both credits: 2.00 and 3.33.
    note = credit_invoice(invoice=invoice, lines={line.pk: 500}, reason="part", by=BY, at=at_noon(JANUARY))
    assert (note.net_minor, left(given), left(pack)) == (500, 200, 333)
    [noted] = note.lines.all()
    assert noted.calculation["credit_back"] == [
        {"source": "prepaid", "amount_minor": 333},
        {"source": "granted", "amount_minor": 200},
    ]
    credit_invoice(invoice=invoice, lines={line.pk: 1000}, reason="rest", by=BY, at=at_noon(JANUARY))
    assert (left(given), left(pack)) == (600, 1000)
    # Only the pack is left in the books: sold, not used, not paid.
    assert sound(company) == {"1400": 1190, "1719": -1000, "1776": -190}


def test_days_given_back_of_a_line_that_credit_covered_whole_give_the_credit_back() -> None:
    company = a_company()
    customer = a_customer(company)
    plan = a_plan(company, amount="31.00", rules={"notice_to": "any_day"})
    subscription = a_subscription(company, customer, plan)
    _, pack = sell(company, customer, 3100)
    billed(company)
    assert left(pack) == 0
    at = set_clock(company, date(2026, 1, 21))
    acts.cancel(subscription=subscription, timing="now", by=BY, at=at)
    # Ten of 31 days were not used; there is nothing to write a note about.
    assert (left(pack), CreditNote.objects.count()) == (1000, 0)
    assert sound(company) == {"1400": 3689, "1719": -1000, "1776": -589, "8400": -2100}


def test_credit_that_comes_back_is_used_on_the_very_next_invoice() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "31.00")
    given = grant(customer, 1000)
    first = billed(company)
    void(invoice=first, reason="wrong", by=BY, at=at_noon(JANUARY))
    assert left(given) == 1000
    again = billed(company)
    assert (again.net_minor, left(given)) == (2100, 0)
    sound(company)


def test_a_draft_takes_none_and_its_issue_does() -> None:
    company = a_company(draft_hours=48)
    customer = a_customer_with_plan(company)
    given = grant(customer, 1000)
    at = set_clock(company, JANUARY)
    started = running.start(company=company, on=JANUARY, by=BY, at=at)
    assert started is not None
    running.work(started)
    draft = Invoice.objects.get(company=company)
    assert (draft.net_minor, left(given)) == (10000, 1000)
    from billing.services import approving

    issued = approving.issue(invoice=draft, by=BY, at=at)
    assert (issued.net_minor, left(given)) == (9000, 0)
    sound(company)


def test_an_invoice_line_never_takes_another_customers_or_currencys_credit() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    grant(a_customer(company), 1000)
    grant(customer, 1000, currency="USD")
    assert billed(company).net_minor == 10000


def test_days_named_by_hand_give_credit_back_too() -> None:
    company = a_company()
    customer = a_customer_with_plan(company, "31.00")
    given = grant(customer, 1550)
    billed(company)
    line = InvoiceLine.objects.get(company=company)
    ask = GiveBack(line.pk, release=(date(2026, 1, 11), date(2026, 1, 21)))
    [note] = give_back(
        company=company, invoice_lines=[ask], cause="manual", reason="outage", at=at_noon(JANUARY), by=BY
    )
    # 10 of 31 days of 15.50 are 5.00; so are those of the granted half.
    assert (note.net_minor, left(given)) == (500, 500)
