"""The OpenAPI description, made from the operations themselves: what is declared is what is carried out.

Every operation has a summary, the scope it needs, its parameters, examples of body and answer, and its errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from api import described_errors
from api.fields import REF_LETTERS, Ref
from api.query import DEFAULT_LIMIT, MOST, Filter
from api.shapes import Computed, Id, Link
from core.services.keys import SCOPES, scopes_with

JSON, PDF, ZIP, CSV = "application/json", "application/pdf", "application/zip", "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES = (PDF, ZIP, XLSX, CSV)
SCOPE_ORDER = list(SCOPES).index
EXAMPLE_ID = "01h455vb4pex5vsknk084sn02q"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one address is; `api.views.operation` makes it."""

    summary: str
    description: str
    rights: tuple[str, ...]
    body: type[serializers.BaseSerializer] | None
    answer: Any
    status: int
    paged: bool
    filters: tuple[Filter, ...]
    expand: tuple[str, ...]
    refusals: tuple[str, ...]
    method: str

    @property
    def writes(self) -> bool:
        return self.method != "get"

    @property
    def name(self) -> str:
        """The operation id, from the summary: list_customers."""
        return re.sub(r"[^a-z0-9]+", "_", self.summary.lower()).strip("_")


class ComputedSchema(OpenApiSerializerFieldExtension):
    """A computed member is what it says it is; whether it may be null is added for every field alike."""

    target_class = "api.shapes.Computed"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        field: Computed = self.target
        match field:
            case Id():
                return {"type": "string", "pattern": f"^{field.prefix}_{REF_LETTERS}$"}
            case Link():
                linked = auto_schema.resolve_serializer(field.shape(), direction).ref
                return {"anyOf": [{"type": "string", "pattern": f"^{field.prefix}_{REF_LETTERS}$"}, linked]}
        if not isinstance(field.schema, dict):
            shape, many = (field.schema[0], True) if isinstance(field.schema, list) else (field.schema, False)
            part = auto_schema.resolve_serializer(shape, direction).ref
            return {"type": "array", "items": part} if many else part
        return dict(field.schema)


class RefSchema(OpenApiSerializerFieldExtension):
    target_class = "api.fields.Ref"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        field: Ref = self.target
        prefix = field.model.PREFIX  # type: ignore[attr-defined]
        return {"type": "string", "pattern": f"^{prefix}_{REF_LETTERS}$"}


class Schema(AutoSchema):
    """Describes a view's methods by their operations."""

    def is_excluded(self) -> bool:
        return not hasattr(self.method_handler, "operation")

    @property
    def method_handler(self) -> Any:
        return getattr(self.view, self.method.lower())

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        return type(serializer).__name__.removesuffix("Shape")

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        self.registry, self.path, self.path_regex, self.path_prefix = registry, path, path_regex, path_prefix
        self.method = method.upper()
        if self.is_excluded():
            return None
        operation: Operation = self.method_handler.operation
        scopes = sorted({scope for right in operation.rights for scope in scopes_with(right)}, key=SCOPE_ORDER)
        described: dict[str, Any] = {
            "operationId": operation.name,
            "summary": operation.summary,
            "description": _join(operation.description, f"Scope: {' or '.join(f'`{scope}`' for scope in scopes)}."),
            "tags": [self.view.tag],
            "parameters": self._places(operation) + _parameters(operation),
            "security": [{"key": []}],
            "x-scopes": scopes,
            "responses": self._responses(operation),
        }
        if operation.body is not None:
            described["requestBody"] = self._body(operation)
        return described

    def _places(self, operation: Operation) -> list[dict[str, Any]]:
        found = []
        for name in re.findall(r"{(\w+)}", self.path):
            place = self.view.places[name]
            if isinstance(place, tuple):
                schema, example = {"type": "string", "enum": list(place)}, place[0]
            elif isinstance(place, dict):
                schema, example = place, place["examples"][0]
            else:
                schema, example = {"type": "string", "pattern": f"^{place}_{REF_LETTERS}$"}, f"{place}_{EXAMPLE_ID}"
            found.append({"name": name, "in": "path", "required": True, "schema": schema, "example": example})
        return found

    def _body(self, operation: Operation) -> dict[str, Any]:
        body: Any = operation.body
        instance = body(partial=self.method == "PATCH")
        component = self.resolve_serializer(instance, "request")
        example = example_of(body)
        required = self.method != "PATCH" and any(field.required for field in instance.fields.values())
        return {"required": required, "content": {JSON: {"schema": component.ref, "example": example}}}

    def _responses(self, operation: Operation) -> dict[str, Any]:
        answers: dict[str, Any] = {str(operation.status): self._success(operation)}
        if operation.method == "get" and not operation.paged and hasattr(operation.answer, "Meta"):
            answers["304"] = {"description": "Not changed since the ETag in If-None-Match."}
        statuses = described_errors.statuses(
            method=operation.method,
            finds_a_row="{" in self.path,
            gives_a_file=operation.answer in FILES or hasattr(operation.answer, "OF_A_FILE"),
            refusals=operation.refusals,
        )
        return dict(sorted({**answers, **statuses}.items()))

    def _success(self, operation: Operation) -> dict[str, Any]:
        headers = {"RateLimit": {"$ref": "#/components/headers/RateLimit"}}
        if operation.answer is None:
            return {"description": "Done; no content.", "headers": headers}
        if operation.answer in FILES:
            return {
                "description": "The document." if operation.answer == PDF else "The file.",
                "headers": headers,
                "content": {operation.answer: {"schema": {"type": "string", "contentMediaType": operation.answer}}},
            }
        shape = operation.answer
        component = self.resolve_serializer(page_of(shape) if operation.paged else shape, "response")
        example = example_of(shape)
        if operation.paged:
            example = {"data": [example], "has_more": False, "next": None}
        elif operation.status in (200, 201) and hasattr(shape, "Meta"):
            headers["ETag"] = {"$ref": "#/components/headers/ETag"}
        description = {200: "Done.", 201: "Made.", 202: "Accepted; follow the job."}[operation.status]
        content = {JSON: {"schema": component.ref, "example": example}}
        return {"description": description, "headers": headers, "content": content}


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def example_of(shape: Any) -> Any:
    """The example of a body or shape, from `examples.json`."""
    return _examples()[shape.__name__]


@cache
def _examples() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "examples.json").read_text("utf-8"))
    return found


@cache
def page_of(shape: type[serializers.BaseSerializer]) -> type[serializers.BaseSerializer]:
    """The shape of a page of rows."""
    name = shape.__name__.removesuffix("Shape")
    members = {
        "__doc__": "A page, newest first; pass `next` as `after` for the following one.",
        "data": shape(many=True),
        "has_more": serializers.BooleanField(help_text="Whether more follow."),
        "next": serializers.CharField(allow_null=True, help_text="What to send as `after`; null on the last page."),
    }
    return type(f"{name}Page", (serializers.Serializer,), members)


SHARED_PARAMETERS: dict[str, dict[str, Any]] = {
    "Limit": {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "description": "Rows per page.",
    },
    "After": {
        "name": "after",
        "in": "query",
        "schema": {"type": "string"},
        "description": "`next` of the page before.",
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Any text of your own. Sent again with the same body, the answer is the same.",
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "schema": {"type": "string"},
        "description": "ETag of what you read; 412 when it was changed since.",
    },
}
SHARED_HEADERS: dict[str, dict[str, Any]] = {
    "RateLimit": {"schema": {"type": "string"}, "description": "Calls left and seconds to the reset."},
    "ETag": {"schema": {"type": "string"}, "description": "Names this state; send it in If-Match."},
}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def share(*names: str) -> None:
        found.extend({"$ref": f"#/components/parameters/{name}"} for name in names)

    def query(name: str, schema: Mapping[str, Any], description: str) -> None:
        found.append({"name": name, "in": "query", "schema": dict(schema), "description": description})

    if operation.paged:
        share("Limit", "After")
    if operation.expand:
        choices = ", ".join(operation.expand)
        schema = {"type": "string", "examples": [",".join(operation.expand)]}
        query("expand", schema, f"Show linked rows whole, comma-separated: {choices}.")
    for entry in operation.filters:
        for operator in entry.operators:
            says = {"in": " Any of these, comma-separated."}.get(operator, "")
            query(f"{entry.name}[{operator}]" if operator else entry.name, entry.schema(operator), entry.help + says)
    if operation.method == "post":
        share("IdempotencyKey")
    if operation.method in ("patch", "put", "delete"):
        share("IfMatch")
    return found


def finish(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """Adds what belongs to all operations, and takes out what says nothing here."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = described_errors.PROBLEM_SCHEMA
    components["responses"] = described_errors.shared()
    components["parameters"] = SHARED_PARAMETERS
    components["headers"] = SHARED_HEADERS
    components["schemas"] = dict(sorted(components["schemas"].items()))
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key: `sk_live_…`, or `sk_test_…` of a test company.",
        }
    }
    for schema in components["schemas"].values():
        for member in schema.get("properties", {}).values():
            member.pop("readOnly", None)
            member.pop("x-spec-enum-id", None)
            _allow_blank(member)
    return result


def _allow_blank(member: dict[str, Any]) -> None:
    """An empty text may fit both halves of "an address or nothing": any of them will do."""
    halves = member.get("oneOf", [])
    if any(half.get("maxLength") == 0 for half in halves):
        member["anyOf"] = member.pop("oneOf")


@cache
def document() -> dict[str, Any]:
    """The whole description, in English, made once per process."""
    from django.utils import translation

    with translation.override("en"):
        made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made
