"""Stripe's objects in our words: what a session, an intent, a refund or an error says.

The rule that matters: it only reads; what it can't tell stays `requires_action` or `unknown`, never a decline.
"""

from __future__ import annotations

import calendar
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from billing.gateways.base import Answer, Outcome, SavedMethod

#: Currencies without minor units that Stripe counts in hundredths all the same.
IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})

#: Stripe's decline codes in our words; see https://docs.stripe.com/declines/codes.
REASONS: Final[dict[str, str]] = {
    "insufficient_funds": "insufficient_funds",
    "card_velocity_exceeded": "limit_exceeded",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
    "processing_error": "processing_error",
    "issuer_not_available": "processing_error",
    "reenter_transaction": "try_again",
    "try_again_later": "try_again",
    "do_not_honor": "do_not_honor",
    "generic_decline": "generic_decline",
    "card_declined": "generic_decline",
    "no_action_taken": "generic_decline",
    "call_issuer": "do_not_honor",
    "authentication_required": "authentication_required",
    "payment_intent_authentication_failure": "canceled_by_customer",
    "expired_card": "expired_method",
    "invalid_expiry_month": "expired_method",
    "invalid_expiry_year": "expired_method",
    "incorrect_cvc": "wrong_details",
    "invalid_cvc": "wrong_details",
    "incorrect_number": "wrong_details",
    "invalid_number": "wrong_details",
    "invalid_account": "account_closed",
    "new_account_information_available": "wrong_details",
    "lost_card": "lost_or_stolen",
    "stolen_card": "lost_or_stolen",
    "pickup_card": "lost_or_stolen",
    "restricted_card": "not_permitted",
    "card_not_supported": "not_permitted",
    "not_permitted": "not_permitted",
    "service_not_allowed": "not_permitted",
    "transaction_not_allowed": "not_permitted",
    "currency_not_supported": "currency_refused",
    "fraudulent": "fraud_suspected",
    "merchant_blacklist": "fraud_suspected",
    "security_violation": "fraud_suspected",
    "stop_payment_order": "refused_by_customer",
    "revocation_of_authorization": "refused_by_customer",
    "revocation_of_all_authorizations": "refused_by_customer",
    "duplicate_transaction": "duplicate",
    "resource_missing": "method_gone",
    "payment_method_unactivated": "method_gone",
}


def to_stripe(minor: int, currency: str) -> int:
    """Our minor units as Stripe counts them."""
    return minor * 100 if currency in IN_HUNDREDTHS else minor


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's units as ours."""
    return amount // 100 if currency.upper() in IN_HUNDREDTHS else amount


def meta(found: Any) -> dict[str, str]:
    return found.metadata.to_dict() if found.metadata is not None else {}


def instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def of_session(session: Any) -> Answer:
    intent = session.payment_intent
    if session.status == "expired":
        return Answer(Outcome.CANCELED, external_id=session.id, reason="abandoned")
    if session.payment_status == "paid" and intent is not None:
        known = of_intent(intent) if not isinstance(intent, str) else Answer(Outcome.SETTLED, external_id=intent)
        return _named(known, session.id)
    if session.status == "complete":
        return Answer(Outcome.PENDING, external_id=session.id)
    return Answer(Outcome.REQUIRES_ACTION, external_id=session.id, action_url=session.url or "")


def _named(answer: Answer, external_id: str) -> Answer:
    return replace(answer, external_id=external_id, money_id=answer.money_id or answer.external_id)


def of_intent(intent: Any) -> Answer:
    error = intent.last_payment_error
    if intent.status == "succeeded":
        return _settled(intent)
    if intent.status == "processing":
        return Answer(Outcome.PENDING, external_id=intent.id)
    if intent.status == "canceled":
        return Answer(Outcome.CANCELED, external_id=intent.id, reason="abandoned")
    is_page = meta(intent).get("page") == "1"
    if intent.status == "requires_action":
        action = intent.next_action
        redirect = getattr(action, "redirect_to_url", None) if action is not None else None
        url = redirect.url if redirect is not None and not is_page else ""
        return Answer(Outcome.REQUIRES_ACTION, external_id=intent.id, action_url=url, reason="authentication_required")
    if intent.status == "requires_payment_method" and error is not None and not is_page:
        return declined(intent.id, error.code or "", error.decline_code or "", error.message or "")
    return Answer(Outcome.REQUIRES_ACTION, external_id=intent.id)


def _settled(intent: Any) -> Answer:
    charge = intent.latest_charge
    entry = getattr(charge, "balance_transaction", None) if charge is not None and not isinstance(charge, str) else None
    currency = intent.currency.upper()
    fee, settled_currency, settled = 0, "", None
    if entry is not None and not isinstance(entry, str):
        booked = entry.currency.upper()
        if booked == currency:
            fee = from_stripe(entry.fee, currency)
        else:
            settled_currency, settled = booked, from_stripe(entry.amount, booked)
            fee = from_stripe(round(entry.fee * intent.amount_received / entry.amount), currency) if entry.amount else 0
    method = intent.payment_method
    kept = None
    if not isinstance(method, str) and method is not None and intent.setup_future_usage:
        kept = method_of(method)
    return Answer(
        Outcome.SETTLED,
        external_id=intent.id,
        money_id=intent.id,
        amount_minor=from_stripe(intent.amount_received, currency),
        currency=currency,
        fee_minor=fee,
        settled_currency=settled_currency,
        settled_minor=settled,
        settled_at=instant(charge.created if charge is not None and not isinstance(charge, str) else intent.created),
        method=kept,
    )


def declined(external_id: str, code: str, decline_code: str, message: str) -> Answer:
    reason = REASONS.get(decline_code) or REASONS.get(code) or "other"
    if "authentication_required" in (code, decline_code):
        return Answer(Outcome.REQUIRES_ACTION, external_id=external_id, reason=reason, detail=message)
    return Answer(Outcome.DECLINED, external_id=external_id, reason=reason, detail=message)


def of_refund(row: Any) -> Answer:
    outcome = {
        "succeeded": Outcome.SETTLED,
        "failed": Outcome.DECLINED,
        "canceled": Outcome.CANCELED,
    }.get(row.status or "", Outcome.PENDING)
    currency = row.currency.upper()
    return Answer(
        outcome,
        external_id=row.id,
        amount_minor=from_stripe(row.amount, currency),
        currency=currency,
        settled_at=instant(row.created),
        reason="account_closed" if row.status == "failed" else "",
        detail=str(getattr(row, "failure_reason", "") or ""),
    )


def method_of(found: Any) -> SavedMethod:
    customer = str(found.customer or "")
    card = getattr(found, "card", None)
    if card is None:
        return SavedMethod(found.id, customer, "card", found.type)
    last = date(card.exp_year, card.exp_month, calendar.monthrange(card.exp_year, card.exp_month)[1])
    brand = (card.display_brand or card.brand or "card").replace("_", " ").title()
    return SavedMethod(found.id, customer, "card", f"{brand} •••• {card.last4}", last, card.fingerprint or "")
