"""What every handler of the PayPal half works with: the open transaction, ids, instants, links and events.

There is one merchant account behind all client ids. A `Thing`'s body is what PayPal shows, without links: these are
put in when it is shown, since the port may be another one after a restart.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standins.providers.paypal_errors import Json, PayPalError, bad_request, not_found
from standins.providers.store import Thing, Tx
from standins.providers.wire import Answer, Call, Refused

PROVIDER = "paypal"
MERCHANT = {"email_address": "merchant@standin.example", "merchant_id": "STANDBYMERCH2"}
CAPITALS = "ABCDEFGHJKLMNPRSTUVWXY"
DIGITS = "0123456789"


def instant(at: int) -> str:
    """Seconds since 1970 as PayPal writes instants."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str, field: str) -> int:
    """An instant of a query as seconds since 1970; refuses one without a zone."""
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        raise bad_request("INVALID_PARAMETER_SYNTAX", field, text, "query") from None
    if read.tzinfo is None:
        raise bad_request("INVALID_PARAMETER_SYNTAX", field, text, "query")
    return int(read.timestamp())


def new_transaction_id() -> str:
    """17 digits and capitals, as orders, captures and refunds have; never digits alone."""
    drawn = secrets.token_bytes(17)
    letters = [(DIGITS + CAPITALS)[byte % 32] for byte in drawn]
    letters[14] = CAPITALS[drawn[14] % 22]
    return "".join(letters)


def new_vault_id() -> str:
    """Small letters and digits, as saved methods have."""
    return new_transaction_id()[3:15].lower()


def integer(arguments: dict[str, str], name: str, default: int, top: int) -> int:
    """A whole number of the query within 1 and `top`."""
    text = arguments.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= top:
        raise bad_request("INVALID_PARAMETER_VALUE", name, text, "query")
    return int(text)


@dataclass
class Desk:
    """One request at work: reads and writes things, writes events, makes links."""

    call: Call

    @property
    def tx(self) -> Tx:
        """The open transaction."""
        return self.call.tx

    @property
    def now(self) -> int:
        """The stand-in's instant in seconds."""
        return self.call.now

    @property
    def base(self) -> str:
        """The address of PayPal's port."""
        return self.call.world.pages.get(PROVIDER, "")

    @property
    def request_id(self) -> str:
        """The `PayPal-Request-Id` as the client sent it, "" for none."""
        return self.call.key.split(":", 2)[2] if self.call.key else ""

    def body(self) -> Json:
        """The request's body, which must be an object."""
        try:
            read = self.call.request.json()
        except ValueError:
            raise bad_request("MALFORMED_REQUEST_JSON", "/") from None
        if not isinstance(read, dict):
            raise bad_request("INVALID_PARAMETER_SYNTAX", "/")
        return read

    def wants_all(self) -> bool:
        """Whether the client asked for the whole object (`Prefer: return=representation`)."""
        return "return=representation" in self.call.request.headers.get("prefer", "").replace(" ", "").lower()

    def find(self, kind: str, id: str) -> Thing | None:
        """A thing by its id."""
        return self.tx.get(PROVIDER, kind, id)

    def get(self, kind: str, id: str, field: str = "id") -> Thing:
        """A thing by its id; 404 when there is none."""
        found = self.find(kind, id)
        if found is None:
            raise not_found(field, id)
        return found

    def new(self, kind: str, id: str, body: Json, private: Json, *, customer: str = "", parent: str = "") -> Thing:
        """Write a thing for the first time."""
        return self.tx.put(PROVIDER, Thing(kind, id, body, private, customer, parent, self.now))

    def put(self, thing: Thing) -> Thing:
        """Write a changed thing, with its instant of change."""
        if "update_time" in thing.body:
            thing.body["update_time"] = instant(self.now)
        return self.tx.put(PROVIDER, thing)

    def children(self, kind: str, parent: str) -> list[Thing]:
        """The things of a kind that belong to another, oldest first."""
        return self.tx.find(PROVIDER, kind, parent=parent, limit=1000).things[::-1]

    def link(self, rel: str, path: str, method: str = "GET") -> Json:
        """One link of an answer."""
        return {"href": f"{self.base}{path}", "rel": rel, "method": method}

    def emit(self, type: str, resource_type: str, version: str, summary: str, resource: Json, object_id: str) -> str:
        """Write one webhook event about a resource as it is now; its id."""
        id = f"WH-{new_transaction_id()}-{new_transaction_id()}"
        path = f"/v1/notifications/webhooks-events/{id}"
        event = {
            "id": id,
            "event_version": "1.0",
            "create_time": instant(self.now).replace("Z", ".000Z"),
            "resource_type": resource_type,
            "resource_version": version,
            "event_type": type,
            "summary": summary,
            "resource": resource,
            "links": [self.link("self", path), self.link("resend", f"{path}/resend", "POST")],
        }
        self.tx.emit(PROVIDER, type, id, event, at=self.now, object_id=object_id)
        return id


def new_debug_id() -> str:
    """The id by which PayPal's support would find a request."""
    return secrets.token_hex(7)[:13]


def handler(act: Callable[[Desk], Answer]) -> Callable[[Call], Answer]:
    """A route's handler from an act that answers or raises `PayPalError`.

    A declined payment (an error marked `outcome`) is an answer: what was written stays and it is kept under its
    request id. Every other refusal undoes all and keeps nothing.
    """

    def run(call: Call) -> Answer:
        try:
            return act(Desk(call))
        except PayPalError as error:
            answer = Answer(error.status, error.body(new_debug_id()))
            if error.outcome:
                return answer
            raise Refused(answer) from None

    return run


def text(body: Json, name: str, field: str, longest: int) -> str:
    """An optional text field of a body, "" when absent; refuses another type and what is too long."""
    value: Any = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_request("INVALID_PARAMETER_SYNTAX", f"{field}/{name}", value)
    if len(value) > longest:
        raise bad_request("INVALID_STRING_MAX_LENGTH", f"{field}/{name}", value)
    return value
