"""An erased customer is deleted in the systems we tie to, at once after the erasure and for good.

The rule that matters: the address stays here, in the tie's own row, only until the other system deleted it; an address
that somebody else here has, too, stays over there for them. A run of the tie leaves these rows to the effect.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from core.models import Outbox
from core.services import outbox
from crm.models import Tie, TieChange, TieRecord
from crm.services import tie_accounts, tie_rows
from crm.ties.base import NoAnswer, Outgoing, TieFailed
from customers.models import Customer

KIND = "forget_in_tie"


def forget(*, customer: Customer, emails: Iterable[str], leads: Iterable[int]) -> None:
    """Forgets what ties know of a customer; inside the transaction of the erasure.

    Ties delete it over there right after, by an effect of its own, those that are off, too; the key by which they do so
    is all that is left until then.
    """
    company_id = customer.company_id
    mine = Q(customer=customer) | Q(lead__in=list(leads)) | Q(key__in=list(emails)) | Q(theirs__in=list(emails))
    TieChange.objects.filter(mine, company_id=company_id).delete()
    rows = TieRecord.objects.filter(company_id=company_id, customer=customer)
    rows.update(values={}, lists=[], error="", digest="")
    for tie in Tie.objects.filter(pk__in=rows.values("tie")).order_by("pk"):
        put(tie, customer.pk)


def put(tie: Tie, customer_id: int) -> None:
    """Has a tie's system delete an erased customer; the effect that waits for it is that one.

    A customer is erased once. A run that sent them at that very moment finds them afterwards and puts it then.
    """
    payload = {"tie": tie.pk, "customer": customer_id}
    outbox.put(company_id=tie.company_id, kind=KIND, key=f"{tie.pk}:{customer_id}", payload=payload)


@outbox.handler(KIND)
def carry_out(row: Outbox) -> None:
    """Deletes the customer over there. Safe to run twice. While the tie is busy or waits, it is tried again."""
    tie = Tie.objects.select_related("company").filter(pk=row.payload["tie"], company_id=row.company_id).first()
    if tie is None:
        return
    records = TieRecord.objects.filter(tie=tie, customer_id=row.payload["customer"])
    if not records.exists():
        return
    held = tie_accounts.claim(tie.pk)
    if held is None:
        raise NoAnswer("busy")
    try:
        connection = tie_accounts.connect(held)
        if held.waits_for and connection.finished(held.waits_for) is False:
            raise NoAnswer("works on an import that may name them")
        kept = tie_rows.owners(tie.company_id, records.filter(kind="person").values_list("key", flat=True))
        for key, customer_id in kept.items():
            records.filter(kind="person", key=key).update(customer_id=customer_id)
        connection.forget([
            Outgoing(one.kind, one.key, one.customer_id, "out", {}, was=one.state, external_id=one.external_id)
            for one in records.order_by("pk")
        ])  # fmt: skip
        records.delete()
    except TieFailed as failed:
        # Its words may name the address; the effect keeps none.
        raise NoAnswer(type(failed).__name__) from None
    finally:
        tie_accounts.release(held.pk)
