"""The description for machines and the page for people, both made from the operations."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from api import schema
from api.problems import Problem
from core.refusal import Refused, codes


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1, open to everybody."""
    response = HttpResponse(
        orjson.dumps(schema.document(), option=orjson.OPT_INDENT_2), content_type="application/json"
    )
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, bodies, examples and errors, and every problem code with its words."""
    return render(request, "api/docs.html", {"tags": _by_tag(schema.document()), "problems": _problems()})


@csrf_exempt
def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """An address of this door that doesn't exist."""
    return Problem(404, "not_found").answer()


def _by_tag(document: dict[str, Any]) -> list[dict[str, Any]]:
    tags: dict[str, list[dict[str, Any]]] = {}
    for address, methods in document["paths"].items():
        for method, described in methods.items():
            tags.setdefault(described["tags"][0], []).append(_operation(address, method, described))
    return [{"name": name, "operations": operations} for name, operations in tags.items()]


def _operation(address: str, method: str, described: dict[str, Any]) -> dict[str, Any]:
    sends = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    status, success = next((s, a) for s, a in described["responses"].items() if s.startswith("2"))
    shows = success.get("content", {}).get("application/json", {}).get("example")
    return {
        "id": described["operationId"],
        "method": method.upper(),
        "address": address,
        "summary": described["summary"],
        "description": described["description"].split("\n\n"),
        "parameters": described["parameters"],
        "sends": _pretty(sends),
        "status": status,
        "shows": _pretty(shows),
        "errors": [(s, a["description"]) for s, a in described["responses"].items() if not s.startswith("2")],
    }


def _pretty(example: Any) -> str:
    return "" if example is None else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _problems() -> list[tuple[str, str]]:
    """Codes with their words; places for values stay as they stand in the words."""
    return [(code, Refused(code).message) for code in codes()]
