"""New objects of money that moves: balance transactions, refunds, disputes; and what the provider keeps of it."""

from __future__ import annotations

from typing import Any

from standins.providers.store import Thing, new_id

DAY = 86_400
NO_MINOR = {
    "bif",
    "clp",
    "djf",
    "gnf",
    "jpy",
    "kmf",
    "krw",
    "mga",
    "pyg",
    "rwf",
    "ugx",
    "vnd",
    "vuv",
    "xaf",
    "xof",
    "xpf",
}
DISPUTE_FEE = 2000
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def payment_fee(amount: int, currency: str, type: str, country: str) -> int:
    """What the provider keeps of a payment: 1.5 % + 0.25 for cards of the area, 3.25 % + 0.25 others, 0.35 for SEPA."""
    unit = 1 if currency in NO_MINOR else 100
    if type == "sepa_debit":
        return 35 * unit // 100 or 1
    rate = 150 if country in ("DE", "IT", "FR", "ES", "AT", "NL") else 325
    return (amount * rate + 5_000) // 10_000 + (25 * unit // 100 or 1)


def balance_transaction(
    now: int, source: Thing, type: str, category: str, amount: int, fee: int, description: str | None
) -> Thing:
    """One movement on the account: `amount` is signed, `fee` positive when kept."""
    currency = source.body["currency"]
    id = new_id("txn_3")
    words = "Dispute fee" if category == "dispute" else "Stripe processing fees"
    details = [{"amount": fee, "application": None, "currency": currency, "description": words, "type": "stripe_fee"}]
    body = {
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + 2 * DAY,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source.id,
        "status": "pending",
        "type": type,
    }
    return Thing("balance_transaction", id, body, parent=source.id, created=now)


def refund(now: int, charge: Thing, amount: int, reason: str | None, metadata: dict[str, str]) -> Thing:
    """Money on its way back."""
    card = charge.body["payment_method_details"]["type"] == "card"
    id = new_id("re_3" if card else "pyr_1")
    details: dict[str, Any] = {"type": "card" if card else "sepa_debit"}
    if card:
        details["card"] = {
            "reference_status": "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
    body = {
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge.id,
        "created": now,
        "currency": charge.body["currency"],
        "destination_details": details,
        "metadata": metadata,
        "payment_intent": charge.body["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    return Thing("refund", id, body, customer=charge.customer, parent=charge.id, created=now)


def dispute(now: int, charge: Thing, amount: int, reason: str) -> Thing:
    """A customer's bank asks for the money back."""
    id = new_id("du_1")
    card = charge.body["payment_method_details"].get("card")
    details = None
    if card:
        shown = {"brand": card["brand"], "case_type": "chargeback", "network": card["network"]}
        details = {"card": shown | {"network_reason_code": "10.4"}, "type": "card"}
    body = {
        "id": id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge.id,
        "created": now,
        "currency": charge.body["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + 9 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge.body["payment_intent"],
        "payment_method_details": details,
        "reason": reason,
        "status": "needs_response",
    }
    return Thing("dispute", id, body, customer=charge.customer, parent=charge.id, created=now)
