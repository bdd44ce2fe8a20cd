"""A caller of the API whose every answer is compared with the published description."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from django.test import Client
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api import schema
from core.actors import Actor
from core.models import Company
from core.services import keys

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
BY = Actor.system("tests")
BASE = "/api/v1/"


@cache
def _registry() -> Registry:
    return Registry().with_resource("urn:api", Resource(schema.document(), DRAFT202012))


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Addresses as patterns, the plainer ones first."""
    found = sorted(schema.document()["paths"], key=lambda address: address.count("{"))
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", address)), address) for address in found]


def at(*steps: str) -> Any:
    """The part of the description at these steps."""
    found: Any = schema.document()
    for step in steps:
        found = found[step]
    return found


def faults(body: Any, *steps: str) -> list[str]:
    """How a body differs from the schema at these steps of the description."""
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    reference = f"urn:api#{pointer}".replace("{", "%7B").replace("}", "%7D")
    validator = Draft202012Validator({"$ref": reference}, registry=_registry(), format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def described(path: str, method: str) -> tuple[str, dict[str, Any]]:
    """The address in the description that a path belongs to, and its operation."""
    for pattern, address in _paths():
        if pattern.fullmatch(path):
            return address, schema.document()["paths"][address].get(method, {})
    raise AssertionError(f"{path} is not described")


@dataclass
class Caller:
    """Calls with one key. `get`, `post`, ... give the response with its body read in `body`."""

    key: str
    client: Client = field(default_factory=Client)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.key}", **headers}
        more = {} if method == "get" else {"data": b"" if body is None else body, "content_type": "application/json"}
        response = getattr(self.client, method)(BASE + path, headers=sent, **more)
        response.body = response.json() if "json" in response.get("Content-Type", "") else None
        self._compare(response, (BASE + path).partition("?")[0], method)
        return response

    def _compare(self, response: Any, path: str, method: str) -> None:
        if response.status_code == 405:
            return
        address, operation = described(path, method)
        answers = operation["responses"]
        assert str(response.status_code) in answers, (response.status_code, response.content[:500])
        media_type = response.get("Content-Type", "").partition(";")[0]
        status = str(response.status_code)
        steps = ["paths", address, method, "responses", status]
        if "$ref" in answers[status]:
            steps = answers[status]["$ref"].removeprefix("#/").split("/")
        content = at(*steps).get("content")
        if content is None:
            assert response.content == b""
            return
        assert media_type in content, media_type
        if response.body is not None:
            assert faults(response.body, *steps, "content", media_type, "schema") == []

    def get(self, path: str, **headers: str) -> Any:
        return self.call("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("post", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("patch", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("put", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("delete", path, **headers)


def make_company(**changes: Any) -> Company:
    """A test company whose clock stands at NOW."""
    from tests.factories import a_company

    return a_company(**{"clock_at": NOW, "books_start_on": date(2026, 1, 1), **changes})


def key_for(company: Company, *scopes: str) -> str:
    return keys.issue_key(company=company, name="test", scopes=scopes or ("*",), by=BY, at=NOW)[1]
