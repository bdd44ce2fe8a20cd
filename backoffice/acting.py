"""What every view needs to call a verb: who acts, when, on which row of this company, and how a refusal is shown.

A row of another company is not found: whether it exists is nobody's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import wraps
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from core import clock
from core.actors import Actor
from core.ids import BadId
from core.refusal import Refused

Row = TypeVar("Row", bound=Model)


def actor(request: HttpRequest) -> Actor:
    return Actor.of_user(request.user)  # type: ignore[arg-type]


def now(request: HttpRequest) -> datetime:
    return clock.now(request.company)  # type: ignore[attr-defined]


def today(request: HttpRequest) -> date:
    return clock.today(request.company)  # type: ignore[attr-defined]


def found(rows: QuerySet[Row], ref: str) -> Row:
    """The row with this outside id, or 404."""
    try:
        return rows.model.by_ref(rows, ref)  # type: ignore[attr-defined, no-any-return]
    except (BadId, rows.model.DoesNotExist):
        raise Http404 from None


def own(request: HttpRequest, model: type[Row]) -> QuerySet[Row]:
    """The rows of the company worked in."""
    return model._default_manager.filter(company=request.company)  # type: ignore[attr-defined, misc]


def may(request: HttpRequest, right: str) -> bool:
    return right in request.rights  # type: ignore[attr-defined]


def on_button(sums: Mapping[str, int]) -> dict[str, Any]:
    """What stands on the button of an act on many rows: their sum, where it is of one currency."""
    if len(sums) != 1:
        return {}
    ((currency, minor),) = sums.items()
    return {"sum_minor": minor, "sum_currency": currency}


def show_refusal(form: forms.BaseForm, refused: Refused) -> None:
    """Puts a refusal beside the field it names, else above the form."""
    field = refused.field if refused.field in form.fields else None
    form.add_error(field, refused.message)


def done(request: HttpRequest, text: str, to: str, *args: Any) -> HttpResponse:
    """Says what was done and goes on to `to`: an address or the name of a page of this door."""
    messages.success(request, text)
    return redirect(to if to.startswith("/") else f"backoffice:{to}", *args)


def tells_refusals(goes_to: Callable[..., str]) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """For acts behind a single button: a refusal becomes a message on the page they came from."""

    def wrap(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except Refused as refused:
                messages.error(request, refused.message)
                return redirect(goes_to(*args, **kwargs))

        return wrapped

    return wrap
