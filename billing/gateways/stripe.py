"""Stripe: customers, PaymentIntents off session, Checkout for paying and saving, refunds, disputes, messages.

The rule that matters: every call carries the attempt's key; an answer that doesn't say what happened is `unknown`, and
a message is only believed once its signature over the raw bytes holds.
"""

from __future__ import annotations

import calendar
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar, Final

import requests
import stripe

from billing.gateways.base import (
    Answer,
    BadSignature,
    Charge,
    ChargeFact,
    DisputeFact,
    Fact,
    Gateway,
    GiveBack,
    Message,
    MethodFact,
    Outcome,
    Page,
    RefundFact,
    SavedMethod,
    SetUp,
)
from billing.gateways.registry import connection
from billing.models import Gateway as Account

#: Seconds to connect, and to wait for an answer.
TIMEOUT: Final = (5.0, 25.0)
TOLERANCE: Final = 300
#: Currencies without minor units that Stripe counts in hundredths all the same.
IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
LOCALES: Final = frozenset({"de", "en", "es", "fr", "it"})

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


@connection("stripe")
class StripeGateway(Gateway):
    kind: ClassVar[str] = "stripe"
    can: ClassVar[frozenset[str]] = frozenset({"page", "save", "charge", "refund", "messages", "disputes"})

    def __init__(self, account: Account, *, address: str) -> None:
        super().__init__(account, address=address)
        self.client = stripe.StripeClient(
            account.secret,
            base_addresses={"api": address} if address else {},
            http_client=stripe.RequestsClient(timeout=TIMEOUT),
            max_network_retries=0,
        )

    # Charging

    def charge(self, order: Charge) -> Answer:
        return _answered(lambda: self._charge_saved(order) if order.method is not None else self._open_page(order))

    def _charge_saved(self, order: Charge) -> Answer:
        assert order.method is not None
        found = self.client.v1.payment_intents.create(
            {
                "amount": to_stripe(order.amount_minor, order.currency),
                "currency": order.currency.lower(),
                "customer": order.method.external_customer,
                "payment_method": order.method.external_id,
                "off_session": True,
                "confirm": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "description": order.number,
                "metadata": _metadata(order),
                "expand": ["latest_charge.balance_transaction"],
            },
            {"idempotency_key": order.key},
        )
        return _of_intent(found)

    def _open_page(self, order: Charge) -> Answer:
        metadata = {**_metadata(order), "page": "1"}
        intent: dict[str, Any] = {"metadata": metadata, "description": order.number}
        if order.saves:
            intent["setup_future_usage"] = "off_session"
        found = self.client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": order.external_customer or self._customer(order),
                "client_reference_id": order.attempt,
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": order.currency.lower(),
                            "unit_amount": to_stripe(order.amount_minor, order.currency),
                            "product_data": {"name": order.number},
                        },
                    }
                ],
                "payment_intent_data": intent,
                "metadata": metadata,
                "locale": order.language if order.language in LOCALES else "auto",
                "success_url": order.return_url,
                "cancel_url": order.cancel_url,
            },  # type: ignore[arg-type]
            {"idempotency_key": order.key},
        )
        return _of_session(found)

    def _customer(self, order: Charge | SetUp) -> str:
        made = self.client.v1.customers.create(
            {
                "name": order.customer_name,
                "email": order.customer_email,
                "metadata": {"customer": order.customer},
                "preferred_locales": [order.language],
            },
            {"idempotency_key": f"trn_customer_{self.account.pk}_{order.customer}"},
        )
        return made.id

    def look_up(self, order: Charge) -> Answer:
        return _answered(lambda: self._look_up(order), asks=True)

    def _look_up(self, order: Charge) -> Answer:
        sessions = self.client.v1.checkout.sessions
        if order.external_id.startswith("cs_"):
            return _of_session(sessions.retrieve(order.external_id, {"expand": EXPAND_SESSION}))
        if order.external_id:
            return _of_intent(self.client.v1.payment_intents.retrieve(order.external_id, {"expand": EXPAND_INTENT}))
        customer = order.method.external_customer if order.method is not None else order.external_customer
        if order.method is None:
            for session in _all(sessions.list({"limit": 100, **({"customer": customer} if customer else {})})):
                if _meta(session).get("key") == order.key:
                    return _of_session(sessions.retrieve(session.id, {"expand": EXPAND_SESSION}))
            return Answer(Outcome.ABSENT)
        for intent in _all(self.client.v1.payment_intents.list({"customer": customer, "limit": 100})):
            if _meta(intent).get("key") == order.key:
                return _of_intent(self.client.v1.payment_intents.retrieve(intent.id, {"expand": EXPAND_INTENT}))
        return Answer(Outcome.ABSENT)

    def cancel(self, order: Charge) -> Answer:
        return _answered(lambda: self._cancel(order), asks=True)

    def _cancel(self, order: Charge) -> Answer:
        found = self._look_up(order)
        if found.outcome not in (Outcome.REQUIRES_ACTION, Outcome.DECLINED):
            return found
        with contextlib.suppress(stripe.InvalidRequestError):  # too late: how it stands now is the answer
            if found.external_id.startswith("cs_"):
                self.client.v1.checkout.sessions.expire(found.external_id)
            else:
                self.client.v1.payment_intents.cancel(found.external_id)
                return Answer(Outcome.CANCELED, external_id=found.external_id)
        return self._look_up(order)

    # Saving a method

    def set_up(self, order: SetUp) -> Page:
        customer = order.external_customer or self._customer(order)
        made = self.client.v1.checkout.sessions.create(
            {
                "mode": "setup",
                "customer": customer,
                "currency": order.currency.lower(),
                "metadata": {"key": order.key, "customer": order.customer},
                "locale": order.language if order.language in LOCALES else "auto",
                "success_url": order.return_url,
                "cancel_url": order.cancel_url,
            },
            {"idempotency_key": order.key},
        )
        return Page(made.url or "", made.id, customer, _instant(made.expires_at))

    def set_up_done(self, setup_id: str) -> SavedMethod | None:
        session = self.client.v1.checkout.sessions.retrieve(setup_id, {"expand": ["setup_intent.payment_method"]})
        intent: Any = session.setup_intent
        if intent is None or isinstance(intent, str) or intent.status != "succeeded":
            return None
        return _method(intent.payment_method)

    def forget(self, method: SavedMethod) -> None:
        with contextlib.suppress(stripe.InvalidRequestError):  # it is gone already
            self.client.v1.payment_methods.detach(method.external_id)

    # Giving money back

    def refund(self, order: GiveBack) -> Answer:
        return _answered(
            lambda: _of_refund(
                self.client.v1.refunds.create(
                    {
                        "payment_intent": order.money_id,
                        "amount": to_stripe(order.amount_minor, order.currency),
                        "metadata": {"key": order.key, "refund": order.refund},
                    },
                    {"idempotency_key": order.key},
                )
            )
        )

    def look_up_refund(self, order: GiveBack) -> Answer:
        def ask() -> Answer:
            if order.external_id:
                return _of_refund(self.client.v1.refunds.retrieve(order.external_id))
            for row in _all(self.client.v1.refunds.list({"payment_intent": order.money_id, "limit": 100})):
                if _meta(row).get("key") == order.key:
                    return _of_refund(row)
            return Answer(Outcome.ABSENT)

        return _answered(ask, asks=True)

    # Messages

    def read(self, body: bytes, headers: Mapping[str, str]) -> Message:
        secret = self.account.webhook_secret
        signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
        if not secret or not signature:
            raise BadSignature("no secret or no signature")
        try:
            event = stripe.Webhook.construct_event(body, signature, secret, TOLERANCE)
        except (ValueError, stripe.SignatureVerificationError) as error:
            raise BadSignature(str(error)[:200]) from error
        return Message(event.id, event.type, _instant(event.created), body)

    def messages_since(self, since: datetime) -> Iterable[Message]:
        rows = list(_all(self.client.v1.events.list({"created": {"gte": int(since.timestamp())}, "limit": 100})))
        for event in reversed(rows):
            yield Message(event.id, event.type, _instant(event.created), json.dumps(event.to_dict()).encode())

    def facts(self, message: Message) -> list[Fact]:
        event = json.loads(message.body)
        about = event["data"]["object"]
        family = message.type.split(".")[0]
        if message.type.startswith("charge.dispute."):
            return [self._dispute(about["id"])]
        if family == "refund" or message.type.startswith("charge.refund"):
            return self._refunds(about)
        if family in ("payment_intent", "checkout", "charge"):
            return self._charge_facts(about)
        if family == "payment_method":
            return self._method_facts(message.type, about)
        return []

    def _charge_facts(self, about: dict[str, Any]) -> list[Fact]:
        if about["object"] == "checkout.session":
            session = self.client.v1.checkout.sessions.retrieve(about["id"], {"expand": EXPAND_SESSION})
            if session.mode == "setup":
                return [MethodFact("", False, self.set_up_done(session.id), session.id)]
            return [ChargeFact(session.id, _meta(session).get("key", ""), _of_session(session))]
        intent_id = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
        if not intent_id:
            return []
        intent = self.client.v1.payment_intents.retrieve(intent_id, {"expand": EXPAND_INTENT})
        return [ChargeFact(intent.id, _meta(intent).get("key", ""), _of_intent(intent))]

    def _refunds(self, about: dict[str, Any]) -> list[Fact]:
        if about["object"] == "refund":
            rows: list[Any] = [self.client.v1.refunds.retrieve(about["id"])]
        else:
            rows = list(_all(self.client.v1.refunds.list({"charge": about["id"], "limit": 100})))
        return [
            RefundFact(row.id, str(row.payment_intent or ""), _meta(row).get("key", ""), _of_refund(row))
            for row in rows
        ]

    def _dispute(self, dispute_id: str) -> DisputeFact:
        row = self.client.v1.disputes.retrieve(dispute_id)
        state = {"won": "won", "warning_closed": "won", "lost": "lost"}.get(row.status, "open")
        fee = sum(entry.fee for entry in row.balance_transactions if entry.fee > 0)
        details = row.evidence_details
        return DisputeFact(
            external_id=row.id,
            money_id=str(row.payment_intent or ""),
            state=state,
            amount_minor=from_stripe(row.amount, row.currency),
            currency=row.currency.upper(),
            fee_minor=from_stripe(fee, row.currency),
            reason="fraud_suspected" if row.reason == "fraudulent" else "refused_by_customer",
            detail=row.reason.replace("_", " "),
            opened_at=_instant(row.created),
            answer_by=_instant(details.due_by) if details.due_by else None,
        )

    def _method_facts(self, type: str, about: dict[str, Any]) -> list[Fact]:
        if type == "payment_method.detached":
            return [MethodFact(about["id"], True)]
        return [MethodFact(about["id"], False, _method(self.client.v1.payment_methods.retrieve(about["id"])))]


EXPAND_INTENT: Final = ["latest_charge.balance_transaction", "payment_method"]
EXPAND_SESSION: Final = [
    "payment_intent.latest_charge.balance_transaction", "payment_intent.payment_method",
]  # fmt: skip


def _metadata(order: Charge) -> dict[str, str]:
    return {"key": order.key, "attempt": order.attempt, "invoice": order.invoice, "customer": order.customer}


def _meta(found: Any) -> dict[str, str]:
    return found.metadata.to_dict() if found.metadata is not None else {}


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _all(page: Any) -> Iterable[Any]:
    yield from page.auto_paging_iter()


def _of_session(session: Any) -> Answer:
    intent = session.payment_intent
    if session.status == "expired":
        return Answer(Outcome.CANCELED, external_id=session.id, reason="abandoned")
    if session.payment_status == "paid" and intent is not None:
        known = _of_intent(intent) if not isinstance(intent, str) else Answer(Outcome.SETTLED, external_id=intent)
        return _named(known, session.id)
    if session.status == "complete":
        return Answer(Outcome.PENDING, external_id=session.id)
    return Answer(Outcome.REQUIRES_ACTION, external_id=session.id, action_url=session.url or "")


def _named(answer: Answer, external_id: str) -> Answer:
    return replace(answer, external_id=external_id, money_id=answer.money_id or answer.external_id)


def _of_intent(intent: Any) -> Answer:
    error = intent.last_payment_error
    if intent.status == "succeeded":
        return _settled(intent)
    if intent.status == "processing":
        return Answer(Outcome.PENDING, external_id=intent.id)
    if intent.status == "canceled":
        return Answer(Outcome.CANCELED, external_id=intent.id, reason="abandoned")
    is_page = _meta(intent).get("page") == "1"
    if intent.status == "requires_action":
        action = intent.next_action
        redirect = getattr(action, "redirect_to_url", None) if action is not None else None
        url = redirect.url if redirect is not None and not is_page else ""
        return Answer(Outcome.REQUIRES_ACTION, external_id=intent.id, action_url=url, reason="authentication_required")
    if intent.status == "requires_payment_method" and error is not None and not is_page:
        return _declined(intent.id, error.code or "", error.decline_code or "", error.message or "")
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
        kept = _method(method)
    return Answer(
        Outcome.SETTLED,
        external_id=intent.id,
        money_id=intent.id,
        amount_minor=from_stripe(intent.amount_received, currency),
        currency=currency,
        fee_minor=fee,
        settled_currency=settled_currency,
        settled_minor=settled,
        settled_at=_instant(charge.created if charge is not None and not isinstance(charge, str) else intent.created),
        method=kept,
    )


def _declined(external_id: str, code: str, decline_code: str, message: str) -> Answer:
    reason = REASONS.get(decline_code) or REASONS.get(code) or "other"
    if "authentication_required" in (code, decline_code):
        return Answer(Outcome.REQUIRES_ACTION, external_id=external_id, reason=reason, detail=message)
    return Answer(Outcome.DECLINED, external_id=external_id, reason=reason, detail=message)


def _of_refund(row: Any) -> Answer:
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
        settled_at=_instant(row.created),
        reason="account_closed" if row.status == "failed" else "",
        detail=str(getattr(row, "failure_reason", "") or ""),
    )


def _method(found: Any) -> SavedMethod:
    customer = str(found.customer or "")
    card = getattr(found, "card", None)
    if card is None:
        return SavedMethod(found.id, customer, "card", found.type)
    last = date(card.exp_year, card.exp_month, calendar.monthrange(card.exp_year, card.exp_month)[1])
    brand = (card.display_brand or card.brand or "card").replace("_", " ").title()
    return SavedMethod(found.id, customer, "card", f"{brand} •••• {card.last4}", last, card.fingerprint or "")


def _answered(call: Callable[[], Answer], *, asks: bool = False) -> Answer:
    """The answer, or what the SDK's error says of it. `asks`: the call changes nothing at Stripe."""
    try:
        return call()
    except stripe.CardError as error:
        body: Any = error.error
        intent = getattr(body, "payment_intent", None)
        decline = getattr(body, "decline_code", "") or ""
        return _declined(intent.id if intent is not None else "", error.code or "", decline, error.user_message or "")
    except stripe.RateLimitError as error:
        return Answer(Outcome.UNKNOWN if asks else Outcome.NOT_SENT, detail=_said(error))
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        return Answer(Outcome.UNKNOWN if asks else Outcome.NOT_SENT, reason="provider_down", detail=_said(error))
    except stripe.InvalidRequestError as error:
        if asks:
            return Answer(Outcome.ABSENT if error.http_status == 404 else Outcome.UNKNOWN, detail=_said(error))
        return Answer(Outcome.DECLINED, reason=REASONS.get(error.code or "", "other"), detail=_said(error))
    except stripe.APIConnectionError as error:
        never = isinstance(error.__cause__, requests.ConnectTimeout) or "NewConnectionError" in repr(error.__cause__)
        return Answer(Outcome.NOT_SENT if never and not asks else Outcome.UNKNOWN, detail=_said(error))
    except stripe.StripeError as error:
        return Answer(Outcome.UNKNOWN, detail=_said(error))


def _said(error: stripe.StripeError) -> str:
    return f"{type(error).__name__}: {error.user_message or error}"[:300]
