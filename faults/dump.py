"""The canonical end state, and what must hold of it by itself.

The rule that matters: ids, instants and which number went to whom are left out; amounts, dates, counts and mails are
not. Customers are known by their names.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any, Final

from django.db import connection

from core.models import Company

#: What faults may add, and peace has not: that something was parked, failed or looked at again.
_NOISE: Final = "('subscription.parked', 'subscription.unparked', 'subscription.released')"
TABLES: Final = {
    "invoices": """
        SELECT c.name, i.issued_on, i.payment_due_on, i.currency, i.net_minor, i.tax_minor, i.gross_minor,
               b.status, b.paid_minor, b.credited_minor, b.credit_used_minor, b.written_off_minor, b.open_minor,
               b.closed_on
        FROM billing_invoice i JOIN customers_customer c ON c.id = i.customer_id
        JOIN billing_invoicebalance b ON b.invoice_id = i.id WHERE i.company_id = %s""",
    "lines": """
        SELECT c.name, i.issued_on, l.kind, l.period_start, l.period_end, l.amount_minor, l.net_minor, l.tax_rate,
               l.quantity, l.description
        FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
        JOIN customers_customer c ON c.id = i.customer_id WHERE i.company_id = %s""",
    "credit_notes": """
        SELECT c.name, n.issued_on, n.cause, n.net_minor, n.tax_minor, n.gross_minor, n.settled_minor
        FROM billing_creditnote n JOIN customers_customer c ON c.id = n.customer_id WHERE n.company_id = %s""",
    "billed_days": """
        SELECT c.name, d.component, d.days, d.kind, d.released_at IS NOT NULL
        FROM billing_billeddays d JOIN subscriptions_slot t ON t.id = d.slot_id
        JOIN subscriptions_subscription s ON s.id = t.subscription_id
        JOIN customers_customer c ON c.id = s.customer_id WHERE d.company_id = %s""",
    "payments": """
        SELECT c.name, p.method, p.status, p.amount_minor, p.fee_minor, p.received_on, b.allocated_minor,
               b.to_credit_minor
        FROM billing_payment p JOIN billing_paymentbalance b ON b.payment_id = p.id
        LEFT JOIN customers_customer c ON c.id = p.customer_id WHERE p.company_id = %s""",
    "attempts": """
        SELECT c.name, a.state, a.origin, a.amount_minor, a.reason
        FROM billing_attempt a JOIN customers_customer c ON c.id = a.customer_id WHERE a.company_id = %s""",
    "dunning": """
        SELECT c.name, e.action, e.step_days, e.counts_from_on, e.result, e.reason, e.open_minor, e.amount_minor, e."on"
        FROM billing_dunningentry e JOIN billing_dunningcase k ON k.id = e.case_id
        JOIN customers_customer c ON c.id = k.customer_id WHERE e.company_id = %s""",
    "reminders": """
        SELECT c.name, r.occasion, m.occasion_on FROM crm_reminder m JOIN crm_reminderrule r ON r.id = m.rule_id
        JOIN customers_customer c ON c.id = m.customer_id WHERE m.company_id = %s""",
    "messages": """
        SELECT coalesce(c.name, ''), m.template, m.category, m.language, m.recipients, m.state
        FROM customers_message m LEFT JOIN customers_customer c ON c.id = m.customer_id WHERE m.company_id = %s""",
    "events": f"""
        SELECT coalesce(c.name, ''), e.type
        FROM core_event e LEFT JOIN customers_customer c ON c.id = e.customer_id
        WHERE e.company_id = %s AND e.type NOT LIKE 'alert.%%' AND e.type NOT LIKE 'task.%%'
          AND e.type NOT LIKE 'attempt.%%'
          AND e.type NOT LIKE 'billing_run.%%' AND e.type NOT LIKE 'webhook%%' AND e.type NOT IN {_NOISE}""",
    "subscriptions": """
        SELECT c.name, s.state, s.start_on, s.term_start_on, s.term_ends_on, s.ends_on, s.next_bill_on, s.next_move_on,
               s.suspended_from_on, s.parked_at IS NOT NULL
        FROM subscriptions_subscription s JOIN customers_customer c ON c.id = s.customer_id WHERE s.company_id = %s""",
    "movements": """
        SELECT c.name, v.kind, v.cause, v.amount_minor, v.effective_on
        FROM subscriptions_movement v JOIN customers_customer c ON c.id = v.customer_id WHERE v.company_id = %s""",
    "postings": """
        SELECT a.code, p.booked_on, p.cause_kind, sum(p.amount_minor), count(*)
        FROM billing_posting p JOIN billing_account a ON a.id = p.account_id WHERE p.company_id = %s
        GROUP BY 1, 2, 3""",
    "numbers": "SELECT series, year, last_number, last_on FROM core_numberseries WHERE company_id = %s",
    "alerts": """
        SELECT coalesce(c.name, ''), a.kind, a.state
        FROM crm_alert a LEFT JOIN customers_customer c ON c.id = a.customer_id
        WHERE a.company_id = %s AND a.kind IN ('payment_failed', 'payment_pending', 'cancellation', 'dunning')""",
    "webhooks": """
        SELECT e.type, d.state FROM core_webhookdelivery d JOIN core_event e ON e.id = d.event_id
        WHERE d.company_id = %s AND e.type NOT LIKE 'webhook%%' AND e.type <> 'subscription.parked'""",
}  # fmt: skip


def state(company: Company) -> dict[str, Any]:
    """`tables`: equal rows counted, in order; `wrong`: what must never be, in words; and what the outside is asked."""
    found: dict[str, Any] = {"tables": {}}
    with connection.cursor() as cursor:
        for name, sql in TABLES.items():
            cursor.execute(sql, [company.pk])
            rows = Counter(" | ".join(str(value) for value in row) for row in cursor.fetchall())
            found["tables"][name] = dict(sorted(rows.items()))
    found["wrong"] = wrong(company)
    found["mails"] = _sent_mails(company)
    found["hooks"] = _delivered(company)
    found["money"] = _card_money(company)
    return found


def wrong(company: Company) -> list[str]:
    """What is lost, double or stuck by itself: the chain, the books, the days, the numbers, waiting effects."""
    from billing.services import books, tiling
    from billing.services.chain import verify_chain
    from core import clock

    today = clock.today(company)
    said = [f"chain: {problem}" for problem in verify_chain(company)]
    said += [f"days: {problem}" for problem in tiling.check(company, today)]
    if sum(balance for *_rest, balance in books.trial_balance(company, date(2030, 1, 1))):
        said.append("books: debits and credits differ")
    checks = {
        "numbers with a hole or a twin": """
            SELECT count(*) FROM core_numberseries n WHERE n.company_id = %s AND n.series = 'invoice'
            AND n.last_number <> (SELECT count(DISTINCT i.sequence) FROM billing_invoice i
                                  WHERE i.company_id = n.company_id AND i.year = n.year)""",
        "effects dead": "SELECT count(*) FROM core_outbox WHERE company_id = %s AND state = 'dead'",
        "webhooks dead": "SELECT count(*) FROM core_webhookdelivery WHERE company_id = %s AND state = 'dead'",
        "days billed twice": """
            SELECT count(*) FROM billing_billeddays a JOIN billing_billeddays b ON a.slot_id = b.slot_id
            AND a.component = b.component AND a.id < b.id AND a.days && b.days
            AND a.released_at IS NULL AND b.released_at IS NULL WHERE a.company_id = %s""",
        "invoices without their mail": """
            SELECT string_agg(i.number || ' of ' || i.issued_on, ', ') FROM billing_invoice i
            WHERE i.company_id = %s AND i.notifies AND NOT EXISTS (
                SELECT FROM customers_message m WHERE m.subject_kind = 'invoice' AND m.subject_id = i.id)""",
        "invoices mailed twice": """
            SELECT count(*) FROM (SELECT subject_id FROM customers_message WHERE company_id = %s
            AND subject_kind = 'invoice' AND template = 'invoice_issued'
            GROUP BY 1 HAVING count(*) > 1) twice""",
    }  # fmt: skip
    with connection.cursor() as cursor:
        for words, sql in checks.items():
            cursor.execute(sql, [company.pk])
            count = cursor.fetchone()[0]
            if count:
                said.append(f"{words}: {count}")
    return said


def _sent_mails(company: Company) -> list[str]:
    """The Message-ID, without its domain, of every message that an address has."""
    from customers.models import Message

    rows = Message.objects.filter(company=company, state__in=("sent", "delivered"))
    return sorted(message.ref for message in rows)


def _delivered(company: Company) -> list[str]:
    from core.models import Event

    rows = Event.objects.filter(company=company, deliveries__state="delivered")
    return sorted(event.ref for event in rows.distinct())


def _card_money(company: Company) -> int:
    from django.db.models import Sum

    from billing.models import Payment

    rows = Payment.objects.filter(company=company, method="card", status="settled")
    return int(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
