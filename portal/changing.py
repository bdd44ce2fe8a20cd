"""What customers change themselves: plan, seats, pauses; previewed, done with a receipt, taken back while planned.

The rule that matters: a customer takes back and replaces only what customers planned, and no plan shortens a term that
runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing.documents import change_words
from billing.documents.explaining import every
from billing.documents.figures import Figures
from billing.services import acts_changing, acts_pausing, previews
from billing.services.acting import ActResult
from catalog.models import Plan, PlanItem, Price
from catalog.services.prices import price_on
from catalog.services.texts import in_language
from core.design import formats
from core.models import AuditEntry
from core.refusal import Refused
from customers.models import Message
from portal import standing
from portal.access import Visitor
from portal.cancelling import facts, tell, today_of
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import retiming, terms, unchanging
from subscriptions.services.change_specs import PLAN_COLUMNS, ItemChange

RECEIPT = "change_receipt"
UNDONE = "change_undone"
#: Seats a customer can ask for at once.
MOST = 100_000
State, Kind, Status = Subscription.State, Change.Kind, Change.Status
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
    """Whether this contact changes plan and seats of it: an owner, and a plan that allows it, in service."""
    allowed = row.plan is not None and row.plan.customer_may_change
    return "change" in visitor.rights and allowed and row.state in (State.PENDING, State.TRIAL, State.ACTIVE)


def _may_pause(visitor: Visitor, row: Subscription) -> bool:
    return "change" in visitor.rights and row.plan is not None and row.plan.customer_may_pause


def may_pause(visitor: Visitor, row: Subscription) -> bool:
    """Whether this contact pauses it: none is planned yet, and it isn't canceled."""
    is_free = row.paused_from_on is None and standing.state_of(row) == State.ACTIVE
    return _may_pause(visitor, row) and is_free


def may_resume(visitor: Visitor, row: Subscription) -> bool:
    return _may_pause(visitor, row) and row.state == State.PAUSED


def plans_for(visitor: Visitor, row: Subscription, on: date) -> list[Offered]:
    """Plans on sale with a price today for every usual position, in the currency and tax behavior of the contract."""
    items = PlanItem.objects.filter(archived_at__isnull=True).select_related("product").prefetch_related("prices")
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
    figures = Figures(language, row.currency)
    told = []
    for item, price in pairs:
        assert price is not None
        name = in_language(item.product.name, language, own)
        if price.model in ("flat", "per_unit", "package"):
            cost = figures.price(str(price.unit_amount))
            if item.kind != PlanItem.Kind.ONE_OFF:
                cost = f"{cost} {every(f'{plan.interval_count} {plan.interval_unit}')}"
            told.append(_("%(product)s: %(price)s") % {"product": name, "price": cost})
        else:
            told.append(name)
    about = in_language(plan.description or {}, language, own) if plan.description else ""
    return Offered(plan, in_language(plan.name, language, own), about, told)


def seats_of(row: Subscription, on: date) -> list[Seats]:
    """Recurring positions sold by the unit, in whole units; needs the slots of `standing.with_positions`."""
    language, found = get_language() or "en", []
    figures = Figures(language, row.currency)
    for slot in row.slots.all():
        agreed = retiming.terms_on(slot.terms.all(), max(on, row.start_on))
        if agreed is None or slot.kind != Slot.Kind.RECURRING or agreed.model == Price.Model.FLAT:
            continue
        if agreed.standing == SlotTerms.Standing.REMOVED or agreed.quantity != int(agreed.quantity):
            continue
        price = ""
        if agreed.model in ("per_unit", "package"):
            interval = every(f"{agreed.interval_count} {agreed.interval_unit}")
            price = f"{figures.price(str(agreed.unit_amount))} {interval}"
        name = in_language(slot.product.name, language, row.company.language)
        found.append(Seats(slot, name, int(agreed.quantity), price))
    return found


def change_plan(visitor: Visitor, row: Subscription, plan: Plan) -> Act:
    """The change to that plan: today if it is worth as much or more, else with the next period."""
    on = today_of(visitor, row)
    bound = terms.contract_clock_of(row, on=on).earliest_end

    def act(token: str | None) -> ActResult:
        result = acts_changing.change(
            subscription=row, plan=plan, on=on, by=visitor.actor, at=visitor.now, preview_token=token
        )
        _refuse_replacing(visitor, row, result)
        _refuse_shorter(result, plan, bound, on)
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
        _refuse_replacing(visitor, row, result)
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


def _refuse_replacing(visitor: Visitor, row: Subscription, result: ActResult) -> None:
    for change in result.replaced:
        if not _asked_by_customer(row, change):
            raise Refused("portal.change_waits", day=change.effective_on)


def _refuse_shorter(result: ActResult, plan: Plan, bound: date, on: date) -> None:
    """No plan ends a contract before the day it runs to at least."""
    change = result.change
    if change is None or change.status == Status.UNDONE or change.effective_on > bound:
        return
    after, day = copy.copy(result.subscription), max(on, change.effective_on)
    for name in PLAN_COLUMNS:
        setattr(after, name, getattr(plan, name))
    after.term_start_on, after.term_ends_on = terms.running_term(after, day)
    if terms.contract_clock_of(after, on=day).earliest_end < bound:
        raise Refused("portal.bound_until", day=bound)


def do(visitor: Visitor, row: Subscription, act: Act, token: str) -> Message:
    """Does what was shown and writes the receipt, both or neither."""
    with transaction.atomic():
        result = act(token)
        lines = [
            _("We have received your change and confirm it."),
            "",
            *facts(visitor, row, visitor.now),
            *_told(row, result),
            *_sums(result),
        ]
        if result.change is not None and result.change.status == Status.PLANNED:
            link = settings.SITE_URL + reverse("portal:subscription", args=[row.ref])
            lines += ["", _("Until then you can take it back here: %(link)s") % {"link": link}]
        return tell(visitor, row, RECEIPT, _("Your change: %(name)s") % {"name": row.name}, lines)


def _told(row: Subscription, result: ActResult) -> list[str]:
    change = result.change or row.changes.exclude(status__in=(Status.UNDONE, Status.REPLACED)).order_by("-pk").first()
    return [] if change is None else in_words(row, change)


def in_words(row: Subscription, change: Change) -> list[str]:
    """From when, and what."""
    words = {"what": change.get_kind_display(), "day": formats.day(change.effective_on, style="long")}
    names = change_words.product_names(row.company, [change])
    first = _("Taken back: %(what)s") if change.status == Status.UNDONE else _("From %(day)s: %(what)s")
    return [first % words, *change_words.lines_of(change, row.currency, names)]


def _sums(result: ActResult) -> list[str]:
    words = {"invoice": _("Invoiced now: %(amount)s"), "credit_note": _("Credited to you now: %(amount)s")}
    return [
        words[one.kind] % {"amount": formats.money(one.gross, one.currency)}
        for one in previews.documents_of(result.settlement)
    ]


def planned(visitor: Visitor, row: Subscription) -> list[dict[str, object]]:
    """What is planned for it, in words, the earliest first; `may_undo`: whether this contact can take it back.

    Needs the changes of `standing.with_positions`.
    """
    changes: list[Change] = row.changes_to_come  # type: ignore[attr-defined]
    return [
        {"change": change, "lines": in_words(row, change), "may_undo": may_undo(visitor, row, change)}
        for change in changes
    ]


def may_undo(visitor: Visitor, row: Subscription, change: Change) -> bool:
    """A planned change that a customer asked for, before its day, while the plan lets customers change such things."""
    if change.status != Status.PLANNED or row.plan is None or "change" not in visitor.rights:
        return False
    if change.effective_on <= today_of(visitor, row):
        return False
    if change.kind in unchanging.OF_TERMS:
        return row.plan.customer_may_change and _asked_by_customer(row, change)
    return change.kind in (Kind.PAUSE, Kind.RESUME) and row.plan.customer_may_pause and _asked_by_customer(row, change)


def _asked_by_customer(row: Subscription, change: Change) -> bool:
    """Whether a contact, not staff, planned it: the audit log knows."""
    entries = AuditEntry.objects.filter(
        company_id=row.company_id, subject_kind="subscription", subject_id=row.pk, actor_kind="contact"
    )
    if change.kind in unchanging.OF_TERMS:
        return entries.filter(verb="subscription.change", facts__change=change.ref).exists()
    day = change.effective_on.isoformat()
    if change.kind == Kind.PAUSE:
        return entries.filter(verb="subscription.pause", facts__from_on=day, at=change.asked_at).exists()
    return entries.filter(verb="subscription.plan_resume", facts__until=day, at=change.asked_at).exists()


def take_back(visitor: Visitor, row: Subscription, change: Change) -> None:
    """Takes a planned change back; a mail says so."""
    on, by, at = today_of(visitor, row), visitor.actor, visitor.now
    with transaction.atomic():
        if change.kind in unchanging.OF_TERMS:
            acts_changing.undo_change(change=change, on=on, by=by, at=at)
        else:
            acts_pausing.undo_pause(subscription=row, on=on, by=by, at=at)
        lines = [
            _("Your planned change has been taken back; the subscription goes on as it is."),
            "",
            *facts(visitor, row, at),
        ]
        tell(visitor, row, UNDONE, _("Your change is taken back: %(name)s") % {"name": row.name}, lines)
