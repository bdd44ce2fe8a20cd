"""Lives at random: the bridge has no rest, revenue, taxes and balances are what the accounts say, deferral adds up."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from tests.reporting.money_life import MoneyLife, lives, sums
from tests.reporting.opening import ask, wrong_numbers
from tests.reporting.test_bridge import closes
from tests.stories.business import START

pytestmark = pytest.mark.django_db


def posted(company: Any, role: str, first: date, last: date) -> int:
    """Debits less credits on the accounts of a role."""
    [(total,)] = sums(
        "SELECT coalesce(sum(p.amount_minor), 0)::bigint FROM billing_posting p JOIN billing_account a "
        "ON a.id = p.account_id WHERE p.company_id = %s AND a.role = %s AND p.booked_on BETWEEN %s AND %s",
        company.pk, role, first, last,
    )  # fmt: skip
    return int(total)


def figure(report: Any, name: str) -> int:
    return sum(one.value for one in report.figures if one.name == name)


def revenue_is_what_its_accounts_say(company: Any, first: date, last: date) -> None:
    report = ask(company, "revenue", first, last)
    assert figure(report, "revenue") == -posted(company, "revenue", first, last)
    assert wrong_numbers(company, report) == []


def taxes_are_what_their_account_says(company: Any, first: date, last: date) -> None:
    report = ask(company, "vat", first, last)
    assert figure(report, "tax") == -posted(company, "tax", first, last)
    assert wrong_numbers(company, report) == []


def deferral_adds_up(company: Any, first: date, last: date) -> None:
    """At each month's end deferred less accrued is what was booked less what was earned up to it; the schedule is all
    that is deferred."""
    report = ask(company, "deferred", first, last)
    balance: dict[str, int] = defaultdict(int)
    for line in report.table("months").lines:
        _month, booked, earned, deferred, accrued, told = line.cells
        balance[line.currency] += booked - earned
        assert told == deferred - accrued == balance[line.currency]
    released = sum(line.cells[-1] for line in report.table("schedule").lines)
    assert released == figure(report, "deferred")
    assert wrong_numbers(company, report) == []


def months_are_the_pure_arithmetic(company: Any, first: date, last: date) -> None:
    """What each month earned, counted once more line by line in Python."""
    from pricing.recognition import by_month
    from reporting.models import RevenueEntry

    earned: dict[date, int] = defaultdict(int)
    for entry in RevenueEntry.objects.filter(company=company):
        for month, minor in by_month(entry.amount_minor, entry.start_on, entry.end_on).items():
            earned[month] += minor
    whole = last.replace(day=1) - timedelta(days=1)
    table = ask(company, "deferred", first.replace(day=1), max(whole, first)).table("months")
    for line in table.lines:
        if line.cells[0] < last.replace(day=1):
            assert line.cells[2] == earned[line.cells[0]], line.cells[0]


def accounts_agree(company: Any, first: date, last: date) -> None:
    from billing.services.books import trial_balance

    report = ask(company, "journal", first, last)
    assert figure(report, "debits") == figure(report, "credits")
    closing = {line.cells[0]: line.cells[-1] for line in report.table("accounts").lines}
    expected = {f"{code} {name}": minor for code, name, _currency, minor in trial_balance(company, last) if minor}
    assert {name: minor for name, minor in closing.items() if minor} == expected
    assert sum(closing.values()) == 0
    assert wrong_numbers(company, report) == []
    balances = ask(company, "balances", first, last)
    standing = posted(company, "receivable", date.min, last) + posted(company, "customer_credit", date.min, last)
    assert figure(balances, "closing") == standing
    assert wrong_numbers(company, balances) == []


class Books(MoneyLife):
    def teardown(self) -> None:
        try:
            first, last = START - timedelta(days=70), self.today
            closes(self.company, START, last)
            deferral_adds_up(self.company, first, last)
            months_are_the_pure_arithmetic(self.company, first, last)
            for start in (START, date(2028, 1, 1)):
                if start <= last:
                    revenue_is_what_its_accounts_say(self.company, start, last)
                    taxes_are_what_their_account_says(self.company, start, last)
                    accounts_agree(self.company, start, last)
        finally:
            super().teardown()


def test_whatever_happens_the_reports_say_what_the_books_say():
    lives(Books, examples=6, steps=20)
