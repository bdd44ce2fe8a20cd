"""Debits as they can stand in a file: read from attempts, mandates, balances and addresses, in four queries.

The rule that matters: this only reads; what was read is compared with what holds once the customers are locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from billing.gateways import bank_accounts
from billing.gateways.sepa_files import Debit, Party, Place
from billing.models import Attempt, Gateway, InvoiceBalance, Mandate, PaymentMethod
from billing.services import mandates, receivables
from core.ids import BadId, decode
from core.models import Company
from customers.models import Address
from pricing.periods import add_months

State = Attempt.State
#: The largest debit of SEPA, in cents.
LARGEST: Final = 99_999_999_999


@dataclass(frozen=True, slots=True)
class Entry:
    """A debit that can be put in a file, with what decides in which."""

    attempt_id: int
    customer_id: int
    mandate_id: int
    collect_on: date
    scheme: str
    sequence: str
    debit: Debit

    @property
    def group(self) -> tuple[date, str, str]:
        return self.collect_on, self.scheme, self.sequence


def end_to_end_id(attempt: Attempt) -> str:
    """What names the debit at the bank: the letters of the attempt's outside id."""
    return attempt.ref.partition("_")[2]


def attempt_of(company: Company, reference: str) -> Attempt | None:
    """The debit that an end-to-end id names; None for another's."""
    try:
        public_id = decode(Attempt.PREFIX, f"{Attempt.PREFIX}_{reference.strip().lower()}")
    except BadId:
        return None
    rows = Attempt.objects.filter(company=company, public_id=public_id, gateway__kind=Gateway.Kind.SEPA)
    return rows.select_related("invoice__company", "gateway", "method").first()


def creditor_of(gateway: Gateway) -> Party:
    """Who collects; refuses `gateway.account_missing` and `iban.*`."""
    company = gateway.company
    own = (gateway.iban, gateway.bic) if gateway.iban else (company.iban, company.bic)
    account = bank_accounts.own_account(*own)
    return Party(gateway.creditor_name or company.legal_name, account.iban, account.bic, gateway.creditor_id)


def entries_of(gateway: Gateway, ids: Sequence[int]) -> list[Entry]:
    """What of these attempts can be collected now, read in four queries; in order of their ids."""
    rows = list(
        Attempt.objects.filter(pk__in=ids, state=State.CREATED, batch__isnull=True)
        .select_related("invoice", "method")
        .order_by("pk")
    )
    backing = {
        row.method_id: row
        for row in Mandate.objects.filter(
            method__in={row.method_id for row in rows},
            ended_on__isnull=True,
            method__status=PaymentMethod.Status.ACTIVE,
        ).select_related("amends__amends")
    }
    open_minor = dict(
        InvoiceBalance.objects.filter(
            invoice__in=[row.invoice_id for row in rows], status__in=receivables.PAYABLE
        ).values_list("invoice_id", "open_minor")
    )
    places = {
        row.customer_id: Place(" ".join(map(str, row.lines)), row.postal_code, row.city, row.country)
        for row in Address.objects.filter(
            customer__in={row.customer_id for row in rows}, kind=Address.Kind.BILLING, replaced_at__isnull=True
        )
    }
    found = []
    for row in rows:
        mandate = backing.get(row.method_id or 0)
        if mandate is None or row.collect_on is None or not _is_fit(row, mandate, open_minor, gateway):
            continue
        debit = Debit(
            end_to_end_id=end_to_end_id(row),
            amount_minor=row.amount_minor,
            reference=mandate.reference,
            signed_on=mandate.signed_on,
            name=mandate.holder,
            iban=mandate.iban,
            bic=mandate.bic,
            text=f"{row.invoice.number} {gateway.creditor_name or gateway.company.name}",
            place=places.get(row.customer_id),
            amendment=mandates.amendment_of(mandate),
        )
        sequence = "OOFF" if mandate.is_one_off else "RCUR"
        found.append(Entry(row.pk, row.customer_id, mandate.pk, row.collect_on, mandate.scheme, sequence, debit))
    return found


def _is_fit(attempt: Attempt, mandate: Mandate, open_minor: dict[int, int], gateway: Gateway) -> bool:
    assert attempt.collect_on is not None
    return (
        open_minor.get(attempt.invoice_id, 0) >= attempt.amount_minor
        and attempt.amount_minor <= LARGEST
        and mandate.creditor_id == gateway.creditor_id
        and attempt.collect_on < add_months(mandate.last_used_on or mandate.signed_on, mandates.UNUSED_MONTHS)
    )
