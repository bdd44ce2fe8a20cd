"""Companies that collect by direct debit, and customers who signed a mandate."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.providers import billed

CREDITOR = "DE98ZZZ09999999999"
OWN_IBAN = "DE02120300000000202051"
IBANS = ("DE89370400440532013000", "DE02500105170137075030", "NL91ABNA0417164300", "AT611904300234573201")


def a_creditor(company: Any, **changes: Any) -> Any:
    from billing.services import gateway_accounts

    fields: dict[str, Any] = {"creditor_id": CREDITOR, "iban": OWN_IBAN, "notice_days": 5, "lead_days": 1}
    return gateway_accounts.save(company=company, kind="sepa", by=BY, at=at_noon(TODAY), **(fields | changes))


def a_mandate(customer: Any, gateway: Any, iban: str = IBANS[0], *, on: date = TODAY, **changes: Any) -> Any:
    from billing.services import mandates

    fields: dict[str, Any] = {
        "holder": customer.name, "signed_by": "Erika Muster", "proof": {"address": "192.0.2.1"}, "at": at_noon(on),
    }  # fmt: skip
    return mandates.sign(customer=customer, gateway=gateway, iban=iban, by=BY, **(fields | changes))


def collect(company: Any, on: date = TODAY) -> list[Any]:
    """Attempts on everything due, as the tick makes them."""
    from billing.models import Attempt
    from billing.services import collecting

    ids = collecting.collect_due(company=company, at=at_noon(on))
    return list(Attempt.objects.filter(pk__in=ids).order_by("pk"))


def make(company: Any, gateway: Any, on: date) -> list[Any]:
    from billing.services import debit_files

    return debit_files.make_batches(company=company, gateway=gateway, on=on, by=BY, at=at_noon(on))


def a_debit(company: Any, gateway: Any, amount: str = "10.00", *, on: date = TODAY, **mandate: Any) -> Any:
    """A customer with a mandate, an issued invoice and its attempt."""
    customer = a_customer(company)
    a_mandate(customer, gateway, on=on, **mandate)
    billed(company, customer, amount, on=on)
    return collect(company, on)[-1]


__all__ = ["BY", "TODAY", "a_company", "a_customer", "at_noon", "billed"]
