"""A change of terms looked at: worked out on the agreement in memory, reckoned, and nothing written.

The rule that matters: it is worked out by the function that does it, and reckoned by the one that settles; where that
can't tell, or something is refused, nothing is answered, and the act itself says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import orjson

from billing.services import loading, mailing, previews
from billing.services.acting import ActResult, full_effect_on, is_over
from billing.services.copying import canonical
from billing.services.grouping import InvoiceDoc, Line
from billing.services.noting import NoteDoc
from billing.services.outlook import NotReckoned, Outlook
from billing.services.previews import PreviewDocument, PreviewLine, Shown, Upcoming
from billing.services.reckoning import Reckoned
from billing.services.settling import Settlement
from catalog.models import TaxBehavior
from catalog.services.territories import place_of
from core import clock
from core.actors import Actor
from core.refusal import Refused
from pricing.taxes import RateRow
from subscriptions.models import Change, Subscription
from subscriptions.services import changing, discounted, holding, net
from subscriptions.services.changing import Asked
from subscriptions.services.unchanging import Changed


def look(
    subscription: Subscription, asked: Asked, *, on: date | None, by: Actor, at: datetime
) -> ActResult | None:  # fmt: skip
    """What the change would do, with `shown`; None where only doing it can tell. Its customer is locked, as by acts."""
    today = on or clock.day_in(at, subscription.time_zone)
    customers = loading.lock_customers(subscription.company, [subscription.customer_id])
    held = holding.look(subscription)
    if held.next_move_on is not None and held.next_move_on <= today:
        return None
    before = sum(slot.mrr_minor for slot in held.slots.all())
    try:
        changed = changing.work_out(held, asked, on=today, by=by, at=at).changed
        if _moves_a_minimum(changed):
            return None
        outlook = Outlook.of(held, customers, on=today, at=at)
        found = outlook.settle(today, at=at, zones=[held.time_zone], on_one_document=changed.is_backdated)
        _keep_discounts(held, outlook)
        after = 0 if is_over(held) else _worth(held, outlook, full_effect_on(held, today))
        to_come = previews.to_come(_Ahead(outlook, held, clock.now(held.company)), previews.SHOWN_NEXT)
    except (NotReckoned, Refused):
        return None
    documents, is_told = ([], False) if found is None else (_documents(found), _tells(found))
    mails = mailing.addresses_of(held.customer, outlook.known.also) if is_told else []
    shown = Shown(documents, to_come, mails)
    return ActResult(held, Settlement(), before, after, changed.change, changed.replaced, shown)


def _moves_a_minimum(changed: Changed) -> bool:
    """Windows of a minimum are told by the changes of it that are stored."""
    if changed.is_taken_back:
        held = changed.subscription
        return held.minimum_amount is not None or held.minimum_through_on is not None
    return changed.change.status == Change.Status.DONE and "minimum_amount" in changed.change.values


def _keep_discounts(held: Subscription, outlook: Outlook) -> None:
    """The subscription carries its discounts as the settling leaves them."""
    rows = {row.id: row for row in outlook.known.discounts.get(held.pk, ())}
    live = discounted.live(held)
    if set(rows) - {one.pk for one in live}:
        raise NotReckoned("a discount holds again")
    for one in live:
        if one.pk in rows:
            one.until_on = rows[one.pk].until_on
    held.live_discounts = [one for one in live if one.pk in rows]  # type: ignore[attr-defined]


def _worth(held: Subscription, outlook: Outlook, on: date | None) -> int:
    """Its monthly revenue under the terms of that day; the tax inside gross prices is told by what was read already."""
    gross = [(held, slot) for slot in held.slots.all()] if held.tax_behavior == TaxBehavior.INCLUSIVE else []
    row = outlook.customers[held.customer_id]
    place = place_of(row.country, row.region, row.postal_code)
    rates = [
        RateRow(rate.country, rate.region, rate.level, rate.valid_from, rate.percent, rate.tax_category or None)  # type: ignore[arg-type]
        for rate in outlook.known.rates
        if rate.country in (held.company.country, place[0])
    ]
    inside = net.contained(held.company, gross, {held.customer_id: place}, rates)
    return sum(holding.worth_of(held, on, inside).values())


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The outlook as `previews.to_come` goes through it."""

    outlook: Outlook
    held: Subscription
    at: datetime

    def next_due(self) -> date | None:
        return self.outlook.next_due(self.held.pk)

    def days(self, count: int) -> list[date]:
        return self.outlook.days_to_come(self.held.pk, count)

    def settle(self, day: date) -> list[Upcoming]:
        found = self.outlook.settle(day, at=self.at)
        own = [] if found is None else [one for one in _in_order(found) if self._has_lines(one)]
        return [
            Upcoming(
                on=document.charge_due_on,
                net=document.totals.totals.net,
                tax=document.totals.totals.tax,
                gross=document.gross_minor,
                to_pay=document.gross_minor - document.credit_used_minor,
                currency=document.currency,
                lines=[_line(line) for line in document.lines],
                beside=self._beside(document),
            )
            for document in sorted(own, key=lambda one: one.charge_due_on)
        ]

    def _beside(self, document: InvoiceDoc) -> tuple[int, ...]:
        ids = {line.subscription_id for line in document.lines if line.subscription_id is not None}
        return tuple(sorted(ids - {self.held.pk}))

    def _has_lines(self, document: InvoiceDoc) -> bool:
        return any(line.subscription_id == self.held.pk for line in document.lines)


def _in_order(found: Reckoned) -> list[InvoiceDoc]:
    """Invoices in the order in which they would be written."""
    return [*found.invoices, *found.drafts]


def _tells(found: Reckoned) -> bool:
    return bool(found.given_back.notes) or any(document.notifies for document in found.invoices)


def _documents(found: Reckoned) -> list[PreviewDocument]:
    """What `previews.documents_of` would read once all was written."""
    return [
        *(_note(note) for note in found.given_back.notes),
        *(
            PreviewDocument(
                kind="invoice",
                currency=document.currency,
                lines=[_line(line) for line in document.lines],
                net=document.totals.totals.net,
                tax=document.totals.totals.tax,
                gross=document.gross_minor,
                to_pay=document.gross_minor - document.credit_used_minor,
                due_on=document.payment_due_on,
            )
            for document in _in_order(found)
        ),
    ]


def _note(note: NoteDoc) -> PreviewDocument:
    lines = [
        PreviewLine(
            line.of.description, line.period_start, line.period_end, line.amount_minor, line.net_minor,
            calculation=orjson.loads(canonical(line.calculation)),
        )
        for line in note.lines
    ]  # fmt: skip
    totals = note.totals.totals
    return PreviewDocument(
        "credit_note", note.currency, lines, totals.net, totals.tax, totals.gross, note.to_account_minor, None
    )


def _line(line: Line) -> PreviewLine:
    return PreviewLine(
        line.description, line.period_start, line.period_end, line.amount_minor, line.net_minor, line.quantity,
        line.unit_amount, orjson.loads(canonical(line.calculation)),
    )  # fmt: skip
