"""Events of money: payments, tries to collect, refunds, what is taken back, methods, mandates, the bank."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_PAYMENT: dict[str, Any] = {
    "id": f"pay_{_ID}", "customer": f"cus_{_ID}", "method": "card", "currency": "EUR", "amount_minor": 5831,
    "allocated_minor": 5831, "to_credit_minor": 0, "status": "settled", "received_on": "2026-03-02",
    "invoices": [["INV-2026-000042", 5831]],
}  # fmt: skip
_TAKEN = _PAYMENT | {"allocated_minor": 0, "invoices": []}
_ATTEMPT: dict[str, Any] = {
    "id": f"att_{_ID}", "customer": f"cus_{_ID}", "invoice": f"inv_{_ID}", "number": "INV-2026-000042",
    "state": "created", "currency": "EUR", "amount_minor": 5831, "reason": "", "origin": "due",
}  # fmt: skip
_REFUND: dict[str, Any] = {
    "id": f"rfd_{_ID}", "customer": f"cus_{_ID}", "status": "pending", "currency": "EUR", "amount_minor": 5831,
}  # fmt: skip
_REVERSAL: dict[str, Any] = {
    "id": f"rev_{_ID}", "payment": f"pay_{_ID}", "customer": f"cus_{_ID}", "kind": "dispute", "state": "open",
    "currency": "EUR", "amount_minor": 5831, "fee_minor": 1500, "reason": "fraudulent", "taken_on": "2026-04-02",
}  # fmt: skip
_METHOD: dict[str, Any] = {
    "id": f"pme_{_ID}", "customer": f"cus_{_ID}", "kind": "card", "status": "active", "label": "Visa •••• 4242",
    "is_default": True, "expires_on": "2027-05-31",
}  # fmt: skip
_MANDATE: dict[str, Any] = {
    "method": f"pme_{_ID}", "customer": f"cus_{_ID}", "reference": "MND-000042", "scheme": "CORE",
    "label": "DE •••• 3000",
}  # fmt: skip
_BATCH: dict[str, Any] = {
    "id": f"ddb_{_ID}", "message_id": "DD-20260301-1", "count": 212, "total_minor": 1209300,
    "collection_on": "2026-03-05", "scheme": "CORE", "state": "made",
}  # fmt: skip
_LINE: dict[str, Any] = {
    "id": f"bli_{_ID}", "customer": f"cus_{_ID}", "payment": f"pay_{_ID}", "state": "matched", "amount_minor": 5831,
    "currency": "EUR", "booked_on": "2026-03-02", "kind": "number",
}  # fmt: skip


def _attempt(state: str, **more: Any) -> dict[str, Any]:
    return _ATTEMPT | {"state": state, **more}


register(
    {
        "payment.recorded": (_("Money came in."), _PAYMENT),
        "payment.fee_learned": (_("What a provider keeps of a payment became known."), _PAYMENT | {"invoices": []}),
        "payment.allocated": (_("A payment was allocated to invoices."), _PAYMENT),
        "payment.returned": (_("A payment was taken back: a returned debit or transfer."), _TAKEN | {
            "status": "returned",
        }),
        "payment.disputed": (_("A payment was taken back by a dispute."), _TAKEN | {"status": "disputed"}),
        "payment.refunded": (_("A payment was given back at the provider, not from here."), _TAKEN | {
            "status": "refunded",
        }),
        "payment.canceled": (_("A recorded payment was taken back: it had not come in."), _TAKEN | {
            "status": "canceled",
        }),
        "attempt.created": (_("Money will be collected for an invoice."), _ATTEMPT),
        "attempt.sent": (_("A provider or the bank was asked to collect."), _attempt("sent")),
        "attempt.pending": (_("A collection is under way."), _attempt("pending")),
        "attempt.requires_action": (_("A collection waits for the customer, such as for a confirmation at the bank."),
                                    _attempt("requires_action")),
        "attempt.unknown": (_("What became of a collection isn't known yet; it is looked up."), _attempt("unknown")),
        "attempt.settled": (_("A collection succeeded."), _attempt("settled")),
        "attempt.failed": (_("A collection failed; the reason is named."), _attempt("failed", reason="no_funds")),
        "attempt.canceled": (_("A collection was canceled before it took place."), _attempt("canceled")),
        "attempt.postponed": (_("A direct debit moved to a later day."), _ATTEMPT),
        "attempt.close_proposed": (_("A colleague proposed to close an unknown collection."), _attempt("unknown")),
        "attempt.close_dropped": (_("The proposal to close an unknown collection was dropped."), _attempt("unknown")),
        "refund.asked": (_("A refund was asked for."), _REFUND),
        "refund.sent": (_("A refund was given to the provider or the bank."), _REFUND | {"status": "sent"}),
        "refund.settled": (_("A refund was paid out."), _REFUND | {"status": "settled"}),
        "refund.failed": (_("A refund could not be paid out; its credit is at hand again."), _REFUND | {
            "status": "failed",
        }),
        "refund.canceled": (_("A refund was canceled."), _REFUND | {"status": "canceled"}),
        "reversal.taken": (_("A dispute or a returned debit took money back."), _REVERSAL),
        "reversal.won": (_("A dispute was won; the money is back."), _REVERSAL | {"state": "won"}),
        "reversal.lost": (_("A dispute was lost."), _REVERSAL | {"state": "lost"}),
        "payment_method.set_up_begun": (_("A customer began to store a payment method."), _METHOD | {
            "status": "pending",
        }),
        "payment_method.saved": (_("A payment method was stored."), _METHOD),
        "payment_method.made_default": (_("A payment method is the customer's default."), _METHOD),
        "payment_method.renewed": (_("A stored card got a new date of expiry."), _METHOD),
        "payment_method.expired": (_("A payment method expired."), _METHOD | {"status": "expired"}),
        "payment_method.lost": (_("A payment method can't be charged any more."), _METHOD | {"status": "broken"}),
        "payment_method.ended": (_("A payment method ended with its mandate."), _METHOD | {"status": "broken"}),
        "payment_method.removed": (_("A payment method was removed."), _METHOD | {"status": "removed"}),
        "mandate.signed": (_("A direct debit mandate was signed."), _MANDATE),
        "mandate.amended": (_("A mandate was amended, such as for another account."), _MANDATE),
        "mandate.ended": (_("A mandate was revoked."), _MANDATE),
        "mandate.expired": (_("A mandate expired, unused for 36 months or used up."), _MANDATE),
        "debit_batch.made": (_("A file of direct debits was made."), _BATCH),
        "debit_batch.sent": (_("A file of direct debits was given to the bank."), _BATCH | {"state": "sent"}),
        "debit_batch.canceled": (_("A file of direct debits was canceled."), _BATCH | {"state": "canceled"}),
        "bank_statement.imported": (_("A bank statement was read in."), {
            "id": f"bst_{_ID}", "format": "camt053", "number": "42", "lines": 31, "new": 31, "problems": 0,
        }),
        "bank_line.matched": (_("A line of a bank statement was matched to what it pays."), _LINE),
        "bank_line.set_aside": (_("A line of a bank statement was set aside."), _LINE | {"payment": None}),
        "bank_line.undone": (_("The match of a bank line was taken back."), _LINE | {"payment": None}),
    }
)  # fmt: skip
