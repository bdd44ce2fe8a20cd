"""What a change says of itself: its summary for people, the audit row and the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from catalog.models import Plan, PlanItem
from core.actors import Actor
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import dating
from subscriptions.services.items import PRICED
from subscriptions.services.retiming import content_of

#: Positions named in an event; it is kept small.
MOST_TOLD = 5


def entry(
    slot: Slot, row: SlotTerms | None, content: Mapping[str, Any] | None, item: PlanItem | None
) -> dict[str, Any]:
    """What happens to one position, in figures as text: `action` added, removed, quantity or price."""
    before = None if row is None else _figures(content_of(row))
    after = None if content is None else _figures(content)
    if row is None:
        action = "added"
    elif content is None:
        action = "removed"
    else:
        names = (*PRICED, "interval_unit", "interval_count")
        action = "quantity" if all(getattr(row, name) == content[name] for name in names) else "price"
    product = item.product if item is not None else slot.product
    return {"slot": slot.ref, "product": product.code, "action": action, "before": before, "after": after}


def summary(
    held: Subscription,
    plan: Plan | None,
    told: Sequence[Mapping[str, Any]],
    replaced: Sequence[Change],
    timing: str | None,
    counted_from: tuple[date, int] | None,
) -> dict[str, Any]:
    """What the change row keeps for people. `replaces` names planned changes that it took the place of."""
    found: dict[str, Any] = {"items": list(told), "timing": timing}
    if plan is not None:
        found["plan"] = {"before": held.plan.code if held.plan is not None else None, "after": plan.code}
    if counted_from is not None:
        found["counted_from"] = counted_from[0].isoformat()
    if replaced:
        found["replaces"] = [
            {"id": one.ref, "kind": one.kind, "effective_on": one.effective_on.isoformat()} for one in replaced
        ]
    return found


def tell(held: Subscription, made: Change, replaced: Sequence[Change], reason: str, *, by: Actor, at: datetime) -> None:
    """One audit row and one event: `subscription.changed`, or `subscription.change_planned`."""
    planned = made.status == Change.Status.PLANNED
    facts = _facts(made) | {"replaces": [one.ref for one in replaced]}
    dating.audit(held, "change", facts, reason, by=by, at=at)
    dating.emit(held, "change_planned" if planned else "changed", facts, at=at)


def rows(held: Subscription, made: Change, reason: str, *, by: Actor, at: datetime) -> tuple[dict[str, Any], ...]:
    """What `trail.entry` and `trail.event` take for a change that is told together with many."""
    facts = {name: value.isoformat() if isinstance(value, date) else value for name, value in _facts(made).items()}
    common = {
        "company_id": held.company_id,
        "at": at,
        "subject_kind": "subscription",
        "subject_id": held.pk,
        "customer_id": held.customer_id,
    }
    what = "change_planned" if made.status == Change.Status.PLANNED else "changed"
    data = {
        "id": held.ref,
        "number": held.number,
        "customer": held.customer.ref,
        "currency": held.currency,
        "state": held.state,
        **facts,
    }
    entry = common | {"by": by, "verb": "subscription.change", "reason": reason[:500], "facts": facts}
    return entry, common | {"type": f"subscription.{what}", "data": data}


def tell_undone(held: Subscription, made: Change, *, by: Actor, at: datetime) -> None:
    """One audit row and one event `subscription.change_undone`."""
    facts = _facts(made)
    dating.audit(held, "undo_change", facts, "", by=by, at=at)
    dating.emit(held, "change_undone", facts, at=at)


def _facts(made: Change) -> dict[str, Any]:
    told = made.summary.get("items", [])
    return {
        "change": made.ref,
        "kind": made.kind,
        "effective_on": made.effective_on,
        "proration": made.proration,
        "plan": (made.summary.get("plan") or {}).get("after"),
        "items": [
            {
                "slot": one["slot"],
                "action": one["action"],
                "quantity": one["after"] and one["after"]["quantity"],
                "unit_amount": one["after"] and one["after"]["unit_amount"],
            }
            for one in told[:MOST_TOLD]
        ],
    }


def _figures(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "quantity": _text(content["quantity"]),
        "unit_amount": _text(content["unit_amount"]),
        "model": content["model"],
        "interval": f"{content['interval_count']} {content['interval_unit']}",
        "billed": content["billed"],
    }


def _text(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
