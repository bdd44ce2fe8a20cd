"""The pages on which a payer agrees: to an order (/checkoutnow) and to saving a wallet (/agreements/approve).

Both send the browser back to the merchant's `return_url` with `token` and `PayerID`, or to `cancel_url` with `token`.
What the payer's wallet will do is chosen here, in a list; an e-mail such as `later-declined@example.org` chooses too.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from standins.providers import pages
from standins.providers import paypal_orders as orders
from standins.providers import paypal_vault as vault
from standins.providers.paypal_desk import Desk
from standins.providers.paypal_wallets import KINDS, ready
from standins.providers.store import Thing
from standins.providers.wire import Answer


def back_to(url: str, arguments: dict[str, str]) -> str:
    """An address with more arguments; those it has stay."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *arguments.items()])
    return urlunsplit(parts._replace(query=query))


def show_order(desk: Desk) -> Answer:
    """GET /checkoutnow?token=."""
    order = desk.find("order", desk.call.request.arguments().get("token", ""))
    return _gone() if order is None or order.body["status"] not in orders.OPEN else _order_page(order)


def answer_order(desk: Desk) -> Answer:
    """POST /checkoutnow: the payer pays."""
    fields = desk.call.request.fields()
    order = desk.find("order", fields.get("token", ""))
    if order is None or order.body["status"] not in orders.OPEN:
        return _gone()
    email = fields.get("email", "").strip()
    if "@" not in email:
        return _order_page(order, "Please enter an e-mail address.")
    wallet = ready(email, fields.get("kind", ""))
    orders.approve(desk, order, wallet)
    return _return(order, {"token": order.id, "PayerID": wallet.payer_id})


def show_setup(desk: Desk) -> Answer:
    """GET /agreements/approve?approval_session_id=."""
    setup = desk.find("setup_token", desk.call.request.arguments().get("approval_session_id", ""))
    return _gone() if setup is None or setup.body["status"] == "VAULTED" else _setup_page(setup)


def answer_setup(desk: Desk) -> Answer:
    """POST /agreements/approve: the payer agrees to be charged later."""
    fields = desk.call.request.fields()
    setup = desk.find("setup_token", fields.get("approval_session_id", ""))
    if setup is None or setup.body["status"] == "VAULTED":
        return _gone()
    email = fields.get("email", "").strip()
    if "@" not in email:
        return _setup_page(setup, "Please enter an e-mail address.")
    wallet = ready(email, fields.get("kind", ""))
    vault.approve_setup(desk, setup, wallet)
    names = {"approval_token_id": setup.id, "approval_session_id": setup.id}
    return _return(setup, {**names, "token": setup.id, "PayerID": wallet.payer_id})


def _return(thing: Thing, arguments: dict[str, str]) -> Answer:
    url = thing.private["return_url"]
    if url:
        return pages.go(back_to(url, arguments))
    return pages.page("Thank you", "<p>You can close this page and go back to the shop.</p>")


def _order_page(order: Thing, message: str = "") -> Answer:
    rows = []
    for unit in order.body["purchase_units"]:
        amount = unit["amount"]
        rows.append((unit.get("description") or unit.get("invoice_id") or "Amount", _words(amount)))
    form = pages.form("/checkoutnow", _payer(), "Pay now", {"token": order.id})
    return pages.page("Pay with PayPal", pages.wrong(message) + pages.facts(rows) + form + _cancel(order))


def _setup_page(setup: Thing, message: str = "") -> Answer:
    about = setup.body["payment_source"]["paypal"].get("description", "")
    inside = f"<p>You agree that the shop may charge you later without asking again. {escape(about)}</p>" + _payer()
    form = pages.form("/agreements/approve", inside, "Agree", {"approval_session_id": setup.id})
    return pages.page("Save PayPal for later", pages.wrong(message) + form + _cancel(setup))


def _payer() -> str:
    choices = "".join(f'<option value="{escape(kind)}">{escape(words)}</option>' for kind, words in KINDS.items())
    return (
        pages.field("email", "E-mail", "", "payer@example.org", "email")
        + '<label for="kind">What this payer\'s wallet does</label>'
        + f'<select id="kind" name="kind"><option value="">By the e-mail address</option>{choices}</select>'
    )


def _cancel(thing: Thing) -> str:
    if not thing.private["cancel_url"]:
        return ""
    where = back_to(thing.private["cancel_url"], {"token": thing.id})
    return f'<p><a id="cancel" href="{escape(where)}">Cancel and return to the shop</a></p>'


def _words(amount: dict[str, str]) -> str:
    return f"{amount['value']} {amount['currency_code']}"


def _gone() -> Answer:
    return pages.page("Nothing to pay here", "<p>This link was used before, or never was one.</p>", 404)
