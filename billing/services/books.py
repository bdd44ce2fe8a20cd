"""The books: a small chart of accounts, balanced entries, and what they add up to.

The rule that matters: all postings of an entry are written in one statement and sum to zero; debit is above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import connection
from django.db.models import Sum

from billing.models import Account, ChainHead, Posting
from billing.models.books import ACCOUNT_NAMES, account_words
from billing.services.chain import ChainProblem, verify_chain
from billing.services.copying import copy, optional, take_ids
from core.models import Company
from core.refusal import Refused

__all__ = ["ChainProblem", "Entry", "ensure_accounts", "post", "posting_lines", "trial_balance", "verify_chain"]

#: chart: the usual code of each role's account, in the order of the names
CODES: Final = {
    "skr03": "1400 8400 1776 1200 1710 1590 2400 1719 1360 4970 2650 2660",
    "skr04": "1200 4400 3806 1800 3250 1370 6930 3259 1460 6855 7110 4840",
    "neutral": "1100 4000 2200 1000 2100 1190 6900 2110 1050 6800 4900 7900",
}
CHARTS: Final = {chart: dict(zip(ACCOUNT_NAMES, codes.split(), strict=True)) for chart, codes in CODES.items()}
ENTRIES: Final = "billing_entry_seq"
POSTING_COLUMNS: Final = (
    "company_id, entry, account_id, booked_on, currency, amount_minor, customer_id, cause_kind, cause_id"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Postings that belong together: (role, currency, debit above zero in minor units); zero amounts are left out.

    An account other than the usual one of its role is named as `role:code`.
    """

    amounts: Sequence[tuple[str, str, int]]
    booked_on: date
    customer_id: int | None
    cause_kind: str
    cause_id: int


def ensure_accounts(company: Company) -> None:
    """Gives the company the accounts it lacks, one per role, and the head of its chain."""
    held = set(Account.objects.filter(company=company).values_list("role", flat=True))
    Account.objects.bulk_create(
        [
            Account(company=company, role=role, code=code, name=ACCOUNT_NAMES[role])
            for role, code in CHARTS[company.chart].items()
            if role not in held
        ],
        ignore_conflicts=True,
    )
    ChainHead.objects.bulk_create([ChainHead(company=company)], ignore_conflicts=True)


def revenue_accounts(company: Company, accounts: dict[tuple[str, str], int], codes: Sequence[str]) -> None:
    """Adds the revenue accounts that products name and the company lacks to its books, and to `accounts`.

    An account of another role is left out; `revenue_account` refuses it.
    """
    for code in sorted({code for code in codes if ("revenue", code) not in accounts}):
        account, _ = Account.objects.get_or_create(
            company=company, code=code, defaults={"role": Account.Role.REVENUE, "name": code}
        )
        if account.role == Account.Role.REVENUE:
            accounts["revenue", code] = account.pk


def revenue_accounts_to_be(accounts: dict[tuple[str, str], int], codes: Sequence[str]) -> None:
    """As `revenue_accounts` without writing: accounts that would be added stand in `accounts` under the id 0."""
    taken = {code for _, code in accounts}
    accounts.update({("revenue", code): 0 for code in codes if code not in taken})


def revenue_account(accounts: dict[tuple[str, str], int], code: str, product: str) -> int:
    """The id of a product's revenue account. Refuses one of another role (`billing.revenue_account`)."""
    try:
        return accounts["revenue", code]
    except KeyError:
        use = next((Account.Role(role).label for role, known in accounts if known == code), "")
        raise Refused("billing.revenue_account", account=code, product=product, use=use) from None


def account_ids(company: Company) -> dict[tuple[str, str], int]:
    """Account ids by (role, code); under (role, "") the role's usual account, its oldest."""
    found: dict[tuple[str, str], int] = {}
    for role, code, id_ in Account.objects.filter(company=company).order_by("-id").values_list("role", "code", "id"):
        found[role, code] = found[role, ""] = id_
    return found


def posting_lines(
    *,
    company_id: int,
    entry: int,
    amounts: Sequence[tuple[int, int]],
    currency: str,
    booked_on: date,
    customer_id: int | None,
    cause_kind: str,
    cause_id: int,
) -> list[str]:
    """COPY lines of one entry: (account id, debit above zero); zero amounts are left out."""
    tail = f"{currency}\t%d\t{optional(customer_id)}\t{cause_kind}\t{cause_id}"
    return [f"{company_id}\t{entry}\t{account}\t{booked_on}\t{tail % amount}" for account, amount in amounts if amount]


def post(*, company: Company, entries: Sequence[Entry]) -> list[int]:
    """Books the entries, all in one statement; their entry numbers in order (0 for an entry of nothing).

    The database refuses an entry that doesn't balance per currency.
    """
    if not entries:
        return []
    accounts = account_ids(company)
    if any((name.partition(":")[0], "") not in accounts for entry in entries for name, _, _ in entry.amounts):
        ensure_accounts(company)
        accounts = account_ids(company)
    numbers = take_ids({ENTRIES: len(entries)})[ENTRIES]
    lines: list[str] = []
    given: list[int] = []
    for entry, number in zip(entries, numbers, strict=True):
        before = len(lines)
        for name, currency, minor in entry.amounts:
            role, _, code = name.partition(":")
            lines += posting_lines(
                company_id=company.pk,
                entry=number,
                amounts=[(accounts[role, code], minor)],
                currency=currency,
                booked_on=entry.booked_on,
                customer_id=entry.customer_id,
                cause_kind=entry.cause_kind,
                cause_id=entry.cause_id,
            )
        given.append(number if len(lines) > before else 0)
    copy("billing_posting", POSTING_COLUMNS, lines)
    return given


def trial_balance(company: Company, on: date) -> list[tuple[str, str, str, int]]:
    """(code, name, currency, balance) of every account with postings up to that day; debit above zero.

    The balances of one currency always add up to zero.
    """
    rows = (
        Posting.objects.filter(company=company, booked_on__lte=on)
        .values("account__role", "account__code", "account__name", "currency")
        .annotate(balance=Sum("amount_minor"))
        .order_by("account__code", "currency")
    )
    return [
        (
            row["account__code"],
            account_words(row["account__role"], row["account__code"], row["account__name"]),
            row["currency"],
            int(row["balance"]),
        )
        for row in rows
    ]


def entries_of(cause_kind: str, cause_id: int) -> list[tuple[int, str, int]]:
    """(entry, account code, amount) of the postings that a row caused, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.entry, a.code, p.amount_minor FROM billing_posting p "
            "JOIN billing_account a ON a.id = p.account_id "
            "WHERE p.cause_kind = %s AND p.cause_id = %s ORDER BY p.entry, p.id",
            [cause_kind, cause_id],
        )
        rows: list[tuple[int, str, int]] = cursor.fetchall()
    return rows
