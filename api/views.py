"""What every view of this door does around its verb: key, scope, limit, body, idempotency, conditions, answer.

A view's own code fetches a row of its company, calls the verb, and says in which shape to answer. No rules here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache, wraps
from typing import Any, ClassVar

from django.apps import apps
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from api import idempotency, limits
from api.problems import Problem, exception_handler, is_final, words
from api.query import Asked, Filter, Order, read_query
from api.schema import Operation
from api.shapes import Reading, compiled, dumps
from core import clock
from core.actors import Actor
from core.models import Addressed, Company
from core.services.keys import rights_of_scopes

MEDIA_TYPE = "application/json"
CONDITIONAL = ("PATCH", "PUT", "DELETE")
NO_QUERY = Asked()


class AnswersJson(BaseContentNegotiation):
    """There is one form of every answer, whatever the Accept header says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)


class ApiView(APIView):
    """Base of all views. `company`, `by`, `at` and `asked` are there once a handler runs."""

    tag: ClassVar[str]
    places: ClassVar[dict[str, str]] = {}
    content_negotiation_class = AnswersJson
    company: Company
    by: Actor
    at: datetime
    asked: Asked = NO_QUERY
    allowance: limits.Allowance | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.perform_authentication(request)
        key = request.auth
        self.allowance = limits.count(key)
        self.check_permissions(request)
        self.company, self.by, self.at = key.company, Actor.of_key(key), clock.now(key.company)
        if request.method not in SAFE_METHODS:
            self.find_places()

    def find_places(self) -> None:
        """404 for an address that names no row of the company: said before anything is said about the body."""
        for place, ref in self.kwargs.items():
            prefix = self.places[place]
            if isinstance(prefix, str) and not self.of_prefix(prefix, ref).exists():
                raise Problem(404, "not_found")

    def of_prefix(self, prefix: str, ref: str) -> QuerySet[Any]:
        model = addressed()[prefix]
        return model._default_manager.filter(company=self.company, public_id=model.public_id_of(ref))

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return self.http_method_not_allowed(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: HttpResponse, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.allowance is not None:
            for name, value in self.allowance.headers().items():
                response.setdefault(name, value)
        response.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Authorization", "Accept-Language"))
        return response

    # What handlers use ------------------------------------------------------------------------------------------

    @property
    def today(self) -> date:
        return clock.day_in(self.at, self.company.time_zone)

    @property
    def rights(self) -> frozenset[str]:
        """What the key may do."""
        return rights_of_scopes(self.request.auth.scopes)

    def reading(self, *, expand: frozenset[str] | None = None) -> Reading:
        wanted = self.asked.expand if expand is None else expand
        return Reading(self.company, self.at, self.today, translation.get_language() or "en", wanted)

    def of(self, model: Any, ref: str) -> Any:
        """A row of another model of the same company, or 404."""
        return model.by_ref(model.objects.filter(company=self.company), ref)

    def shaped(self, shape: type[serializers.BaseSerializer], found: Any, status: int = 200) -> HttpResponse:
        """Something that is no row, in its shape."""
        return self.answer(compiled(shape)(found, self.reading()), status)

    def listed(self, rows: QuerySet[Any], shape: type[serializers.BaseSerializer], order: Order) -> HttpResponse:
        """A page of rows in their shape."""
        found, more = order.page(rows, self.asked)
        read, reading = compiled(shape), self.reading()
        body = {
            "data": [read(row, reading) for row in found],
            "has_more": more,
            "next": order.token(found[-1]) if more else None,
        }
        return self.answer(body)

    def answer(self, body: Any, status: int = 200) -> HttpResponse:
        return HttpResponse(dumps(body), status=status, content_type=MEDIA_TYPE)


class ResourceView(ApiView):
    """A view of rows of one model: lists them, shows one, answers writes with the row."""

    model: ClassVar[type[Model]]
    shape: ClassVar[type[serializers.BaseSerializer]]
    order: ClassVar[Order] = Order()
    #: Parts that lists leave out unless asked, and that a row shown alone always has.
    shown_alone: ClassVar[frozenset[str]] = frozenset()
    #: Links of which lists show the id alone, unless they are expanded.
    links: ClassVar[tuple[str, ...]] = ()

    def rows(self) -> QuerySet[Any]:
        """The rows a key may see, with what the shape reads from others. A resource extends it.

        They know their company, as those of a reverse manager do, without reading it a hundred times.
        """
        rows = self.model._default_manager.filter(company=self.company)
        rows._known_related_objects = {self.model._meta.get_field("company"): {self.company.pk: self.company}}  # type: ignore[attr-defined]
        return rows

    def find(self, ref: str) -> Any:
        """The row with this id, or 404. With `If-Match` it is locked first, and must be as the caller read it."""
        model: Any = self.model
        asked = self.request.META.get("HTTP_IF_MATCH", "*").strip()
        if self.request.method not in CONDITIONAL or asked == "*":
            return model.by_ref(self.rows(), ref)
        found = model.by_ref(model.objects.filter(company=self.company), ref)
        self.lock(found)
        row = self.rows().get(pk=found.pk)
        if self.etag_of(row) not in _tags(asked):
            raise Problem(412, "precondition_failed")
        return row

    def lock(self, row: Any) -> None:
        """Locks a row as its verbs do. Where they lock the customer first, a resource does so too."""
        self.model._default_manager.select_for_update().get(pk=row.pk)

    def etag_of(self, row: Any) -> str:
        """Names the state of a row as it is shown without expanded links and without what a day's passing changes."""
        body = dumps(compiled(self.shape)(row, self.reading(expand=frozenset())))
        return f'"{hashlib.sha256(body).hexdigest()[:32]}"'

    def one(self, row: Any, status: int = 200) -> HttpResponse:
        """The answer that shows one row, with its ETag; 304 when the caller has it already."""
        etag = self.etag_of(row)
        if self.request.method == "GET" and etag in _tags(self.request.META.get("HTTP_IF_NONE_MATCH", "")):
            response = HttpResponse(status=304)
        else:
            reading = self.reading(expand=self.asked.expand | self.shown_alone)
            response = self.answer(compiled(self.shape)(row, reading), status)
        response["ETag"] = etag
        if status == 201 and hasattr(row, "ref"):
            response["Location"] = f"{self.request.path.rstrip('/')}/{row.ref}"
        return response

    def fresh(self, row: Any, status: int = 200) -> HttpResponse:
        """The answer to a write: the row read again, with all that its shape needs."""
        return self.one(self.rows().get(pk=row.pk), status)

    def page(self, rows: QuerySet[Any] | None = None) -> HttpResponse:
        """A page of rows, newest first."""
        rows = self.rows() if rows is None else rows
        for name in self.links:
            if name not in self.asked.expand:
                rows = rows.defer(*_beyond_id(self.model, name))
        return self.listed(rows, self.shape, self.order)


@cache
def _beyond_id(model: type[Model], link: str) -> tuple[str, ...]:
    """What a link's row has beside its ids."""
    linked: Any = model._meta.get_field(link).related_model
    return tuple(
        f"{link}__{field.name}" for field in linked._meta.concrete_fields if field.name not in ("id", "public_id")
    )


@cache
def addressed() -> dict[str, Any]:
    """The models that have outside ids, by their prefix."""
    return {model.PREFIX: model for model in apps.get_models() if issubclass(model, Addressed)}


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def operation(
    summary: str,
    *,
    right: str | tuple[str, ...],
    answer: Any,
    description: str = "",
    body: type[serializers.BaseSerializer] | None = None,
    status: int = 200,
    paged: bool = False,
    filters: Sequence[Filter] = (),
    expand: Sequence[str] = (),
    refusals: Sequence[str] = (),
    apart: bool = False,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Makes a method an operation: what it needs, reads and answers, for the dispatch and for the schema.

    `right` may be several: any of them will do. `refusals` are codes worth telling about. A method with a `body` gets
    the checked values as `given`. Writes run in one transaction, once per Idempotency-Key. One that talks to a
    provider stands `apart`: outside a transaction, and repeatable by itself, so that its key is only kept afterwards.
    """

    def wrap(method: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        writes = method.__name__ != "get"
        rights = (right,) if isinstance(right, str) else right

        @wraps(method)
        def run(self: ApiView, request: Request, **ids: str) -> HttpResponse:
            self.asked = read_query(
                request.query_params, filters=filters, paged=paged, expandable=expand, company=self.company
            )
            if not writes:
                return method(self, request, **ids)
            sent = request.data if body is not None else _no_body(request)

            def effect() -> HttpResponse:
                if body is None:
                    return method(self, request, **ids)
                reader = body(data=sent, partial=request.method == "PATCH", context={"company": self.company})
                reader.is_valid(raise_exception=True)
                return method(self, request, reader.validated_data, **ids)

            return (_apart if apart else _carry_out)(self, request, sent, effect)

        run.rights = rights  # type: ignore[attr-defined]
        run.operation = Operation(  # type: ignore[attr-defined]
            summary=summary,
            description=description,
            rights=rights,
            body=body,
            answer=answer,
            status=status,
            paged=paged,
            filters=tuple(filters),
            expand=tuple(expand),
            refusals=tuple(refusals),
            method=method.__name__,
        )
        return run

    return wrap


def _no_body(request: Request) -> dict[str, Any]:
    """Acts without input take an empty body, or none."""
    sent = request.data if request.META.get("CONTENT_LENGTH") not in (None, "", "0") else {}
    for name in sent:
        raise serializers.ValidationError({name: [ErrorDetail(words("unknown_field"), "unknown_field")]})
    return {}


def _apart(view: ApiView, request: Request, sent: Any, effect: Callable[[], HttpResponse]) -> HttpResponse:
    """A write between transactions: repeated after a crash it finds what it did; answered once, it answers the same."""
    key = idempotency.key_of(request) if request.method == "POST" else None
    if key is None:
        return effect()
    digest = idempotency.digest_of(request, sent)
    known = idempotency.answered(company=view.company, key=key, digest=digest)
    if known is not None:
        return known
    try:
        response = effect()
    except Exception as error:
        if not is_final(error):
            raise
        response = exception_handler(error, {"view": view, "request": request})

    def refusal(error: Exception) -> HttpResponse:
        raise error

    with transaction.atomic():
        return idempotency.once(company=view.company, key=key, digest=digest, effect=lambda: response, refusal=refusal)


def _carry_out(view: ApiView, request: Request, sent: Any, effect: Callable[[], HttpResponse]) -> HttpResponse:
    """Runs a write in one transaction; POSTs with an Idempotency-Key run once."""
    key = idempotency.key_of(request) if request.method == "POST" else None
    with transaction.atomic():
        if key is None:
            return effect()

        def refusal(error: Exception) -> HttpResponse:
            if not is_final(error):
                raise error
            return exception_handler(error, {"view": view, "request": request})

        return idempotency.once(
            company=view.company, key=key, digest=idempotency.digest_of(request, sent), effect=effect, refusal=refusal
        )
