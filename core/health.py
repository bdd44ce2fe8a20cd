"""What a load balancer, an orchestrator and a monitor ask: alive, ready, how much.

The rule that matters: `/healthz` asks nothing but this process, so that a slow database never makes an orchestrator
kill web servers; `/readyz` asks whether requests can be served now.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from core import clock
from core.services import vitals

_migrated = False
#: Reading every migration takes a good part of a second, and whoever may ask: not oftener than this, in seconds.
LOOK_AGAIN = 2.0
_missing_until = float("-inf")
MISSING = "Migrations are missing: run manage.py migrate."
#: What proxies say of themselves: a request that carries one of these isn't this machine's own.
PROXIED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


class HealthMiddleware:
    """Answers `/healthz` and `/readyz` before anything else looks: who asks knows an address, not the site's name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.answers = {"/healthz": _alive, "/readyz": _ready}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.answers.get(request.path)
        return answer(request) if answer else self.get_response(request)


@never_cache
@require_safe
def _alive(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def _ready(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and knows every migration of this version; else 503 with the reason."""
    problems = _problems()
    return JsonResponse(
        {"status": "unready" if problems else "ready", "problems": problems}, status=503 if problems else 200
    )


def _problems() -> list[str]:
    global _migrated, _missing_until
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            if cursor.fetchone()[0]:
                return ["The database takes no writes: it is a replica."]
        if not _migrated:
            if time.monotonic() < _missing_until:
                return [MISSING]
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                _missing_until = time.monotonic() + LOOK_AGAIN
                return [MISSING]
            _migrated = True
    except Exception as error:  # noqa: BLE001  whatever it is, requests can't be served
        return [f"The database doesn't answer: {type(error).__name__}"]
    return []


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures as Prometheus reads them: requests of the web servers, and what waits in the database.

    For those who know `TURNUS_METRICS_TOKEN` (as bearer); without one, for this machine alone, and not by a proxy.
    """
    if not _may_read(request):
        raise PermissionDenied("metrics")
    waiting = CollectorRegistry()
    waiting.register(_Waiting())
    return HttpResponse(generate_latest(_requests()) + generate_latest(waiting), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    forwarded = any(name in request.headers for name in PROXIED)
    return request.META.get("REMOTE_ADDR", "") in {"", "127.0.0.1", "::1"} and not forwarded


def _requests() -> CollectorRegistry:
    """Counters of this process, or of all web processes where they share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


class _Waiting(Collector):
    """The figures of `core.services.vitals`, asked when they are read."""

    def collect(self) -> list[Any]:
        families: dict[str, GaugeMetricFamily] = {}
        for vital in vitals.read(clock.machine_now()):
            names = [name for name, _value in vital.labels]
            family = families.setdefault(vital.name, GaugeMetricFamily(vital.name, vital.help, labels=names))
            family.add_metric([value for _name, value in vital.labels], vital.value)
        return list(families.values())
