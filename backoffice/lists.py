"""Lists: keyset pages, sorting, filters as chips, counts that are exact or say "about".

A page is addressed by the values of its first or last row, so a copied link shows the same rows and no page is
slower than the first.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise

PAGE = 50
COUNTED = 10_000


@dataclass(slots=True)
class Listing:
    """One page of a list, ready for `parts/pager`, `parts/filters` and `parts/sort`."""

    rows: list[Any]
    sort: str
    total: int
    about: bool
    next_url: str
    previous_url: str
    chips: list[dict[str, Any]] = field(default_factory=list)
    form: forms.Form | None = None
    q: str = ""
    tabs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def filtered(self) -> bool:
        return bool(self.chips or self.q)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    if isinstance(value, date):
        return {"on": value.isoformat()}
    return value


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return parse_datetime(value["at"]) if "at" in value else parse_date(value["on"])
    return value


def token_of(value: Any, pk: int) -> str:
    """The place of a row in a sorted list, as one word for an address."""
    text = json.dumps([_plain(value), pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(token: str) -> tuple[Any, int] | None:
    """The sorted value and key behind a token; None for anything that is none."""
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        place = _value(value)
    except (ValueError, TypeError, KeyError, binascii.Error):
        return None
    return (place, pk) if isinstance(pk, int) and isinstance(place, str | int | date) else None


def listing(
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    sorts: Mapping[str, str],
    default: str,
    form: forms.Form | None = None,
    size: int = PAGE,
    q: str = "",
) -> Listing:
    """One page of `rows`, sorted as the address asks.

    `sorts` gives the column (never null) behind each word of `?sort=`; "-word" is descending. A row's page is found
    by (column, primary key) alone.
    """
    sort = request.GET.get("sort", "")
    if sort.lstrip("-") not in sorts:
        sort = default
    column, down = sorts[sort.lstrip("-")], sort.startswith("-")
    before = place_of(request.GET.get("before", ""))
    after = place_of(request.GET.get("after", ""))
    total, about = counted(rows)
    turned = before is not None
    falling = down != turned
    if place := before or after:
        # A place made for another sorting is no place here: the list begins anew.
        with contextlib.suppress(ValidationError, ValueError, TypeError):
            rows = rows.filter(_beyond(column, place, falling))
    order = [f"-{column}", "-pk"] if falling else [column, "pk"]
    found = list(rows.order_by(*order)[: size + 1])
    more = len(found) > size
    found = found[:size]
    if turned:
        found.reverse()
    has_next = bool(found) and (turned or more)
    has_previous = bool(found) and (more if turned else after is not None)
    return Listing(
        rows=found,
        sort=sort,
        total=total,
        about=about,
        next_url=_page_url(request, after=_token(found[-1], column)) if has_next else "",
        previous_url=_page_url(request, before=_token(found[0], column)) if has_previous else "",
        chips=chips_of(request, form) if form is not None else [],
        form=form,
        q=q,
    )


def _beyond(column: str, place: tuple[Any, int], falling: bool) -> Q:
    value, pk = place
    # The first half alone can use an index; the second decides among equals.
    if column == "pk":
        return Q(pk__lt=pk) if falling else Q(pk__gt=pk)
    if falling:
        return Q(**{f"{column}__lte": value}) & (Q(**{f"{column}__lt": value}) | Q(pk__lt=pk))
    return Q(**{f"{column}__gte": value}) & (Q(**{f"{column}__gt": value}) | Q(pk__gt=pk))


def _token(row: Model, column: str) -> str:
    value: Any = row
    for part in column.split("__"):
        value = getattr(value, part)
    return token_of(value, row.pk)


def _page_url(request: HttpRequest, **place: str) -> str:
    query = request.GET.copy()
    query.pop("after", None)
    query.pop("before", None)
    for name, value in place.items():
        query[name] = value
    return "?" + query.urlencode()


def counted(rows: QuerySet[Any]) -> tuple[int, bool]:
    """How many rows there are: exact up to 10,000, above that the planner's estimate and True."""
    exact = rows.order_by().values("pk")[: COUNTED + 1].count()
    if exact <= COUNTED:
        return exact, False
    sql, params = rows.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    estimate = max(int(plan[0]["Plan"]["Plan Rows"]), COUNTED)
    step = 10 ** (len(str(estimate)) - 2)
    return estimate // step * step, True


def chips_of(request: HttpRequest, form: forms.Form) -> list[dict[str, Any]]:
    """One chip for each filter in force, with the address that takes it away."""
    if not form.is_valid():
        return []
    chips = []
    for name, value in form.cleaned_data.items():
        if value in (None, "", []):
            continue
        bound = form[name]
        label, _sep, op = str(bound.label).partition("|")
        words = value
        choices = getattr(bound.field, "choices", None)
        if choices is not None:
            words = dict(choices).get(value, value)
        elif isinstance(value, date):
            from core.design.formats import day

            words = day(value)
        chips.append({"label": label, "op": op, "value": words, "remove_url": without(request.GET, name)})
    return chips


def without(query: QueryDict, *names: str) -> str:
    """The present address without these parameters and without its place in the pages."""
    kept = query.copy()
    for name in (*names, "after", "before"):
        kept.pop(name, None)
    return "?" + kept.urlencode()


def tabs_of(
    request: HttpRequest, name: str, choices: Sequence[tuple[str, str | Promise]], current: str
) -> list[dict[str, Any]]:
    """Tabs that are values of one parameter; the first is the one without it."""
    tabs = []
    for value, label in choices:
        query = request.GET.copy()
        for gone in (name, "after", "before"):
            query.pop(gone, None)
        if value:
            query[name] = value
        tabs.append({"label": label, "url": "?" + query.urlencode(), "current": value == current})
    return tabs
