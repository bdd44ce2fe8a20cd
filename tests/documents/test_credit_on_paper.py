"""What the PDF says of credit that lowered a line, of an invoice that is replaced, of terms from the month's end."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.documents.content import read
from billing.documents.layout import sheet
from billing.models import Invoice
from billing.services import drafting
from billing.services.draft_lines import DraftLine
from billing.services.replacing import replace
from tests.billing.test_allowances import a_customer_with_plan, billed, grant, sell
from tests.factories import BY, a_company, at_noon

pytestmark = pytest.mark.django_db
AT = at_noon(date(2026, 1, 1))


def printed(invoice: Invoice) -> dict[str, Any]:
    return sheet(read(Invoice.objects.get(pk=invoice.pk)))


def facts(invoice: Invoice) -> dict[str, str]:
    return {fact.label: fact.value for fact in printed(invoice)["facts"]}


def test_a_line_says_what_credit_took_off() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    grant(customer, 1000)
    sell(company, customer, 2000)
    [row] = printed(billed(company))["rows"]
    assert row.amount == "70.00"
    assert row.details[1:] == ["Granted credit lowers it by €10.00.", "Prepaid credit lowers it by €20.00."]


def test_a_pack_says_what_it_is_good_for() -> None:
    company = a_company()
    invoice, _ = sell(company, a_customer_with_plan(company), 2000, expires_on=date(2026, 12, 31))
    [row] = printed(invoice)["rows"]
    assert (row.description, row.amount) == ("Prepaid credit", "20.00")
    assert row.details == ["Credit of €20.00, without tax, to be used on later invoices until 31 Dec 2026."]


def test_an_invoice_names_the_one_it_replaces_and_terms_from_the_months_end() -> None:
    company = a_company(payment_terms_days=10, payment_terms_from="month_end")
    a_customer_with_plan(company)
    old = billed(company)
    assert facts(old)["Payment terms"] == "End of month + 10 days"
    _, new = replace(invoice=old, how="issue", reason="wrong", by=BY, at=AT)
    assert (facts(new)["Replaces invoice"], facts(new)["Payment terms"]) == (old.number, "End of month + 10 days")
    assert "Replaces invoice" not in facts(old)


def test_an_amount_set_by_hand_says_so() -> None:
    company = a_company()
    a_customer_with_plan(company)
    _, draft = replace(invoice=billed(company), reason="wrong", by=BY, at=AT)
    [line] = draft.lines.all()
    changed = DraftLine(
        of=1, quantity=line.quantity, unit_amount=line.unit_amount, amount_minor=9000, reason="by phone"
    )
    drafting.update_draft(invoice=draft, lines=[changed], by=BY, at=AT)
    [row] = printed(drafting.issue(invoice=draft, by=BY, at=AT))["rows"]
    assert row.details[1:] == ["Set by hand to €90.00, instead of €100.00: by phone"]
