"""Customers that turned out to be one: which belong together, and what a merged one no longer gets.

The rule that matters: a merged customer keeps what is frozen under its own number and is shown as part of the one it
was merged into; nothing new begins with it. Whoever names it is refused (`refuse`); what is found by one of its
documents, or by a machine, is the other one's (`standing`). There are two levels at most.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection
from django.db.models import Q

from core.refusal import Refused
from customers.models import Customer


def ids_of(customer: Customer) -> list[int]:
    """The customer's own id first, then those of the ones that were merged into it, oldest first."""
    rows = Customer.objects.filter(company_id=customer.company_id, merged_into=customer)
    return [customer.pk, *rows.order_by("pk").values_list("pk", flat=True)]


def of(customer: Customer) -> list[Customer]:
    """The ones that were merged into it, oldest first."""
    return list(Customer.objects.filter(company_id=customer.company_id, merged_into=customer).order_by("pk"))


def whole(customer: Customer) -> Q:
    """Rows of the customer and of those that were merged into it; the column is `customer`. Asks for the ids first."""
    return Q(customer_id__in=ids_of(customer))


def refuse(customer: Customer, *, field: str = "customer") -> None:
    """Refuses `customer.merged`: whoever was merged gets nothing new, and isn't changed any more."""
    if (refused := refusal(customer, field=field)) is not None:
        raise refused


def refusal(customer: Customer, *, field: str = "customer") -> Refused | None:
    """What `refuse` raises.

    Asked of the database, as the row at hand may be older than the merge. Inside a transaction the answer holds until
    its end: a merge going on is waited for, and a later one waits.
    """
    with connection.cursor() as cursor:
        # The lock of a reference: it waits for nobody but a merge. By the key alone, so that who waited sees the merge.
        cursor.execute("SELECT merged_into_id FROM customers_customer WHERE id = %s FOR KEY SHARE", [customer.pk])
        row = cursor.fetchone()
    if row is None or row[0] is None:
        return None
    return Refused("customer.merged", field=field, number=customer.number, into=Customer(pk=row[0]).number)


def standing(customer: Customer) -> Customer:
    """The customer itself, or the one it was merged into."""
    return customer if customer.merged_into is None else customer.merged_into


def standing_ids(company_id: int, ids: Iterable[int]) -> dict[int, int]:
    """Those of these customers that were merged, by id, and whom each was merged into."""
    rows = Customer.objects.filter(company_id=company_id, pk__in=set(ids), merged_into__isnull=False)
    return dict(rows.values_list("pk", "merged_into_id"))


def payer(customer: Customer | None, owes: Customer | None) -> Customer | None:
    """Whose account money belongs to: that of whoever owes what it is for, else that of whoever stays.

    `customer` says whose money it is, `owes` whose document was named; a document of somebody merged is paid for them.
    """
    if owes is not None and customer is not None and owes.merged_into_id == customer.pk:
        return owes
    return standing(customer) if customer is not None and owes is None else customer
