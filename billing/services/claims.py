"""Claims for paying late: the lump sum or fee, and statutory interest. No turnover, no tax, never an invoice line.

The rule that matters: one fee per invoice, each day of interest once; a claim is booked when made, booked back when
waived, and paid whole by money that is left after the invoices. A return of that money opens it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max, Sum

from billing.models import Claim, CreditBalance, DunningCase, DunningStep, Payment, PaymentBalance
from billing.services import account_credit, books, interest_rates, receivables
from billing.services.books import Entry
from billing.services.lateness import Late
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from customers.models import Customer
from pricing.interest import interest

Kind, Status = Claim.Kind, Claim.Status
ONE_DAY: Final = timedelta(days=1)
#: Lump sums are named in euro cents by the law.
LUMP_CURRENCY: Final = "EUR"


@dataclass(frozen=True, slots=True)
class Made:
    """Claims that were made, and days for which nobody entered a rate of interest."""

    claims: list[Claim]
    days_without_rate: int


def make(*, case: DunningCase, step: DunningStep, late: Sequence[Late], on: date, by: Actor, at: datetime) -> Made:
    """Claims what the step asks for on each of these invoices. The caller holds the customer's lock.

    A business owes the lump sum of the seller's country, where its currency is the euro; others the step's fee, in the
    company's currency.
    Interest runs from the day after the day dunning counts from, on what is open now, to today; each day once.
    """
    company, customer = case.customer.company, case.customer
    is_business = customer.kind == Customer.Kind.COMPANY
    ids = [one.invoice.pk for one in late]
    charged = set(Claim.objects.filter(invoice_id__in=ids, kind=Kind.FEE).values_list("invoice_id", flat=True))
    fee = _fee(company, case.currency, step, is_business=is_business, on=on)
    rates = interest_rates.yearly(company.country, is_business=is_business) if step.has_interest else []
    until: Any = Claim.objects.filter(invoice_id__in=ids, kind=Kind.INTEREST).values_list("invoice_id")
    claimed_until: dict[int, date] = dict(until.annotate(last=Max("until_on")))
    made, missing = list[Claim](), 0
    for one in late:
        common: dict[str, Any] = {
            "company": company, "case": case, "customer": customer, "invoice": one.invoice, "currency": case.currency,
            "claimed_on": on,
        }  # fmt: skip
        if fee and one.invoice.pk not in charged:
            made.append(Claim(kind=Kind.FEE, amount_minor=fee, **common))
        if not step.has_interest:
            continue
        first = max(one.counts_from_on, claimed_until.get(one.invoice.pk, date.min)) + ONE_DAY
        found = interest(one.open_minor, first, on, rates)
        missing += found.days_without_rate
        if found.minor:
            parts = [
                [part.from_on.isoformat(), part.until_on.isoformat(), part.days, f"{part.percent:f}"]
                for part in found.parts
            ]
            facts = {"principal_minor": one.open_minor, "parts": parts, "days_without_rate": found.days_without_rate}
            made.append(
                Claim(kind=Kind.INTEREST, amount_minor=found.minor, from_on=first, until_on=on, calculation=[facts],
                      **common)
            )  # fmt: skip
    Claim.objects.bulk_create(made)
    day = receivables.booking_day(company, on)
    books.post(company=company, entries=[_entry(claim, claim.amount_minor, day) for claim in made])
    for claim in made:
        _tell(claim, "make", "made", by=by, at=at)
    return Made(made, missing)


def _fee(company: Company, currency: str, step: DunningStep, *, is_business: bool, on: date) -> int:
    rate = interest_rates.rate_on(company.country, on) if is_business and currency == LUMP_CURRENCY else None
    if rate is not None and rate.flat_fee_minor:
        return rate.flat_fee_minor
    # The policy names it in the company's currency.
    return step.fee_minor if currency == company.currency else 0


def _entry(claim: Claim, minor: int, on: date) -> Entry:
    amounts = [("receivable", claim.currency, minor), ("claim", claim.currency, -minor)]
    return Entry(amounts, on, claim.customer_id, "claim", claim.pk)


def open_of(customer_id: int, currency: str) -> list[Claim]:
    """The customer's open claims, oldest first."""
    rows = Claim.objects.filter(customer_id=customer_id, currency=currency, status=Status.OPEN)
    return list(rows.select_related("invoice").order_by("pk"))


def waive(*, claim: Claim, reason: str, by: Actor, at: datetime) -> Claim:
    """Gives the claim up and books it back. Needs a reason; refuses a paid one. Repeated: nothing happens."""
    receivables.reasoned(reason)
    company = claim.company
    today = clock.day_in(at, company.time_zone)
    with transaction.atomic():
        receivables.lock_customer(company, claim.customer_id)
        claim = Claim.objects.select_for_update(of=("self",)).select_related("customer", "invoice").get(pk=claim.pk)
        if claim.status == Status.WAIVED:
            return claim
        if claim.status != Status.OPEN:
            raise Refused("claim.not_open", state=claim.get_status_display())
        claim.status, claim.closed_on = Status.WAIVED, today
        claim.save(update_fields=["status", "closed_on"])
        day = receivables.booking_day(company, today)
        books.post(company=company, entries=[_entry(claim, -claim.amount_minor, day)])
        _tell(claim, "waive", "waived", by=by, at=at, reason=reason)
    return claim


def pay_from(payment: Payment, *, by: Actor, at: datetime) -> list[Claim]:
    """Pays open claims, each whole, oldest first, with what a payment left as credit. The customer is locked."""
    if payment.customer_id is None:
        return []
    claims = open_of(payment.customer_id, payment.currency)
    if not claims:
        return []
    rows = CreditBalance.objects.select_for_update(of=("self",)).filter(credit__payment=payment)
    credits = list(rows.order_by("credit_id"))
    left, on = sum(account_credit.left_of(credit) for credit in credits), clock.day_in(at, payment.company.time_zone)
    day, paid, entries = receivables.booking_day(payment.company, on), list[Claim](), list[Entry]()
    for claim in claims:
        if claim.amount_minor > left:
            continue
        rest = claim.amount_minor
        for credit in credits:
            use = min(rest, account_credit.left_of(credit))
            credit.used_minor += use
            rest -= use
        left -= claim.amount_minor
        claim.status, claim.closed_on, claim.payment_id = Status.PAID, on, payment.pk
        amounts = [
            ("customer_credit", claim.currency, claim.amount_minor), ("receivable", claim.currency, -claim.amount_minor)
        ]  # fmt: skip
        entries.append(Entry(amounts, day, claim.customer_id, "claim", claim.pk))
        paid.append(claim)
    if paid:
        CreditBalance.objects.bulk_update(credits, ["used_minor"])
        Claim.objects.bulk_update(paid, ["status", "closed_on", "payment_id"])
        books.post(company=payment.company, entries=entries)
        for claim in paid:
            _tell(claim, "pay", "paid", by=by, at=at)
    return paid


def open_again(
    payment: Payment,
    balance: PaymentBalance,
    credits: Sequence[CreditBalance],
    most: int,
    account: str,
    *,
    on: date,
    by: Actor,
    at: datetime,
) -> tuple[int, list[Entry]]:
    """Takes up to so much of a payment back from the claims it paid, newest first; the counters change in memory.

    Minor units, and an entry of each claim's own, with that much gone from the account: a claim opens whole, what it
    gives back beyond the amount is credit again.
    """
    taken, entries = 0, list[Entry]()
    if not most:
        return 0, entries
    rows = Claim.objects.select_for_update(of=("self",)).filter(payment_id=payment.pk, status=Status.PAID)
    for claim in rows.select_related("customer", "invoice", "company").order_by("-pk"):
        use = min(claim.amount_minor, most - taken)
        if not use:
            break
        back, gone = claim.amount_minor, use
        for credit in reversed(credits):
            part = min(back, credit.used_minor)
            credit.used_minor -= part
            credit.refunded_minor += min(part, gone)
            back, gone = back - part, gone - min(part, gone)
        balance.to_credit_minor -= use
        balance.refunded_minor += use
        taken += use
        claim.status, claim.closed_on, claim.payment_id = Status.OPEN, None, None
        claim.save(update_fields=["status", "closed_on", "payment_id"])
        amounts = [
            ("receivable", claim.currency, claim.amount_minor),
            ("customer_credit", claim.currency, use - claim.amount_minor),
            (account, claim.currency, -use),
        ]
        entries.append(Entry(amounts, on, claim.customer_id, "claim", claim.pk))
        _tell(claim, "open_again", "opened_again", by=by, at=at)
    return taken, entries


def total_open(customer_id: int, currency: str) -> int:
    """Sum of the customer's open claims, minor units."""
    rows = Claim.objects.filter(customer_id=customer_id, currency=currency, status=Status.OPEN)
    return int(rows.aggregate(total=Sum("amount_minor"))["total"] or 0)


def _tell(claim: Claim, verb: str, past: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    facts: dict[str, Any] = {
        "kind": claim.kind, "status": claim.status, "currency": claim.currency, "amount_minor": claim.amount_minor,
    }  # fmt: skip
    data = {
        "id": claim.ref, "customer": claim.customer.ref, "invoice": claim.invoice.ref, "number": claim.invoice.number,
        **facts,
    }  # fmt: skip
    receivables.tell(claim.company, f"claim.{verb}", f"claim.{past}", "claim", claim.pk, claim.customer_id, data, facts,
                     by=by, at=at, reason=reason)  # fmt: skip
