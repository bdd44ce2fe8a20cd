"""Refunds, disputes and balance transactions as the API shows them; the moves themselves are in `stripe_moves.py`."""

from __future__ import annotations

from typing import Any

from standins.providers.store import Thing
from standins.providers.stripe_desk import answer, changed, emit, fetch, listing, write
from standins.providers.stripe_errors import invalid
from standins.providers.stripe_form import Form
from standins.providers.stripe_money_shapes import EVIDENCE
from standins.providers.stripe_moves import close_dispute, give_back
from standins.providers.wire import Answer, Call, Refused, Router

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
WINNING, LOSING = "winning_evidence", "losing_evidence"  # the texts with which Stripe's test mode decides


def routes(router: Router) -> None:
    """Add the paths of this file."""
    for method, path, handler, operation in (
        ("POST", "/v1/refunds", create, "refunds.create"),
        ("GET", "/v1/refunds", list_refunds, "refunds.list"),
        ("GET", "/v1/refunds/{id}", retrieve, "refunds.retrieve"),
        ("POST", "/v1/refunds/{id}", update, "refunds.update"),
        ("GET", "/v1/charges/{charge}/refunds", list_refunds, "charges.refunds.list"),
        ("GET", "/v1/disputes", list_disputes, "disputes.list"),
        ("GET", "/v1/disputes/{id}", retrieve_dispute, "disputes.retrieve"),
        ("POST", "/v1/disputes/{id}", update_dispute, "disputes.update"),
        ("POST", "/v1/disputes/{id}/close", close, "disputes.close"),
        ("GET", "/v1/balance_transactions", list_movements, "balance_transactions.list"),
        ("GET", "/v1/balance_transactions/{id}", retrieve_movement, "balance_transactions.retrieve"),
    ):
        router.add(method, path, handler, operation=operation)


def charge_of(call: Call, form: Form) -> Thing:
    """The charge a form is about: named, or the succeeded one of the named payment."""
    if wanted := form.text("charge"):
        return fetch(call, "charge", wanted, "charge")
    if not form.has("payment_intent"):
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise Refused(invalid(message, code="parameter_missing"))
    intent = fetch(call, "payment_intent", form.needed("payment_intent"), "payment_intent")
    if intent.body["status"] != "succeeded":
        message = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
        raise Refused(invalid(message, code="payment_intent_unexpected_state", param="payment_intent"))
    return fetch(call, "charge", intent.body["latest_charge"], "charge")


def create(call: Call) -> Answer:
    """POST /v1/refunds"""
    form = Form.of(call.request, "refunds.create")
    amount = form.number("amount")
    reason = form.choice("reason", REASONS)
    thing = give_back(call, charge_of(call, form), amount, reason, form.metadata())
    return answer(call, thing.body, form)


def retrieve(call: Call) -> Answer:
    """GET /v1/refunds/{id}"""
    form = Form.of(call.request, "refunds.retrieve")
    return answer(call, fetch(call, "refund", call.params["id"]).body, form)


def update(call: Call) -> Answer:
    """POST /v1/refunds/{id}: only its metadata."""
    form = Form.of(call.request, "refunds.update")
    thing = fetch(call, "refund", call.params["id"])
    before = changed(thing, metadata=form.metadata(before=thing.body["metadata"]))
    write(call, thing)
    emit(call, "refund.updated", thing, before)
    return answer(call, thing.body, form)


def list_refunds(call: Call) -> Answer:
    """GET /v1/refunds, by charge or payment, and /v1/charges/{charge}/refunds"""
    form = Form.of(call.request, "refunds.list")
    charge = call.params.get("charge") or form.text("charge")
    intent = form.text("payment_intent")
    where = {"$.payment_intent": intent} if intent else None
    url = f"/v1/charges/{charge}/refunds" if "charge" in call.params else "/v1/refunds"
    return listing(call, form, "refund", url, parent=charge, where=where)


def retrieve_dispute(call: Call) -> Answer:
    """GET /v1/disputes/{id}"""
    form = Form.of(call.request, "disputes.retrieve")
    return answer(call, fetch(call, "dispute", call.params["id"]).body, form)


def list_disputes(call: Call) -> Answer:
    """GET /v1/disputes, by charge or payment"""
    form = Form.of(call.request, "disputes.list")
    intent = form.text("payment_intent")
    where = {"$.payment_intent": intent} if intent else None
    return listing(call, form, "dispute", "/v1/disputes", parent=form.text("charge"), where=where)


def update_dispute(call: Call) -> Answer:
    """POST /v1/disputes/{id}: evidence is staged, or sent with `submit`; two texts decide at once."""
    form = Form.of(call.request, "disputes.update")
    thing = fetch(call, "dispute", call.params["id"])
    if thing.body["status"] != "needs_response" and form.has("evidence"):
        message = f"This dispute is {thing.body['status']}: evidence can't be changed any more."
        raise Refused(invalid(message, param="evidence"))
    fields: dict[str, Any] = {}
    if form.has("metadata"):
        fields["metadata"] = form.metadata(before=thing.body["metadata"])
    given = form.inner("evidence").values
    if given:
        if unknown := set(given) - set(EVIDENCE) - {"enhanced_evidence"}:
            message = f"Received unknown parameter: evidence[{min(unknown)}]"
            raise Refused(invalid(message, code="parameter_unknown", param=f"evidence[{min(unknown)}]"))
        fields["evidence"] = {**thing.body["evidence"], **given}
        fields["evidence_details"] = {**thing.body["evidence_details"], "has_evidence": True}
    if form.flag("submit", default=True) and given:
        fields["evidence_details"]["submission_count"] += 1
        fields["evidence_details"]["submission_method"] = "manual"
        fields["status"] = "under_review"
    before = changed(thing, **fields)
    write(call, thing)
    emit(call, "charge.dispute.updated", thing, before)
    word = thing.body["evidence"]["uncategorized_text"]
    if thing.body["status"] == "under_review" and word in (WINNING, LOSING):
        close_dispute(call, thing, won=word == WINNING)
    return answer(call, thing.body, form)


def close(call: Call) -> Answer:
    """POST /v1/disputes/{id}/close: given up, so lost."""
    form = Form.of(call.request, "disputes.close")
    thing = fetch(call, "dispute", call.params["id"])
    if thing.body["status"] in ("won", "lost"):
        raise Refused(invalid("This dispute is already closed."))
    close_dispute(call, thing, won=False)
    return answer(call, thing.body, form)


def _ripe(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """A movement as of now: pending becomes available by time alone."""
    return {**body, "status": "available" if body["available_on"] <= call.now else "pending"}


def retrieve_movement(call: Call) -> Answer:
    """GET /v1/balance_transactions/{id}"""
    form = Form.of(call.request, "balance_transactions.retrieve")
    return answer(call, _ripe(call, fetch(call, "balance_transaction", call.params["id"]).body), form)


def list_movements(call: Call) -> Answer:
    """GET /v1/balance_transactions, by source, type, currency"""
    form = Form.of(call.request, "balance_transactions.list")
    where = {f"$.{name}": form.text(name) for name in ("type", "currency") if form.text(name)}
    url = "/v1/balance_transactions"
    shown = listing(call, form, "balance_transaction", url, parent=form.text("source"), where=where)
    shown.body["data"] = [_ripe(call, body) for body in shown.body["data"]]
    return shown
