"""What the tests of changes share: agreed subscriptions, acts on a day, and what was written, in net minor units."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.factories import BY, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock


def day(text: str) -> date:
    """`01-11` is 11 January 2026; a whole date is itself."""
    return date.fromisoformat(text if len(text) > 5 else f"2026-{text}")


def agreed(company: Any, amount: str = "31.00", *, on: str = "01-01", quantity: str = "1", **changes: Any) -> Any:
    """A subscription of one position at `amount` a unit, agreed apart from a plan and billed on its first day."""
    from billing.services import acts
    from subscriptions.services.starting import ItemSpec

    item_values = changes.pop("item", {})
    item = ItemSpec(a_product(company), quantity=Decimal(quantity), unit_amount=Decimal(amount), **item_values)
    first = day(on)
    values = {"start_on": first, "on": first, "items": [item], "by": BY, "at": at_noon(first)}
    return acts.start(company=company, customer=a_customer(company), **(values | changes)).subscription


def agreed_plan(company: Any, plan: Any, *, on: str = "01-01", **changes: Any) -> Any:
    from billing.services import acts

    first = day(on)
    values = {"start_on": first, "on": first, "plan": plan, "by": BY, "at": at_noon(first)}
    return acts.start(company=company, customer=a_customer(company), **(values | changes)).subscription


def change(subscription: Any, on: str, **given: Any) -> Any:
    from billing.services import acts_changing

    today = day(on)
    if isinstance(given.get("effective_on"), str):
        given["effective_on"] = day(given["effective_on"])
    at = set_clock(subscription.company, today)
    return acts_changing.change(subscription=subscription, on=today, by=BY, at=at, **given)


def undo(made: Any, on: str) -> Any:
    from billing.services import acts_changing

    return acts_changing.undo_change(change=made, on=day(on), by=BY, at=set_clock(made.subscription.company, day(on)))


def item(subscription: Any, number: int = 0, **given: Any) -> Any:
    """What is to become of one of its positions; figures as text."""
    from subscriptions.services.change_specs import ItemChange

    slot = list(subscription.slots.order_by("position"))[number]
    return ItemChange(slot=slot, **figures(given))


def new_item(product: Any, **given: Any) -> Any:
    from subscriptions.services.change_specs import ItemChange

    return ItemChange(product=product, **figures(given))


def figures(given: dict[str, Any]) -> dict[str, Any]:
    return {name: Decimal(value) if name in ("quantity", "unit_amount") else value for name, value in given.items()}


def passes(company: Any, *days: str) -> None:
    """Days go by: on each, moves are made and what is due is billed."""
    from billing.services import acts
    from billing.services.settling import settle
    from customers.models import Customer

    customers = list(Customer.objects.filter(company=company).values_list("pk", flat=True))
    for text in days:
        at = set_clock(company, day(text))
        acts.move_due(company=company, at=at, by=BY)
        settle(company=company, customer_ids=customers, on=day(text), at=at, by=BY)


def billed(subscription: Any) -> list[tuple[str, str, int]]:
    """Its invoice lines in order: first day, first day not covered, net."""
    from billing.models import InvoiceLine

    rows = InvoiceLine.objects.filter(subscription=subscription).order_by("invoice_id", "position")
    return [(_short(row.period_start), _short(row.period_end), row.net_minor) for row in rows]


def invoices(subscription: Any) -> list[tuple[str, int]]:
    from billing.models import Invoice

    rows = Invoice.objects.filter(lines__subscription=subscription).order_by("pk").distinct()
    return [(_short(row.charge_due_on), row.net_minor) for row in rows]


def credited(subscription: Any) -> list[int]:
    """Its credit notes in order, net."""
    from billing.models import CreditNote

    rows = CreditNote.objects.filter(customer=subscription.customer).order_by("pk")
    return list(rows.values_list("net_minor", flat=True))


def movements(subscription: Any) -> list[tuple[str, str, int]]:
    rows = subscription.movements.order_by("pk")
    return [(row.kind, _short(row.effective_on), row.amount_minor) for row in rows]


def terms(subscription: Any, number: int = 0) -> list[tuple[str, str, str, str]]:
    """First day, standing, quantity and price of each row of a position's terms."""
    slot = list(subscription.slots.order_by("position"))[number]
    rows = slot.terms.order_by("from_on")
    return [
        (_short(row.from_on), row.standing, f"{row.quantity.normalize():f}", f"{row.unit_amount:.2f}") for row in rows
    ]


def problems(subscription: Any) -> list[Any]:
    from billing.services import tiling

    return tiling.check(subscription.company)


def _short(found: date) -> str:
    return found.isoformat()[5:] if found.year == 2026 else found.isoformat()


__all__ = [
    "a_plan", "a_product", "a_subscription", "agreed", "agreed_plan", "billed", "change", "credited", "day",
    "invoices", "item", "movements", "new_item", "passes", "problems", "terms", "undo",
]  # fmt: skip
