"""Stripe's hosted pages: the Checkout page, the 3-D Secure page, a receipt. Plain forms, no script."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import urlencode

from standins.providers import pages
from standins.providers.store import Thing
from standins.providers.stripe_checkout import authenticated, current, session_of, submit
from standins.providers.stripe_desk import fetch
from standins.providers.stripe_form import Form
from standins.providers.wire import Answer, Call, Refused, Router


def routes(router: Router) -> None:
    """Add the paths of this file."""
    router.add("GET", "/c/pay/{id}", show, door="page")
    router.add("POST", "/c/pay/{id}", press, door="page")
    router.add("GET", "/3ds/{id}", ask, door="page")
    router.add("POST", "/3ds/{id}", answered, door="page")
    router.add("GET", "/receipts/{id}", receipt, door="page")


def _session(call: Call) -> Thing:
    try:
        return current(call, call.params["id"])
    except Refused as refused:
        raise Refused(pages.page("No such page", "<p>This payment page does not exist.</p>", 404)) from refused


def _ended(thing: Thing) -> Answer:
    if thing.body["status"] == "complete":
        return pages.go(_success(thing))
    return pages.page("This page has expired", "<p>Ask for a new link to pay.</p>", 410)


def _success(thing: Thing) -> str:
    return str(thing.body["success_url"]).replace("{CHECKOUT_SESSION_ID}", thing.id)


def show(call: Call, message: str = "") -> Answer:
    """GET /c/pay/{id}: what is to be paid, and the form. `message` says why the last try failed."""
    thing = _session(call)
    body = thing.body
    if body["status"] != "open":
        return _ended(thing)
    intent_id = body["payment_intent"] or body["setup_intent"]
    if intent_id and not message:
        intent = fetch(call, "payment_intent" if body["payment_intent"] else "setup_intent", intent_id)
        error = intent.body.get("last_payment_error") or intent.body.get("last_setup_error") or {}
        message = error.get("message", "")
    rows = [
        (line["description"], pages.money(line["amount_total"], line["currency"]))
        for line in thing.private["line_items"]
    ]
    paying = body["mode"] == "payment"
    total = pages.money(body["amount_total"], body["currency"]) if paying else ""
    inside = pages.field("email", "E-mail", (body["customer_details"] or {}).get("email") or "", kind="email")
    if "card" in body["payment_method_types"]:
        inside += (
            pages.field("number", "Card number", hint="4242 4242 4242 4242")
            + pages.field("expiry", "Expiry (MM / YY)", hint="12 / 34")
            + pages.field("cvc", "Security code", hint="123")
        )
    inside += pages.field("name", "Name")
    if "sepa_debit" in body["payment_method_types"]:
        words = "IBAN (to pay by direct debit instead)" if "card" in body["payment_method_types"] else "IBAN"
        inside += pages.field("iban", words, hint="DE89 3704 0044 0532 0130 00")
    button = f"Pay {total}" if paying else "Save"
    content = pages.facts(rows) + pages.wrong(message) + pages.form(f"/c/pay/{thing.id}", inside, button)
    if body["cancel_url"]:
        content += f'<p><a href="{escape(body["cancel_url"])}">Back without {"paying" if paying else "saving"}</a></p>'
    return pages.page("Pay by card or account" if paying else "Save a way to pay", content, 402 if message else 200)


def typed(fields: dict[str, str]) -> Form:
    """What was typed on the page, as the API would be told it."""
    billing = {"email": fields.get("email", ""), "name": fields.get("name", "")}
    if fields.get("iban", "").strip():
        return Form({"type": "sepa_debit", "sepa_debit": {"iban": fields["iban"]}, "billing_details": billing})
    month, _, year = re.sub(r"\s", "", fields.get("expiry", "")).partition("/")
    card = {"number": fields.get("number", ""), "exp_month": month or "0", "exp_year": year or "0"}
    if fields.get("cvc"):
        card["cvc"] = fields["cvc"]
    return Form({"type": "card", "card": card, "billing_details": billing})


def press(call: Call) -> Answer:
    """POST /c/pay/{id}: pay or save; on to the 3-D Secure page, to the shop, or back with a sentence."""
    thing = _session(call)
    if thing.body["status"] != "open":
        return _ended(thing)
    try:
        decline = submit(call, thing, typed(call.request.fields()))
    except Refused as refused:
        return show(call, refused.answer.body["error"]["message"])
    if decline:
        return show(call, decline.message)
    if thing.body["status"] != "open":
        return pages.go(_success(thing))
    return pages.go(f"/3ds/{thing.body['payment_intent'] or thing.body['setup_intent']}")


def _intent(call: Call) -> Thing:
    kind = "payment_intent" if call.params["id"].startswith("pi_") else "setup_intent"
    try:
        return fetch(call, kind, call.params["id"])
    except Refused as refused:
        raise Refused(pages.page("No such page", "<p>Nothing waits for your answer here.</p>", 404)) from refused


def _back(call: Call, intent: Thing) -> str:
    """Where a customer goes after 3-D Secure: the shop's page, or the Checkout page when it failed there."""
    session = session_of(call, intent)
    if session:
        return _success(session) if session.body["status"] == "complete" else f"/c/pay/{session.id}"
    name = intent.kind
    arguments = {
        name: intent.id,
        f"{name}_client_secret": intent.body["client_secret"],
        "redirect_status": "succeeded" if intent.body["status"] == "succeeded" else "failed",
    }
    where = str(intent.private.get("return_url") or "/")
    return where + ("&" if "?" in where else "?") + urlencode(arguments)


def ask(call: Call) -> Answer:
    """GET /3ds/{id}: the bank asks whether it is really you. Leaving the page answers nothing."""
    intent = _intent(call)
    if intent.body["status"] != "requires_action":
        return pages.go(_back(call, intent))
    rows = [("Amount", pages.money(intent.body["amount"], intent.body["currency"]))] if "amount" in intent.body else []
    path = f"/3ds/{intent.id}"
    content = (
        pages.facts(rows)
        + "<p>Your bank asks you to confirm that it is you.</p>"
        + pages.form(path, "", "Complete", {"answer": "complete"})
        + pages.form(path, "", "Fail", {"answer": "fail"})
    )
    return pages.page("3-D Secure", content)


def answered(call: Call) -> Answer:
    """POST /3ds/{id}"""
    intent = _intent(call)
    if intent.body["status"] == "requires_action":
        authenticated(call, intent, succeeds=call.request.fields().get("answer") == "complete")
    return pages.go(_back(call, intent))


def receipt(call: Call) -> Answer:
    """GET /receipts/{id}"""
    try:
        body = fetch(call, "charge", call.params["id"]).body
    except Refused as refused:
        raise Refused(pages.page("No such receipt", "<p>There is none.</p>", 404)) from refused
    rows = [("Paid", pages.money(body["amount"], body["currency"])), ("Reference", body["id"])]
    return pages.page("Receipt", pages.facts(rows))
