"""What a request, an answer, a route and a provider half are. No state lives here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import parse_qs, parse_qsl

if TYPE_CHECKING:
    from standins.providers.faults import Fault
    from standins.providers.store import Tx
    from standins.providers.world import World

Door = Literal["api", "page", "control"]
Trouble = Literal["not_found", "rate_limited", "internal", "unavailable", "key_in_use", "key_mismatch", "bad_body"]


@dataclass(slots=True)
class Request:
    """One HTTP request. Header names are in lower case; `query` is the raw string after `?`."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def arguments(self) -> dict[str, str]:
        """The query's arguments, the last of a name winning."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def argument_lists(self) -> dict[str, list[str]]:
        """The query's arguments, every value of a name."""
        return parse_qs(self.query, keep_blank_values=True)

    def fields(self) -> dict[str, str]:
        """The fields of a posted HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> Any:
        """The JSON body; {} when it is empty. Raises ValueError when it isn't JSON."""
        return json.loads(self.body) if self.body.strip() else {}


@dataclass(slots=True)
class Answer:
    """One HTTP answer. A dict or list is sent as JSON, text as HTML (unless `kind` says it), bytes as they are."""

    status: int
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = ""

    def bytes(self) -> bytes:
        """The body as it goes over the wire."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()

    def content_type(self) -> str:
        """The Content-Type header's value."""
        if self.kind:
            return self.kind
        return "text/html; charset=utf-8" if isinstance(self.body, str) else "application/json"


class Refused(Exception):
    """Ends a request with an answer, undoes what it did and keeps nothing under its idempotency key."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(slots=True)
class Call:
    """What a handler gets: the request, the path's parts, its open transaction and the world.

    `outcome` is what the fault plan wants of this payment (kind `decline` or `authentication_required`), else None.
    `key` is the idempotency key the client sent, else "". `now` is in seconds on the stand-in's clock.
    """

    request: Request
    params: dict[str, str]
    tx: Tx
    world: World
    now: int
    key: str = ""
    outcome: Fault | None = None


Handler = Callable[[Call], Answer]
Charges = bool | Callable[[Request], bool]


@dataclass(slots=True, frozen=True)
class Route:
    """One path of a half. `operation` is its name in fault plans, like `payment_intents.create`."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    operation: str
    door: Door = "api"
    charges: Charges = False

    def takes_money(self, request: Request) -> bool:
        """Whether this request may take money, so that a decline can be ordered of it."""
        return self.charges if isinstance(self.charges, bool) else self.charges(request)


class Router:
    """The routes of a half, looked up in the order in which they were added."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        operation: str = "",
        door: Door = "api",
        charges: Charges = False,
    ) -> None:
        """Add one route; `{name}` in `path` stands for one segment and arrives in `call.params`.

        `charges` may be a function, for an operation that only takes money when the request says so.
        """
        pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
        self.routes.append(Route(method, pattern, handler, operation, door, charges))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a path and the parts of the path it names; None when there is none."""
        for route in self.routes:
            if route.method == method and (seen := route.pattern.fullmatch(path)):
                return route, seen.groupdict()
        return None


class Provider(Protocol):
    """What a half must have. `name` is `stripe` or `paypal`; it marks every row of the half in the store."""

    name: str
    router: Router

    def admit(self, request: Request) -> Answer | None:
        """The answer that turns an unauthenticated API request away; None lets it in."""

    def idempotency_key(self, request: Request) -> str:
        """The key the client sent with a writing request, made unique per account if need be; "" for none."""

    def fingerprint(self, request: Request, operation: str) -> str:
        """What must be equal for two requests of one key to count as the same request."""

    def trouble(self, what: Trouble, request: Request) -> Answer:
        """The provider's own answer to a trouble that the common parts met or made."""

    def finish(self, request: Request, answer: Answer, *, replayed: bool) -> None:
        """Add the provider's headers (request ids, replay marks) to an answer of the API door, in place."""

    def signature(
        self, endpoint: Mapping[str, Any], event_id: str, body: bytes, at: int, *, forged: bool
    ) -> dict[str, str]:
        """The headers that sign a webhook's body at an instant (machine's clock); `forged` signs with a wrong secret.

        `endpoint` has `id`, `url`, `secret`, `types`. The common parts do the other forgeries themselves: an altered
        body, an old `at`, no headers at all.
        """
