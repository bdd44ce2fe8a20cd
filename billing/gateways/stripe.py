"""Stripe: customers, PaymentIntents off session, Checkout for paying and saving, refunds, disputes, messages.

The rule that matters: every call carries the attempt's key; an answer that doesn't say what happened is `unknown`, and
a message is only believed once its signature over the raw bytes holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Final

import requests
import stripe
from django.conf import settings

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
from billing.gateways.stripe_words import (
    REASONS,
    declined,
    from_stripe,
    instant,
    meta,
    method_of,
    of_intent,
    of_refund,
    of_session,
    to_stripe,
)
from billing.models import Gateway as Account

#: Seconds to connect, and to wait for an answer.
TIMEOUT: Final = (5.0, float(settings.PROVIDER_SECONDS))
TOLERANCE: Final = 300
LOCALES: Final = frozenset({"de", "en", "es", "fr", "it"})


@lru_cache(maxsize=64)
def _wire(process: int, account: int) -> stripe.RequestsClient:
    """Keeps an account's connections open between calls; never shared with a process that was split off."""
    return stripe.RequestsClient(timeout=TIMEOUT)


@connection("stripe")
class StripeGateway(Gateway):
    kind: ClassVar[str] = "stripe"
    can: ClassVar[frozenset[str]] = frozenset({"page", "save", "charge", "refund", "messages", "disputes"})

    def __init__(self, account: Account, *, address: str) -> None:
        super().__init__(account, address=address)
        self.client = stripe.StripeClient(
            account.secret,
            base_addresses={"api": address} if address else {},
            http_client=_wire(os.getpid(), account.pk),
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
        return of_intent(found)

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
        return of_session(found)

    def _customer(self, order: Charge | SetUp) -> str:
        who: Any = {
            "name": order.customer_name,
            "email": order.customer_email,
            "metadata": {"customer": order.customer},
            "preferred_locales": [order.language],
        }
        # Stripe refuses a key that comes again with another name or address.
        mark = hashlib.sha256(json.dumps(who, sort_keys=True).encode()).hexdigest()[:16]
        key = f"trn_customer_{self.account.pk}_{order.customer}_{mark}"
        return self.client.v1.customers.create(who, {"idempotency_key": key}).id

    def look_up(self, order: Charge) -> Answer:
        return _answered(lambda: self._look_up(order), asks=True)

    def _look_up(self, order: Charge) -> Answer:
        sessions = self.client.v1.checkout.sessions
        if order.external_id.startswith("cs_"):
            return of_session(sessions.retrieve(order.external_id, {"expand": EXPAND_SESSION}))
        if order.external_id:
            return of_intent(self.client.v1.payment_intents.retrieve(order.external_id, {"expand": EXPAND_INTENT}))
        customer = order.method.external_customer if order.method is not None else order.external_customer
        if order.method is None:
            for session in _all(sessions.list({"limit": 100, **({"customer": customer} if customer else {})})):
                if meta(session).get("key") == order.key:
                    return of_session(sessions.retrieve(session.id, {"expand": EXPAND_SESSION}))
            return Answer(Outcome.ABSENT)
        for intent in _all(self.client.v1.payment_intents.list({"customer": customer, "limit": 100})):
            if meta(intent).get("key") == order.key:
                return of_intent(self.client.v1.payment_intents.retrieve(intent.id, {"expand": EXPAND_INTENT}))
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
        return Page(made.url or "", made.id, customer, instant(made.expires_at))

    def set_up_done(self, setup_id: str) -> SavedMethod | None:
        session = self.client.v1.checkout.sessions.retrieve(setup_id, {"expand": ["setup_intent.payment_method"]})
        intent: Any = session.setup_intent
        if intent is None or isinstance(intent, str) or intent.status != "succeeded":
            return None
        return method_of(intent.payment_method)

    def forget(self, method: SavedMethod) -> None:
        with contextlib.suppress(stripe.InvalidRequestError):  # it is gone already
            self.client.v1.payment_methods.detach(method.external_id)

    # Giving money back

    def refund(self, order: GiveBack) -> Answer:
        return _answered(
            lambda: of_refund(
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
                return of_refund(self.client.v1.refunds.retrieve(order.external_id))
            for row in _all(self.client.v1.refunds.list({"payment_intent": order.money_id, "limit": 100})):
                if meta(row).get("key") == order.key:
                    return of_refund(row)
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
        return Message(event.id, event.type, instant(event.created), body)

    def messages_since(self, since: datetime) -> Iterable[Message]:
        rows = list(_all(self.client.v1.events.list({"created": {"gte": int(since.timestamp())}, "limit": 100})))
        for event in reversed(rows):
            yield Message(event.id, event.type, instant(event.created), json.dumps(event.to_dict()).encode())

    def facts(self, message: Message) -> list[Fact]:
        event = json.loads(message.body)
        about = event["data"]["object"]
        family = message.type.split(".")[0]
        if message.type.startswith("charge.dispute."):
            dispute = self._dispute(about["id"])
            return [*self._money(dispute.money_id), dispute]
        if family == "refund" or message.type.startswith("charge.refund"):
            refunds = self._refunds(about)
            return [*self._money(*(row.money_id for row in refunds)), *refunds]
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
            return [ChargeFact(session.id, meta(session).get("key", ""), of_session(session))]
        intent_id = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
        if not intent_id:
            return []
        intent = self.client.v1.payment_intents.retrieve(intent_id, {"expand": EXPAND_INTENT})
        return [ChargeFact(intent.id, meta(intent).get("key", ""), of_intent(intent))]

    def _money(self, *intent_ids: str) -> list[Fact]:
        """The money itself. It goes before whatever took it back: messages come in any order."""
        return [
            fact for intent_id in dict.fromkeys(intent_ids) if intent_id
            for fact in self._charge_facts({"object": "payment_intent", "id": intent_id})
        ]  # fmt: skip

    def _refunds(self, about: dict[str, Any]) -> list[RefundFact]:
        if about["object"] == "refund":
            rows: list[Any] = [self.client.v1.refunds.retrieve(about["id"])]
        else:
            rows = list(_all(self.client.v1.refunds.list({"charge": about["id"], "limit": 100})))
        return [
            RefundFact(row.id, str(row.payment_intent or ""), meta(row).get("key", ""), of_refund(row)) for row in rows
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
            opened_at=instant(row.created),
            answer_by=instant(details.due_by) if details.due_by else None,
        )

    def _method_facts(self, type: str, about: dict[str, Any]) -> list[Fact]:
        if type == "payment_method.detached":
            return [MethodFact(about["id"], True)]
        return [MethodFact(about["id"], False, method_of(self.client.v1.payment_methods.retrieve(about["id"])))]


EXPAND_INTENT: Final = ["latest_charge.balance_transaction", "payment_method"]
EXPAND_SESSION: Final = [
    "payment_intent.latest_charge.balance_transaction", "payment_intent.payment_method",
]  # fmt: skip


def _metadata(order: Charge) -> dict[str, str]:
    return {"key": order.key, "attempt": order.attempt, "invoice": order.invoice, "customer": order.customer}


def _all(page: Any) -> Iterable[Any]:
    yield from page.auto_paging_iter()


def _answered(call: Callable[[], Answer], *, asks: bool = False) -> Answer:
    """The answer, or what the SDK's error says of it. `asks`: the call changes nothing at Stripe."""
    try:
        return call()
    except stripe.CardError as error:
        body: Any = error.error
        intent = getattr(body, "payment_intent", None)
        decline = getattr(body, "decline_code", "") or ""
        return declined(intent.id if intent is not None else "", error.code or "", decline, error.user_message or "")
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
