"""PayPal's objects in our words: what an order, a capture, a refund or a wallet says.

The rule that matters: it only reads; a status it doesn't know is `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from billing.gateways.base import Answer, Outcome, SavedMethod
from pricing.money import places

#: PayPal's issues in our words; see https://developer.paypal.com/api/rest/reference/orders/v2/errors/.
REASONS: Final[dict[str, str]] = {
    "INSTRUMENT_DECLINED": "generic_decline",
    "INSUFFICIENT_FUNDS": "insufficient_funds",
    "TRANSACTION_LIMIT_EXCEEDED": "limit_exceeded",
    "PAYER_CANNOT_PAY": "not_permitted",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": "account_closed",
    "PAYER_ACCOUNT_RESTRICTED": "account_blocked",
    "PAYEE_BLOCKED_TRANSACTION": "fraud_suspected",
    "TRANSACTION_REFUSED": "generic_decline",
    "TRANSACTION_BLOCKED_BY_PAYEE": "fraud_suspected",
    "COMPLIANCE_VIOLATION": "not_permitted",
    "CARD_EXPIRED": "expired_method",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": "authentication_required",
    "PAYER_ACTION_REQUIRED": "authentication_required",
    "TOKEN_NOT_FOUND": "method_gone",
    "PAYMENT_TOKEN_NOT_FOUND": "method_gone",
    "VAULT_ID_NOT_FOUND": "method_gone",
    "INVALID_RESOURCE_ID": "method_gone",
    "CURRENCY_NOT_SUPPORTED": "currency_refused",
    "DUPLICATE_INVOICE_ID": "duplicate",
}


def value_of(minor: int, currency: str) -> str:
    """Minor units as PayPal writes them: 10.00, and 1000 for yen."""
    digits = places(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


def minor_of(amount: Mapping[str, str]) -> int:
    return int(Decimal(amount["value"]).scaleb(places(amount["currency_code"])))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def link_of(found: Mapping[str, Any], *names: str) -> str:
    return next((str(row["href"]) for row in found.get("links", []) if row.get("rel") in names), "")


def order_id_of(capture: Mapping[str, Any]) -> str:
    return str(capture.get("supplementary_data", {}).get("related_ids", {}).get("order_id", ""))


def of_order(found: dict[str, Any]) -> Answer:
    captures = [
        capture for unit in found.get("purchase_units", []) for capture in unit.get("payments", {}).get("captures", [])
    ]
    if captures:
        answer = of_capture(captures[-1], order_id=found["id"])
        vault = found.get("payment_source", {}).get("paypal", {}).get("attributes", {}).get("vault", {})
        if answer.outcome == Outcome.SETTLED and vault.get("status") == "VAULTED":
            email = found["payment_source"]["paypal"].get("email_address", "")
            kept = SavedMethod(vault["id"], vault.get("customer", {}).get("id", ""), "paypal", label_of(email))
            return replace(answer, method=kept)
        return answer
    match found.get("status"):
        case "APPROVED":
            return Answer(Outcome.APPROVED, external_id=found["id"])
        case "VOIDED":
            return Answer(Outcome.CANCELED, external_id=found["id"], reason="abandoned")
        case "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED":
            page = link_of(found, "payer-action", "approve")
            return Answer(Outcome.REQUIRES_ACTION, external_id=found["id"], action_url=page)
    return Answer(Outcome.UNKNOWN, external_id=found["id"], detail=str(found.get("status"))[:40])


def of_capture(capture: dict[str, Any], *, order_id: str) -> Answer:
    amount = capture["amount"]
    currency = amount["currency_code"]
    breakdown = capture.get("seller_receivable_breakdown", {})
    fee = breakdown.get("paypal_fee")
    received = breakdown.get("receivable_amount")
    other = received is not None and received["currency_code"] != currency
    given = Answer(
        Outcome.SETTLED,
        external_id=order_id,
        money_id=capture["id"],
        amount_minor=minor_of(amount),
        currency=currency,
        fee_minor=minor_of(fee) if fee is not None and fee["currency_code"] == currency else 0,
        settled_currency=received["currency_code"] if other else "",
        settled_minor=minor_of(received) if other else None,
        settled_at=instant(capture["create_time"]),
    )
    match capture["status"]:
        case "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" | "REVERSED":
            return given
        case "PENDING":
            return Answer(Outcome.PENDING, external_id=order_id, money_id=capture["id"])
        case "DECLINED" | "DENIED" | "FAILED":
            response = capture.get("processor_response", {}).get("response_code", "")
            return Answer(
                Outcome.DECLINED, external_id=order_id, money_id=capture["id"], reason="generic_decline",
                detail=str(response or capture.get("status_details", {}).get("reason", ""))[:300],
            )  # fmt: skip
    return Answer(Outcome.UNKNOWN, external_id=order_id, detail=str(capture["status"])[:40])


def of_refund(row: dict[str, Any]) -> Answer:
    outcome = {
        "COMPLETED": Outcome.SETTLED,
        "FAILED": Outcome.DECLINED,
        "CANCELLED": Outcome.CANCELED,
    }.get(row.get("status", ""), Outcome.PENDING)
    amount = row.get("amount")
    return Answer(
        outcome,
        external_id=row["id"],
        amount_minor=minor_of(amount) if amount else None,
        currency=amount["currency_code"] if amount else "",
        settled_at=instant(row["create_time"]) if row.get("create_time") else None,
        reason="account_closed" if outcome == Outcome.DECLINED else "",
    )


def method_of(found: dict[str, Any]) -> SavedMethod:
    email = found.get("payment_source", {}).get("paypal", {}).get("email_address", "")
    return SavedMethod(found["id"], found.get("customer", {}).get("id", ""), "paypal", label_of(email))


def label_of(email: str) -> str:
    """The wallet's name without giving the whole address away.

    >>> label_of("paula@example.com")
    'PayPal pa•••@example.com'
    """
    name, _, host = email.partition("@")
    return f"PayPal {name[:2]}•••@{host}" if host else "PayPal"
