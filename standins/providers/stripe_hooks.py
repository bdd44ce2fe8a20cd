"""Events and webhook endpoints as the API shows them, the balance, and the account itself."""

from __future__ import annotations

from typing import Any

from standins.providers.store import Thing, new_id
from standins.providers.stripe_desk import P, answer, fetch, limit_of, listing, write
from standins.providers.stripe_errors import invalid, missing
from standins.providers.stripe_form import Form
from standins.providers.wire import Answer, Call, Refused, Router

ACCOUNT = "acct_1TurnusStandIn00"


def routes(router: Router) -> None:
    """Add the paths of this file."""
    for method, path, handler, operation in (
        ("GET", "/v1/events", list_events, "events.list"),
        ("GET", "/v1/events/{id}", retrieve_event, "events.retrieve"),
        ("POST", "/v1/webhook_endpoints", create, "webhook_endpoints.create"),
        ("GET", "/v1/webhook_endpoints", list_endpoints, "webhook_endpoints.list"),
        ("GET", "/v1/webhook_endpoints/{id}", retrieve, "webhook_endpoints.retrieve"),
        ("POST", "/v1/webhook_endpoints/{id}", update, "webhook_endpoints.update"),
        ("DELETE", "/v1/webhook_endpoints/{id}", delete, "webhook_endpoints.delete"),
        ("GET", "/v1/balance", balance, "balance.retrieve"),
        ("GET", "/v1/account", account, "accounts.retrieve_current"),
        ("GET", "/v1/accounts/{id}", account, "accounts.retrieve"),
    ):
        router.add(method, path, handler, operation=operation)


def list_events(call: Call) -> Answer:
    """GET /v1/events: by `created`, `type` (may end in `*`), `types`, `delivery_success`."""
    form = Form.of(call.request, "events.list")
    types = form.words("types")
    if single := form.text("type"):
        if types:
            raise Refused(invalid("You may pass either `type` or `types`, not both.", param="type"))
        types = [single]
    data, more = call.tx.events(
        P,
        types=types,
        created=form.created() if form.has("created") else None,
        delivered=form.flag("delivery_success") if form.has("delivery_success") else None,
        after=form.text("starting_after", "") or "",
        before=form.text("ending_before", "") or "",
        limit=limit_of(form),
    )
    return answer(call, {"object": "list", "data": data, "has_more": more, "url": "/v1/events"}, form)


def retrieve_event(call: Call) -> Answer:
    """GET /v1/events/{id}"""
    body = call.tx.event(P, call.params["id"])
    if body is None:
        raise Refused(missing("event", call.params["id"], "id"))
    return answer(call, body)


def create(call: Call) -> Answer:
    """POST /v1/webhook_endpoints: the only answer that shows the secret."""
    form = Form.of(call.request, "webhook_endpoints.create")
    url, types = form.needed("url"), form.words("enabled_events")
    if not types:
        raise Refused(
            invalid("Missing required param: enabled_events.", code="parameter_missing", param="enabled_events")
        )
    if not url.startswith(("http://", "https://")):
        raise Refused(invalid("Invalid URL: An explicit scheme (such as https) must be provided.", param="url"))
    secret = new_id("whsec_", 32)
    body: dict[str, Any] = {
        "id": new_id("we_1"),
        "object": "webhook_endpoint",
        "api_version": form.text("api_version"),
        "application": None,
        "created": call.now,
        "description": form.text("description"),
        "enabled_events": types,
        "livemode": False,
        "metadata": form.metadata(),
        "status": "enabled",
        "url": url,
    }
    thing = write(call, Thing("webhook_endpoint", body["id"], body, {"secret": secret}))
    call.tx.add_endpoint(P, thing.id, url, secret, types)
    return answer(call, body | {"secret": secret}, form)


def retrieve(call: Call) -> Answer:
    """GET /v1/webhook_endpoints/{id}"""
    return answer(call, fetch(call, "webhook_endpoint", call.params["id"]).body)


def update(call: Call) -> Answer:
    """POST /v1/webhook_endpoints/{id}"""
    form = Form.of(call.request, "webhook_endpoints.update")
    thing = fetch(call, "webhook_endpoint", call.params["id"])
    body = thing.body
    body["url"] = form.text("url", body["url"])
    body["enabled_events"] = form.words("enabled_events") or body["enabled_events"]
    body["metadata"] = form.metadata(before=body["metadata"])
    if form.has("description"):
        body["description"] = form.text("description")
    if form.has("disabled"):
        body["status"] = "disabled" if form.flag("disabled") else "enabled"
    write(call, thing)
    on = body["status"] == "enabled"
    call.tx.add_endpoint(P, thing.id, body["url"], thing.private["secret"], body["enabled_events"], on=on)
    return answer(call, body, form)


def delete(call: Call) -> Answer:
    """DELETE /v1/webhook_endpoints/{id}"""
    thing = fetch(call, "webhook_endpoint", call.params["id"])
    call.tx.drop(P, "webhook_endpoint", thing.id)
    call.tx.drop_endpoint(P, thing.id)
    return answer(call, {"id": thing.id, "object": "webhook_endpoint", "deleted": True})


def list_endpoints(call: Call) -> Answer:
    """GET /v1/webhook_endpoints"""
    form = Form.of(call.request, "webhook_endpoints.list")
    return listing(call, form, "webhook_endpoint", "/v1/webhook_endpoints")


def balance(call: Call) -> Answer:
    """GET /v1/balance: the sum of what moved, less fees; by currency, all of it pending for two days."""
    rows = call.tx.rows(
        "SELECT json_extract(body, '$.currency') AS currency,"
        " sum(CASE WHEN json_extract(body, '$.available_on') <= ? THEN json_extract(body, '$.net') ELSE 0 END) AS ripe,"
        " sum(json_extract(body, '$.net')) AS net FROM things WHERE provider = ? AND kind = 'balance_transaction'"
        " GROUP BY 1 ORDER BY 1",
        (call.now, P),
    ) or [{"currency": "eur", "ripe": 0, "net": 0}]

    def part(amounts: list[tuple[str, int]]) -> list[dict[str, Any]]:
        return [{"amount": n, "currency": money, "source_types": {"card": n}} for money, n in amounts]

    body = {
        "object": "balance",
        "available": part([(row["currency"], row["ripe"]) for row in rows]),
        "livemode": False,
        "pending": part([(row["currency"], row["net"] - row["ripe"]) for row in rows]),
    }
    return answer(call, body)


def account(call: Call) -> Answer:
    """GET /v1/account"""
    if call.params.get("id", ACCOUNT) != ACCOUNT:
        raise Refused(missing("account", call.params["id"], "id"))
    body = {
        "id": ACCOUNT,
        "object": "account",
        "business_type": "company",
        "capabilities": {"card_payments": "active", "sepa_debit_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "DE",
        "created": 1_700_000_000,
        "default_currency": "eur",
        "details_submitted": True,
        "email": "merchant@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }
    return answer(call, body)
