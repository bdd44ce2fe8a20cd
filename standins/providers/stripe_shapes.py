"""New objects with all the fields of API version 2026-10-28.endive. A test holds them against the SDK's classes."""

from __future__ import annotations

import hashlib
from typing import Any

from standins.providers.store import Thing, new_id
from standins.providers.stripe_cards import Card

NO_ADDRESS = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}


def fingerprint(text: str) -> str:
    """Sixteen letters that are the same for the same card or account."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def customer(now: int) -> Thing:
    """A customer without details."""
    id = new_id("cus_", 14)
    body: dict[str, Any] = {
        "id": id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": fingerprint(id)[:8].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    return Thing("customer", id, body, customer=id, created=now)


def _method(now: int, type: str, details: dict[str, Any], billing: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": dict(NO_ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None}
        | billing,
        type: details,
        "created": now,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": type,
    }


def card_method(now: int, card: Card, month: int, year: int, billing: dict[str, Any], cvc: bool) -> Thing:
    """A payment method of a test card."""
    network = {"amex": "amex", "mastercard": "mastercard", "discover": "discover"}.get(card.brand, "visa")
    details = {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if cvc else None,
        },
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": fingerprint(card.number),
        "funding": "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [network], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    body = _method(now, "card", details, billing)
    return Thing("payment_method", body["id"], body, {"number": card.number}, created=now)


def sepa_method(now: int, iban: str, billing: dict[str, Any]) -> Thing:
    """A payment method of an account to be debited by SEPA."""
    details = {
        "bank_code": iban[4:12],
        "branch_code": "",
        "country": iban[:2],
        "fingerprint": fingerprint(iban),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": iban[-4:],
    }
    body = _method(now, "sepa_debit", details, billing)
    return Thing("payment_method", body["id"], body, {"iban": iban}, created=now)


def mandate(now: int, method: Thing, acceptance: dict[str, Any]) -> Thing:
    """A mandate for a payment method, for many payments."""
    id = new_id("mandate_")
    sepa = method.body["type"] == "sepa_debit"
    details: dict[str, Any] = {"type": method.body["type"]}
    if sepa:
        reference = fingerprint(id)[:16].upper()
        details["sepa_debit"] = {"reference": reference, "url": f"https://hooks.stripe.com/adapter/sepa_debit/{id}"}
    else:
        details["card"] = {}
    body = {
        "id": id,
        "object": "mandate",
        "customer_acceptance": {"accepted_at": now} | acceptance,
        "livemode": False,
        "multi_use": {},
        "payment_method": method.id,
        "payment_method_details": details,
        "status": "active",
        "type": "multi_use",
    }
    return Thing("mandate", id, body, parent=method.id, created=now)


def setup_intent(now: int) -> Thing:
    """A set-up that still needs everything."""
    id = new_id("seti_1")
    body: dict[str, Any] = {
        "id": id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": new_id(f"{id}_secret_"),
        "created": now,
        "customer": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": "off_session",
    }
    return Thing("setup_intent", id, body, created=now)


def payment_intent(now: int, amount: int, currency: str) -> Thing:
    """A payment that still needs everything."""
    id = new_id("pi_3")
    body = {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": new_id(f"{id}_secret_"),
        "confirmation_method": "automatic",
        "created": now,
        "currency": currency,
        "customer": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    return Thing("payment_intent", id, body, created=now)


def charge(now: int, intent: Thing, method: Thing, mandate_id: str | None) -> Thing:
    """One attempt to move the money of a payment; not yet told how it ended."""
    sepa = method.body["type"] == "sepa_debit"
    id = new_id("py_3" if sepa else "ch_3")
    details: dict[str, Any]
    if sepa:
        of = method.body["sepa_debit"]
        kept = {name: of[name] for name in ("bank_code", "branch_code", "country", "fingerprint", "last4")}
        details = {"sepa_debit": kept | {"expected_debit_date": None, "mandate": mandate_id}}
    else:
        of = method.body["card"]
        same = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
        details = {
            "card": {name: of[name] for name in same}
            | {
                "amount_authorized": intent.body["amount"],
                "authorization_code": None,
                "extended_authorization": {"status": "disabled"},
                "incremental_authorization": {"status": "unavailable"},
                "installments": None,
                "mandate": mandate_id,
                "multicapture": {"status": "unavailable"},
                "network": of["networks"]["available"][0],
                "network_token": {"used": False},
                "network_transaction_id": str(int(fingerprint(id), 16))[:15],
                "overcapture": {"maximum_amount_capturable": intent.body["amount"], "status": "unavailable"},
                "regulated_status": "unregulated",
                "three_d_secure": None,
            }
        }
    body = {
        "id": id,
        "object": "charge",
        "amount": intent.body["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method.body["billing_details"],
        "calculated_statement_descriptor": None if sepa else "TURNUS",
        "captured": False,
        "created": now,
        "currency": intent.body["currency"],
        "customer": intent.body["customer"],
        "description": intent.body["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent.body["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent.id,
        "payment_method": method.id,
        "payment_method_details": details | {"type": method.body["type"]},
        "radar_options": {},
        "receipt_email": intent.body["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent.body["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }
    return Thing("charge", id, body, customer=intent.customer, parent=intent.id, created=now)
