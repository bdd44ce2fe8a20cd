"""Reports: the list, one report with what it is asked, the rows behind a number, saved views, the wall.

One view shows every report of the registry; what a report says is computed in its own room.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import exports, showing
from backoffice.acting import actor, done, found, may, now, show_refusal, tells_refusals, today
from backoffice.forms.reports import AskForm, GoalForm, NoteForm, ViewForm
from backoffice.lists import COUNTED, without
from backoffice.pages import Crumb, crumbs, page
from core.refusal import Refused
from core.rights import needs
from reporting import asking, long_reports, registry, rows, watching, words
from reporting.models import Annotation, SavedReport
from reporting.registry import Spec
from reporting.shapes import Asked, Kind, Report, Rows
from subscriptions.models import Movement

GROUPS: Final = {
    "revenue": pgettext_lazy("kind of report", "Recurring revenue"),
    "churn": pgettext_lazy("kind of report", "Customers who leave"),
    "growth": pgettext_lazy("kind of report", "Growth and campaigns"),
    "payments": pgettext_lazy("kind of report", "Payments"),
    "accounting": pgettext_lazy("kind of report", "Accounting"),
}
#: Rows of a number shown on a page.
PAGE: Final = 100
#: How often the wall is read anew, in seconds.
WALL_SECONDS: Final = 300
WALL_MOST: Final = 8


def _crumbs(*more: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Reports"), reverse("backoffice:reports")), *more)


def _spec(request: HttpRequest, name: str) -> Spec:
    """The report of that name, where this person may see it; 404 otherwise."""
    try:
        spec = registry.named(name)
    except Refused:
        raise Http404 from None
    if not may(request, spec.right):
        raise Http404
    return spec


def _words(query: QueryDict) -> dict[str, str]:
    """What the address asks of the report; what is the page's own is left out."""
    return {name: query[name] for name in query if query[name] and name not in ("format", "table", "view")}


@needs("report.read")
def index(request: HttpRequest) -> HttpResponse:
    """Every report by group, and the saved views."""
    specs = [spec for spec in registry.every() if may(request, spec.right)]
    order = list(GROUPS)
    specs.sort(key=lambda spec: order.index(spec.group))
    groups = [(GROUPS[group], list(found)) for group, found in groupby(specs, key=lambda spec: spec.group)]
    views = watching.seen_by(request.company, request.user).select_related("owner")
    context = {
        "title": _("Reports"), "groups": groups,
        "views": [{"row": view, "url": _view_url(view), "is_mine": view.owner_id == request.user.pk} for view in views],
    }  # fmt: skip
    return page(request, "reports/index", context)


def _view_url(view: SavedReport) -> str:
    url = reverse("backoffice:report", args=[view.report])
    return f"{url}?{view.query}" if view.query else url


@needs("report.read")
def report(request: HttpRequest, name: str) -> HttpResponseBase:
    """One report; `?format=xlsx` is the file of all, `?format=csv&table=...` of one table."""
    spec = _spec(request, name)
    query = _words(request.GET)
    currencies = _currencies(request)
    form = AskForm(request.GET or None, spec=spec, currencies=currencies)
    context: dict[str, Any] = {
        "title": str(spec.title), "spec": spec, "form": form, "crumbs": _crumbs((str(spec.title), "")),
        "query": request.GET.urlencode(),
    }  # fmt: skip
    try:
        asked = asking.asked_of(spec, query, today=today(request))
        built = registry.build(name=name, company=request.company, asked=asked)
    except Refused as refused:
        context |= {"refused": refused.message, "can_be_job": refused.code in long_reports.TOO_LONG}
        return page(request, "reports/report", context, status=422)
    if request.GET.get("format"):
        return _file(request, spec, built, asked)
    goals = watching.goals(request.company, name, asked.last)
    context |= _shown(built, goals) | {
        "asked": asked,
        "chips": _chips(request, spec, asked),
        "notes": watching.notes(request.company, asked.first, asked.last),
    }
    return page(request, "reports/report", context)


@needs("report.read")
@require_POST
@tells_refusals(lambda name: reverse("backoffice:report", args=[name]))
def as_job(request: HttpRequest, name: str) -> HttpResponse:
    """Has a report that takes too long reckoned as long work; what is asked stands in the address."""
    spec = _spec(request, name)
    job = long_reports.start(
        company=request.company, name=spec.name, query=_words(request.GET), language=get_language() or "en",
        user=request.user,
    )  # fmt: skip
    return done(request, _("The report is being calculated."), "job", job.ref)


def _shown(built: Report, goals: Any) -> dict[str, Any]:
    """The parts of a report as a page shows them."""
    tiles = []
    for figure in built.figures:
        goal = goals.get((figure.name, figure.currency))
        if goal is not None and figure.goal is None:
            figure = replace(figure, goal=watching.goal_value(goal, figure.kind))
        tiles.append(showing.tile(figure))
    charts = [showing.chart(built, plot) for plot in built.plots]
    return {
        "tiles": tiles, "definitions": list(dict.fromkeys((tile.label, tile.definition) for tile in tiles)),
        "charts": [chart for chart in charts if chart], "warnings": built.warnings,
        "tables": [showing.sheet(table) for table in built.tables] if built.figures or _has_lines(built) else [],
    }  # fmt: skip


def _has_lines(built: Report) -> bool:
    return any(table.lines for table in built.tables)


def _currencies(request: HttpRequest) -> list[str]:
    """The currencies the company has recurring revenue in, its own first."""
    own = request.company.currency
    used = Movement.objects.filter(company=request.company).order_by().values_list("currency", flat=True).distinct()
    return [own, *sorted(set(used) - {own})]


def _chips(request: HttpRequest, spec: Spec, asked: Asked) -> list[dict[str, Any]]:
    """What the report is kept to, each with the address that takes it away."""
    labels = dict(spec.dimensions)
    return [
        {"label": str(labels[name]), "op": "", "value": value, "remove_url": without(request.GET, name)}
        for name, value in asked.only.items()
    ]


def _file(request: HttpRequest, spec: Spec, built: Report, asked: Asked) -> HttpResponseBase:
    name = f"{spec.name}-{asked.last.isoformat()}"
    if request.GET["format"] == "xlsx":
        return exports.xlsx_response(name, words.sheets_of(built, in_words=True))
    wanted = request.GET.get("table") or (built.tables[0].name if built.tables else "")
    try:
        sheet = words.sheet_of(built.table(wanted))
    except StopIteration:
        raise Http404 from None
    return exports.csv_response(f"{name}-{wanted}", sheet.head, sheet.rows)


@needs("report.read")
def rows_of(request: HttpRequest, source: str) -> HttpResponseBase:
    """The rows a number was added up from, newest first, with their sum."""
    where = {name: value for name, value in request.GET.items() if name not in ("page", "format")}
    wanted = Rows(source, where)
    try:
        kind = rows.source_of(wanted)
        found = rows.query(request.company, wanted)
        if exports.is_asked(request):
            return _rows_file(request, kind, found)
        summed = rows.total(request.company, wanted) if kind.amount else 0
    except Refused as refused:
        return page(request, "reports/rows", {"title": _("Rows"), "refused": refused.message}, status=422)
    number = _page_number(request)
    shown = list(found[number * PAGE : (number + 1) * PAGE + 1])
    total = found.order_by()[: COUNTED + 1].count()
    currency = where.get("currency", "")
    context = {
        "title": str(kind.title), "crumbs": _crumbs((str(kind.title), "")), "kind": kind,
        "rows": [_row_cells(kind, row) for row in shown[:PAGE]], "head": showing.headings(kind.columns),
        "total": min(total, COUNTED), "about": total > COUNTED,
        "where": [{"label": name, "value": value} for name, value in where.items()],
        "sum": words.text_of(Kind.MONEY, summed, currency) if kind.amount and currency else "",
        "next_url": _to_page(request, number + 1) if len(shown) > PAGE else "",
        "previous_url": _to_page(request, number - 1) if number else "",
    }  # fmt: skip
    return page(request, "reports/rows", context)


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return min(int(text), COUNTED // PAGE) if text.isdecimal() and len(text) < 9 else 0


def _to_page(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"


def _row_cells(kind: rows.Source, row: Any) -> list[showing.Cell]:
    currency = rows.currency_of(kind, row)
    return [
        showing.Cell(
            words.text_of(column.kind, value, currency),
            showing.page_of(value) if column.kind is Kind.REFERENCE else "",
            column.kind in showing.NUMBERS,
            str(column.label),
        )
        for column, value in zip(kind.columns, kind.cells(row), strict=True)
    ]


def _rows_file(request: HttpRequest, kind: rows.Source, found: Any) -> HttpResponseBase:
    labels = {column.name: str(column.label) for column in kind.columns}

    def lines() -> Any:
        for row in found.iterator(chunk_size=2000):
            currency = rows.currency_of(kind, row)
            cells = [
                words.plain_of(column.kind, value, currency)
                for column, value in zip(kind.columns, kind.cells(row), strict=True)
            ]
            yield [currency, *cells]

    head = ["currency", *labels]
    return exports.response(request, kind.name, str(kind.title), head, lines(), labels)


# Saved views --------------------------------------------------------------------------------------------------------


def _form_page(request: HttpRequest, title: str, form: Any, back: str, **more: Any) -> HttpResponse:
    context = {"title": title, "form": form, "back": back, "crumbs": _crumbs((title, "")), **more}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("report.read")
def save(request: HttpRequest, name: str) -> HttpResponse:
    """Saves the question of the address as a view."""
    spec = _spec(request, name)
    form = ViewForm(request.POST or None, company=request.company)
    back = f"{reverse('backoffice:report', args=[name])}?{request.GET.urlencode()}"
    if request.method == "POST" and form.is_valid():
        try:
            watching.save(
                company=request.company, report=name, query=_words(request.GET), owner=request.user, by=actor(request),
                at=now(request), **_given(form),
            )  # fmt: skip
            return done(request, _("The view is saved."), "reports")
        except Refused as refused:
            show_refusal(form, refused)
    title = _("Save a view of “%(report)s”") % {"report": spec.title}
    return _form_page(request, title, form, back)


def _given(form: ViewForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in ("name", "is_shared", "is_on_wall", "every", "readers")}


def _mine(request: HttpRequest, ref: str) -> SavedReport:
    return found(SavedReport.objects.filter(company=request.company, owner=request.user), ref)


@needs("report.read")
def edit_view(request: HttpRequest, ref: str) -> HttpResponse:
    """Changes one's own view: name, readers, who sees it."""
    view = _mine(request, ref)
    form = ViewForm(request.POST or None, company=request.company, view=view)
    if request.method == "POST" and form.is_valid():
        try:
            watching.save(
                company=request.company, report=view.report, query=watching.question_of(view), view=view,
                owner=request.user, by=actor(request), at=now(request), **_given(form),
            )  # fmt: skip
            return done(request, _("The view is saved."), "reports")
        except Refused as refused:
            show_refusal(form, refused)
    return _form_page(request, view.name, form, reverse("backoffice:reports"))


@needs("report.read")
@require_POST
def forget(request: HttpRequest, ref: str) -> HttpResponse:
    """Removes one's own view."""
    watching.forget(view=_mine(request, ref), by=actor(request), at=now(request))
    return done(request, _("The view is removed."), "reports")


# Goals and notes ----------------------------------------------------------------------------------------------------


@needs("report.read")
def goal(request: HttpRequest, name: str) -> HttpResponse:
    """Sets what a figure is to reach by the end of a month."""
    spec = _spec(request, name)
    asked = asking.asked_of(spec, {}, today=today(request))
    built = registry.build(name=name, company=request.company, asked=asked)
    form = GoalForm(request.POST or None, figures=list(built.figures))
    if request.method == "POST" and form.is_valid():
        figure = form.by_key[form.cleaned_data["figure"]]
        watching.set_goal(
            company=request.company, report=name, figure=figure.name, currency=figure.currency,
            month=form.cleaned_data["month"], value=form.cleaned_data["value"], user=request.user, by=actor(request),
            at=now(request),
        )  # fmt: skip
        return done(request, _("The goal is set."), "report", name)
    title = _("Goal in “%(report)s”") % {"report": spec.title}
    return _form_page(request, title, form, reverse("backoffice:report", args=[name]))


@needs("report.read")
def annotations(request: HttpRequest) -> HttpResponse:
    """Notes on days that explain figures: the list, and a new one."""
    form = NoteForm(request.POST or None, initial={"on": today(request)})
    if request.method == "POST" and form.is_valid():
        watching.annotate(
            company=request.company, on=form.cleaned_data["on"], text=form.cleaned_data["text"], user=request.user,
            by=actor(request), at=now(request),
        )  # fmt: skip
        return done(request, _("The note is written."), "report-notes")
    rows_ = Annotation.objects.filter(company=request.company).select_related("written_by")[:200]
    title = _("Notes on days")
    context = {"title": title, "crumbs": _crumbs((title, "")), "form": form, "rows": rows_}
    return page(request, "reports/notes", context, status=422 if form.errors else 200)


@needs("report.read")
@require_POST
def unwrite(request: HttpRequest, ref: str) -> HttpResponse:
    """Takes a note away."""
    row = found(Annotation.objects.filter(company=request.company), ref)
    watching.unwrite(annotation=row, by=actor(request), at=now(request))
    return done(request, _("The note is removed."), "report-notes")


# The wall -----------------------------------------------------------------------------------------------------------


@needs("report.read")
def wall(request: HttpRequest) -> HttpResponse:
    """The shared views that are marked for it, large, read anew every few minutes."""
    views = SavedReport.objects.filter(company=request.company, is_on_wall=True)[:WALL_MOST]
    panels = []
    for view in views:
        try:
            spec = registry.named(view.report)
            if not may(request, spec.right):
                continue
            asked = asking.asked_of(spec, watching.question_of(view), today=today(request))
            built = registry.build(name=view.report, company=request.company, asked=asked)
        except Refused as refused:
            panels.append({"view": view, "refused": refused.message})
            continue
        shown = _shown(built, watching.goals(request.company, view.report, asked.last))
        panels.append({"view": view, "tiles": shown["tiles"][:4], "chart": next(iter(shown["charts"]), None),
                       "url": _view_url(view)})  # fmt: skip
    context = {"title": _("Wall"), "panels": panels, "seconds": WALL_SECONDS, "at": now(request)}
    return page(request, "reports/wall", context)
