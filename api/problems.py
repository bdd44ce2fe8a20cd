"""Every answer that is no success: problem details (RFC 9457) with a code to branch on and words to read.

A refusal of a verb answers 409, or 422 where one input is at fault. Nothing unexpected leaks: only its number.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, SuspiciousOperation
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail

import api.refusals  # noqa: F401  the words
from core.bucket import BucketError
from core.ids import BadId
from core.refusal import Refused
from pricing.errors import PricingError

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One input at fault: where it stands (a JSON pointer into the body, or a parameter), a code and words."""

    pointer: str
    code: str
    message: str
    parameter: str = ""

    def body(self) -> dict[str, str]:
        where = {"parameter": self.parameter} if self.parameter else {"pointer": self.pointer}
        return {**where, "code": self.code, "message": self.message}


class Problem(Exception):
    """Ends a request with a problem. The code's words come from the register of refusals."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.params = status, code, params
        self.faults = list(faults)
        self.headers = dict(headers or {})

    @classmethod
    def parameter(cls, name: str, code: str = "invalid_parameter", **params: object) -> Problem:
        """A query parameter at fault."""
        return cls(422, "invalid_input", faults=[Fault("", code, words(code, **params), parameter=name)])

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    @property
    def detail(self) -> str:
        return words(self.code, **self.params)

    def answer(self) -> HttpResponse:
        return problem(self.status, self.code, self.detail, faults=self.faults, headers=self.headers)


def words(code: str, **params: object) -> str:
    return Refused(code, **params).message


def pointer(*steps: object) -> str:
    """A JSON pointer (RFC 6901) to a place in the body.

    >>> pointer("items", 0, "a/b")
    '/items/0/a~1b'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def problem(
    status: int, code: str, detail: str, *, faults: Iterable[Fault] = (), headers: Mapping[str, str] | None = None
) -> HttpResponse:
    body: dict[str, Any] = {
        "type": f"/api/v1/docs#problem-{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [fault.body() for fault in faults],
    }
    response = HttpResponse(orjson.dumps(body), status=status, content_type=MEDIA_TYPE)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def of_refusal(refused: Refused) -> HttpResponse:
    """404 for what isn't there, 422 where one input is at fault, else 409."""
    if refused.code == "not_found":
        return problem(404, refused.code, refused.message)
    if not refused.field:
        return problem(409, refused.code, refused.message)
    # Verbs count in minor units where bodies hold amounts.
    where = pointer(*refused.field.removesuffix("_minor").split("."))
    return problem(422, refused.code, refused.message, faults=[Fault(where, refused.code, refused.message)])


def _faults(detail: Any, *steps: object) -> list[Fault]:
    """Flattens what a serializer found, keeping where it found it."""
    if isinstance(detail, Mapping):
        found: list[Fault] = []
        for name, inner in detail.items():
            deeper = steps if name == "non_field_errors" else (*steps, name)
            found += _faults(inner, *deeper)
        return found
    if isinstance(detail, list | tuple):
        if all(isinstance(entry, ErrorDetail) for entry in detail):
            return [Fault(pointer(*steps), entry.code, str(entry)) for entry in detail]
        return [fault for index, entry in enumerate(detail) for fault in _faults(entry, *steps, index)]
    return [Fault(pointer(*steps), getattr(detail, "code", "invalid"), str(detail))]


def is_final(error: Exception) -> bool:
    """Whether the same request would be answered like this again: the caller's doing, not a moment's."""
    if isinstance(error, Problem):
        return error.status < 500 and error.status != 429
    lasting = (Refused, exceptions.ValidationError, Http404, ObjectDoesNotExist, BadId, PricingError, DataError)
    return isinstance(error, lasting)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """The answer to whatever a view raised."""
    match error:
        case Problem():
            return error.answer()
        case Refused():
            return of_refusal(error)
        case exceptions.ValidationError():
            return problem(422, "invalid_input", words("invalid_input"), faults=_faults(error.detail))
        case Http404() | ObjectDoesNotExist() | BadId():
            return problem(404, "not_found", words("not_found"))
        case exceptions.MethodNotAllowed():
            method = context["request"].method
            allowed = ", ".join(context["view"].allowed_methods)
            return problem(
                405, "method_not_allowed", words("method_not_allowed", method=method), headers={"Allow": allowed}
            )
        case exceptions.UnsupportedMediaType():
            return problem(415, "unsupported_media_type", words("unsupported_media_type"))
        case exceptions.APIException():
            return problem(error.status_code, "bad_request", words("bad_request"))
        case PermissionDenied():
            return problem(403, "scope_missing", words("scope_missing", scope="?"))
        case SuspiciousOperation():
            return problem(400, "bad_request", words("bad_request"))
        case PricingError():
            # Arithmetic refused an input that a verb passed on: the caller's value, not our fault.
            return problem(422, error.code, _("This value can't be calculated with."))
        case IntegrityError():
            logger.warning("The database refused a write over the API", exc_info=error)
            return problem(409, "conflict", words("conflict"))
        case DataError():
            return problem(422, "invalid_input", words("invalid_input"))
        case OperationalError():
            logger.warning("A write over the API met a lock or a lost connection", exc_info=error)
            return problem(503, "busy", words("busy"), headers={"Retry-After": "1"})
        case BucketError() if error.passes:
            logger.warning("A file could not be read for the API", exc_info=error)
            return problem(503, "file_unreachable", words("file_unreachable"), headers={"Retry-After": "30"})
    request_id = uuid.uuid4().hex
    logger.error("Unexpected fault %s over the API", request_id, exc_info=error)
    return problem(500, "internal_error", words("internal_error", request_id=request_id))
