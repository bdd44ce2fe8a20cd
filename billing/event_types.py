"""Events of what is owed: runs, invoices, credit notes, credit, claims, dunning. Money itself: `event_types_money`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_INVOICE: dict[str, Any] = {
    "id": f"inv_{_ID}", "number": "INV-2026-000042", "status": "paid", "currency": "EUR", "gross_minor": 5831,
    "open_minor": 0,
}  # fmt: skip
_CREDIT: dict[str, Any] = {
    "id": f"crd_{_ID}", "customer": f"cus_{_ID}", "source": "granted", "currency": "EUR", "amount_minor": 1000,
    "expires_on": None,
}  # fmt: skip
_CASE: dict[str, Any] = {
    "id": f"dun_{_ID}", "customer": f"cus_{_ID}", "state": "open", "currency": "EUR", "overdue_minor": 5831,
}  # fmt: skip
_STEP = _CASE | {"amount_minor": 5831}
_CLAIM: dict[str, Any] = {
    "id": f"clm_{_ID}", "customer": f"cus_{_ID}", "invoice": f"inv_{_ID}", "number": "INV-2026-000042", "kind": "fee",
    "status": "open", "currency": "EUR", "amount_minor": 500,
}  # fmt: skip

register(
    {
        "billing_run.ended": (_("A billing run ended."), {
            "id": f"run_{_ID}", "state": "done", "on": "2026-03-01", "invoices": 812, "credit_notes": 3, "parked": 1,
            "totals": {"EUR": 4729100},
        }),
        "invoice.issued": (_("An invoice was issued."), {
            "id": f"inv_{_ID}", "number": "INV-2026-000042", "customer": f"cus_{_ID}", "issued_on": "2026-03-01",
            "payment_due_on": "2026-03-15", "charge_due_on": "2026-03-01", "currency": "EUR", "net_minor": 4900,
            "tax_minor": 931, "gross_minor": 5831, "credit_used_minor": 0, "status": "open", "notifies": True,
        }),
        "invoice.paid": (_("An invoice is paid in full."), _INVOICE),
        "invoice.reopened": (_("Money for a paid invoice was taken back; it is open again."), _INVOICE | {
            "status": "open", "open_minor": 5831,
        }),
        "invoice.voided": (_("An invoice was voided by a credit note."), {
            "id": f"inv_{_ID}",
            "number": "INV-2026-000042", "customer": f"cus_{_ID}", "credit_note": "CN-2026-000007",
        }),
        "invoice.written_off": (_("What was open of an invoice was given up."), {
            "id": f"inv_{_ID}", "number": "INV-2026-000042", "currency": "EUR", "amount_minor": 5831,
        }),
        "invoice.vat_unchecked": (_("An invoice was issued with tax because the VAT id could not be checked."), {
            "id": f"inv_{_ID}", "number": "INV-2026-000042", "customer": f"cus_{_ID}", "vat_state": "pending",
        }),
        "credit_note.issued": (_("A credit note was issued."), {
            "id": f"crn_{_ID}", "number": "CN-2026-000007", "customer": f"cus_{_ID}", "corrects": "INV-2026-000042",
            "cause": "credit", "issued_on": "2026-03-09", "currency": "EUR", "net_minor": 4900, "tax_minor": 931,
            "gross_minor": 5831, "settled_minor": 5831, "to_account_minor": 0,
        }),
        "credit.granted": (_("Credit was granted to a customer."), _CREDIT),
        "credit.used": (_("A customer's credit paid for open invoices."), {
            "id": f"cus_{_ID}", "currency": "EUR", "amount_minor": 1000,
        }),
        "credit.reversed": (_("Granted credit was taken back."), _CREDIT),
        "credit.lapsed": (_("Credit lapsed on its last day."), _CREDIT | {"expires_on": "2026-12-31"}),
        "claim.made": (_("A fee or interest is claimed for late payment."), _CLAIM),
        "claim.waived": (_("A claim was waived."), _CLAIM | {"status": "waived"}),
        "claim.paid": (_("A claim was paid."), _CLAIM | {"status": "paid"}),
        "claim.opened_again": (_("Money for a paid claim was taken back."), _CLAIM),
        "dunning.opened": (_("A customer is late: a dunning case began."), _CASE | {"counts_from_on": "2026-03-15"}),
        "dunning.reminded": (_("A payment reminder was sent."), _STEP),
        "dunning.retried": (_("Dunning tried to collect again."), _STEP),
        "dunning.alerted": (_("Dunning told colleagues of a case."), _STEP),
        "dunning.claimed": (_("Dunning claimed a fee or interest."), _STEP),
        "dunning.suspended": (_("Dunning stopped the service."), _STEP),
        "dunning.resumed": (_("Service goes on: what was late is paid."), _CASE | {"subscriptions": 1}),
        "dunning.canceled": (_("Dunning ended the subscriptions of a customer."), _STEP),
        "dunning.written_off": (_("Dunning gave money up."), _STEP),
        "dunning.handed_over": (_("A case was handed over to collectors."), _STEP),
        "dunning.step_skipped": (_("A step of dunning was passed over."), _STEP),
        "dunning.promised": (_("A customer promised to pay by a day."), _CASE | {
            "state": "promised", "until": "2026-04-01",
        }),
        "dunning.promise_broken": (_("A promised day went by without the money."), _CASE),
        "dunning.paused": (_("A case was paused."), _CASE | {"state": "paused", "until": None}),
        "dunning.pause_ended": (_("The pause of a case is over."), _CASE),
        "dunning.went_on": (_("A colleague ended a pause or dropped a promise."), _CASE),
        "dunning.given_up": (_("A case was closed although money is open."), _CASE | {"state": "given_up"}),
        "dunning.closed": (_("A case is closed: nothing is late any more."), _CASE | {
            "state": "paid", "overdue_minor": 0, "recovered_minor": 5831,
        }),
    }
)  # fmt: skip
