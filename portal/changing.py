"""What customers change themselves: plan, seats, pauses; previewed, done with a receipt, taken back while planned.

The rule that matters: what customers may is a rule of the agreement (`subscriptions.services.self_service`); here it is
only asked, told and done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import Prefetch
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing.documents import change_words, price_words
from billing.services import acts_changing, acts_pausing, acts_undoing, previews
from billing.services.acting import ActResult
from catalog.models import Plan, PlanItem, Price
from catalog.services.prices import price_on
from catalog.services.texts import in_language
from core.design import formats
from customers.models import Message
from portal import receipts
from portal.access import Visitor
from portal.cancelling import to_the_second, today_of
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import retiming, self_service, terms
from subscriptions.services.change_specs import ItemChange

RECEIPT, UNDONE = receipts.CHANGED, receipts.CHANGE_UNDONE
#: Seats a customer can ask for at once.
MOST = 100_000
Status = Change.Status
#: An act: gets the token of what was shown, or None to show it.
Act = Callable[[str | None], ActResult]


@dataclass(frozen=True, slots=True)
class Offered:
    """A plan a customer can change to, with its prices in words."""

    plan: Plan
    name: str
    about: str
    prices: list[str]


@dataclass(frozen=True, slots=True)
class Seats:
    """A position whose number a customer can change."""

    slot: Slot
    name: str
    quantity: int
    price: str


def may_change(visitor: Visitor, row: Subscription) -> bool:
    """Whether this contact changes plan and seats of it: an owner, where the agreement leaves it to the customer."""
    return "change" in visitor.rights and self_service.may_change(row)


def may_pause(visitor: Visitor, row: Subscription) -> bool:
    return "change" in visitor.rights and self_service.may_pause(row)


def may_resume(visitor: Visitor, row: Subscription) -> bool:
    return "change" in visitor.rights and self_service.may_resume(row)


def plans_for(visitor: Visitor, row: Subscription, on: date) -> list[Offered]:
    """Plans on sale with a price today for every usual position, in the currency and tax behavior of the contract."""
    items = PlanItem.objects.filter(archived_at__isnull=True)
    items = items.select_related("product", "meter").prefetch_related("prices")
    plans = Plan.objects.filter(company=visitor.company, status=Plan.Status.ON_SALE).exclude(pk=row.plan_id)
    found = []
    for plan in plans.select_related("company").prefetch_related(Prefetch("items", items)).order_by("code")[:50]:
        usual = [item for item in plan.items.all() if not item.is_optional]
        prices = [price_on(item, row.currency, on) for item in usual]
        if usual and all(price is not None and price.tax_behavior == row.tax_behavior for price in prices):
            found.append(_offered(plan, row, list(zip(usual, prices, strict=True))))
    return found


def _offered(plan: Plan, row: Subscription, pairs: list[tuple[PlanItem, Price | None]]) -> Offered:
    language, own = get_language() or "en", plan.company.language
    told = []
    for item, price in pairs:
        assert price is not None
        name = in_language(item.product.name, language, own)
        interval = "" if item.kind == PlanItem.Kind.ONE_OFF else f"{plan.interval_count} {plan.interval_unit}"
        unit = in_language(item.meter.unit_name, language, own) if item.meter else None
        cost = [
            price_words.amount_of(price, row.currency, interval=interval, unit=unit),
            *price_words.rows_of(price, row.currency),
        ]
        told.append(_("%(product)s: %(price)s") % {"product": name, "price": ", ".join(filter(None, cost))})
    about = in_language(plan.description or {}, language, own) if plan.description else ""
    return Offered(plan, in_language(plan.name, language, own), about, told)


def seats_of(row: Subscription, on: date) -> list[Seats]:
    """Recurring positions sold by the unit, in whole units; needs the slots of `standing.with_positions`."""
    language, found = get_language() or "en", []
    for slot in row.slots.all():
        agreed = retiming.terms_on(slot.terms.all(), max(on, row.start_on))
        if agreed is None or slot.kind != Slot.Kind.RECURRING or agreed.model == Price.Model.FLAT:
            continue
        if agreed.standing == SlotTerms.Standing.REMOVED or agreed.quantity != int(agreed.quantity):
            continue
        interval = f"{agreed.interval_count} {agreed.interval_unit}"
        cost = [
            price_words.amount_of(agreed, row.currency, interval=interval), *price_words.rows_of(agreed, row.currency),
        ]  # fmt: skip
        name = in_language(slot.product.name, language, row.company.language)
        found.append(Seats(slot, name, int(agreed.quantity), ", ".join(cost)))
    return found


def change_plan(visitor: Visitor, row: Subscription, plan: Plan) -> Act:
    """The change to that plan: today if it is worth as much or more, else with the next period."""
    on = today_of(visitor, row)
    bound = terms.contract_clock_of(row, on=on).earliest_end

    def act(token: str | None) -> ActResult:
        result = acts_changing.change(
            subscription=row, plan=plan, on=on, by=visitor.actor, at=visitor.now, preview_token=token
        )
        self_service.check_replaced(result.replaced)
        self_service.check_not_shorter(changed=result.subscription, change=result.change, plan=plan, bound=bound, on=on)
        return result

    return act


def change_seats(visitor: Visitor, row: Subscription, wanted: dict[Slot, int]) -> Act:
    """Other numbers of units of these positions: more today, fewer with the next period."""
    items = [ItemChange(slot=slot, quantity=Decimal(count)) for slot, count in wanted.items()]

    def act(token: str | None) -> ActResult:
        result = acts_changing.change(
            subscription=row, items=items, on=today_of(visitor, row), by=visitor.actor, at=visitor.now,
            preview_token=token,
        )  # fmt: skip
        self_service.check_replaced(result.replaced)
        return result

    return act


def pause(visitor: Visitor, row: Subscription, from_on: date | None, until: date | None) -> Act:
    """A pause from that day on, today unless one is named; `until` is the first day after it."""

    def act(token: str | None) -> ActResult:
        return acts_pausing.pause(
            subscription=row, from_on=from_on, until=until, on=today_of(visitor, row), by=visitor.actor,
            at=visitor.now, preview_token=token,
        )  # fmt: skip

    return act


def resume(visitor: Visitor, row: Subscription) -> Act:
    """It goes on today."""

    def act(token: str | None) -> ActResult:
        return acts_pausing.resume(
            subscription=row, on=today_of(visitor, row), by=visitor.actor, at=visitor.now, preview_token=token
        )

    return act


def do(visitor: Visitor, row: Subscription, act: Act, token: str) -> Message:
    """Does what was shown and writes the receipt, both or neither."""
    with transaction.atomic():
        result = act(token)
        is_planned = result.change is not None and result.change.status == Status.PLANNED
        values = {
            "moment": to_the_second(visitor.now, visitor.zone),
            "what": "\n".join(_told(row, result)),
            "sums": "\n".join(_sums(result)),
            "link": receipts.link(row) if is_planned else "",
        }
        return receipts.tell(visitor, row, RECEIPT, values)


def _told(row: Subscription, result: ActResult) -> list[str]:
    change = result.change or row.changes.exclude(status__in=(Status.UNDONE, Status.REPLACED)).order_by("-pk").first()
    return [] if change is None else in_words(row, change)


def in_words(row: Subscription, change: Change, names: Mapping[str, str] | None = None) -> list[str]:
    """From when, and what. `names`: of the products, where they were read for many."""
    words = {"what": change.get_kind_display(), "day": formats.day(change.effective_on, style="long")}
    known = change_words.product_names(row.company, [change]) if names is None else names
    first = _("Taken back: %(what)s") if change.status == Status.UNDONE else _("From %(day)s: %(what)s")
    return [first % words, *change_words.lines_of(change, row.currency, known)]


def _sums(result: ActResult) -> list[str]:
    words = {"invoice": _("Invoiced now: %(amount)s"), "credit_note": _("Credited to you now: %(amount)s")}
    return [
        words[one.kind] % {"amount": formats.money(one.gross, one.currency)}
        for one in previews.documents_of(result.settlement)
    ]


def planned(visitor: Visitor, rows: Iterable[Subscription]) -> dict[int, list[dict[str, object]]]:
    """What is planned for each of them, by id, in words, the earliest first; `may_undo`: whether this contact can take
    it back. Two queries for all; needs the changes of `standing.with_positions`.
    """
    to_come: dict[int, list[Change]] = {row.pk: row.changes_to_come for row in rows}  # type: ignore[attr-defined]
    every = [change for changes in to_come.values() for change in changes]
    names = change_words.product_names(visitor.company, every)
    theirs = _undoable(visitor, every)
    return {
        pk: [
            {"change": one, "lines": in_words(one.subscription, one, names), "may_undo": one.pk in theirs}
            for one in changes
        ]
        for pk, changes in to_come.items()
    }


def may_undo(visitor: Visitor, change: Change) -> bool:
    return change.pk in _undoable(visitor, [change])


def _undoable(visitor: Visitor, changes: list[Change]) -> set[int]:
    if "change" not in visitor.rights:
        return set()
    found: set[int] = set()
    for zone in {change.subscription.time_zone for change in changes}:
        of_zone = [change for change in changes if change.subscription.time_zone == zone]
        found |= self_service.undoable(of_zone, today_of(visitor, of_zone[0].subscription))
    return found


def take_back(visitor: Visitor, row: Subscription, change: Change) -> None:
    """Takes a planned change back; a mail says so."""
    on, by, at = today_of(visitor, row), visitor.actor, visitor.now
    with transaction.atomic():
        acts_undoing.undo(change=change, on=on, by=by, at=at)
        receipts.tell(visitor, row, UNDONE, {"moment": to_the_second(at, visitor.zone)})
