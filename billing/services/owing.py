"""What a subscription owes, in memory: its due charges priced and taxed, as lines that know their document.

The rule that matters: nothing is read or written here; a subscription that can't be priced raises, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import orjson

from billing.services import books, charging, commitments, issuing, one_offs, steps
from billing.services.charging import Charge, SlotDue
from billing.services.grouping import InvoiceDoc, Line, Priced
from billing.services.loading import CustomerRow, Facts, OneOffRow, words
from billing.services.minimum_before import Closing
from billing.services.snapshots import plain
from billing.services.taxing import Taxing
from billing.services.usage_rating import USAGE_KINDS, Usage, complete_usage
from core.models import Company
from pricing.errors import PricingError
from pricing.money import Money
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY, Agreement


@dataclass(slots=True)
class Due:
    """A subscription's part: what its slots owe and what came of pricing it. `more_days`: further due days to come;
    `before`: the day before which alone something falls due, in a trial that may not go on."""

    agreement: Agreement
    slots: list[SlotDue]
    priced: list[Priced]
    one_offs: list[tuple[OneOffRow, Line]] = field(default_factory=list)
    more_days: list[date] = field(default_factory=list)
    before: date | None = None


def price(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    taxing: Taxing,
    known: Facts,
    on: date,
    ended: dict[int, date],
    usage: Usage,
    minimum: Mapping[int, Closing],
    again: Mapping[int, date],
) -> Due:
    """The due charges of a subscription with their taxes. `ended`: slots whose unused days were given back just now;
    `again`: see `giving_back.GivenBack`."""
    if agreement.id in usage.errors:
        raise usage.errors[agreement.id]
    if not agreement.slots or not all(slot.terms for slot in agreement.slots):
        raise PricingError("billing.nothing_agreed")
    terms_days = agreement.payment_terms_days
    if terms_days is None:
        terms_days = customer.payment_terms_days
    if terms_days is None:
        terms_days = company.payment_terms_days
    terms_from = agreement.payment_terms_from or customer.payment_terms_from or company.payment_terms_from
    po_reference = agreement.po_reference or customer.po_reference
    slots, priced = [], []
    before = None
    if waits(agreement, customer):
        before = agreement.paid_from_on
        on = min(on, before - ONE_DAY)
    for slot in agreement.slots:
        through = ended.get(slot.id)
        due = usage.due.get(slot.id) or charging.slot_due(
            agreement, slot if through is None else slot._replace(billed_through_on=through), on, again.get(slot.id)
        )
        slots.append(due)
        for charge in due.charges:
            line = _line(company, customer, agreement, charge, taxing, known)
            if charge.kind in USAGE_KINDS:
                complete_usage(line, usage.by_charge[slot.id, charge.component, charge.start])
            priced.append(
                Priced(
                    customer,
                    agreement.currency,
                    agreement.tax_behavior,
                    charge.due_on,
                    terms_days,
                    po_reference,
                    line,
                    terms_from,
                    charge.is_again,
                )
            )
    found = Due(agreement, slots, priced, before=before)
    if agreement.id in known.one_offs:
        rows = known.one_offs[agreement.id]
        found.one_offs = one_offs.due_lines(company, customer, agreement, rows, taxing, known.accounts, on)
        for row, line in found.one_offs:
            terms = (row.due_on, terms_days, po_reference, line, terms_from)
            priced.append(Priced(customer, agreement.currency, agreement.tax_behavior, *terms))
        later = one_offs.next_due(agreement, rows, on)
        found.more_days += [later] if later is not None else []
    closed = minimum.get(agreement.id)
    if closed is not None:
        fresh = [one.line for one in priced]
        for due_on, line in commitments.lines(company, customer, agreement, closed, fresh, taxing, known.accounts):
            terms = (due_on, terms_days, po_reference, line, terms_from)
            priced.append(Priced(customer, agreement.currency, agreement.tax_behavior, *terms))
        found.more_days += [closed.next_on] if closed.next_on is not None else []
    return found


def waits(agreement: Agreement, customer: CustomerRow) -> bool:
    """Whether its trial may not go on: then only what has no trial falls due before its end."""
    may_end = agreement.trial_may_end and agreement.state in ("pending", "trial")
    return may_end and not customer.payment_method


def _line(
    company: Company, customer: CustomerRow, agreement: Agreement, charge: Charge, taxing: Taxing, known: Facts
) -> Line:
    slot, terms = schedule.supplied(charge.slot, charge.terms), charge.terms
    tax = taxing.over(customer, slot.supply, slot.level, charge.start, charge.end, charge.due_on)
    name = words(slot.product_name, customer.language, company.language)[:400]
    days, full_days = (charge.end - charge.start).days, (charge.full_end - charge.full_start).days
    interval = f"{terms.interval_count} {terms.interval_unit}"
    units, unit_amount = terms.quantity, terms.unit_amount
    if charge.units_before is not None:
        units = terms.quantity - charge.units_before
    if charge.less_minor is not None:
        whole = charging.line_minor(
            terms.model, terms.unit_amount, terms.quantity, 1, 1, agreement.currency, terms.details
        )  # fmt: skip
        units, unit_amount = Decimal(1), Money(whole - charge.less_minor, agreement.currency).amount
    calculation: dict[str, Any] = {
        "model": terms.model,
        "quantity": plain(terms.quantity),
        "unit_amount": plain(terms.unit_amount),
        "interval": interval,
        "full_start": charge.full_start.isoformat(),
        "full_end": charge.full_end.isoformat(),
        "days": days,
        "full_days": full_days,
        "share": f"{days}/{full_days}" if terms.is_prorated and days != full_days else "1",
        "prorated": terms.is_prorated,
        "price_version": terms.price_version,
        "price_ref": terms.price_ref,
        "tax": tax.facts(),
    }
    if terms.details != "{}":
        calculation["details"] = orjson.loads(terms.details)
    if terms.model not in steps.PLAIN and (charge.kind == "base" or charge.less_minor is not None):
        taken = steps.steps_of(terms.model, terms.unit_amount, terms.details, terms.quantity)
        calculation["steps"] = list(taken)
    if charge.units_before is not None:
        calculation["quantity_before"] = plain(charge.units_before)
    if charge.less_minor is not None:
        calculation["less_minor"] = charge.less_minor
    billed = (charge.start, charge.served_end, "billed")
    return Line(
        subscription_id=agreement.id,
        slot_id=slot.id,
        product_id=slot.product_id,
        description=name,
        detail=agreement.name if agreement.name != name else "",
        quantity=units,
        unit=words(slot.unit_name, customer.language, company.language),
        unit_amount=unit_amount,
        period_start=charge.start,
        period_end=charge.end,
        amount_minor=charge.amount_minor,
        tax=tax,
        account_id=books.revenue_account(known.accounts, slot.revenue_account, name),
        calculation=calculation,
        days=(billed,) if charge.served_end == charge.end else (billed, (charge.served_end, charge.end, "forfeited")),
        kind=charge.kind,
        component=charge.component,
        price_id=terms.price_id,
        share=Fraction(days, full_days) if terms.is_prorated else Fraction(1),
    )


def days_only(company: Company, document: InvoiceDoc) -> list[str]:
    """Periods that cost nothing count as billed, without a line."""
    return [
        issuing.days_row(company.pk, line.slot_id, start, end, None, kind, line.component)
        for line in document.lines
        if line.slot_id is not None
        for start, end, kind in line.days
    ]
