"""Minimum commitments in settling: what a closed window lacks of its minimum becomes a line.

The rule that matters: minimum, prorated as the base price and rounded, less what was billed for the window's days after
credit notes and before discounts and credit; never below 0. A batch is read in two queries; without minimums in none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import takewhile
from typing import Any, Final

from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from billing.services import books
from billing.services.grouping import Line
from billing.services.loading import CustomerRow, words
from billing.services.minimum_before import (
    OWN,
    WHOLE,
    Closing,
    Fallen,
    billed_in,
    counted_minor,
    key_of,
    leave_out_billed,
    read_billed,
    read_fallen,
    spans_of,
)
from billing.services.noting import NoteDoc
from billing.services.snapshots import plain
from billing.services.taxing import Taxing
from core.models import Company
from pricing.errors import PricingError
from pricing.money import Money, to_minor
from subscriptions.services import minimums, schedule
from subscriptions.services.minimums import Former, Window
from subscriptions.services.schedule import ONE_DAY, Agreement

_MOST_WINDOWS: Final = 1200


def closing(
    agreements: Sequence[Agreement],
    notes: Iterable[NoteDoc],
    released: Mapping[int, date],
    *,
    on: date,
    last: Mapping[int, date] | None = None,
    lines: Iterable[Line] = (),
    fallen: Mapping[int, Sequence[Fallen]] | None = None,
) -> dict[int, Closing]:
    """What closes by that day, by subscription; those without a minimum are left out.

    `notes` and `released` are given back in this settling, see `read_billed`. `last`: an earlier day for some
    subscriptions. `lines`: those of documents that are reckoned and not written. `fallen`: by subscription, closed
    days of usage positions in which less was used than was billed.
    """
    concerned = [agreement for agreement in agreements if minimums.has_any(agreement)]
    if not concerned:
        return {}
    former = _former([one.id for one in concerned if one.minimum_through_on or one.minimum_amount is not None])
    found: dict[int, Closing] = {}
    for agreement in concerned:
        until = min(on, (last or {}).get(agreement.id, on))
        closed = found[agreement.id] = Closing(on=on)
        try:
            _walk(agreement, former.get(agreement.id, []), closed, until)
            closed.fallen = list((fallen or {}).get(agreement.id, ()))
            closed.again = _closed_over(agreement, former.get(agreement.id, []), closed.fallen)
        except PricingError as error:
            closed.error = error
    by_id = {agreement.id: agreement for agreement in concerned}
    spans = spans_of(found, by_id)
    if spans:
        leave_out_billed(found, by_id, spans)
        read_billed(found, by_id, notes, released)
        read_fallen(found, spans)
    for line in lines:
        if line.subscription_id in found:
            found[line.subscription_id].billed += billed_in([line])
    return found


def _walk(agreement: Agreement, former: Sequence[Former], closed: Closing, until: date) -> None:
    walks: list[Iterable[Window]] = [minimums.of_price(agreement, slot) for slot in agreement.slots]
    for windows in (*walks, _whole(agreement, former)):
        for number, window in enumerate(windows):
            if window.end > until or number > _MOST_WINDOWS:
                if window.amount:
                    closed.next_on = min(filter(None, (closed.next_on, window.end)))
                break
            closed.windows.append(window)


def _closed_over(agreement: Agreement, former: Sequence[Former], fallen: Sequence[Fallen]) -> list[Window]:
    """The windows, closed before, whose minimum these days count towards."""
    if not fallen:
        return []
    walks: list[tuple[date | None, Iterable[Window]]] = [
        (slot.minimum_through_on, minimums.of_price(agreement, slot._replace(minimum_through_on=None)))
        for slot in agreement.slots
        if any(slot.id == slot_id for slot_id, *_ in fallen)
    ]
    if agreement.minimum_through_on is not None:
        walks.append((agreement.minimum_through_on, _whole(agreement._replace(minimum_through_on=None), former)))
    return [
        window
        for through, windows in walks
        if through is not None
        for window in takewhile(lambda window, last=through: window.end <= last + ONE_DAY, windows)  # type: ignore[misc]
        if any(first < window.end and end > window.start for _, first, end, _ in fallen)
    ]


def _whole(agreement: Agreement, former: Sequence[Former]) -> Iterable[Window]:
    if agreement.minimum_amount is None and agreement.minimum_through_on is None and not former:
        return ()
    return minimums.of_whole(agreement, former)


_FORMER: Final = """
SELECT subscription_id, effective_on, before #>> '{columns,minimum_amount}'
FROM subscriptions_change
WHERE subscription_id = ANY(%s) AND status = 'done' AND values ? 'minimum_amount'
ORDER BY effective_on, id
"""


def _former(subscription_ids: Sequence[int]) -> dict[int, list[Former]]:
    """What minimums of whole subscriptions were before they changed; the first word of a day counts."""
    found: dict[int, list[Former]] = {}
    if not subscription_ids:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_FORMER, [list(subscription_ids)])
        for subscription_id, day, amount in cursor.fetchall():
            rows = found.setdefault(subscription_id, [])
            if not rows or rows[-1][0] != day:
                rows.append((day, None if amount is None else Decimal(amount)))
    return found


def lines(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    closed: Closing,
    fresh: Iterable[Line],
    taxing: Taxing,
    accounts: dict[tuple[str, str], int],
) -> list[tuple[date, Line]]:
    """The lines for what closed windows lack, with their due days. `fresh`: lines of this settling, not discounted."""
    if closed.error is not None:
        raise closed.error
    billed = list(closed.billed)
    billed += billed_in(fresh)
    found = []
    for window in (*closed.windows, *closed.again):
        charged = closed.charged_for(window)
        least = to_minor(Fraction(window.amount) * window.share, agreement.currency)
        counted = counted_minor(billed, window) + counted_minor((one.billed for one in charged), window)
        is_standing = key_of(window) in closed.standing
        if is_standing:
            counted = max(counted, least - closed.reopened_minor(window))
        if least > counted:
            line = _line(company, customer, agreement, window, least, counted, taxing, accounts)
            if is_standing:
                line.component += f":late:{max(one.line_id for one in charged)}"
                line.calculation["further"] = True
            found.append((closed.on if is_standing or window in closed.again else window.end, line))
    return found


def _line(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    window: Window,
    least_minor: int,
    counted: int,
    taxing: Taxing,
    accounts: dict[tuple[str, str], int],
) -> Line:
    slot, terms = schedule.supplied(window.slot, window.terms), window.terms
    tax = taxing.over(customer, slot.supply, slot.level, window.start, window.end, window.end)
    name = words(slot.product_name, customer.language, company.language)
    with translation.override(customer.language):
        said = _("Minimum charge") if window.is_whole else _("Minimum charge: %(product)s") % {"product": name}
    days, full_days = (window.end - window.start).days, (window.full_end - window.full_start).days
    missing = least_minor - counted
    calculation: dict[str, Any] = {
        "minimum": plain(window.amount),
        "minimum_of": "all" if window.is_whole else "price",
        "minimum_minor": least_minor,
        "counted_minor": counted,
        "interval": f"{terms.interval_count} {terms.interval_unit}",
        "full_start": window.full_start.isoformat(),
        "full_end": window.full_end.isoformat(),
        "days": days,
        "full_days": full_days,
        "share": "1" if window.share == 1 else f"{days}/{full_days}",
        "prorated": terms.is_prorated,
        "tax": tax.facts(),
    }
    if not window.is_whole:
        calculation |= {"price_version": terms.price_version, "price_ref": terms.price_ref}
    return Line(
        subscription_id=agreement.id,
        slot_id=slot.id,
        product_id=slot.product_id,
        description=said[:400],
        detail=agreement.name if agreement.name != said else "",
        quantity=Decimal(1),
        unit="",
        unit_amount=Money(missing, agreement.currency).amount,
        period_start=window.start,
        period_end=window.end,
        amount_minor=missing,
        tax=tax,
        account_id=books.revenue_account(accounts, slot.revenue_account, name),
        calculation=calculation,
        days=((window.start, window.end, "billed"),),
        kind="minimum",
        component=WHOLE if window.is_whole else OWN,
        price_id=None if window.is_whole else terms.price_id,
        share=window.share,
    )


def closed_through(found: Mapping[int, Closing], billed: Collection[int]) -> tuple[dict[int, date], dict[int, date]]:
    """The days up to which minimums are closed: of slots, and of whole subscriptions; of those `billed`."""
    slots: dict[int, date] = {}
    whole: dict[int, date] = {}
    for id_, closed in found.items():
        for window in closed.windows if id_ in billed else ():
            (whole if window.is_whole else slots)[id_ if window.is_whole else window.slot.id] = window.end - ONE_DAY
    return slots, whole
