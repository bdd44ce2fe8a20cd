"""The errors of operations as the description shows them: one problem schema, shared answers, codes to branch on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.problems import MEDIA_TYPE, Problem

#: Codes that any operation may answer, by status; further refusals are named where they belong.
CODES = {
    400: ("malformed_json", "body_not_an_object", "body_too_deep", "duplicate_name", "idempotency_key_malformed"),
    401: ("key_missing", "key_invalid"),
    403: ("scope_missing",),
    404: ("not_found",),
    412: ("precondition_failed",),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    422: ("invalid_input", "idempotency_key_reused"),
    429: ("rate_limited",),
    500: ("internal_error",),
    503: ("busy", "file_unreachable"),
}
EXAMPLE_PARAMS = {
    "scope": "customers:read",
    "seconds": 12,
    "reason": "Expecting value.",
    "limit": 1048576,
    "request_id": "4f1c",
    "name": "Brevo",
    "detail": "Key not found",
    "list": "7",
    "lines": "20000",
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Where the code is explained."},
        "title": {"type": "string", "description": "The HTTP status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong, in the language asked for."},
        "code": {"type": "string", "description": "What went wrong, to branch on; codes don't change."},
        "errors": {
            "type": "array",
            "description": "Inputs at fault.",
            "items": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body."},
                    "parameter": {"type": "string", "description": "Name of the query parameter."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}


def statuses(
    *, method: str, finds_a_row: bool, gives_a_file: bool, refusals: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The answers other than success of one operation; what many share is referred to."""
    found = {401, 403, 422, 429, 500}
    if finds_a_row:
        found.add(404)
    if gives_a_file:
        found.add(503)
    if method != "get":
        found |= {400, 413, 415, 503}
    if method in ("patch", "put", "delete"):
        found.add(412)
    answers = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(found)}
    if method != "get":
        codes = ["idempotency_key_in_use"] if method == "post" else ["conflict"]
        answers["409"] = described(409, [*codes, *refusals])
    elif refusals:
        answers["409"] = described(409, refusals)
    return answers


def shared() -> dict[str, Any]:
    """The answers that operations refer to."""
    return {f"Problem{status}": described(status, codes) for status, codes in CODES.items()}


def described(status: int, codes: Sequence[str]) -> dict[str, Any]:
    """An answer with a problem: its codes, and an example with the first of them."""
    problem = Problem(status, codes[0], **EXAMPLE_PARAMS)
    faults = [{"pointer": "/name", "code": "required", "message": "This field is required."}] if status == 422 else []
    example = {
        "type": f"/api/v1/docs#problem-{problem.code}",
        "title": problem.title,
        "status": status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": faults,
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": "Codes: " + ", ".join(f"`{code}`" for code in codes) + ".", "content": content}
