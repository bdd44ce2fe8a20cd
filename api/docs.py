"""The description for machines and the page for people, both made from the operations."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from api import schema
from api.problems import Problem
from core.refusal import Refused, codes
from core.rights import RIGHTS
from core.services.keys import SCOPES


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1, open to everybody."""
    body = orjson.dumps(schema.document(), option=orjson.OPT_INDENT_2)
    response = HttpResponse(body, content_type="application/json")
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, examples and errors; every scope; every problem code with its words."""
    with translation.override("en"):
        scopes = [(scope, [str(RIGHTS[right]) for right in sorted(rights)]) for scope, rights in SCOPES.items()]
        # Places for values stay as they stand in the words.
        problems = [(code, re.sub(r"%\((\w+)\)s", r"{\1}", Refused(code).message)) for code in codes()]
    known = {"tags": _by_tag(schema.document()), "scopes": scopes, "problems": problems, "site": settings.SITE_URL}
    return render(request, "api/docs.html", known)


@csrf_exempt
def nothing(request: HttpRequest, rest: str = "") -> HttpResponse:
    """An address of this door that doesn't exist."""
    return Problem(404, "not_found").answer()


#: What comes first on the page; what isn't named follows.
ORDER = ("Customers", "Catalog", "Subscriptions", "Invoices", "Payments", "Billing runs", "Imports", "Jobs")


def _by_tag(document: dict[str, Any]) -> list[dict[str, Any]]:
    tags: dict[str, list[dict[str, Any]]] = {name: [] for name in ORDER}
    for address, methods in document["paths"].items():
        for method, described in methods.items():
            tags.setdefault(described["tags"][0], []).append(_operation(document, address, method, described))
    return [{"name": name, "operations": operations} for name, operations in tags.items()]


def _whole(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The part itself, or what it refers to."""
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = document["components"][kind][name]
    return found


def _operation(document: dict[str, Any], address: str, method: str, described: dict[str, Any]) -> dict[str, Any]:
    answers = {status: _whole(document, said) for status, said in described["responses"].items()}
    status = next(status for status in answers if status.startswith("2"))
    errors = [(status, re.findall(r"`([\w.]+)`", said["description"])) for status, said in answers.items()]
    return {
        "id": described["operationId"],
        "method": method.upper(),
        "address": address.removeprefix("/api/v1"),
        "summary": described["summary"],
        "description": described["description"].replace("`", "").split("\n\n"),
        "parameters": [_whole(document, parameter) for parameter in described["parameters"]],
        "fields": _fields(document, described.get("requestBody", {})),
        "sends": _example(described.get("requestBody", {})),
        "status": status,
        "shows": _example(answers[status]),
        "errors": [(status, names) for status, names in errors if status >= "4"],
    }


def _fields(document: dict[str, Any], described: dict[str, Any]) -> list[dict[str, Any]]:
    """Name, kind, whether required and meaning of each member of a body."""
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    body = _whole(document, schema)
    required = body.get("required", [])
    return [
        {"name": name, "kind": _kind(member), "required": name in required, "meaning": member.get("description", "")}
        for name, member in body["properties"].items()
    ]


def _kind(member: dict[str, Any]) -> str:
    """A member's kind in a few letters: string, one of some values, a list of objects."""
    if "$ref" in member:
        return "object"
    if "enum" in member:
        return " | ".join(str(value) for value in member["enum"] if value is not None)
    if member.get("type") == "array":
        return f"list of {_kind(member['items'])}"
    kinds = member.get("type") or next((_kind(half) for half in member.get("anyOf", member.get("oneOf", []))), "any")
    name = kinds if isinstance(kinds, str) else " | ".join(kinds)
    return f"{name} ({member['format']})" if "format" in member else name


def _example(described: dict[str, Any]) -> str:
    example = described.get("content", {}).get("application/json", {}).get("example")
    return "" if example is None else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
