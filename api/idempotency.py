"""Writes that may be sent again: one Idempotency-Key, one effect, one answer.

The answer is stored in the transaction of the effect. A lock for the transaction tells a key that is being worked on
from one that was; it vanishes with its connection, so a crash leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from api.models import IdempotencyRecord
from api.problems import Problem
from core import clock
from core.models import Company
from core.services import sweeping

KEPT = timedelta(days=30)
KEPT_HEADERS = ("ETag", "Location", "Content-Language")
_FORM = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


def key_of(request: HttpRequest) -> str | None:
    """The key as sent, or None; 400 when it has no acceptable form."""
    text = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if text is None:
        return None
    if not _FORM.fullmatch(text):
        raise Problem(400, "idempotency_key_malformed")
    return str(text)


def digest_of(request: HttpRequest, body: Any) -> str:
    """What makes two requests the same: method, address with its query, and the body's values."""
    canonical = orjson.dumps(body, default=str, option=orjson.OPT_SORT_KEYS)
    head = f"{request.method}\n{request.get_full_path()}\n".encode()
    return hashlib.sha256(head + canonical).hexdigest()


def _lock(company: Company, key: str) -> bool:
    name = hashlib.sha256(f"idempotency\n{company.pk}\n{key}".encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(name[:8], "big", signed=True)])
        return bool(cursor.fetchone()[0])


def once(
    *,
    company: Company,
    key: str,
    digest: str,
    effect: Callable[[], HttpResponse],
    refusal: Callable[[Exception], HttpResponse],
) -> HttpResponse:
    """Carries `effect` out, or gives the answer it had before.

    Call it inside a transaction. An effect that raises is undone; `refusal` turns what it raised into an answer, and
    answers of 4xx are kept as well, so that the same request keeps getting the same words. 429 and 5xx are not: what
    `refusal` can't answer for good it raises again.
    """
    if not _lock(company, key):
        raise Problem(409, "idempotency_key_in_use", headers={"Retry-After": "1"})
    stored = IdempotencyRecord.objects.filter(company=company, key=key).first()
    if stored is not None:
        if stored.request_sha256 != digest:
            raise Problem(422, "idempotency_key_reused")
        return _again(stored)
    try:
        with transaction.atomic():
            response = effect()
    except Exception as error:  # noqa: BLE001  every refusal has an answer; what has none is raised again
        response = refusal(error)
    response.setdefault("Content-Language", translation.get_language() or "en")
    IdempotencyRecord.objects.create(
        company=company,
        key=key,
        request_sha256=digest,
        status=response.status_code,
        media_type=response["Content-Type"],
        headers={name: response[name] for name in KEPT_HEADERS if response.has_header(name)},
        body=response.content,
        created_at=clock.machine_now(),
    )
    return response


def answered(*, company: Company, key: str, digest: str) -> HttpResponse | None:
    """The answer a key had before; None for a new one. 422 for another request under the same key."""
    stored = IdempotencyRecord.objects.filter(company=company, key=key).first()
    if stored is None:
        return None
    if stored.request_sha256 != digest:
        raise Problem(422, "idempotency_key_reused")
    return _again(stored)


def _again(stored: IdempotencyRecord) -> HttpResponse:
    response = HttpResponse(bytes(stored.body), status=stored.status, content_type=stored.media_type)
    for name, value in stored.headers.items():
        response[name] = value
    response["Idempotent-Replayed"] = "true"
    return response


sweeping.log("answers", kept=lambda: KEPT, portion=sweeping.rows(IdempotencyRecord, at="created_at"))
