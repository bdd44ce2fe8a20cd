"""What every Stripe handler needs: fetch or refuse, write, emit, list, expand, answer."""

from __future__ import annotations

import json
from typing import Any

from standins.providers.store import Thing, new_id
from standins.providers.stripe_errors import invalid, missing
from standins.providers.stripe_form import Form
from standins.providers.wire import Answer, Call, Refused

P = "stripe"
API_VERSION = "2026-10-28.endive"
KINDS = {
    "cus": "customer",
    "pm": "payment_method",
    "pi": "payment_intent",
    "seti": "setup_intent",
    "ch": "charge",
    "py": "charge",
    "txn": "balance_transaction",
    "re": "refund",
    "pyr": "refund",
    "du": "dispute",
    "mandate": "mandate",
    "cs": "checkout.session",
}


def fetch(call: Call, kind: str, id: str, param: str = "id") -> Thing:
    """The thing of an id; refused as missing otherwise: 404 when `param` names the path's part, else 400."""
    thing = call.tx.get(P, kind, id)
    if thing is None:
        raise Refused(missing(kind, id, param))
    return thing


def write(call: Call, thing: Thing) -> Thing:
    """Write a thing, new or changed."""
    thing.created = thing.created or int(thing.body.get("created", call.now))
    return call.tx.put(P, thing)


def emit(call: Call, type: str, thing: Thing, before: dict[str, Any] | None = None) -> None:
    """Write an event about a thing as it now stands; `before` has the changed fields' former values."""
    data: dict[str, Any] = {"object": thing.body}
    if before is not None:
        data["previous_attributes"] = before
    id = new_id("evt_")
    taking = [e for e in call.tx.endpoints(P) if e["on"] and {"*", type} & set(e["types"])]
    by_api = call.request.path.startswith("/v1/")
    body = {
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": call.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": len(taking),
        "request": {"id": new_id("req_", 14) if by_api else None, "idempotency_key": call.key or None},
        "type": type,
    }
    call.tx.emit(P, type, id, body, at=call.now, object_id=thing.id)


def answer(call: Call, body: dict[str, Any], form: Form | None = None) -> Answer:
    """200 with a body, expanded as the request asks."""
    wanted = (form.words("expand") if form else None) or []
    if not wanted:
        return Answer(200, body)
    body = json.loads(json.dumps(body))
    for path in wanted:
        _expand(call, body, path.split("."), path)
    return Answer(200, body)


def _expand(call: Call, body: dict[str, Any], path: list[str], whole: str) -> None:
    name, *rest = path
    if name == "data" and isinstance(body.get("data"), list):
        for inner in body["data"]:
            _expand(call, inner, rest, whole)
        return
    if body.get("object") == "charge" and name == "refunds":
        page = call.tx.find(P, "refund", parent=body["id"], limit=10)
        data = [thing.body for thing in page.things]
        body[name] = {"object": "list", "data": data, "has_more": page.more, "url": f"/v1/charges/{body['id']}/refunds"}
    elif body.get("object") == "checkout.session" and name == "line_items":
        thing = fetch(call, "checkout.session", body["id"])
        url = f"/v1/checkout/sessions/{body['id']}/line_items"
        body[name] = {"object": "list", "data": thing.private.get("line_items", []), "has_more": False, "url": url}
    value = body.get(name)
    if isinstance(value, str):
        kind = KINDS.get(value.split("_", 1)[0])
        thing_or_none = call.tx.get(P, kind, value) if kind else None
        if thing_or_none is None:
            raise Refused(invalid(f"This property cannot be expanded ({whole}).", param="expand"))
        body[name] = value = thing_or_none.body
    elif name not in body:
        raise Refused(invalid(f"This property cannot be expanded ({whole}).", param="expand"))
    if rest and isinstance(value, dict):
        _expand(call, value, rest, whole)


def listing(
    call: Call,
    form: Form,
    kind: str,
    url: str,
    *,
    customer: str | None = None,
    parent: str | None = None,
    where: dict[str, Any] | None = None,
) -> Answer:
    """One page of a kind, newest first."""
    page = call.tx.find(
        P,
        kind,
        customer=customer,
        parent=parent,
        where=where,
        created=form.created() if form.has("created") else None,
        after=form.text("starting_after", "") or "",
        before=form.text("ending_before", "") or "",
        limit=limit_of(form),
    )
    data = [thing.body for thing in page.things]
    return answer(call, {"object": "list", "data": data, "has_more": page.more, "url": url}, form)


def limit_of(form: Form) -> int:
    """The page's length: 10 unless asked, 1 to 100."""
    limit = form.number("limit", 10) or 0
    if not 1 <= limit <= 100:
        raise Refused(invalid("This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit"))
    return limit


def changed(thing: Thing, **fields: Any) -> dict[str, Any]:
    """Set fields of a body; the former values of those that really changed."""
    before = {name: thing.body.get(name) for name, value in fields.items() if thing.body.get(name) != value}
    thing.body.update(fields)
    return before
