"""Statements at random: nothing received is dropped, nothing paid twice, and what is taken back was never there."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest

from core.refusal import Refused
from pricing import remittance
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.bank import OWN, Booking, camt053, entry, lines_of, read_in
from tests.money.providers import billed

pytestmark = pytest.mark.django_db
AMOUNTS = ("10.00", "10.00", "20.00", "35.00")
NAMES = ("Muster GmbH", "Nordlicht AG", "Erika Muster")


def an_iban(number):
    """An account with its check digits."""
    bank = f"{10010010:08d}{number:010d}"
    return f"DE{98 - int(bank + '131400') % 97:02d}{bank}"


def gross(amount):
    return Decimal(amount) * 119 / 100


def a_booking(dice, invoices):
    """Anything a payer may do."""
    invoice = dice.choice(invoices)
    text = dice.choice(
        [invoice.number, invoice.number.lower().replace("-", " "), f"{invoice.number} {dice.choice(invoices).number}",
         "danke", invoice.number[:-1], f"{invoice.number}1", ""]
    )  # fmt: skip
    amount = dice.choice(
        [Decimal(invoice.gross_minor) / 100, gross(dice.choice(AMOUNTS)) + gross(dice.choice(AMOUNTS)),
         Decimal(dice.randint(1, 9999)) / 100]
    )  # fmt: skip
    sign = -1 if dice.random() < 0.15 else 1
    name = dice.choice([invoice.customer.name, *NAMES, ""])
    return Booking(f"{sign * amount:.2f}", text, name=name, iban=an_iban(dice.randint(1, 6)))


def a_choice(dice, line, invoices, customers):
    """Anything staff may do."""
    from billing.services import bank_lines

    common = {"line": line, "by": BY, "at": at_noon(TODAY)}
    match dice.randint(0, 6):
        case 0 if line.suggestions:
            return bank_lines.confirm(suggestion=dice.choice(line.suggestions), **common)
        case 1:
            return bank_lines.choose(customer=dice.choice(customers), **common)
        case 2:
            return bank_lines.choose(invoices=[dice.choice(invoices)], **common)
        case 3:
            return bank_lines.choose(is_unknown=True, **common)
        case 4:
            return bank_lines.choose(is_fee=True, **common)
        case 5:
            return bank_lines.set_aside(reason="private", **common)
    return bank_lines.undo(reason="wrong", **common)


def check(company, statements, turnover):
    from billing.models import InvoiceBalance, PaymentBalance
    from billing.services import bank_lines, books

    found = [bank_lines.totals(statement) for statement in statements]
    assert sum(total for one in found for _, total in one.values()) == turnover
    assert sum(count for one in found for count, _ in one.values()) == len(lines_of(company))
    for balance in InvoiceBalance.objects.filter(company_id=company.pk):
        assert 0 <= balance.paid_minor <= balance.gross_minor
    for balance in PaymentBalance.objects.filter(payment__company=company).select_related("payment"):
        assert balance.left_minor >= 0
    matched = sum(line.amount_minor for line in lines_of(company) if line.state == "matched")
    booked = {code: amount for code, _, _, amount in books.trial_balance(company, TODAY)}
    assert booked.get("1200", 0) == matched
    assert sum(booked.values()) == 0


@pytest.mark.parametrize("seed", range(4))
def test_lines_add_up_whatever_comes_and_whatever_staff_do(seed):
    from billing.models import InvoiceBalance
    from billing.services import bank_lines

    dice = random.Random(seed)
    company = a_company()
    customers = [a_customer(company, name=name) for name in NAMES]
    invoices = [billed(company, customer, amount) for customer in customers for amount in AMOUNTS]
    statements, files, seen, turnover = [], [], Counter(), 0
    for number in range(3):
        bookings = [a_booking(dice, invoices) for _ in range(12)]
        data = camt053(*map(entry, bookings), number=f"{number}", account=OWN)
        files.append(data)
        statements += read_in(company, data, name=f"{number}.xml").statements
        # Equal bookings of several files of one day are the same booking.
        seen |= Counter((Decimal(one.amount), remittance.folded(one.text), one.iban) for one in bookings)
        turnover = int(100 * sum(amount * count for (amount, _, _), count in seen.items()))
        check(company, statements, turnover)
    for data in files:
        assert read_in(company, data).new == 0
    for _ in range(30):
        try:
            a_choice(dice, dice.choice(lines_of(company)), invoices, customers)
        except Refused as refused:
            assert refused.code in ("bank_line.settled", "bank_line.direction", "bank_line.choice")
        check(company, statements, turnover)
    for line in lines_of(company):
        bank_lines.undo(line=line, reason="all again", by=BY, at=at_noon(TODAY))
    assert {line.state for line in lines_of(company)} <= {"open", "suggested"}
    assert all(row.open_minor == row.gross_minor for row in InvoiceBalance.objects.filter(company_id=company.pk))
    check(company, statements, turnover)
