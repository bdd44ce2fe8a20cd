"""What happens when a payment or a set-up is confirmed: which way the card answers, and what follows from it.

The API and the hosted pages both come through here, so a payment behaves the same by either way.
"""

from __future__ import annotations

from typing import Any

from standins.providers.store import Thing
from standins.providers.stripe_cards import Decline, card_of
from standins.providers.stripe_customers import expired, join
from standins.providers.stripe_desk import P, emit, fetch, write
from standins.providers.stripe_errors import invalid
from standins.providers.stripe_form import Form
from standins.providers.stripe_moves import fail, take, turn_down
from standins.providers.stripe_shapes import charge, mandate
from standins.providers.wire import Call, Refused

AUTHENTICATE = "authentication_required"


def reply(call: Call, method: Thing, *, authenticated: bool) -> str:
    """How a card answers a payment: `ok`, `authentication_required`, or the reason of a decline.

    First the fault plan, then what the control door set for this method, then the card's own way.
    """
    if call.outcome:
        word = AUTHENTICATE if call.outcome.kind == AUTHENTICATE else call.outcome.reason or "generic_decline"
    elif method.private.get("script"):
        word = method.private["script"].pop(0)
        write(call, method)
    elif method.private.get("then"):
        word = method.private["then"]
    else:
        word = _own(call, method, authenticated)
    return "ok" if word == AUTHENTICATE and authenticated else str(word)


def _own(call: Call, method: Thing, authenticated: bool) -> str:
    card = card_of(method.private.get("number", ""))
    if card is None:
        return "ok"
    if expired(call.now, method.body["card"]["exp_month"], method.body["card"]["exp_year"]):
        return "expired_card"
    must = card.authenticate == "always" or (card.authenticate == "setup" and not method.private.get("set_up"))
    if must and not authenticated:
        return AUTHENTICATE
    return card.declines or "ok"


def check_method(call: Call, intent: Thing, method: Thing) -> None:
    """Refused when the method is of a type the intent doesn't take, of another customer, or used up."""
    body, type = intent.body, method.body["type"]
    if type not in body["payment_method_types"]:
        message = f"The PaymentMethod provided ({type}) is not allowed for this {intent.kind}."
        raise Refused(invalid(message, code="payment_intent_invalid_parameter", param="payment_method"))
    owner = method.body["customer"]
    if owner and owner != body["customer"]:
        message = (
            f"The PaymentMethod {method.id} belongs to the Customer {owner}."
            " Please include the Customer in the `customer` parameter."
        )
        raise Refused(invalid(message, param="payment_method"))
    if method.private.get("used") and not owner:
        message = "The provided PaymentMethod was previously used or detached, and may not be used again."
        raise Refused(invalid(message, code="payment_method_unexpected_state", param="payment_method"))


def accept_mandate(call: Call, form: Form, intent: Thing, method: Thing) -> str | None:
    """The mandate of a payment or set-up: a given one, a new one, or the method's; SEPA needs one."""
    given = form.text("mandate")
    if given:
        thing = fetch(call, "mandate", given, "mandate")
        if thing.body["payment_method"] != method.id or thing.body["status"] != "active":
            raise Refused(invalid("The mandate is not one of this payment method.", param="mandate"))
        return given
    acceptance = form.inner("mandate_data").inner("customer_acceptance")
    if form.has("mandate_data"):
        type = acceptance.choice("type", ("online", "offline"), "online")
        shown: dict[str, Any] = {"type": type}
        if type == "online":
            online = acceptance.inner("online")
            shown["online"] = {"ip_address": online.text("ip_address"), "user_agent": online.text("user_agent")}
        else:
            shown["offline"] = {}
        if at := acceptance.number("accepted_at"):
            shown["accepted_at"] = at
        thing = write(call, mandate(call.now, method, shown))
        method.private["mandate"] = thing.id
        write(call, method)
        return thing.id
    if method.body["type"] == "sepa_debit" and not method.private.get("mandate"):
        message = "Missing required param: mandate_data."
        raise Refused(invalid(message, code="parameter_missing", param="mandate_data"))
    return method.private.get("mandate")


def wants_challenge(form: Form) -> bool:
    """Whether `payment_method_options[card][request_three_d_secure]` asks for authentication in any case."""
    card = form.inner("payment_method_options").inner("card")
    return card.choice("request_three_d_secure", ("any", "automatic", "challenge")) in ("any", "challenge")


def challenge(call: Call, intent: Thing, return_url: str | None) -> None:
    """The customer has to authenticate: on a page of ours if there is a way back, else in the page's own script."""
    if return_url:
        url = f"{call.world.pages.get(P, '')}/3ds/{intent.id}"
        action: dict[str, Any] = {
            "redirect_to_url": {"return_url": return_url, "url": url},
            "type": "redirect_to_url",
        }
    else:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    intent.body.update(status="requires_action", next_action=action)


def pay(call: Call, intent: Thing, method: Thing, *, authenticated: bool = False) -> Decline | None:
    """Try to take the money of a payment with a method. Returns the decline, None when it goes well or on.

    What was asked for (`off_session`, `return_url`, `mandate`, `strict`, `challenge`) stands in the intent's private
    part.
    """
    asked, body = intent.private, intent.body
    if body["status"] in ("succeeded", "processing", "canceled"):
        message = f"This PaymentIntent is {body['status']} already."
        raise Refused(invalid(message, code="payment_intent_unexpected_state", payment_intent=body))
    body.update(payment_method=method.id, last_payment_error=None, next_action=None)
    if method.body["type"] == "sepa_debit":
        debit = charge(call.now, intent, method, asked.get("mandate"))
        write(call, debit)
        body.update(status="processing", latest_charge=debit.id)
        _used(call, intent, method)
        write(call, intent)
        emit(call, "charge.pending", debit)
        emit(call, "payment_intent.processing", intent)
        return None
    word = reply(call, method, authenticated=authenticated)
    if word == "ok" and asked.get("challenge") and not authenticated:
        word = AUTHENTICATE
    if word == AUTHENTICATE and not (asked.get("off_session") or asked.get("strict")):
        challenge(call, intent, asked.get("return_url"))
        write(call, intent)
        emit(call, "payment_intent.requires_action", intent)
        return None
    attempt = charge(call.now, intent, method, asked.get("mandate"))
    if authenticated:
        attempt.body["payment_method_details"]["card"]["three_d_secure"] = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "result": "authenticated",
            "result_reason": None,
            "transaction_id": None,
            "version": "2.2.0",
        }
    if word != "ok":
        decline = Decline(word)
        fail(call, intent, attempt, method, decline)
        return decline
    _used(call, intent, method)
    take(call, intent, attempt)
    return None


def _used(call: Call, intent: Thing, method: Thing) -> None:
    """After a payment a method is saved for later, if that was asked, or else used up."""
    if intent.body["setup_future_usage"] and intent.body["customer"]:
        join(call, method, intent.body["customer"])
        method.private["set_up"] = True
    elif not method.body["customer"]:
        method.private["used"] = True
    write(call, method)


def fail_authentication(call: Call, intent: Thing) -> None:
    """The customer failed or gave up the authentication: a payment or a set-up wants another method."""
    method = fetch(call, "payment_method", intent.body["payment_method"])
    message = "We are unable to authenticate your payment method. Please choose a different one and try again."
    if intent.kind == "payment_intent":
        turn_down(call, intent, method, Decline(AUTHENTICATE))
        intent.body["last_payment_error"] = {
            "code": "payment_intent_authentication_failure",
            "message": message,
            "payment_method": method.body,
            "type": "card_error",
        }
        write(call, intent)
        return
    set_up_fails(call, intent, method, {"code": "setup_intent_authentication_failure", "message": message})


def set_up(call: Call, intent: Thing, method: Thing, *, authenticated: bool = False) -> Decline | None:
    """Save a method for later payments. Returns the decline, None when it goes well or on."""
    if intent.body["status"] in ("succeeded", "canceled"):
        message = f"This SetupIntent is {intent.body['status']} already."
        raise Refused(invalid(message, code="setup_intent_unexpected_state", setup_intent=intent.body))
    intent.body.update(payment_method=method.id, last_setup_error=None, next_action=None)
    card = card_of(method.private.get("number", ""))
    if card and not card.attaches:
        decline = Decline(card.declines)
    elif call.outcome and call.outcome.kind == "decline":
        decline = Decline(call.outcome.reason or "generic_decline")
    else:
        must = bool(card and card.authenticate != "never") or bool(call.outcome)
        if must and not authenticated:
            challenge(call, intent, intent.private.get("return_url"))
            write(call, intent)
            emit(call, "setup_intent.requires_action", intent)
            return None
        if intent.body["customer"]:
            join(call, method, intent.body["customer"])
        method.private["set_up"] = True
        write(call, method)
        intent.body.update(status="succeeded", mandate=intent.private.get("mandate"))
        write(call, intent)
        emit(call, "setup_intent.succeeded", intent)
        return None
    error = {
        "advice_code": decline.advice,
        "code": decline.code,
        "decline_code": decline.reason,
        "message": decline.message,
    }
    set_up_fails(call, intent, method, error)
    return decline


def set_up_fails(call: Call, intent: Thing, method: Thing, error: dict[str, Any]) -> None:
    """A set-up goes back to wanting a method, and says why."""
    intent.body.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_setup_error={**error, "payment_method": method.body, "type": "card_error"},
    )
    write(call, intent)
    emit(call, "setup_intent.setup_failed", intent)
