"""The control door: what tests, fault campaigns and the demo ask of the stand-ins. JSON in, JSON out, no key needed."""

from __future__ import annotations

import json
from typing import Any

from standins.providers.store import new_id
from standins.providers.wire import Answer, Request
from standins.providers.world import World

GROUPS = {"invoice": "invoice", "customer": "customer", "currency": "currency", "provider": "provider"}


def serve(world: World, request: Request) -> Answer | None:
    """The answer of a control call; None when the path is none of these."""
    doors = {
        ("GET", "/_control/health"): _health,
        ("GET", "/_control/money"): _money,
        ("GET", "/_control/ledger"): _ledger,
        ("GET", "/_control/faults"): lambda world, request: world.faults.report(),
        ("POST", "/_control/faults"): _set_faults,
        ("GET", "/_control/deliveries"): lambda world, request: world.deliverer.report(),
        ("POST", "/_control/deliveries"): _set_deliveries,
        ("POST", "/_control/deliveries/flush"): _flush,
        ("POST", "/_control/deliveries/resend"): _resend,
        ("GET", "/_control/endpoints"): _endpoints,
        ("POST", "/_control/endpoints"): _add_endpoint,
        ("GET", "/_control/clock"): _clock,
        ("POST", "/_control/clock"): _advance,
    }
    door = doors.get((request.method, request.path))
    if door is None:
        return None
    try:
        return Answer(200, door(world, request))
    except (ValueError, KeyError, TypeError) as wrong:
        return Answer(400, {"error": f"{type(wrong).__name__}: {wrong}"})


def _health(world: World, request: Request) -> Any:
    return {"ok": True, "providers": sorted(world.halves), "now": world.clock.now()}


def _money(world: World, request: Request) -> Any:
    """Sums by one thing and currency: `charged` and `back` (never positive), `net`, `fee` in minor units, `charges`.

    `charges` counts charges that took money; more than one for an invoice that was paid once is a double charge.
    """
    given = request.arguments()
    column = GROUPS[given.get("by", "currency")]
    clauses, values = ["1"], []
    for name in ("provider", "kind", "customer", "invoice", "currency"):
        if name in given:
            clauses.append(f"{name} = ?")
            values.append(given[name])
    sql = (
        f"SELECT {column} AS \"key\", currency, sum(kind = 'charge') AS charges,"  # noqa: S608  own words only
        " coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0) AS charged,"
        " coalesce(sum(amount) FILTER (WHERE kind <> 'charge'), 0) AS back,"
        f" sum(amount) AS net, sum(fee) AS fee FROM money WHERE {' AND '.join(clauses)} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    with world.store.transaction() as tx:
        rows = tx.rows(sql, tuple(values))
    return {"by": given.get("by", "currency"), "rows": rows}


def _ledger(world: World, request: Request) -> Any:
    """The rows themselves, in order; `after` and `limit` page."""
    given = request.arguments()
    limit = min(int(given.get("limit", 1000)), 10_000)
    with world.store.transaction() as tx:
        rows = tx.rows(
            "SELECT * FROM money WHERE seq > ? AND provider = coalesce(?, provider) ORDER BY seq LIMIT ?",
            (int(given.get("after", 0)), given.get("provider"), limit),
        )
    return {"rows": [{**row, "metadata": json.loads(row["metadata"])} for row in rows]}


def _set_faults(world: World, request: Request) -> Any:
    world.faults.replace(request.json())
    return world.faults.report()


def _set_deliveries(world: World, request: Request) -> Any:
    world.deliverer.replace(request.json())
    return world.deliverer.report()


def _flush(world: World, request: Request) -> Any:
    return world.deliverer.flush(int(request.json().get("workers", 1)))


def _resend(world: World, request: Request) -> Any:
    """One event (`{"provider", "event"}`), or all that were dropped (`{"dropped": true}`)."""
    given = request.json()
    with world.store.transaction() as tx:
        if given.get("dropped"):
            cursor = tx.db.execute("UPDATE deliveries SET state = 'waiting' WHERE state = 'dropped'")
            return {"resent": cursor.rowcount}
        return {"resent": world.deliverer.resend(tx, given.get("provider", "stripe"), given["event"])}


def _endpoints(world: World, request: Request) -> Any:
    with world.store.transaction() as tx:
        return {"rows": tx.endpoints(request.arguments().get("provider"))}


def _add_endpoint(world: World, request: Request) -> Any:
    """Register where a provider's webhooks go, without the provider's own call. Answers the id and the secret."""
    given = request.json()
    provider = given["provider"]
    if provider not in world.halves:
        raise ValueError(f"no such provider: {provider}")
    id = given.get("id") or new_id("we_")
    secret = given.get("secret") or new_id("whsec_", 32)
    with world.store.transaction() as tx:
        tx.add_endpoint(provider, id, given["url"], secret, given.get("types", ["*"]))
    return {"id": id, "secret": secret, "url": given["url"]}


def _clock(world: World, request: Request) -> Any:
    return {"now": world.clock.now(), "ahead": world.clock.ahead}


def _advance(world: World, request: Request) -> Any:
    """Move the stand-in's clock forward. Webhooks are still signed at the machine's instant."""
    seconds = int(request.json()["advance"])
    if seconds < 0:
        raise ValueError("the clock only moves forward")
    with world.store.transaction() as tx:
        world.clock.ahead += seconds
        tx.set("clock", world.clock.ahead)
    return {"now": world.clock.now(), "ahead": world.clock.ahead}
