"""Drafts that billing writes: they wait, follow what is agreed, and are issued whole."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.models import BilledDays, Invoice
from billing.services import acts, acts_items, acts_pausing, approving, keeping, running, tiling
from core.models import Company
from subscriptions.models import Subscription
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

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


def test_a_single_charge_billed_early_is_issued_from_its_draft() -> None:
    company = a_company(today=START, draft_hours=48)
    subscription = a_subscription(company, plan=a_plan(company, amount="31.00"))
    run(company, START)
    later = {"service_on": date(2026, 1, 20), "unit_amount": Decimal(50), "product": a_product(company)}
    at = set_clock(company, date(2026, 1, 2))
    acts_items.add_one_off(subscription=subscription, bill_now=True, by=BY, at=at, **later)
    early = Invoice.objects.get(company=company, charge_due_on=date(2026, 1, 2))
    assert (early.net_minor, early.waits_for) == (5000, "window")
    issued = approving.issue(invoice=early, at=at, by=BY)
    assert (issued.public_id, issued.net_minor, issued.number) == (early.public_id, 5000, "TEST-INV-2026-000001")


def test_drafts_of_what_is_parked_wait_when_something_else_of_the_customer_changes() -> None:
    company = a_company(today=START, draft_hours=48, invoice_per_subscription=True)
    customer = a_customer(company)
    plan = a_plan(company, amount="31.00", rules={"notice_to": "any_day"})
    first, second = (a_subscription(company, customer, plan) for _ in range(2))
    run(company, START)
    keeping.park(subscription_id=second.pk, code="billing.unexpected", detail="", at=at_noon(START))
    kept = Invoice.objects.get(lines__subscription=second)
    acts.cancel(subscription=first, timing="date", ends_on=date(2026, 1, 15), by=BY, at=at_noon(START))
    assert sorted(Invoice.objects.values_list("net_minor", flat=True)) == [1500, 3100]
    assert Invoice.objects.get(lines__subscription=second).pk == kept.pk


def test_drafts_of_another_zone_stay_when_something_of_the_customer_changes() -> None:
    company = a_company(today=START, draft_hours=48, invoice_per_subscription=True)
    customer = a_customer(company)
    plan = a_plan(company, amount="31.00", rules={"notice_to": "any_day"})
    first = a_subscription(company, customer, plan)
    other = a_subscription(company, customer, plan)
    Subscription.objects.filter(pk=other.pk).update(time_zone="America/New_York")
    run(company, START)
    kept = Invoice.objects.get(lines__subscription=other)
    acts.cancel(subscription=first, timing="date", ends_on=date(2026, 1, 15), by=BY, at=at_noon(START))
    assert Invoice.objects.get(lines__subscription=other).pk == kept.pk


def test_a_draft_without_mail_is_issued_without_mail() -> None:
    from core.models import Outbox

    company = a_company(today=START, draft_hours=48)
    a_subscription(company, plan=a_plan(company, amount="31.00"))
    bill(company, START, notify_since=date(2026, 1, 2))
    draft = Invoice.objects.get(company=company)
    assert draft.notifies is False
    issued = approving.issue(invoice=draft, at=at_noon(START), by=BY)
    assert (issued.notifies, Outbox.objects.filter(kind="document_mail").count()) == (False, 0)


def test_a_draft_written_anew_waits_for_a_vat_id_that_came_meanwhile() -> None:
    company = a_company(today=START, draft_hours=1)
    customer = a_customer(company, vat_id="FR40303265045", kind="company", country="FR")
    type(customer).objects.filter(pk=customer.pk).update(vat_state="valid")
    drafted(company, customer=customer)
    type(customer).objects.filter(pk=customer.pk).update(vat_state="pending")
    subscription = company_subscription(company)
    acts.cancel(subscription=subscription, timing="date", ends_on=date(2026, 1, 15), by=BY, at=at_noon(START))
    again = Invoice.objects.get(company=company)
    assert (again.waits_for, again.issue_after_at) == ("vat_check", at_noon(START) + timedelta(hours=72))


def test_usage_billed_before_its_close_is_issued_from_its_draft() -> None:
    company = a_company(today=START, draft_hours=48)
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=10000))
    set_clock(company, date(2026, 1, 10))
    take_in(company, sent(meter, subscription, "2026-01-09T12:00:00Z", 150))
    bill(company, date(2026, 1, 10))
    draft = Invoice.objects.get(company=company)
    issued = approving.issue(invoice=draft, at=at_noon(date(2026, 1, 11)), by=BY)
    assert (issued.public_id, issued.net_minor) == (draft.public_id, 15000)
    bill(company, date(2026, 2, 1))
    assert Invoice.objects.filter(company=company).count() == 1


def test_drafts_at_net_and_gross_prices_keep_their_own_addresses() -> None:
    company = a_company(today=START, draft_hours=48)
    customer = a_customer(company)
    rules = {"notice_to": "any_day"}
    net, gross = (
        a_subscription(company, customer, a_plan(company, amount="31.00", rules=rules, price={"tax_behavior": kind}))
        for kind in ("exclusive", "inclusive")
    )
    run(company, START)
    kept = Invoice.objects.get(lines__subscription=gross)
    acts_pausing.pause(subscription=net, from_on=START, by=BY, at=at_noon(START))
    assert Invoice.objects.get().public_id == kept.public_id
