"""On which account a product's revenue is booked: its own, added to the books when needed, never one of another use."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.models import Invoice, Posting
from billing.services import drafting, running
from billing.services.drafting import DraftLine
from catalog.models import Product
from catalog.services.products import update_product
from core.models import Company
from core.refusal import Refused
from tests.billing.test_crediting import an_invoice, credit
from tests.billing.test_settling import bill, lines_of
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription

pytestmark = pytest.mark.django_db


def sums(company: Company) -> dict[str, int]:
    """Minor units by account."""
    found: dict[str, int] = {}
    for posting in Posting.objects.filter(company=company).select_related("account"):
        found[posting.account.code] = found.get(posting.account.code, 0) + posting.amount_minor
    return found


def give_account(product: Product, code: str) -> None:
    update_product(product=product, changes={"revenue_account": code}, by=BY, at=product.company.clock_at)


def test_a_product_with_an_account_of_its_own_is_booked_there() -> None:
    company = a_company()
    an_invoice(company, product=a_product(company, revenue_account="8410"))
    # 100.00 net, 19.00 tax.
    assert sums(company) == {"1400": 11900, "8410": -10000, "1776": -1900}


def test_an_account_of_another_use_parks_and_stops_nobody_else() -> None:
    company = a_company()
    bad = a_subscription(company, plan=a_plan(company, product=a_product(company, revenue_account="1400")))
    good = a_subscription(company)
    outcome = bill(company, date(2026, 1, 1))
    assert [row[:2] for row in outcome.parked] == [(bad.pk, "billing.revenue_account")]
    assert [len(lines_of(subscription)) for subscription in (bad, good)] == [0, 1]
    bad.refresh_from_db()
    assert "on account 1400, which holds something else (receivables)" in bad.parked_detail
    # 10.00 net, 1.90 tax.
    assert sums(company) == {"1400": 1190, "8400": -1000, "1776": -190}


def test_with_the_right_account_it_is_billed() -> None:
    company = a_company()
    product = a_product(company, revenue_account="1400")
    bad = a_subscription(company, plan=a_plan(company, product=product))
    bill(company, date(2026, 1, 1))
    give_account(product, "")
    assert running.retry_parked(company=company, at=company.clock_at, by=BY) == {"tried": 1, "billed": 1}
    assert len(lines_of(bad)) == 1


def test_a_credit_note_adds_an_account_that_was_named_since() -> None:
    company = a_company()
    product = a_product(company)
    invoice = an_invoice(company, product=product)
    give_account(product, "8410")
    credit(invoice, gross_minor=1190)
    assert (sums(company)["8400"], sums(company)["8410"]) == (-10000, 1000)


def test_a_credit_note_on_an_account_of_another_use_is_refused() -> None:
    company = a_company()
    product = a_product(company)
    invoice = an_invoice(company, product=product)
    give_account(product, "1200")
    with pytest.raises(Refused, match=r"on account 1200, which holds something else \(cash and bank\)"):
        credit(invoice, gross_minor=1190)


def test_a_draft_on_an_account_of_another_use_is_refused() -> None:
    company = a_company()
    line = DraftLine(unit_amount=Decimal(5), product=a_product(company, revenue_account="1776"))
    with pytest.raises(Refused, match=r"^billing\.revenue_account") as refused:
        drafting.create_draft(
            company=company, customer=a_customer(company), currency="EUR", lines=[line], by=BY, at=company.clock_at
        )
    assert refused.value.params["use"] == "taxes due"
    assert Invoice.objects.count() == 0
