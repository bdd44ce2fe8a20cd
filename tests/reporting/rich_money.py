"""What goes wrong with money in the rich life: a debit that the bank refuses, a loss, a refund, money of nobody."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.factories import a_customer, a_product


def a_debit_begins(life: Any) -> Any:
    """An invoice by hand to a customer in the Netherlands with a mandate; the night's tick collects it."""
    from billing.services import drafting
    from billing.services.draft_lines import DraftLine
    from tests.money.debits import a_creditor, a_mandate

    company = life.company
    gateway = a_creditor(company)
    customer = a_customer(company, country="NL", name="Poor")
    a_mandate(customer, gateway, "NL91ABNA0417164300", on=life.day)
    line = DraftLine(quantity=Decimal(1), unit_amount=Decimal(250), product=a_product(company))
    draft = life.do(drafting.create_draft, company=company, customer=customer, currency="EUR", lines=[line])
    return life.do(drafting.issue, invoice=draft)


def the_bank_refuses(life: Any, invoice: Any) -> None:
    """The debit is refused for want of funds, half of it is paid by hand, the rest is given up; 20.00 too much of
    somebody else's money goes back, and 7.77 are nobody's."""
    from billing.models import Attempt, DebitBatch
    from billing.services import account_credit, debit_files, debit_returns, payments, receivables

    company = life.company
    for batch in DebitBatch.objects.filter(company=company, state=DebitBatch.State.MADE):
        life.do(debit_files.mark_sent, batch=batch)
    attempt = Attempt.objects.get(invoice=invoice)
    life.do(debit_returns.take_return, company=company, code="AM04", on=life.day, end_to_end_id=attempt.ref[4:])
    given = {"company": company, "currency": "EUR", "method": "transfer", "received_on": life.day}
    life.do(payments.record, **given, customer=None, invoice=invoice, amount_minor=10_000)
    life.do(receivables.write_off, invoice=invoice, reason="nothing to be had")
    life.do(payments.record, **given, customer=None, amount_minor=777)
    other = life.do(payments.record, **given, customer=a_customer(company, name="Rich"), amount_minor=2_000)
    refund = life.do(
        account_credit.refund_credit, customer=other.customer, currency="EUR", amount_minor=2_000, reason="too much"
    )
    life.do(account_credit.settle_refund, refund=refund, paid_on=life.day)
