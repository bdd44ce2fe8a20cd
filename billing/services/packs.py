"""Prepaid credit sold on an invoice: how it arises, and what a credit note for its sale takes back.

The rule that matters: it arises when its invoice is issued, at the category and rate it was taxed at; it is worth what
was paid for it without tax, and anything beyond that is granted credit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from django.utils import translation
from django.utils.translation import gettext as _

from billing.models import Credit, CreditBalance
from billing.services.grouping import InvoiceDoc, Line
from billing.services.noting import NoteDoc
from core.ids import decode, encode, new_id
from core.models import Company
from core.refusal import Refused
from pricing.money import Money, round_half_up

PREFIX: Final = "crd"


@dataclass(frozen=True, slots=True)
class Pack:
    """What a line sells: credit of so many minor units (without tax), until a day or for ever."""

    amount_minor: int
    expires_on: date | None = None

    def facts(self) -> dict[str, Any]:
        """As a line's calculation keeps it."""
        return {
            "amount_minor": self.amount_minor,
            "expires_on": None if self.expires_on is None else self.expires_on.isoformat(),
        }


def pack_of(calculation: dict[str, Any]) -> Pack | None:
    """What a stored line sells; None for a line that sells no credit."""
    kept = calculation.get("pack")
    if kept is None:
        return None
    until = kept.get("expires_on")
    return Pack(kept["amount_minor"], None if until is None else date.fromisoformat(until))


def name_credits(document: InvoiceDoc) -> None:
    """Gives the credit that the document's lines sell its public ids, before the content is frozen."""
    for line in _selling(document):
        kept = line.calculation["pack"]
        names = {"credit": encode(PREFIX, new_id())}
        if kept["amount_minor"] > line.net_minor:
            names["bonus"] = encode(PREFIX, new_id())
        line.calculation = line.calculation | {"pack": kept | names}


def _selling(document: InvoiceDoc) -> list[Line]:
    return [line for line in document.lines if "pack" in line.calculation]


def register(company: Company, document: InvoiceDoc) -> None:
    """Writes the credit that an issued invoice sells."""
    for line in _selling(document):
        kept, group = line.calculation["pack"], line.tax.group
        with translation.override(document.customer.language):
            words = _("Bonus of %(pack)s") % {"pack": line.description}
        taxed = {"tax_category": group.category, "tax_rate": group.rate}
        for name, source, minor, more in (
            ("credit", Credit.Source.PREPAID, line.net_minor, {**taxed, "reason": line.description}),
            ("bonus", Credit.Source.GRANTED, kept["amount_minor"] - line.net_minor, {"reason": words[:500]}),
        ):
            if minor > 0:
                credit = Credit.objects.create(
                    company=company,
                    public_id=decode(PREFIX, kept[name]),
                    customer_id=document.customer.id,
                    source=source,
                    currency=document.currency,
                    amount_minor=minor,
                    invoice_id=document.id,
                    expires_on=pack.expires_on if (pack := pack_of(line.calculation)) else None,
                    created_on=document.issued_on,
                    **more,
                )
                CreditBalance.objects.create(credit=credit, amount_minor=minor)


def take_back(company: Company, notes: Sequence[NoteDoc]) -> None:
    """Takes back the unused credit that lines of these notes sold. Refuses more than is unused (`credit.pack_used`)."""
    for note in notes:
        for line in note.lines:
            kept = line.of.calculation.get("pack")
            if kept is None:
                continue
            sold = _locked(company, kept["credit"])
            if line.net_minor > _left(sold):
                raise Refused("credit.pack_used", left=Money(_left(sold), note.currency))
            _lapse(sold, line.net_minor)
            if "bonus" in kept:
                bonus = _locked(company, kept["bonus"])
                share = Fraction(line.of.credited_minor, line.of.amount_minor)
                wanted = round_half_up(bonus.amount_minor * share) - bonus.lapsed_minor
                _lapse(bonus, max(0, min(wanted, _left(bonus))))


def _locked(company: Company, ref: str) -> CreditBalance:
    rows = CreditBalance.objects.select_for_update(of=("self",))
    return rows.get(credit__company=company, credit__public_id=decode(PREFIX, ref))


def _left(balance: CreditBalance) -> int:
    return balance.amount_minor - balance.used_minor - balance.refunded_minor - balance.lapsed_minor


def _lapse(balance: CreditBalance, minor: int) -> None:
    if minor:
        balance.lapsed_minor += minor
        balance.save(update_fields=["lapsed_minor"])


def sells(lines: Iterable[Line]) -> bool:
    """Whether any of these lines sells credit."""
    return any("pack" in line.calculation for line in lines)
