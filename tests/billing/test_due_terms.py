"""When payment is due: so many days after the document, or after the end of its month."""

from __future__ import annotations

import doctest
from datetime import date
from typing import Any

import pytest

from billing.models import Invoice
from billing.services import approving, due_days, running
from billing.services.due_days import due_day
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, set_clock

START = date(2026, 1, 20)


def test_the_example_is_true() -> None:
    assert doctest.testmod(due_days).failed == 0
    assert due_day(date(2026, 2, 3), 0, "month_end") == date(2026, 2, 28)
    assert due_day(date(2028, 2, 29), 30, "month_end") == date(2028, 3, 30)


def due(company: Any, **changes: Any) -> list[str]:
    a_subscription(company, changes.pop("customer", None), changes.pop("plan", None), on=START, **changes)
    ids = bill(company, START).invoice_ids
    return sorted(str(row.payment_due_on) for row in Invoice.objects.filter(pk__in=ids))


@pytest.mark.django_db
def test_subscription_plan_customer_and_company_say_it_in_that_order() -> None:
    # 31 January and ten days.
    by_company = a_company(today=START, payment_terms_days=10, payment_terms_from="month_end")
    assert due(by_company) == ["2026-02-10"]
    customer = a_customer(by_company, payment_terms_from="issue")
    assert due(by_company, customer=customer) == ["2026-01-30"]
    plan = a_plan(by_company, payment_terms_from="month_end")
    assert due(by_company, customer=customer, plan=plan) == ["2026-02-10"]
    assert due(by_company, customer=customer, plan=plan, overrides={"payment_terms_from": "issue"}) == ["2026-01-30"]


@pytest.mark.django_db
def test_different_terms_are_different_invoices() -> None:
    company = a_company(today=START, payment_terms_days=10)
    customer = a_customer(company)
    a_subscription(company, customer, a_plan(company), on=START)
    a_subscription(company, customer, a_plan(company, payment_terms_from="month_end"), on=START)
    a_subscription(company, customer, a_plan(company), on=START, po_reference="PO 7")
    ids = bill(company, START).invoice_ids
    rows = [(str(row.payment_due_on), row.po_reference) for row in Invoice.objects.filter(pk__in=ids)]
    assert sorted(rows) == [("2026-01-30", ""), ("2026-01-30", "PO 7"), ("2026-02-10", "")]


@pytest.mark.django_db
def test_a_draft_keeps_its_terms_and_is_dated_when_it_is_issued() -> None:
    company = a_company(today=START, payment_terms_days=10, payment_terms_from="month_end", draft_hours=480)
    a_subscription(company, on=START)
    started = running.start(company=company, on=START, by=BY, at=set_clock(company, START))
    assert started is not None
    running.work(started)
    draft = Invoice.objects.get(company=company)
    assert (draft.terms_days, draft.terms_from, draft.payment_due_on) == (10, "month_end", date(2026, 2, 10))
    at = set_clock(company, date(2026, 2, 5))
    issued = approving.issue(invoice=draft, by=BY, at=at)
    # 28 February and ten days; under the same address.
    assert (issued.public_id, issued.payment_due_on) == (draft.public_id, date(2026, 3, 10))
