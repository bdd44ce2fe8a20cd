"""Customers and payment methods: create, attach, detach, change, list."""

from __future__ import annotations

import re
from typing import Any

from standins.providers.store import Thing
from standins.providers.stripe_cards import CARDS, PUBLISHED_IDS, Decline, card_of
from standins.providers.stripe_desk import P, answer, changed, emit, fetch, listing, write
from standins.providers.stripe_errors import card_error, invalid
from standins.providers.stripe_form import Form
from standins.providers.stripe_shapes import NO_ADDRESS, card_method, customer, sepa_method
from standins.providers.wire import Answer, Call, Refused, Router

TOKENS = {
    "tok_visa": "4242424242424242",
    "tok_mastercard": "5555555555554444",
    "tok_chargeDeclined": "4000000000000002",
}
PLAIN = ("description", "email", "name", "phone")


def routes(router: Router) -> None:
    """Add the paths of this file."""
    for method, path, handler, operation in (
        ("POST", "/v1/customers", create, "customers.create"),
        ("GET", "/v1/customers", list_customers, "customers.list"),
        ("GET", "/v1/customers/{id}", retrieve, "customers.retrieve"),
        ("POST", "/v1/customers/{id}", update, "customers.update"),
        ("DELETE", "/v1/customers/{id}", delete, "customers.delete"),
        ("GET", "/v1/customers/{customer}/payment_methods", list_methods, "customers.payment_methods.list"),
        ("GET", "/v1/customers/{customer}/payment_methods/{id}", retrieve_method, "customers.payment_methods.retrieve"),
        ("POST", "/v1/payment_methods", create_method, "payment_methods.create"),
        ("GET", "/v1/payment_methods", list_methods, "payment_methods.list"),
        ("GET", "/v1/payment_methods/{id}", retrieve_method, "payment_methods.retrieve"),
        ("POST", "/v1/payment_methods/{id}", update_method, "payment_methods.update"),
        ("POST", "/v1/payment_methods/{id}/attach", attach, "payment_methods.attach"),
        ("POST", "/v1/payment_methods/{id}/detach", detach, "payment_methods.detach"),
    ):
        router.add(method, path, handler, operation=operation)


def _fields(form: Form, before: dict[str, Any]) -> dict[str, Any]:
    """What a form sets of a customer."""
    fields: dict[str, Any] = {name: form.text(name) for name in PLAIN if form.has(name)}
    if form.has("address"):
        fields["address"] = {**NO_ADDRESS, **form.inner("address").values} if form.values["address"] else None
    if form.has("shipping"):
        given = form.inner("shipping").values
        shown = {"carrier": None, "phone": None, "tracking_number": None} | given
        fields["shipping"] = shown | {"address": {**NO_ADDRESS, **given.get("address", {})}} if given else None
    if form.has("metadata"):
        fields["metadata"] = form.metadata(before=before["metadata"])
    if form.has("preferred_locales"):
        fields["preferred_locales"] = form.words("preferred_locales") or []
    if form.has("tax_exempt"):
        fields["tax_exempt"] = form.choice("tax_exempt", ("none", "exempt", "reverse"), "none")
    return fields


def _default(call: Call, form: Form, thing: Thing) -> None:
    """Set the default payment method, which must be attached."""
    settings = form.inner("invoice_settings")
    if not settings.has("default_payment_method"):
        return
    wanted = settings.text("default_payment_method")
    if wanted:
        method = fetch(call, "payment_method", wanted, "invoice_settings[default_payment_method]")
        if method.body["customer"] != thing.id:
            message = "The customer does not have a payment method with the ID " + wanted
            raise Refused(invalid(message, param="invoice_settings[default_payment_method]"))
    thing.body["invoice_settings"]["default_payment_method"] = wanted


def create(call: Call) -> Answer:
    """POST /v1/customers"""
    form = Form.of(call.request, "customers.create")
    thing = customer(call.now)
    thing.body.update(_fields(form, thing.body))
    write(call, thing)
    if wanted := form.text("payment_method"):
        join(call, usable(call, wanted), thing.id)
    _default(call, form, thing)
    write(call, thing)
    emit(call, "customer.created", thing)
    return answer(call, thing.body, form)


def retrieve(call: Call) -> Answer:
    """GET /v1/customers/{id}: a deleted one is answered as deleted."""
    form = Form.of(call.request, "customers.retrieve")
    return answer(call, fetch(call, "customer", call.params["id"]).body, form)


def update(call: Call) -> Answer:
    """POST /v1/customers/{id}"""
    form = Form.of(call.request, "customers.update")
    thing = alive(call, call.params["id"], "id")
    before = changed(thing, **_fields(form, thing.body))
    _default(call, form, thing)
    write(call, thing)
    emit(call, "customer.updated", thing, before)
    return answer(call, thing.body, form)


def delete(call: Call) -> Answer:
    """DELETE /v1/customers/{id}: its methods are detached, its payments stay."""
    thing = alive(call, call.params["id"], "id")
    for method in call.tx.find(P, "payment_method", customer=thing.id, limit=1000).things:
        _leave(call, method)
    emit(call, "customer.deleted", thing)
    thing.body = {"id": thing.id, "object": "customer", "deleted": True}
    write(call, thing)
    return answer(call, thing.body)


def list_customers(call: Call) -> Answer:
    """GET /v1/customers"""
    form = Form.of(call.request, "customers.list")
    email = form.text("email")
    return listing(call, form, "customer", "/v1/customers", where={"$.email": email} if email else None)


def alive(call: Call, id: str, param: str = "customer") -> Thing:
    """A customer that isn't deleted; refused otherwise."""
    thing = fetch(call, "customer", id, param)
    if thing.body.get("deleted"):
        raise Refused(invalid(f"No such customer: '{id}'", code="resource_missing", param=param))
    return thing


def _billing(form: Form) -> dict[str, Any]:
    inner = form.inner("billing_details")
    fields: dict[str, Any] = {name: inner.text(name) for name in ("email", "name", "phone") if inner.has(name)}
    if inner.has("address"):
        fields["address"] = {**NO_ADDRESS, **inner.inner("address").values}
    return fields


def from_form(call: Call, form: Form) -> Thing:
    """A new payment method from raw details, as tests and the hosted pages send them. Written, not attached."""
    type = form.choice("type", ("card", "sepa_debit"))
    if type is None:
        raise Refused(invalid("Missing required param: type.", code="parameter_missing", param="type"))
    inner = form.inner(type)
    if type == "sepa_debit":
        iban = inner.needed("iban").replace(" ", "").upper()
        if not iban_is_right(iban):
            raise Refused(invalid("The IBAN you entered is not right.", code="invalid_bank_account_iban", param=type))
        return write(call, sepa_method(call.now, iban, _billing(form)))
    number = TOKENS.get(inner.text("token") or "") or inner.text("number") or ""
    card = card_of(number)
    if card is None:
        message = "Your card number is incorrect."
        raise Refused(card_error("incorrect_number", "incorrect_number", message, param="number"))
    year = inner.number("exp_year") or int(call.now // 31_556_952 + 1970) + 5
    month = inner.number("exp_month") or 12
    year = year + 2000 if year < 100 else year
    if not 1 <= month <= 12:
        message = "Your card's expiration month is invalid."
        raise Refused(card_error("invalid_expiry_month", "invalid_expiry_month", message, param="exp_month"))
    if expired(call.now, month, year):
        message = "Your card's expiration year is invalid."
        raise Refused(card_error("invalid_expiry_year", "invalid_expiry_year", message, param="exp_year"))
    return write(call, card_method(call.now, card, month, year, _billing(form), inner.has("cvc")))


def expired(now: int, month: int, year: int) -> bool:
    """Whether a card's last month is over."""
    import datetime

    today = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return (year, month) < (today.year, today.month)


def iban_is_right(iban: str) -> bool:
    """The check digits of ISO 13616."""
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban):
        return False
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def usable(call: Call, id: str, param: str = "payment_method") -> Thing:
    """The payment method of an id. One of the published test ids becomes a new method, as at Stripe."""
    if id in PUBLISHED_IDS:
        card = CARDS[PUBLISHED_IDS[id]]
        year = int(call.now // 31_556_952 + 1970) + 5
        return write(call, card_method(call.now, card, 12, year, {}, cvc=False))
    return fetch(call, "payment_method", id, param)


def join(call: Call, method: Thing, customer_id: str) -> None:
    """Attach a method to a customer; refused when its card declines even that, or it was detached before."""
    if method.body["customer"] == customer_id:
        return
    if method.body["customer"]:
        message = "The payment method you provided has already been attached to a customer."
        raise Refused(invalid(message, code="payment_method_unexpected_state"))
    if method.private.get("used"):
        message = (
            "This PaymentMethod was previously used without being attached or was detached; it can't be used again."
        )
        raise Refused(invalid(message, code="payment_method_unexpected_state"))
    card = card_of(method.private.get("number", ""))
    if card and not card.attaches:
        raise Refused(Decline(card.declines).answer())
    method.body["customer"] = method.customer = customer_id
    write(call, method)
    emit(call, "payment_method.attached", method)


def _leave(call: Call, method: Thing) -> None:
    before = changed(method, customer=None)
    owner, method.customer = method.customer, ""
    method.private["used"] = True
    write(call, method)
    thing = call.tx.get(P, "customer", owner)
    if thing and thing.body.get("invoice_settings", {}).get("default_payment_method") == method.id:
        thing.body["invoice_settings"]["default_payment_method"] = None
        write(call, thing)
    emit(call, "payment_method.detached", method, before)


def create_method(call: Call) -> Answer:
    """POST /v1/payment_methods"""
    form = Form.of(call.request, "payment_methods.create")
    thing = from_form(call, form)
    thing.body["metadata"] = form.metadata()
    return answer(call, write(call, thing).body, form)


def retrieve_method(call: Call) -> Answer:
    """GET /v1/payment_methods/{id}"""
    form = Form.of(call.request, "payment_methods.retrieve")
    return answer(call, usable(call, call.params["id"], "id").body, form)


def update_method(call: Call) -> Answer:
    """POST /v1/payment_methods/{id}"""
    form = Form.of(call.request, "payment_methods.update")
    thing = fetch(call, "payment_method", call.params["id"])
    if not thing.body["customer"]:
        raise Refused(invalid("You must save this PaymentMethod to a customer before you can update it."))
    before = {}
    if form.has("metadata"):
        before.update(changed(thing, metadata=form.metadata(before=thing.body["metadata"])))
    if form.has("billing_details"):
        before.update(changed(thing, billing_details={**thing.body["billing_details"], **_billing(form)}))
    if form.has("card"):
        inner = form.inner("card")
        card = dict(thing.body["card"])
        card["exp_month"] = inner.number("exp_month", card["exp_month"])
        card["exp_year"] = inner.number("exp_year", card["exp_year"])
        before.update(changed(thing, card=card))
    if form.has("allow_redisplay"):
        words = ("always", "limited", "unspecified")
        before.update(changed(thing, allow_redisplay=form.choice("allow_redisplay", words)))
    write(call, thing)
    emit(call, "payment_method.updated", thing, before)
    return answer(call, thing.body, form)


def list_methods(call: Call) -> Answer:
    """GET /v1/payment_methods and /v1/customers/{customer}/payment_methods: those attached to a customer."""
    form = Form.of(call.request, "payment_methods.list")
    owner = call.params.get("customer") or form.needed("customer")
    alive(call, owner, "id" if "customer" in call.params else "customer")
    type = form.text("type")
    url = f"/v1/customers/{owner}/payment_methods" if "customer" in call.params else "/v1/payment_methods"
    return listing(call, form, "payment_method", url, customer=owner, where={"$.type": type} if type else None)


def attach(call: Call) -> Answer:
    """POST /v1/payment_methods/{id}/attach"""
    form = Form.of(call.request, "payment_methods.attach")
    owner = alive(call, form.needed("customer"))
    thing = usable(call, call.params["id"], "id")
    join(call, thing, owner.id)
    return answer(call, thing.body, form)


def detach(call: Call) -> Answer:
    """POST /v1/payment_methods/{id}/detach"""
    form = Form.of(call.request, "payment_methods.detach")
    thing = fetch(call, "payment_method", call.params["id"])
    if not thing.body["customer"]:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise Refused(invalid(message, code="payment_method_unexpected_state"))
    _leave(call, thing)
    return answer(call, thing.body, form)
