"""PayPal: orders paid on its page or from the vault, refunds, disputes, messages, over its v1 to v3 endpoints.

The rule that matters: an order on PayPal's page takes money only when we say so (`may_take`), so leaving it is a
cancel; every other call carries the attempt's key as its request id.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import paypalrestsdk
import requests
from django.conf import settings
from paypalrestsdk import exceptions

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
    Unreachable,
)
from billing.gateways.paypal_words import (
    REASONS,
    instant,
    link_of,
    method_of,
    minor_of,
    of_capture,
    of_order,
    of_refund,
    order_id_of,
    value_of,
)
from billing.gateways.registry import connection
from billing.models import Gateway as Account
from core import clock

# It writes tokens and bodies otherwise.
logging.getLogger("paypalrestsdk").setLevel(logging.CRITICAL)

#: Seconds to connect, and to wait for an answer; the package itself would wait for ever.
TIMEOUT: Final = (5.0, float(settings.PROVIDER_SECONDS))
LOCALES: Final = {"de": "de-DE", "en": "en-GB", "es": "es-ES", "fr": "fr-FR", "it": "it-IT"}
SIGNED: Final = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
#: How old a message may be, in seconds.
TOLERANCE: Final = 300
#: How far back an order without an id is looked for among the transactions.
SEARCH: Final = timedelta(days=30)


class _Api(paypalrestsdk.Api):  # type: ignore[misc]
    """The package's client with a time-out, and with bodies sent as they are where the bytes matter."""

    def http_call(self, url: str, method: str, **kwargs: Any) -> Any:
        response = requests.request(method, url, proxies=self.proxies, timeout=TIMEOUT, **kwargs)
        return self.handle_response(response, response.content.decode("utf-8"))

    def raw(self, action: str, body: str) -> Any:
        return self.http_call(f"{self.endpoint}/{action}", "POST", data=body.encode(), headers=self.headers())


@connection("paypal")
class PayPalGateway(Gateway):
    kind: ClassVar[str] = "paypal"
    can: ClassVar[frozenset[str]] = frozenset({"page", "save", "charge", "refund", "messages", "disputes", "leave"})
    #: PayPal keeps the request id of an order for six hours.
    key_hours: ClassVar[int] = 5

    def __init__(self, account: Account, *, address: str) -> None:
        super().__init__(account, address=address)
        options = {"mode": "live", "client_id": account.public_key, "client_secret": account.secret}
        if address:
            options["endpoint"] = address
        self.api = _Api(options)

    # Charging

    def charge(self, order: Charge) -> Answer:
        return _answered(lambda: of_order(self._create(order)))

    def _create(self, order: Charge) -> dict[str, Any]:
        body = {
            "intent": "CAPTURE",
            "purchase_units": [
                {
                    "reference_id": "default",
                    "custom_id": order.key,
                    "invoice_id": f"{order.invoice}-{order.key[-6:]}",
                    "description": order.number,
                    "amount": {"currency_code": order.currency, "value": value_of(order.amount_minor, order.currency)},
                }
            ],
            "payment_source": {"paypal": self._source(order)},
        }
        return self._post("v2/checkout/orders", body, order.key)

    def _source(self, order: Charge) -> dict[str, Any]:
        if order.method is not None:
            return {"vault_id": order.method.external_id}
        source: dict[str, Any] = {"experience_context": _context(order)}
        if order.saves:
            source["attributes"] = {"vault": {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT"}}
        return source

    def look_up(self, order: Charge) -> Answer:
        return _answered(lambda: self._look_up(order), asks=not order.may_take)

    def _look_up(self, order: Charge) -> Answer:
        if not order.external_id:
            return self._search(order.key)
        found = of_order(self._get(f"v2/checkout/orders/{order.external_id}"))
        if found.outcome == Outcome.APPROVED and order.may_take:
            return of_order(self._post(f"v2/checkout/orders/{order.external_id}/capture", {}, f"{order.key}-capture"))
        return found

    def _search(self, key: str) -> Answer:
        """PayPal lists no orders; what brought money stands among the transactions, with our key."""
        now = clock.machine_now()
        query = {
            "start_date": _stamp(now - SEARCH), "end_date": _stamp(now), "fields": "transaction_info",
            "page_size": "100", "page": "1",
        }  # fmt: skip
        while True:
            answer = self._get(f"v1/reporting/transactions?{urlencode(query)}")
            for row in answer.get("transaction_details", []):
                info = row["transaction_info"]
                if info.get("custom_field") == key and info.get("transaction_event_code", "T00").startswith("T00"):
                    capture = self._get(f"v2/payments/captures/{info['transaction_id']}")
                    return of_capture(capture, order_id=order_id_of(capture))
            if int(query["page"]) >= int(answer.get("total_pages", 1)):
                return Answer(Outcome.ABSENT)
            query["page"] = str(int(query["page"]) + 1)

    def cancel(self, order: Charge) -> Answer:
        found = self.look_up(order)
        if found.outcome in (Outcome.REQUIRES_ACTION, Outcome.APPROVED):
            return Answer(Outcome.CANCELED, external_id=order.external_id)
        return found

    # Saving a method

    def set_up(self, order: SetUp) -> Page:
        source = {"usage_type": "MERCHANT", "experience_context": _context(order)}
        made = self._post("v3/vault/setup-tokens", {"payment_source": {"paypal": source}}, order.key)
        return Page(link_of(made, "approve", "payer-action"), made["id"], made.get("customer", {}).get("id", ""))

    def set_up_done(self, setup_id: str) -> SavedMethod | None:
        found = self._get(f"v3/vault/setup-tokens/{setup_id}")
        if found.get("status") not in ("APPROVED", "VAULTED"):
            return None
        body = {"payment_source": {"token": {"id": setup_id, "type": "SETUP_TOKEN"}}}
        return method_of(self._post("v3/vault/payment-tokens", body, f"vault-{setup_id}"))

    def forget(self, method: SavedMethod) -> None:
        try:
            self.api.delete(f"v3/vault/payment-tokens/{method.external_id}")
        except exceptions.ResourceNotFound:
            return

    # Giving money back

    def refund(self, order: GiveBack) -> Answer:
        body = {
            "amount": {"currency_code": order.currency, "value": value_of(order.amount_minor, order.currency)},
            "custom_id": order.key,
        }
        return _answered(
            lambda: of_refund(self._post(f"v2/payments/captures/{order.money_id}/refund", body, order.key))
        )

    def look_up_refund(self, order: GiveBack) -> Answer:
        def ask() -> Answer:
            if order.external_id:
                return of_refund(self._get(f"v2/payments/refunds/{order.external_id}"))
            capture = self._get(f"v2/payments/captures/{order.money_id}")
            found = self._get(f"v2/checkout/orders/{order_id_of(capture)}")
            for unit in found.get("purchase_units", []):
                for row in unit.get("payments", {}).get("refunds", []):
                    if row.get("custom_id") == order.key:
                        return of_refund(row)
            return Answer(Outcome.ABSENT)

        return _answered(ask, asks=True)

    # Messages

    def read(self, body: bytes, headers: Mapping[str, str]) -> Message:
        known = {name.lower(): value for name, value in headers.items()}
        if not self.account.webhook_id or any(name not in known for name in SIGNED.values()):
            raise BadSignature("no webhook id or no signature")
        try:
            text, sent = body.decode("utf-8"), instant(known["paypal-transmission-time"])
            event = json.loads(text)
        except (ValueError, UnicodeDecodeError) as error:
            raise BadSignature("not a message") from error
        if sent.tzinfo is None or not isinstance(event, dict):
            raise BadSignature("not a message")
        if abs((clock.machine_now() - sent).total_seconds()) > TOLERANCE:
            raise BadSignature("too old")
        asked = {name: known[header] for name, header in SIGNED.items()} | {"webhook_id": self.account.webhook_id}
        # The bytes as they came: another order of keys would be another checksum.
        question = json.dumps(asked)[:-1] + ', "webhook_event": ' + text + "}"
        try:
            answer = self.api.raw("v1/notifications/verify-webhook-signature", question)
        except (exceptions.BadRequest, exceptions.ResourceInvalid) as error:
            raise BadSignature("PayPal can't read it") from error
        except (requests.RequestException, exceptions.ConnectionError, ValueError, KeyError) as error:
            raise Unreachable(type(error).__name__) from error
        if not isinstance(answer, dict) or answer.get("verification_status") != "SUCCESS":
            raise BadSignature("the signature isn't PayPal's")
        return _message(event, body)

    def messages_since(self, since: datetime) -> Iterable[Message]:
        query = {"start_time": _stamp(since), "page_size": "100"}
        path: str | None = f"v1/notifications/webhooks-events?{urlencode(query)}"
        rows: list[dict[str, Any]] = []
        while path:
            answer = self._get(path)
            rows += answer.get("events", [])
            following = link_of(answer, "next")
            path = following.partition(f"{self.api.endpoint}/")[2] or None
        for event in sorted(rows, key=lambda row: row["create_time"]):
            yield _message(event, json.dumps(event).encode())

    def facts(self, message: Message) -> list[Fact]:
        event = json.loads(message.body)
        about = event.get("resource", {})
        if message.type == "PAYMENT.CAPTURE.REFUNDED":
            found = self._get(f"v2/payments/refunds/{about['id']}")
            capture_id = link_of(found, "up").rpartition("/")[2]
            refund = RefundFact(found["id"], capture_id, found.get("custom_id", ""), of_refund(found))
            return [self._capture(capture_id), refund]
        if message.type == "PAYMENT.CAPTURE.REVERSED":
            return self._reversed(about)
        if message.type.startswith("PAYMENT.CAPTURE."):
            return [self._capture(about["id"])]
        if message.type.startswith("CHECKOUT.ORDER."):
            found = self._get(f"v2/checkout/orders/{about['id']}")
            return [ChargeFact(found["id"], found["purchase_units"][0].get("custom_id", ""), of_order(found))]
        if message.type == "VAULT.PAYMENT-TOKEN.DELETED":
            return [MethodFact(about["id"], True)]
        if message.type == "VAULT.PAYMENT-TOKEN.CREATED":
            setup = about.get("metadata", {}).get("setup_token_id", "")
            return [MethodFact(about["id"], False, method_of(about), setup)]
        if message.type.startswith("CUSTOMER.DISPUTE."):
            dispute = self._dispute(about["dispute_id"])
            return [self._capture(dispute.money_id), dispute]
        return []

    def _capture(self, capture_id: str) -> ChargeFact:
        """The money itself. It goes before whatever took it back: messages come in any order."""
        capture = self._get(f"v2/payments/captures/{capture_id}")
        order_id = order_id_of(capture)
        return ChargeFact(order_id, capture.get("custom_id", ""), of_capture(capture, order_id=order_id))

    def _dispute(self, dispute_id: str) -> DisputeFact:
        row = self._get(f"v1/customer/disputes/{dispute_id}")
        currency = row["dispute_amount"]["currency_code"]
        outcome = row.get("dispute_outcome", {}).get("outcome_code", "")
        won = outcome in ("RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER", "DENIED")
        state = ("won" if won else "lost") if row["status"] == "RESOLVED" else "open"
        due = row.get("seller_response_due_date")
        reason = row.get("reason", "")
        return DisputeFact(
            external_id=dispute_id,
            money_id=row["disputed_transactions"][0]["seller_transaction_id"],
            state=state,
            amount_minor=minor_of(row["dispute_amount"]),
            currency=currency,
            fee_minor=0,
            reason="fraud_suspected" if reason == "UNAUTHORISED" else "refused_by_customer",
            detail=reason.replace("_", " ").lower(),
            opened_at=instant(row["create_time"]),
            answer_by=instant(due) if due else None,
        )

    def _reversed(self, about: dict[str, Any]) -> list[Fact]:
        """PayPal or the bank took money back: at the end of a lost dispute, which has told of it, or without one."""
        capture_id = link_of(about, "up").rpartition("/")[2] or about["id"]
        capture = self._get(f"v2/payments/captures/{capture_id}")
        is_part = capture_id != about["id"]
        amount = about["amount"] if is_part and "amount" in about else capture["amount"]
        money = self._capture(capture_id)
        query = urlencode({"disputed_transaction_id": capture_id, "page_size": "50"})
        for row in self._get(f"v1/customer/disputes?{query}").get("items", []):
            dispute = self._dispute(row["dispute_id"])
            if dispute.state == "lost" and dispute.amount_minor == minor_of(amount):
                return [money, dispute]
        told = DisputeFact(
            external_id=f"reversed-{about['id']}",
            money_id=capture_id,
            state="lost",
            amount_minor=minor_of(amount),
            currency=amount["currency_code"],
            fee_minor=0,
            reason="refused_by_customer",
            detail="reversed",
            opened_at=instant(about.get("create_time") or capture.get("update_time") or capture["create_time"]),
        )
        return [money, told]

    # Talking

    def _get(self, path: str) -> dict[str, Any]:
        return _sound(self.api.get(path))

    def _post(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        return _sound(self.api.post(path, body, {"PayPal-Request-Id": key, "Prefer": "return=representation"}))


class _Malformed(ValueError):
    """PayPal answered, but not with what it promises."""


class _Refused(ValueError):
    """PayPal says the request itself is wrong."""


def _sound(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not found:
        raise _Malformed("no answer")
    if "error" in found and "id" not in found:
        raise _Refused(str(found["error"].get("message", "bad request"))[:300])
    return found


def _context(order: Charge | SetUp) -> dict[str, str]:
    return {
        "return_url": order.return_url,
        "cancel_url": order.cancel_url,
        "locale": LOCALES.get(order.language, "en-GB"),
        "shipping_preference": "NO_SHIPPING",
        "user_action": "PAY_NOW",
    }


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(event: dict[str, Any], body: bytes) -> Message:
    return Message(event["id"], event["event_type"], instant(event["create_time"]), body)


def _answered(call: Callable[[], Answer], *, asks: bool = False) -> Answer:
    """The answer, or what the error says of it. `asks`: the call changes nothing at PayPal."""
    try:
        return call()
    except exceptions.ResourceInvalid as error:
        return _declined(error)
    except _Refused as error:
        return Answer(Outcome.UNKNOWN if asks else Outcome.DECLINED, reason="other", detail=str(error))
    except exceptions.ResourceNotFound as error:
        if asks:
            return Answer(Outcome.ABSENT, detail=_said(error))
        return Answer(Outcome.DECLINED, reason="method_gone", detail=_said(error))
    except (exceptions.UnauthorizedAccess, exceptions.ForbiddenAccess) as error:
        return Answer(Outcome.UNKNOWN if asks else Outcome.NOT_SENT, reason="provider_down", detail=_said(error))
    except exceptions.ClientError as error:
        too_many = getattr(error.response, "status_code", 0) == 429
        return Answer(Outcome.NOT_SENT if too_many and not asks else Outcome.UNKNOWN, detail=_said(error))
    except requests.ConnectTimeout as error:
        return Answer(Outcome.UNKNOWN if asks else Outcome.NOT_SENT, detail=type(error).__name__)
    except requests.ConnectionError as error:
        never = "NewConnectionError" in repr(error) and not asks
        return Answer(Outcome.NOT_SENT if never else Outcome.UNKNOWN, detail=type(error).__name__)
    except (requests.RequestException, exceptions.ConnectionError, ValueError, KeyError) as error:
        return Answer(Outcome.UNKNOWN, detail=f"{type(error).__name__}: {error}"[:300])


def _declined(error: exceptions.ResourceInvalid) -> Answer:
    try:
        body = json.loads(error.content)
    except (TypeError, ValueError):
        return Answer(Outcome.UNKNOWN, detail=type(error).__name__)
    issues = [str(row.get("issue", "")) for row in body.get("details", [])]
    if "ORDER_ALREADY_CAPTURED" in issues or "DUPLICATE_INVOICE_ID" in issues:
        return Answer(Outcome.UNKNOWN, detail="captured already")  # by an earlier try of ours
    reason = next((REASONS[issue] for issue in issues if issue in REASONS), "other")
    words = ", ".join(issues)[:300]
    page = link_of(body, "payer-action", "approve", "redirect")
    if reason == "authentication_required":
        return Answer(
            Outcome.REQUIRES_ACTION, external_id=str(body.get("id", "")), action_url=page, reason=reason, detail=words
        )
    return Answer(Outcome.DECLINED, reason=reason, detail=words)


def _said(error: exceptions.ConnectionError) -> str:
    return f"{type(error).__name__} {getattr(error.response, 'status_code', '')}"[:300]
