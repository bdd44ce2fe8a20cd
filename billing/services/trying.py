"""What an act on documents or money would do: the very act in a transaction that is rolled back, then the act itself.

The counterpart of `previews` for acts without a subscription (credit notes, voids, drafts, payments). The token signs
every document and what the customer owes and has before and after; an act that carries it does what was shown or
nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from billing.models import CreditBalance, CreditNote, Invoice, InvoiceBalance, PaymentBalance, Refund
from billing.services import mailing
from billing.services.previews import PreviewDocument, documents_of
from core.refusal import Refused
from customers.models import Customer

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer owes and has in one currency, in minor units."""

    open_minor: int
    credit_minor: int
    unallocated_minor: int
    to_pay_out_minor: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What the act would write and where the customer would stand. `money_now`: documents, gross, notes negative."""

    documents: list[PreviewDocument]
    currency: str
    money_now: int
    before: Standing
    after: Standing
    mails: list[str]
    token: str


def tried(act: Callable[[], Any], *, customer: Customer | None, currency: str) -> Trial:
    """Does the act, looks, and takes everything back. Raises `Refused` where the act would."""
    with transaction.atomic():
        try:
            before = standing(customer, currency)
            result = act()
            return _seen(result, before, customer, currency)
        finally:
            transaction.set_rollback(True)


def done(act: Callable[[], Result], *, customer: Customer | None, currency: str, token: str | None) -> Result:
    """Does the act; with a token only if it comes out as previewed (`preview.differs`)."""
    with transaction.atomic():
        before = standing(customer, currency) if token is not None else None
        result = act()
        if before is not None and token != _seen(result, before, customer, currency).token:
            raise Refused("preview.differs")
    return result


def standing(customer: Customer | None, currency: str) -> Standing:
    """Where the customer stands now; for an unknown one everything is zero."""
    if customer is None:
        return Standing(0, 0, 0, 0)
    own = {"customer_id": customer.pk, "currency": currency}
    open_ = InvoiceBalance.objects.filter(**own, status=InvoiceBalance.Status.OPEN).aggregate(sum=Sum("open_minor"))
    credit = CreditBalance.objects.filter(credit__customer=customer, credit__currency=currency)
    loose = PaymentBalance.objects.filter(payment__customer=customer, payment__currency=currency)
    refunds = Refund.objects.filter(**own, status=Refund.Status.PENDING).aggregate(sum=Sum("amount_minor"))
    return Standing(
        int(open_["sum"] or 0),
        int(credit.aggregate(sum=Sum("left_minor"))["sum"] or 0),
        int(loose.aggregate(sum=Sum("left_minor"))["sum"] or 0),
        int(refunds["sum"] or 0),
    )


def _seen(result: Any, before: Standing, customer: Customer | None, currency: str) -> Trial:
    written = result if isinstance(result, list | tuple) else [result]
    invoices = [row.pk for row in written if isinstance(row, Invoice) and row.sequence is not None]
    notes = [row.pk for row in written if isinstance(row, CreditNote)]
    documents = documents_of(SimpleNamespace(invoice_ids=invoices, credit_note_ids=notes, draft_ids=[]))  # type: ignore[arg-type]
    after = standing(customer, currency)
    sign = {"invoice": 1, "credit_note": -1}
    return Trial(
        documents=documents,
        currency=currency,
        money_now=sum(sign[document.kind] * document.gross for document in documents),
        before=before,
        after=after,
        mails=mailing.recipients_of(customer) if documents and customer is not None else [],
        token=_token(documents, customer, currency, before, after),
    )


def _token(
    documents: list[PreviewDocument], customer: Customer | None, currency: str, before: Standing, after: Standing
) -> str:
    figures = [
        [document.kind, document.currency, document.net, document.tax, document.gross, document.to_pay,
         [[line.description, str(line.period_start), str(line.period_end), line.amount, line.net]
          for line in document.lines]]
        for document in documents
    ]  # fmt: skip
    sides = [
        [side.open_minor, side.credit_minor, side.unallocated_minor, side.to_pay_out_minor] for side in (before, after)
    ]
    body = json.dumps([customer.pk if customer else None, currency, sides, figures], separators=(",", ":"))
    return hmac.new(settings.SECRET_KEY.encode(), b"turnus.trial:" + body.encode(), hashlib.sha256).hexdigest()
