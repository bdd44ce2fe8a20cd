"""The statement of account: opening, every document and payment, closing; on paper in five languages."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.billing.test_payments import an_invoice, pay
from tests.factories import BY, a_company, a_customer, at_noon

pytestmark = pytest.mark.django_db
FEBRUARY = (date(2026, 2, 1), date(2026, 2, 28))


@pytest.fixture
def company():
    return a_company(payment_terms_days=14)


def account(customer: Any, first: date = FEBRUARY[0], last: date = FEBRUARY[1]) -> Any:
    from billing.services import customer_accounts

    return customer_accounts.account_of(customer=customer, currency="EUR", first=first, last=last)


def told(found: Any) -> list[tuple[Any, ...]]:
    return [(one.on, one.words, one.reference, one.amount_minor, one.balance_minor) for one in found.entries]


def test_opening_entries_and_closing(company):
    """119.00 of January; 100.00 paid; a credit note over 19.00; then 119.00 for February and 11.90."""
    from billing.services import crediting

    who = a_customer(company)
    old = an_invoice(company, who)
    pay(company, 10000, on=date(2026, 2, 3), invoice=old, reference="RF-1")
    note = crediting.credit_invoice(invoice=old, gross_minor=1900, reason="kind", by=BY, at=at_noon(date(2026, 2, 4)))
    new = an_invoice(company, who, "10.00", on=date(2026, 2, 5))
    found = account(who)
    assert (found.opening_minor, found.closing_minor) == (11900, 11900 + 1190)
    mine = [row for row in told(found) if row[2] in ("RF-1", note.number, new.number)]
    assert mine[:2] == [
        (date(2026, 2, 3), "Payment", "RF-1", -10000, 1900),
        (date(2026, 2, 4), "Credit note", note.number, -1900, 0),
    ]
    assert mine[2][1] == "Invoice"
    assert found.opening_minor + sum(entry.amount_minor for entry in found.entries) == found.closing_minor


def test_credit_that_pays_and_losses_are_no_entries(company):
    """What the books gave up is still owed; account credit that pays an invoice cancels out."""
    from billing.services import receivables

    who = a_customer(company)
    pay(company, 5000, customer=who)
    lost = an_invoice(company, who)
    receivables.write_off(invoice=lost, reason="gone", by=BY, at=at_noon(date(2026, 2, 10)))
    found = account(who, date(2026, 1, 1))
    assert [entry.words for entry in found.entries] == ["Payment", "Invoice"]
    assert found.closing_minor == 11900 - 5000


def test_money_taken_back_a_refund_and_a_claim_have_their_names(company):
    from billing.services import account_credit, payments

    who = a_customer(company)
    taken = pay(company, 3000, on=date(2026, 2, 2), customer=who)
    payments.take_back(payment=taken, reason="returned", on=date(2026, 2, 5), by=BY, at=at_noon(date(2026, 2, 5)))
    pay(company, 2000, on=date(2026, 2, 6), customer=who)
    refund = account_credit.refund_credit(
        customer=who, currency="EUR", amount_minor=2000, reason="asked", by=BY, at=at_noon(date(2026, 2, 7))
    )
    account_credit.settle_refund(refund=refund, paid_on=date(2026, 2, 8), by=BY, at=at_noon(date(2026, 2, 8)))
    assert [(entry.words, entry.amount_minor) for entry in account(who).entries] == [
        ("Payment", -3000), ("Payment taken back", 3000), ("Payment", -2000), ("Refund", 2000),
    ]  # fmt: skip


def test_another_customers_entries_are_not_on_it(company):
    an_invoice(company)
    assert account(a_customer(company), date(2026, 1, 1)).entries == []


def test_days_the_wrong_way_round_are_refused(company):
    from core.refusal import Refused

    with pytest.raises(Refused) as refused:
        account(a_customer(company), FEBRUARY[1], FEBRUARY[0])
    assert refused.value.code == "account.days_reversed"


def paper(customer: Any, language: str) -> bytes:
    from billing.services import account_papers

    return account_papers.pdf_of(
        customer=customer, currency="EUR", first=date(2026, 1, 1), last=FEBRUARY[1], on=FEBRUARY[1], language=language
    )


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_the_paper_says_the_sums_in_each_language(company, language):
    from core.design import formats

    from .papers import pages_of

    who = a_customer(company, name="Anna Meier")
    invoice = an_invoice(company, who)
    pay(company, 10000, on=date(2026, 2, 3), invoice=invoice, reference="RF-1")
    text = " ".join("\n".join(pages_of(paper(who, language))).split())
    for words in ("Anna Meier", invoice.number, "RF-1", formats.money(1900, "EUR", language=language)):
        assert words.replace("\xa0", " ") in text.replace("\xa0", " ")
    assert paper(who, language) == paper(who, language)
