"""The books read as an auditor would read them: from the rows alone, sharing nothing with the code that wrote them.

The one rule: what is expected is counted here once more, from the agreed terms, by other means than the product's.
The numbers are those of the promises: 1, 2, 3, 8, 9, 13, 14, 15 and 16; beside them days, usage and revenue.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import connection

from tests.factories import BY
from tests.stories.audit_days import days_match_terms, notes_give_back_days
from tests.stories.audit_revenue import revenue_follows_terms
from tests.stories.audit_usage import allowances_are_what_lines_took, usage_is_billed_once

DAY = timedelta(days=1)


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def audit(company: Any) -> None:
    """Bills what is due, reads everything and compares it with the promises, by their numbers."""
    _a_repeat_adds_nothing(company)
    _nobody_is_parked(company)
    _no_day_twice(company)
    _no_day_forgotten(company)
    days_match_terms(company, company.clock_at.date())
    notes_give_back_days(company)
    usage_is_billed_once(company)
    allowances_are_what_lines_took(company)
    revenue_follows_terms(company, company.clock_at.date())
    _nothing_over(company)
    _cancel_wins(company)
    _numbers_have_no_gap(company)
    _one_chain(company)
    _totals_add_up(company)
    _books_balance(company)


def _nobody_is_parked(company: Any) -> None:
    """11. Parking is for what can't be billed; nothing that people may do leads there."""
    parked = rows(
        "SELECT id, parked_code, parked_detail FROM subscriptions_subscription "
        "WHERE company_id = %s AND parked_at IS NOT NULL",
        company.pk,
    )
    assert parked == []


def _no_day_twice(company: Any) -> None:
    """1. No day of a slot is billed twice."""
    twice = rows(
        "SELECT a.slot_id, a.component, a.days, b.days FROM billing_billeddays a JOIN billing_billeddays b "
        "ON a.slot_id = b.slot_id AND a.component = b.component AND a.id < b.id AND a.days && b.days "
        "WHERE a.company_id = %s AND a.released_at IS NULL AND b.released_at IS NULL",
        company.pk,
    )
    assert twice == []


def _no_day_forgotten(company: Any) -> None:
    """2. Every day up to the last billed one is accounted for; that none is behind, `days_match_terms` counts."""
    from billing.services import tiling

    problems = tiling.check(company)
    assert problems == [], problems


def _a_repeat_adds_nothing(company: Any) -> None:
    """3. Billing again on the same day writes no document."""
    from billing.models import CreditNote, Invoice
    from billing.services.settling import settle
    from customers.models import Customer

    company.refresh_from_db()
    ids = list(Customer.objects.filter(company=company).values_list("pk", flat=True))
    given: dict[str, Any] = {
        "company": company, "customer_ids": ids, "on": company.clock_at.date(), "at": company.clock_at, "by": BY,
    }  # fmt: skip
    settle(**given)
    before = (Invoice.objects.count(), CreditNote.objects.count())
    settle(**given)
    assert (Invoice.objects.count(), CreditNote.objects.count()) == before


def _nothing_over(company: Any) -> None:
    """8. Counters are the sums of what they count, and nothing is over-allocated or over-credited."""
    from billing.models import Allocation, CreditNote, CreditNoteLine, InvoiceBalance, LineCredit

    paid: defaultdict[int, int] = defaultdict(int)
    used: defaultdict[int, int] = defaultdict(int)
    for allocation in Allocation.objects.filter(company=company):
        (paid if allocation.payment_id else used)[allocation.invoice_id] += allocation.amount_minor
    credited: defaultdict[int, int] = defaultdict(int)
    settled: defaultdict[int, int] = defaultdict(int)
    for note in CreditNote.objects.filter(company=company):
        credited[note.invoice_id] += note.gross_minor
        settled[note.invoice_id] += note.settled_minor
        assert note.gross_minor == note.settled_minor + note.to_account_minor
    for balance in InvoiceBalance.objects.filter(company_id=company.pk).exclude(status="draft"):
        assert balance.paid_minor == paid[balance.invoice_id]
        assert balance.credited_minor == credited[balance.invoice_id] <= balance.gross_minor
        assert balance.credit_used_minor == used[balance.invoice_id]
        assert balance.open_minor >= 0
        if balance.status == "open":
            assert balance.open_minor > 0
    by_line: defaultdict[int, int] = defaultdict(int)
    for line in CreditNoteLine.objects.filter(company=company):
        by_line[line.invoice_line_id] += line.amount_minor
    for kept in LineCredit.objects.filter(line__company=company):
        assert kept.credited_minor == by_line[kept.line_id] <= kept.amount_minor


def _cancel_wins(company: Any) -> None:
    """9. No billed day lies after the last day of service."""
    after = rows(
        "SELECT d.id FROM billing_billeddays d JOIN subscriptions_slot slot ON slot.id = d.slot_id "
        "JOIN subscriptions_subscription s ON s.id = slot.subscription_id WHERE d.company_id = %s "
        "AND d.released_at IS NULL AND d.kind = 'billed' AND s.state IN ('canceled', 'expired') "
        "AND upper(d.days) > s.ends_on + 1",
        company.pk,
    )
    assert after == []


def _numbers_have_no_gap(company: Any) -> None:
    """13. Numbers run from 1 in each series and year, and their dates never go back."""
    from billing.models import CreditNote, Invoice

    for model in (Invoice, CreditNote):
        issued = model.objects.filter(company=company, sequence__isnull=False).order_by("year", "sequence")
        by_year: defaultdict[int, list[Any]] = defaultdict(list)
        for document in issued:
            by_year[document.year].append(document)
        for documents in by_year.values():
            assert [document.sequence for document in documents] == list(range(1, len(documents) + 1))
            dates = [document.issued_on for document in documents]
            assert dates == sorted(dates)


def _one_chain(company: Any) -> None:
    """14. Each link hashes the one before; every issued document stands in one, with the hash of what it says."""
    links = rows(
        "SELECT id, height, previous_sha256, sha256, document_hashes FROM billing_chainlink WHERE company_id = %s "
        "ORDER BY height",
        company.pk,
    )
    previous = ""
    for number, (_, height, before, digest, hashes) in enumerate(links, start=1):
        assert (height, before) == (number, previous)
        assert digest == hashlib.sha256("\n".join([previous, str(number), *hashes]).encode()).hexdigest()
        previous = digest
    documents = rows(
        "SELECT d.chain_link_id, d.snapshot_hash, s.body FROM ("
        "SELECT 'invoice' AS kind, id, company_id, chain_link_id, snapshot_hash, sequence FROM billing_invoice "
        "UNION ALL SELECT 'credit_note', id, company_id, chain_link_id, snapshot_hash, sequence FROM billing_creditnote"
        ") d LEFT JOIN billing_snapshot s ON s.document_kind = d.kind AND s.document_id = d.id "
        "WHERE d.company_id = %s AND d.sequence IS NOT NULL",
        company.pk,
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for link_id, digest, body in documents:
        assert hashlib.sha256(body.encode()).hexdigest() == digest
        found[link_id].append(digest)
    assert {link_id: sorted(hashes) for link_id, hashes in found.items()} == {
        link_id: sorted(hashes) for link_id, _, _, _, hashes in links
    }


def _totals_add_up(company: Any) -> None:
    """15. Net and tax make the gross, lines make the net, rows of tax make the tax."""
    from billing.models import CreditNote, Invoice

    for model in (Invoice, CreditNote):
        for document in model.objects.filter(company=company).prefetch_related("lines"):
            lines = list(document.lines.all())
            assert document.net_minor + document.tax_minor == document.gross_minor
            assert sum(line.net_minor for line in lines) == document.net_minor
            assert sum(row["tax_minor"] for row in document.tax_rows) == document.tax_minor
            said = document.gross_minor if document.tax_behavior == "inclusive" else document.net_minor
            assert sum(line.amount_minor for line in lines) == said


def _books_balance(company: Any) -> None:
    """16. Every entry balances; receivables are what is open, customers' credit is what is left of it."""
    uneven = rows(
        "SELECT entry FROM billing_posting WHERE company_id = %s GROUP BY entry, currency "
        "HAVING sum(amount_minor) <> 0 OR count(*) < 2",
        company.pk,
    )
    assert uneven == []
    sums = dict(
        rows(
            "SELECT a.role, coalesce(sum(p.amount_minor), 0)::bigint FROM billing_account a "
            "LEFT JOIN billing_posting p ON p.account_id = a.id WHERE a.company_id = %s GROUP BY a.role",
            company.pk,
        )
    )
    [(open_sum,)] = rows(
        "SELECT coalesce(sum(open_minor), 0)::bigint FROM billing_invoicebalance "
        "WHERE company_id = %s AND status <> 'draft'",
        company.pk,
    )
    [(left,)] = rows(
        "SELECT coalesce(sum(b.left_minor), 0)::bigint FROM billing_creditbalance b "
        "JOIN billing_credit c ON c.id = b.credit_id WHERE c.company_id = %s AND c.source = 'money'",
        company.pk,
    )
    assert sums["receivable"] == open_sum
    [(promised,)] = rows(
        "SELECT coalesce(sum(amount_minor), 0)::bigint FROM billing_refund "
        "WHERE company_id = %s AND status = 'pending'",
        company.pk,
    )
    # A refund that was asked for is owed until it is paid out.
    assert sums["customer_credit"] == -left - promised
    [(taxed,)] = rows(
        "SELECT (SELECT coalesce(sum(tax_minor), 0) FROM billing_invoice WHERE company_id = %(company)s "
        "AND sequence IS NOT NULL)::bigint - (SELECT coalesce(sum(tax_minor), 0) FROM billing_creditnote "
        "WHERE company_id = %(company)s)::bigint".replace("%(company)s", str(company.pk)),
    )
    assert sums["tax"] == -taxed
