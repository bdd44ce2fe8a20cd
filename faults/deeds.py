"""What a process of the campaign does: the product's own commands, and what people do in the story.

The rule that matters: nothing here knows of faults. A deed that was killed is simply done again.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from core import clock
from core.actors import Actor
from core.models import Company
from core.services import ticks
from faults.servers import ask, beat, web, worker

__all__ = ["ask", "beat", "web", "worker"]
SLUG = "faults"
BY = Actor.system("faults")


def build(**given: Any) -> dict[str, Any]:
    """Migrates and writes the story's beginning."""
    from faults import story

    call_command("migrate", verbosity=0)
    return story.write(**given)


def point_hooks(url: str) -> None:
    """The endpoint of the story leads to this world's sink."""
    from core.models import WebhookEndpoint

    WebhookEndpoint.objects.filter(company__slug=SLUG).update(url=url)


def tick(name: str = "") -> None:
    """`manage.py tick`: every tick in its order, or one."""
    words = [name] if name else []
    call_command("tick", *words, company=SLUG)


def ticks_without_end(passes: int = 100) -> None:
    """Asks again and again, until it is killed."""
    for _ in range(passes):
        call_command("tick", company=SLUG)


def relay(limit: int = 50) -> None:
    """`manage.py relay --until-empty`."""
    call_command("relay", until_empty=True, limit=limit)


def relay_without_end() -> None:
    """`manage.py relay`, until it is killed."""
    call_command("relay", pause=0.05)


def _due_of_goodwill(company: Company, today: date) -> list[Any]:
    """Open balances, a week old, of those who pay by transfer and mean well."""
    from billing.models import InvoiceBalance

    rows = InvoiceBalance.objects.filter(
        company_id=company.pk, status="open", open_minor__gt=0, invoice__issued_on__lte=today - timedelta(days=7),
        invoice__customer__metadata__pays="transfer",
    )  # fmt: skip
    return list(rows.select_related("invoice__customer").order_by("invoice_id"))


def people_pay() -> int:
    """Customers who pay by transfer and mean well pay what is a week old; how many did."""
    from billing.services import payments, receivables

    company = Company.objects.get(slug=SLUG)
    at = clock.now(company)
    today = clock.day_in(at, company.time_zone)
    count = 0
    for balance in _due_of_goodwill(company, today):
        invoice = balance.invoice
        with transaction.atomic():
            # Somebody else may be doing the same: what is open is read again under the customer's lock.
            receivables.lock_customer(company, invoice.customer_id)
            balance.refresh_from_db()
            if balance.status == "open" and balance.open_minor > 0:
                payments.record(
                    company=company, customer=invoice.customer, amount_minor=balance.open_minor,
                    currency=balance.currency, method="transfer", received_on=today, invoice=invoice,
                    reference=invoice.number, by=BY, at=at,
                )  # fmt: skip
                count += 1
    return count


def debtor_pays() -> int:
    """The first customer whose next step of dunning is due pays what is late, in one go; how many invoices."""
    from billing.models import DunningCase
    from billing.services import lateness, payments, receivables

    company = Company.objects.get(slug=SLUG)
    at = clock.now(company)
    today = clock.day_in(at, company.time_zone)
    rows = DunningCase.objects.filter(company=company, state="open", next_step_on__lte=today).select_related("customer")
    case = rows.order_by("pk").first()
    if case is None:
        return 0
    with transaction.atomic():
        receivables.lock_customer(company, case.customer_id)
        late = lateness.read(company, case.customer_id, case.currency, today)
        for one in late:
            payments.record(
                company=company, customer=case.customer, amount_minor=one.open_minor, currency=case.currency,
                method="transfer", received_on=today, invoice=one.invoice, reference=one.invoice.number, by=BY, at=at,
            )  # fmt: skip
    return len(late)


def owing() -> list[dict[str, Any]]:
    """What the cashier writes down through the API: payments that people of goodwill make today, five at most."""
    company = Company.objects.get(slug=SLUG)
    today = clock.today(company)
    return [
        {
            "invoice": balance.invoice.ref, "amount": str(Decimal(balance.open_minor) / 100),
            "currency": balance.currency, "method": "transfer", "received_on": today.isoformat(),
            "reference": balance.invoice.number,
        }
        for balance in _due_of_goodwill(company, today)[:5]
    ]  # fmt: skip


def api_key() -> str:
    """A key of the API for the story's cashier."""
    from core.services import keys

    company = Company.objects.get(slug=SLUG)
    _key, text = keys.issue_key(
        company=company, name="Cashier", scopes=["payments:write"], by=BY, at=clock.now(company)
    )
    return text


def ask_for_run() -> None:
    """A person asks for today's billing run on its page."""
    from billing.tasks import ask_for_run as ask_for

    company = Company.objects.get(slug=SLUG)
    ask_for(company=company, on=clock.today(company), user=None)


def waiting() -> dict[str, int]:
    """What is under way and due within the next hours: nothing, once the machines had time."""
    company = Company.objects.get(slug=SLUG)
    until = clock.machine_now() + timedelta(hours=13)
    asked = {
        "outbox": ("SELECT count(*) FROM core_outbox WHERE company_id = %s AND state = 'waiting' AND due_at < %s"),
        "webhooks": (
            "SELECT count(*) FROM core_webhookdelivery WHERE company_id = %s AND state = 'waiting' "
            "AND coalesce(due_at, '-infinity') < %s"
        ),
        "runs": (
            "SELECT count(*) FROM billing_billingrun WHERE company_id = %s AND state = 'running' AND %s IS NOT NULL"
        ),
        "jobs": (
            "SELECT count(*) FROM core_job WHERE company_id = %s AND state IN ('waiting', 'running') AND %s IS NOT NULL"
        ),
        "attempts": (
            "SELECT count(*) FROM billing_attempt WHERE company_id = %s AND state IN "
            "('created', 'sent', 'unknown') AND coalesce(next_look_at, '-infinity') < %s"
        ),
        "parked": (
            "SELECT count(*) FROM subscriptions_subscription WHERE company_id = %s AND parked_at IS NOT NULL "
            "AND %s IS NOT NULL"
        ),
    }
    found = {}
    with connection.cursor() as cursor:
        for name, sql in asked.items():
            cursor.execute(sql, [company.pk, until])
            found[name] = cursor.fetchone()[0]
    return found


def failures() -> list[list[Any]]:
    """Ticks that failed, and what they said."""
    from core.models import TickRun

    rows = TickRun.objects.filter(company__slug=SLUG, failures__gt=0).values_list("name", "failures", "outcome")
    return [list(row) for row in rows]


def sql(text: str, values: list[Any] | None = None) -> list[list[Any]]:
    """One statement, for looking and for planting what is bad."""
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []


def dump() -> dict[str, Any]:
    from faults import dump as dumping

    return dumping.state(Company.objects.get(slug=SLUG))


def doctor() -> list[str]:
    """What the doctor finds broken in queue, runs, payments, numbers, chain, books and days."""
    from core.services import doctoring

    wanted = ("outbox", "jobs", "runs", "attempts", "numbers", "chain", "books", "days")
    found = doctoring.examine(clock.machine_now(), names=wanted)
    return [
        f"{one.name}: {finding.text}" for one, findings in found for finding in findings if finding.level == "broken"
    ]


def names() -> list[str]:
    """The ticks in their order."""
    return [one.name for one in ticks.all_ticks()]
