"""What settling comes to, in memory: what is given back, what falls due, and the documents it makes.

The rule that matters: nothing is written here. `settling` writes what this reckons, `looking_ahead` shows it; there is
no second arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.utils import translation

from billing.services import allowances, commitments, exchange, giving_back, issuing, windows
from billing.services.allowances import Returned
from billing.services.discounting import Take, take_discounts
from billing.services.giving_back import Cuts, GivenBack
from billing.services.grouping import InvoiceDoc, Line, group
from billing.services.loading import CustomerRow, Facts
from billing.services.minimum_before import Closing
from billing.services.noting import NoteDoc
from billing.services.owing import Due, days_only, price, waits
from billing.services.taxing import Taxing
from billing.services.usage_rating import Usage, days_without_line, fallen, rate_usage
from billing.services.usage_reading import Foreseen
from billing.services.windows import Issuing
from core import clock
from core.models import Company
from core.refusal import Refused, words_of
from pricing.errors import PricingError
from subscriptions.services.schedule import ONE_DAY, Agreement


@dataclass(slots=True)
class Reckoned:
    """What settling comes to. `invoices` are issued now, `drafts` wait; lines and notes have no ids yet, and credit
    that notes make is numbered below 0. `free_days`: rows of days billed without a line. `billed`: the subscriptions
    that could be, the others are `parked` (subscription id, code, detail)."""

    given_back: GivenBack
    usage: Usage
    minimum: Mapping[int, Closing]
    returned: Returned
    dues: list[Due] = field(default_factory=list)
    discounts: list[Take] = field(default_factory=list)
    invoices: list[InvoiceDoc] = field(default_factory=list)
    drafts: list[InvoiceDoc] = field(default_factory=list)
    free_days: list[str] = field(default_factory=list)
    billed: set[int] = field(default_factory=set)
    parked: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Before:
    """What earlier reckonings came to that is not written: lines, notes, and rows of billed days with the day from
    which they are released."""

    lines: list[Line] = field(default_factory=list)
    notes: list[NoteDoc] = field(default_factory=list)
    released: dict[int, date] = field(default_factory=dict)


def revenue_codes(agreements: Sequence[Agreement]) -> list[str]:
    """The revenue accounts that products of these agreements name."""
    slots = [slot for agreement in agreements for slot in agreement.slots]
    codes = [slot.revenue_account for slot in slots]
    codes += [terms.product.revenue_account for slot in slots for terms in slot.terms if terms.product is not None]
    return [code for code in codes if code]


def reckon(
    company: Company,
    customers: Mapping[int, CustomerRow],
    agreements: Sequence[Agreement],
    known: Facts,
    foreseen: Foreseen,
    cuts: Cuts,
    *,
    on: date,
    at: datetime,
    run_id: int | None = None,
    notify_since: date | None = None,
    on_one_document: bool = False,
    how: Issuing,
    before: Before | None = None,
) -> Reckoned:
    """Everything of these agreements that is due by that day; see `settling.settle` for what the keywords say.

    `before`: what was reckoned for days before and is not written.
    `foreseen`, `cuts`: the usage that was looked at and what is to be taken back, both asked for with the facts. What
    was billed before is read where something asks for it; `known` may be brought up to date.
    """
    today = clock.day_in(at, company.time_zone)
    given_back = giving_back.give_back_due(company, customers, known, cuts)
    usage = rate_usage(company, customers, foreseen, known, given_back, on=on)
    waiting = {one.id: one.paid_from_on - ONE_DAY for one in agreements if waits(one, customers[one.customer_id])}
    before = before or Before()
    minimum = commitments.closing(
        agreements, [*before.notes, *given_back.notes], before.released | given_back.released, on=on, last=waiting,
        lines=before.lines, fallen=fallen(usage),
    )  # fmt: skip
    taxing = Taxing(company, known.rates, today=today)
    dues: list[Due] = []
    parked: list[tuple[int, str, str]] = []
    discounts: list[Take] = []
    for agreement in agreements:
        try:
            customer = customers[agreement.customer_id]
            ended, again = given_back.ended, given_back.again
            due = price(company, customer, agreement, taxing, known, on, ended, usage, minimum, again)
            taken = take_discounts(agreement, due.priced, known.discounts.get(agreement.id))
            if on_one_document:
                for priced in due.priced:
                    priced.due_on = max(priced.due_on, on)
            exchange.check(company, due.priced, known.exchange)
            dues.append(due)
            discounts += taken
        except (PricingError, Refused) as error:
            parked.append((agreement.id, error.code[:60], _why(error, company.language)[:500]))
        except Exception as error:  # noqa: BLE001  one bad subscription stops nobody; its reason is kept
            parked.append((agreement.id, "billing.unexpected", f"{type(error).__name__}: {error}"[:500]))

    invoices = group(company, (priced for due in dues for priced in due.priced))
    free_days: list[str] = []
    if not company.issues_zero_invoices:
        free_days = [row for document in invoices if not document.gross_minor for row in days_only(company, document)]
        invoices = [document for document in invoices if document.gross_minor]
    billed = {due.agreement.id for due in dues}
    free_days += days_without_line(company, usage, billed)
    quiet_before = max(filter(None, (notify_since, company.mails_start_on)), default=None)
    for document in invoices:
        document.run_id = run_id
        document.notifies &= quiet_before is None or document.charge_due_on >= quiet_before
    # A draft takes neither credit nor uses of discounts: what is written beside documents is for those issued now.
    invoices, drafts = windows.sort_out(company, invoices, how, at=at)
    returned = allowances.returned(company, given_back.notes, on=today, free=given_back.free)
    if known.allowances or returned.at_hand:
        allowances.apply(invoices, allowances.merged(known.allowances, returned.at_hand), on=today)
    exchange.fix(company, [*invoices, *drafts], known.exchange)
    for note in given_back.notes:
        note.notifies = quiet_before is None or note.given_back_from is None or note.given_back_from >= quiet_before
    issuing.apply_credit(invoices, [*known.credits, *given_back.credits])
    issuing.set_dates(invoices, max(today, known.last_invoice_on or today))
    issuing.set_dates(drafts, today)
    return Reckoned(given_back, usage, minimum, returned, dues, discounts, invoices, drafts, free_days, billed, parked)


def _why(error: PricingError | Refused, language: str) -> str:
    """The reason in words, in the company's language; the bare figures where a code has no words."""
    with translation.override(language):
        return error.message if isinstance(error, Refused) else words_of(error)
