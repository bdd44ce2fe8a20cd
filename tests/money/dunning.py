"""What tests of dunning share: a policy, a bill, days that pass, and what happened on them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.factories import BY, TODAY, a_plan, at_noon


def a_policy(company: Any, *steps: Any, **changes: Any) -> Any:
    """The company's general policy with these steps: (days, action) or (days, action, {fields})."""
    from billing.services import dunning_policies

    given = [
        dunning_policies.Step(days=step[0], action=step[1], **(step[2] if len(step) > 2 else {})) for step in steps
    ]
    general = dunning_policies.ensure_defaults(company=company)
    return dunning_policies.save(
        company=company, policy=general, name="Ours", steps=given, by=BY, at=at_noon(TODAY), **changes
    )


def bill(company: Any, customer: Any, *, on: date = TODAY, amount: str = "100.00", unit: str = "month") -> Any:
    """A subscription billed that day, due that day; its invoice (119.00 for 100.00 net in Germany)."""
    from billing.models import Invoice
    from billing.services import acts

    rules = {"interval_unit": unit}
    plan = a_plan(company, amount=amount, price={"valid_from": date(2011, 1, 1)}, rules=rules)
    acts.start(company=company, customer=customer, plan=plan, start_on=on, on=on, by=BY, at=at_noon(on))
    return Invoice.objects.filter(customer=customer).latest("pk")


def set_day(company: Any, day: date) -> Any:
    company.clock_at = at_noon(day)
    company.save(update_fields=["clock_at"])
    return company.clock_at


def tick(company: Any, day: date) -> dict[str, Any]:
    from billing.services import dunning

    return dunning.dunning_tick(company, set_day(company, day))


def walk(company: Any, first: date, last: date) -> None:
    """The dunning tick of every day, both days counted."""
    for count in range((last - first).days + 1):
        tick(company, first + timedelta(days=count))


def history(customer: Any, *, results: Any = ("done",)) -> list[Any]:
    """(day, action) of what happened, in order; with the reason where there is one."""
    from billing.models import DunningEntry

    rows = DunningEntry.objects.filter(case__customer=customer, result__in=results).order_by("pk")
    return [(row.on, row.action, row.reason) if row.reason else (row.on, row.action) for row in rows]


def mails(customer: Any) -> list[Any]:
    """(day, template) of the dunning mails to the customer."""
    from customers.models import Message

    rows = Message.objects.filter(customer=customer, template__startswith="reminder").order_by("pk")
    return [(row.created_at.date(), row.template) for row in rows]


def pay(invoice: Any, day: date, amount: int | None = None) -> Any:
    from billing.models import InvoiceBalance
    from billing.services import payments

    left = InvoiceBalance.objects.get(invoice=invoice).open_minor
    return payments.record(
        company=invoice.company, customer=invoice.customer, amount_minor=amount or left, currency=invoice.currency,
        method="transfer", received_on=day, invoice=invoice, by=BY, at=at_noon(day),
    )  # fmt: skip


def case_of(customer: Any) -> Any:
    from billing.models import DunningCase

    return DunningCase.objects.filter(customer=customer).latest("pk")


def days(count: int) -> date:
    return TODAY + timedelta(days=count)
