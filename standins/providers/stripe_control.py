"""What the control door can do to Stripe's objects: how methods answer, disputes, returns, SEPA, refunds, 3-D Secure.

- POST /_control/stripe/methods {"payment_method": "pm_..." | "customer": "cus_...", "answers": [...], "then": ""}
  answers the next payments with these words, in order, and later ones with `then` ("" is the card's own way);
  a word is `ok`, `authentication_required` or a decline reason such as `insufficient_funds`.
- POST /_control/stripe/methods/expiry {"payment_method", "month", "year"}  the bank sent a new card
- POST /_control/stripe/sepa {"payment_intent" | "all": true, "fails": "" | reason}  a debit on its way ends
- POST /_control/stripe/returns {"charge" | "payment_intent", "reason", "amount"?}  a settled SEPA debit comes back
- POST /_control/stripe/disputes {"charge" | "payment_intent", "reason"?, "amount"?}
- POST /_control/stripe/disputes/close {"dispute", "won": true}
- POST /_control/stripe/refunds/settle {"refund" | "all": true, "fails"?: true}  default: by the card's kind
- POST /_control/stripe/authentication {"intent": "pi_... | seti_...", "succeeds": true}  the 3-D Secure page's buttons
- POST /_control/stripe/late_balance {"on": true}  from now on a charge first has no balance transaction (so no fee)
- POST /_control/stripe/late_balance/tell {}  all charges without one get it, each with a `charge.updated`
- POST /_control/stripe/exchange {"from": "usd", "currency": "eur", "rate": "0.9"}  what is taken in one currency is
  kept in another from now on: the balance transactions have it; without `currency` it no longer is
- POST /_control/stripe/sessions/expire_due {}  closes every Checkout session whose time is over
"""

from __future__ import annotations

from typing import Any

from standins.providers.store import Thing
from standins.providers.stripe_cards import Decline
from standins.providers.stripe_checkout import authenticated, expire_due, session_of
from standins.providers.stripe_desk import P, changed, emit, fetch, write
from standins.providers.stripe_moves import (
    EXCHANGE,
    LATE_BALANCE,
    close_dispute,
    fail,
    open_dispute,
    settle_refund,
    take,
    tell_balance,
)
from standins.providers.wire import Answer, Call, Router

SEPA_FAILURES = {
    "insufficient_funds": ("insufficient_funds", "The customer's account has insufficient funds."),
    "debit_not_authorized": ("debit_not_authorized", "The customer has notified their bank that it was unauthorized."),
    "account_closed": ("account_closed", "The bank account has been closed."),
}


def routes(router: Router) -> None:
    """Add the paths of this file."""
    for path, handler in (
        ("methods", script),
        ("methods/expiry", expiry),
        ("sepa", sepa),
        ("returns", give_returned),
        ("disputes", dispute),
        ("disputes/close", decide),
        ("refunds/settle", refunds),
        ("authentication", authentication),
        ("late_balance", late_balance),
        ("late_balance/tell", tell_balances),
        ("exchange", exchange),
        ("sessions/expire_due", expire_sessions),
    ):
        router.add("POST", f"/_control/stripe/{path}", handler, door="control")


def script(call: Call) -> Answer:
    """POST methods"""
    given = call.request.json()
    if "customer" in given:
        things = call.tx.find(P, "payment_method", customer=given["customer"], limit=1000).things
    else:
        things = [fetch(call, "payment_method", given["payment_method"])]
    for thing in things:
        thing.private["script"] = list(given.get("answers", []))
        thing.private["then"] = given.get("then", "")
        write(call, thing)
    return Answer(200, {"methods": [thing.id for thing in things]})


def expiry(call: Call) -> Answer:
    """POST methods/expiry: as when the network tells of a renewed card."""
    given = call.request.json()
    thing = fetch(call, "payment_method", given["payment_method"])
    card = {**thing.body["card"], "exp_month": int(given["month"]), "exp_year": int(given["year"])}
    before = changed(thing, card=card)
    write(call, thing)
    emit(call, "payment_method.automatically_updated", thing, before)
    return Answer(200, thing.body)


def _charge(call: Call, given: dict[str, Any]) -> Thing:
    """The charge that is named, or the latest of the payment that is."""
    if "charge" in given:
        return fetch(call, "charge", given["charge"])
    intent = fetch(call, "payment_intent", given["payment_intent"])
    return fetch(call, "charge", str(intent.body["latest_charge"]))


def sepa(call: Call) -> Answer:
    """POST sepa"""
    given = call.request.json()
    if given.get("all"):
        intents = call.tx.find(P, "payment_intent", where={"$.status": "processing"}, limit=100_000).things[::-1]
    else:
        intents = [fetch(call, "payment_intent", given["payment_intent"])]
    for intent in intents:
        if intent.body["status"] != "processing":
            raise ValueError(f"payment {intent.id} is {intent.body['status']}")
        debit = fetch(call, "charge", intent.body["latest_charge"])
        if not given.get("fails"):
            take(call, intent, debit)
            _tell_session(call, intent, "paid", "checkout.session.async_payment_succeeded")
            continue
        method = fetch(call, "payment_method", debit.body["payment_method"])
        fail(call, intent, debit, method, Decline(given["fails"]))
        code, message = SEPA_FAILURES.get(given["fails"], (given["fails"], "The debit failed."))
        debit.body.update(failure_code=code, failure_message=message)
        write(call, debit)
        _tell_session(call, intent, "unpaid", "checkout.session.async_payment_failed")
    return Answer(200, {"intents": [intent.id for intent in intents]})


def _tell_session(call: Call, intent: Thing, status: str, event: str) -> None:
    """A debit that was begun on the hosted page has ended."""
    session = session_of(call, intent)
    if session:
        session.body["payment_status"] = status
        write(call, session)
        emit(call, event, session)


def give_returned(call: Call) -> Answer:
    """POST returns"""
    given = call.request.json()
    charge = _charge(call, given)
    if charge.body["payment_method_details"]["type"] != "sepa_debit":
        raise ValueError("only SEPA debits are returned; dispute a card payment")
    reason = given.get("reason", "debit_not_authorized")
    return Answer(200, open_dispute(call, charge, given.get("amount"), reason, returned=True).body)


def dispute(call: Call) -> Answer:
    """POST disputes"""
    given = call.request.json()
    return Answer(
        200, open_dispute(call, _charge(call, given), given.get("amount"), given.get("reason", "fraudulent")).body
    )


def decide(call: Call) -> Answer:
    """POST disputes/close"""
    given = call.request.json()
    thing = fetch(call, "dispute", given["dispute"])
    close_dispute(call, thing, won=bool(given["won"]))
    return Answer(200, thing.body)


def refunds(call: Call) -> Answer:
    """POST refunds/settle"""
    given = call.request.json()
    if given.get("all"):
        things = call.tx.find(P, "refund", limit=100_000).things[::-1]
        things = [
            thing
            for thing in things
            if thing.body["status"] == "pending" or (thing.private.get("fails") and thing.body["status"] == "succeeded")
        ]
    else:
        things = [fetch(call, "refund", given["refund"])]
    for thing in things:
        settle_refund(call, thing, bool(given.get("fails", thing.private.get("fails"))))
    return Answer(200, {"refunds": [thing.body for thing in things]})


def authentication(call: Call) -> Answer:
    """POST authentication"""
    given = call.request.json()
    kind = "payment_intent" if given["intent"].startswith("pi_") else "setup_intent"
    intent = fetch(call, kind, given["intent"])
    authenticated(call, intent, succeeds=bool(given.get("succeeds", True)))
    return Answer(200, intent.body)


def late_balance(call: Call) -> Answer:
    """POST late_balance"""
    call.tx.set(LATE_BALANCE, bool(call.request.json()["on"]))
    return Answer(200, {"on": call.tx.setting(LATE_BALANCE)})


def tell_balances(call: Call) -> Answer:
    """POST late_balance/tell"""
    paid = call.tx.find(P, "charge", where={"$.status": "succeeded"}, limit=100_000).things[::-1]
    late = [charge for charge in paid if charge.body["balance_transaction"] is None]
    for charge in late:
        tell_balance(call, charge)
    return Answer(200, {"charges": [charge.id for charge in late]})


def exchange(call: Call) -> Answer:
    """POST exchange"""
    given = call.request.json()
    known = {**(call.tx.setting(EXCHANGE) or {})}
    known.pop(given["from"], None)
    if given.get("currency"):
        known[given["from"]] = {"currency": given["currency"], "rate": given["rate"]}
    call.tx.set(EXCHANGE, known)
    return Answer(200, known)


def expire_sessions(call: Call) -> Answer:
    """POST sessions/expire_due"""
    return Answer(200, {"expired": expire_due(call)})
