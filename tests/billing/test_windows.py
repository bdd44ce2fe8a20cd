"""Drafts that billing writes: they wait, follow what is agreed, and are issued whole."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.models import BilledDays, Invoice
from billing.services import acts, approving, running, tiling
from core.models import Company
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db

START = date(2026, 1, 1)


def run(company: Company, on: date) -> None:
    at = set_clock(company, on)
    started = running.start(company=company, on=on, by=BY, at=at)
    assert started is not None
    running.work(started)


def drafted(company: Company, **changes: Any) -> Invoice:
    a_subscription(company, plan=a_plan(company, amount="31.00", rules={"notice_to": "any_day"}), **changes)
    run(company, START)
    return Invoice.objects.get(company=company)


def test_an_invoice_of_a_run_waits_for_its_window() -> None:
    company = a_company(today=START, draft_hours=48)
    draft = drafted(company)
    assert (draft.number, draft.sequence, draft.waits_for) == ("", None, "window")
    assert (draft.gross_minor, draft.balance.status) == (3689, "draft")
    assert draft.issue_after_at == at_noon(START) + timedelta(hours=48)
    assert tiling.check(company, START) == []


def test_a_second_run_adds_nothing_to_a_draft() -> None:
    company = a_company(today=START, draft_hours=48)
    drafted(company)
    assert running.start(company=company, on=START, by=BY, at=at_noon(START)) is None
    assert Invoice.objects.count() == 1


def test_it_is_issued_when_its_window_is_over_under_the_same_address() -> None:
    company = a_company(today=START, draft_hours=48)
    draft = drafted(company)
    assert approving.issue_due(company, at_noon(START) + timedelta(hours=47)) == {"invoices": 0}
    assert approving.issue_due(company, at_noon(START) + timedelta(hours=48)) == {"invoices": 1}
    issued = Invoice.objects.get(company=company)
    assert (issued.public_id, issued.number, issued.gross_minor) == (draft.public_id, "TEST-INV-2026-000001", 3689)
    assert (issued.balance.status, issued.issued_on, issued.run_id) == ("open", date(2026, 1, 3), draft.run_id)
    assert tiling.check(company, START) == []


def test_a_person_issues_one_earlier() -> None:
    company = a_company(today=START, draft_hours=48)
    draft = drafted(company)
    assert len(approving.approve(company=company, invoice_ids=[draft.pk], at=at_noon(START), by=BY)) == 1
    assert Invoice.objects.get(company=company).number == "TEST-INV-2026-000001"


def test_an_act_writes_the_draft_anew_instead_of_crediting_it() -> None:
    company = a_company(today=START, draft_hours=48)
    draft = drafted(company)
    subscription = company_subscription(company)
    acts.cancel(subscription=subscription, timing="date", ends_on=date(2026, 1, 15), by=BY, at=at_noon(START))
    again = Invoice.objects.get(company=company)
    # 15 of 31 days at 31.00: known to end early when it is billed.
    assert (again.public_id, again.net_minor, again.waits_for) == (draft.public_id, 1500, "window")
    assert again.issue_after_at == draft.issue_after_at
    assert tiling.check(company, START) == []


def test_a_draft_waits_for_the_answer_about_a_vat_id_and_then_no_longer() -> None:
    company = a_company(today=START)
    customer = a_customer(company, vat_id="FR40303265045", kind="company", country="FR")
    type(customer).objects.filter(pk=customer.pk).update(vat_state="pending")
    draft = drafted(company, customer=customer)
    assert (draft.waits_for, draft.issue_after_at) == ("vat_check", at_noon(START) + timedelta(hours=72))
    type(customer).objects.filter(pk=customer.pk).update(vat_state="valid")
    approving.issue_due(company, at_noon(START) + timedelta(hours=72))
    # The answer came in time: the customer owes the tax itself.
    issued = Invoice.objects.get(company=company)
    assert (issued.tax_rows[0]["category"], issued.tax_minor) == ("AE", 0)


def test_billed_days_of_an_issued_invoice_never_go() -> None:
    company = a_company(today=START, draft_hours=48)
    draft = drafted(company)
    approving.approve(company=company, invoice_ids=[draft.pk], at=at_noon(START), by=BY)
    with pytest.raises(IntegrityError, match="only ever cut"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_billeddays")
    assert BilledDays.objects.count() == 1


def company_subscription(company: Company) -> Any:
    from subscriptions.models import Subscription

    return Subscription.objects.get(company=company)


def test_many_drafts_are_issued_in_as_many_statements_as_few() -> None:
    def statements(count: int) -> int:
        company = a_company(today=START, draft_hours=48)
        plan = a_plan(company, amount="31.00")
        for _ in range(count):
            a_subscription(company, plan=plan)
        run(company, START)
        with CaptureQueriesContext(connection) as sent:
            approving.issue_due(company, at_noon(START) + timedelta(hours=48))
        assert Invoice.objects.filter(company=company, sequence__isnull=False).count() == count
        return len(sent)

    assert statements(2) == statements(9)
