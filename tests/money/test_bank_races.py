"""Bank lines from several sides at once: real threads, real transactions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.bank import Booking, camt053, entry, lines_of, read_in
from tests.money.providers import billed

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*functions):
    """Runs them at the same time, each on a connection of its own; what they answered, or the code of a refusal."""
    barrier = Barrier(len(functions))

    def run(function):
        try:
            barrier.wait()
            return function()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, function) for function in functions]]


def open_of(invoice):
    from billing.models import InvoiceBalance

    return InvoiceBalance.objects.get(invoice=invoice).open_minor


def a_line(company, amount="5.00"):
    read_in(company, camt053(entry(Booking(amount, "?", name="?"))))
    return lines_of(company)[-1]


def test_two_people_who_confirm_different_things_do_one_of_them():
    from billing.models import Payment
    from billing.services import bank_lines

    company = a_company()
    first, second = billed(company, a_customer(company)), billed(company, a_customer(company))
    line = a_line(company)
    found = at_once(*[
        lambda invoice=invoice: bank_lines.choose(line=line, invoices=[invoice], by=BY, at=at_noon(TODAY)).state
        for invoice in (first, second, first, second)
    ])  # fmt: skip
    assert Payment.objects.filter(company=company).count() == 1
    assert sorted([open_of(first), open_of(second)]) == [690, 1190]
    assert sorted(found) == ["bank_line.settled", "bank_line.settled", "matched", "matched"]


def test_confirmed_and_set_aside_at_once_is_one_of_both():
    from billing.models import Payment
    from billing.services import bank_lines

    company = a_company()
    invoice = billed(company, a_customer(company))
    line = a_line(company)
    common = {"line": line, "by": BY, "at": at_noon(TODAY)}
    found = at_once(
        lambda: bank_lines.choose(invoices=[invoice], **common).state,
        lambda: bank_lines.set_aside(reason="private", **common).state,
    )
    assert "bank_line.settled" in found
    line.refresh_from_db()
    assert Payment.objects.filter(company=company).count() == (1 if line.state == "matched" else 0)


def test_taken_back_by_two_at_once_is_taken_back_once():
    from billing.models import Payment
    from billing.services import bank_lines

    company = a_company()
    invoice = billed(company, a_customer(company))
    line = a_line(company)
    bank_lines.choose(line=line, invoices=[invoice], by=BY, at=at_noon(TODAY))
    undo = [lambda: bank_lines.undo(line=line, reason="no", by=BY, at=at_noon(TODAY)).state] * 3
    assert len(at_once(*undo)) == 3
    assert open_of(invoice) == 1190
    assert list(Payment.objects.filter(company=company).values_list("status", flat=True)) == ["canceled"]


def test_ticks_at_once_carry_out_each_line_once():
    from billing.models import BankLine, Payment
    from billing.services import bank_lines

    company = a_company()
    customers = [a_customer(company) for _ in range(4)]
    read_in(company, camt053(*(entry(Booking("11.90", f"INV-2026-{n:06}", name="?")) for n in range(1, 5))))
    assert {line.state for line in lines_of(company)} == {"open"}
    invoices = [billed(company, customer) for customer in customers]
    at_once(*[lambda: bank_lines.bank_tick(company, at_noon(TODAY))] * 3)
    assert BankLine.objects.filter(company=company, state="matched").count() == 4
    assert Payment.objects.filter(company=company).count() == 4
    assert [open_of(invoice) for invoice in invoices] == [0, 0, 0, 0]
