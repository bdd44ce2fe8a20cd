"""Drafts of billing that a person edits, deletes, approves. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.models import BilledDays, Invoice, InvoiceLine
from billing.services import acts, approving, drafting, running
from billing.services.draft_lines import DraftLine
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Subscription
from tests.billing.money import sound
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db
START = date(2026, 1, 1)
AT = at_noon(START)


def run(company: Company, on: date = START) -> None:
    started = running.start(company=company, on=on, by=BY, at=set_clock(company, on))
    if started is not None:
        running.work(started)


def drafted(*amounts: str, company: Company | None = None) -> Invoice:
    """A draft of a run with a line for each amount."""
    company = company or a_company(today=START, draft_hours=48)
    customer = a_customer(company)
    for amount in amounts:
        a_subscription(company, customer, a_plan(company, amount=amount, rules={"notice_to": "any_day"}))
    run(company)
    return Invoice.objects.select_related("company", "customer").get(customer=customer)


def continued(line: InvoiceLine, **changes: Any) -> DraftLine:
    values = {"of": line.position, "quantity": line.quantity, "unit_amount": line.unit_amount}
    return DraftLine(**(values | changes))


def edit(draft: Invoice, *lines: DraftLine, **changes: Any) -> Invoice:
    return drafting.update_draft(invoice=draft, lines=lines, by=BY, at=AT, **changes)


def test_another_amount_keeps_its_reason_and_the_amount_before() -> None:
    draft = drafted("31.00")
    [line] = draft.lines.all()
    edit(draft, continued(line, description="January, reduced", amount_minor=2500, reason="outage"))
    line.refresh_from_db()
    assert (line.description, line.amount_minor, line.net_minor) == ("January, reduced", 2500, 2500)
    assert line.calculation["edited"] == {"from_minor": 3100, "amount_minor": 2500, "reason": "outage"}
    issued = approving.issue(invoice=Invoice.objects.get(pk=draft.pk), by=BY, at=AT)
    # The stored amount is issued, not price x quantity.
    assert (issued.pk, issued.net_minor, issued.tax_minor) == (draft.pk, 2500, 475)
    assert sound(draft.company) == {"1400": 2975, "1776": -475, "8400": -2500}


def test_another_quantity_is_charged_for_the_lines_share_of_its_period() -> None:
    company = a_company(today=date(2026, 1, 11), draft_hours=48)
    customer = a_customer(company)
    plan = a_plan(company, amount="31.00", rules={"anchor_rule": "calendar"})
    a_subscription(company, customer, plan, on=date(2026, 1, 11))
    run(company, date(2026, 1, 11))
    draft = Invoice.objects.get(company=company)
    [line] = draft.lines.all()
    # 21 of 31 days of 31.00; twice that.
    assert line.amount_minor == 2100
    edit(draft, continued(line, quantity=Decimal(2), reason="two"))
    line.refresh_from_db()
    assert (line.amount_minor, line.quantity) == (4200, 2)


def test_an_unchanged_line_stays_as_it_was() -> None:
    draft = drafted("31.00")
    [line] = draft.lines.all()
    edit(draft, continued(line))
    [again] = draft.lines.all()
    assert (again.pk, again.amount_minor, again.calculation) == (line.pk, 3100, line.calculation)


def test_an_edited_draft_waits_for_a_person() -> None:
    draft = drafted("31.00")
    [line] = draft.lines.all()
    edit(draft, continued(line, amount_minor=100))
    draft.refresh_from_db()
    assert (draft.waits_for, draft.issue_after_at, draft.balance.status) == ("", None, "draft")
    assert approving.issue_due(draft.company, AT + timedelta(days=9)) == {"invoices": 0}
    run(draft.company)
    assert Invoice.objects.count() == 1


def test_a_line_taken_out_is_billed_again_later() -> None:
    draft = drafted("31.00", "10.00")
    first, second = draft.lines.all()
    edit(draft, continued(first))
    draft.refresh_from_db()
    assert (draft.net_minor, InvoiceLine.objects.filter(pk=second.pk).exists()) == (3100, False)
    [again] = bill(draft.company, START).draft_ids
    assert Invoice.objects.get(pk=again).net_minor == 1000
    sound(draft.company)


def test_a_line_taken_out_may_stay_free() -> None:
    draft = drafted("31.00", "10.00")
    first, _ = draft.lines.all()
    edit(draft, continued(first), removed="free")
    assert bill(draft.company, START).invoice_ids == []
    assert BilledDays.objects.filter(line=None).count() == 1
    sound(draft.company)


def test_a_line_is_added_and_the_order_is_that_given() -> None:
    draft = drafted("31.00")
    [line] = draft.lines.all()
    product = a_product(draft.company)
    added = DraftLine(description="Set-up", quantity=Decimal(2), unit_amount=Decimal("50.00"), product=product)
    edit(draft, added, continued(line))
    rows = [(row.position, row.description, row.amount_minor) for row in draft.lines.order_by("position")]
    assert [(1, "Set-up", 10000), (2, line.description, 3100)] == rows
    issued = approving.issue(invoice=Invoice.objects.get(pk=draft.pk), by=BY, at=AT)
    assert issued.net_minor == 13100
    sound(draft.company)


def test_a_line_that_the_draft_does_not_have_is_refused() -> None:
    draft = drafted("31.00")
    [line] = draft.lines.all()
    for lines in ([continued(line, of=7)], [continued(line), continued(line)]):
        with pytest.raises(Refused) as refused:
            edit(draft, *lines)
        assert refused.value.code == "draft.line_unknown"


def test_a_deleted_draft_is_billed_again_or_stays_free() -> None:
    draft = drafted("31.00")
    drafting.delete_draft(invoice=draft, by=BY, at=AT)
    assert Invoice.objects.count() == 0
    [again] = bill(draft.company, START).draft_ids
    assert Invoice.objects.get(pk=again).net_minor == 3100

    other = drafted("31.00", company=a_company(today=START, draft_hours=48))
    drafting.delete_draft(invoice=other, days="free", by=BY, at=AT)
    assert bill(other.company, START).invoice_ids == []


def test_many_are_approved_at_once_of_both_kinds() -> None:
    company = a_company(today=START, draft_hours=48)
    drafts = [drafted("31.00", company=company) for _ in range(2)]
    [line] = drafts[0].lines.all()
    edit(drafts[0], continued(line, amount_minor=100))
    issued = approving.approve(company=company, invoice_ids=[draft.pk for draft in drafts], by=BY, at=AT)
    rows = Invoice.objects.filter(pk__in=issued).order_by("sequence")
    assert [(row.sequence, row.net_minor) for row in rows] == [(1, 100), (2, 3100)]
    sound(company)


def test_one_that_cannot_be_computed_stays_and_stops_no_other() -> None:
    company = a_company(today=START, draft_hours=48)
    bad, good = drafted("31.00", company=company), drafted("20.00", company=company)
    stuck = Subscription.objects.get(customer=bad.customer)
    Subscription.objects.filter(pk=stuck.pk).update(parked_at=AT, parked_code="x", parked_detail="look at it")
    issued = approving.approve(company=company, invoice_ids=[bad.pk, good.pk], by=BY, at=AT)
    assert [row.net_minor for row in Invoice.objects.filter(pk__in=issued)] == [2000]
    assert Invoice.objects.get(pk=bad.pk).waits_for == "window"
    with pytest.raises(Refused) as refused:
        approving.issue(invoice=bad, by=BY, at=AT)
    assert refused.value.code == "draft.not_issued"


def test_an_end_shortens_the_line_of_an_edited_draft() -> None:
    draft = drafted("31.00")
    [line] = draft.lines.all()
    edit(draft, continued(line, amount_minor=6200))
    subscription = Subscription.objects.get(customer=draft.customer)
    acts.cancel(subscription=subscription, timing="date", ends_on=date(2026, 1, 10), by=BY, at=AT)
    bill(draft.company, date(2026, 1, 11))
    # A draft is never credited: 10 of 31 days of 62.00.
    line.refresh_from_db()
    assert (line.amount_minor, line.period_end) == (2000, date(2026, 1, 11))
    draft.refresh_from_db()
    assert (draft.net_minor, draft.sequence) == (2000, None)
    issued = drafting.issue(invoice=draft, by=BY, at=at_noon(date(2026, 1, 11)))
    assert issued.net_minor == 2000
    sound(draft.company)


def test_why_taxes_cannot_be_decided_is_said_in_words() -> None:
    from catalog.models import TaxRate

    company = a_company(today=START)
    product = a_product(company)
    TaxRate.objects.filter(company=company).delete()
    with pytest.raises(Refused) as refused:
        drafting.create_draft(
            company=company, customer=a_customer(company), currency="EUR", lines=[DraftLine(product=product)],
            by=BY, at=AT,
        )  # fmt: skip
    assert refused.value.code == "draft.taxes"
    assert refused.value.message == (
        "Its taxes can't be decided: No tax rate is known for DE (standard) on 1 Jan 2026."
    )
