"""Statements are read in once, whatever overlaps, and checked against their balances."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from core.refusal import Refused
from tests.factories import TODAY, a_company, a_customer
from tests.money.bank import ERIKA, FILES, MAX, Booking, camt053, entry, lines_of, read_in
from tests.money.providers import billed

NEXT = TODAY + timedelta(days=1)
DATABASE = pytest.mark.django_db
pytestmark = DATABASE


@pytest.fixture
def company():
    return a_company()


def sums(company):
    """Lines by state: how many, and how much."""
    found = {}
    for line in lines_of(company):
        count, total = found.get(line.state, (0, 0))
        found[line.state] = (count + 1, total + line.amount_minor)
    return found


def codes(result):
    return [problem.code for problem in result.problems]


def test_a_file_read_in_again_adds_nothing(company):
    from billing.models import BankStatement, Payment
    from core.models import StoredFile

    invoice = billed(company, a_customer(company))
    data = camt053(entry(Booking("11.90", invoice.number)), entry(Booking("3.00", "?", iban=MAX)))
    first = read_in(company, data)
    second = read_in(company, data)
    assert (first.new, first.known, second.new, second.known) == (2, 0, 0, 2)
    assert [row.pk for row in second.statements] == [row.pk for row in first.statements]
    counts = (BankStatement, Payment, StoredFile)
    assert [model.objects.filter(company=company).count() for model in counts] == [1, 1, 1]
    assert sums(company) == {"matched": (1, 1190), "open": (1, 300)}


def test_a_file_that_overlaps_adds_what_is_new(company):
    old, new = Booking("5.00", "a", reference="B1"), Booking("6.00", "b", reference="B2", on=NEXT)
    read_in(company, camt053(entry(old)))
    result = read_in(company, camt053(entry(old), entry(new), number="2", on=NEXT), on=NEXT)
    [statement] = result.statements
    assert (result.new, result.known, statement.line_count, statement.new_count) == (1, 1, 2, 1)
    assert sum(line.amount_minor for line in lines_of(company)) == 1100


def test_two_equal_bookings_of_a_file_are_two(company):
    twin = Booking("5.00", "coffee")
    data = camt053(entry(twin), entry(twin))
    assert read_in(company, data).new == 2
    third = camt053(entry(twin), entry(twin), entry(twin), number="2")
    assert read_in(company, third).new == 1
    assert len(lines_of(company)) == 3


def test_a_statement_that_stands_in_a_file_twice_counts_once(company):
    one = (FILES / "mt940_german.sta").read_bytes()
    assert read_in(company, one + one, on=TODAY + timedelta(days=3)).new == 3


def test_another_company_reads_the_same_file_for_itself(company):
    data = camt053(entry(Booking("5.00")))
    assert (read_in(company, data).new, read_in(a_company(), data).new) == (1, 1)


def test_balances_that_differ_from_the_lines_are_reported(company):
    result = read_in(company, camt053(entry(Booking("5.00")), opening="1.00", closing="7.00"))
    assert codes(result) == ["bank.sum"]
    assert result.problems[0].message == "The lines add up to €5.00, the balances differ by €6.00."
    assert len(lines_of(company)) == 1


def test_a_missing_statement_is_reported_until_it_comes(company):
    from billing.services import statements

    days = [TODAY + timedelta(days=n) for n in range(3)]
    files = [
        camt053(entry(Booking("5.00", on=day)), opening=f"{5 * n}.00", number=f"{n + 1}", on=day)
        for n, day in enumerate(days)
    ]
    assert codes(read_in(company, files[0])) == []
    assert codes(read_in(company, files[2], on=days[2])) == ["bank.gap"]
    [(before, after)] = statements.gaps(company)
    assert (before.number, after.number) == ("1", "3")
    assert codes(read_in(company, files[1], on=days[2])) == []
    assert statements.gaps(company) == []


def test_a_bad_line_is_reported_and_the_others_are_kept(company):
    data = (FILES / "sparkasse.csv").read_bytes()
    result = read_in(company, data, on=NEXT)
    assert (result.new, codes(result)) == (2, ["bank.line_day"])
    assert result.statements[0].iban_end == "2051"


def test_nothing_is_kept_of_a_refused_file(company):
    from billing.models import BankStatement
    from core.models import StoredFile

    with pytest.raises(Refused):
        read_in(company, camt053(entry(Booking("5.00")))[:-30])
    assert not BankStatement.objects.exists()
    assert not StoredFile.objects.filter(company=company).exists()


def test_the_account_of_who_paid_stands_sealed(company):
    read_in(company, camt053(entry(Booking("5.00"))))
    with connection.cursor() as cursor:
        cursor.execute("SELECT iban FROM billing_bankline")
        [(kept,)] = cursor.fetchall()
    assert ERIKA not in kept
    assert lines_of(company)[0].iban == ERIKA


@pytest.mark.parametrize("order", [("053", "054"), ("054", "053")])
def test_a_batch_told_as_a_sum_and_in_its_parts_counts_once(company, order):
    parts = [Booking("5.00", "a"), Booking("6.00", "b", name="Max")]
    files = {
        "053": camt053(entry(*parts, reference="B7", details=False)),
        "054": camt053(entry(*parts, reference="B7"), kind="054"),
    }
    for kind in order:
        read_in(company, files[kind], name=kind)
    assert sums(company) == {"ignored": (1, 1100), "open": (2, 1100)}


def test_a_thousand_lines_are_read_in_and_judged_in_few_statements(company, django_assert_max_num_queries):
    data = camt053(*(entry(Booking(f"{n}.17", f"text {n}", name=f"N {n}", iban="")) for n in range(1, 1001)))
    with django_assert_max_num_queries(40):
        result = read_in(company, data)
    assert (result.new, result.ended) == (1000, {"open": 1000})


@pytest.mark.django_db(transaction=True)
def test_the_same_file_read_in_by_several_at_once_adds_its_lines_once():
    from billing.models import BankLine, BankStatement, Payment

    company = a_company()
    invoices = [billed(company, a_customer(company), f"{n}.00") for n in (10, 20, 30)]
    data = camt053(
        *(entry(Booking(f"{n}", one.number)) for n, one in zip(("11.90", "23.80", "35.70"), invoices, strict=True))
    )
    barrier = Barrier(3)

    def run(number):
        try:
            barrier.wait()
            return read_in(company, data, name=f"{number}.xml").new
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(run, range(3)))
    assert sorted(found) == [0, 0, 3]
    assert BankStatement.objects.filter(company=company).count() == 1
    assert BankLine.objects.filter(company=company, state="matched").count() == 3
    assert Payment.objects.filter(company=company).count() == 3
