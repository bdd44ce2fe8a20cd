"""Segments: the list, the builder with a live count, the page with its members and their export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import figures
from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.exports import is_asked, response
from backoffice.forms.segments import Draft, SegmentNameForm
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.models import Segment
from crm.services import segment_rules, segment_words, segments
from customers.models import Customer


@needs("segment.read")
def index(request: HttpRequest) -> HttpResponse:
    q = request.GET.get("q", "").replace("\0", "").strip()
    rows = own(request, Segment).filter(archived_at__isnull=True)
    if q:
        rows = rows.filter(name__icontains=q)
    rows = rows.annotate(mailing_count=Count("mailings", distinct=True))
    listed = listing(request, rows, sorts={"name": "name", "changed": "changed_at"}, default="name", q=q)
    for row in listed.rows:
        row.words = segment_words.explanation(request.company, segment_rules.read(row.rules), known_rows(request, row))
    title = _("Segments")
    return page(request, "segments/list", {"title": title, "crumbs": crumbs((title, "")), "list": listed})


def known_rows(request: HttpRequest, row: Segment) -> dict[str, Any]:
    """What the rules of the listed segments name, read once for the page."""
    known: dict[str, Any] = request.__dict__.setdefault("_segment_rows", {})
    rules = segment_rules.read(row.rules)
    refs = {
        ref for one in rules.every() if one.field.model is not None
        for ref in ([one.value["meter"]] if one.field.kind == "usage" else one.value)
    }  # fmt: skip
    if refs - known.keys():
        known |= segment_rules.rows_of(request.company, rules)
    return known


@needs("segment.read")
def detail(request: HttpRequest, ref: str) -> HttpResponseBase:
    """Who is in it now, in words and in rows."""
    segment = found(own(request, Segment).select_related("company"), ref)
    rules = segment_rules.read(segment.rules)
    rows = segments.members(segment=segment, on=today(request))
    if is_asked(request) and may(request, "customer.read"):
        return _export(request, segment, rows)
    listed = listing(request, rows, sorts={"name": "sort_key", "number": "pk"}, default="name")
    mrr = figures.mrr_by_customer([row.pk for row in listed.rows])
    for row in listed.rows:
        row.mrr = mrr.get(row.pk, {})
    known = segment_rules.rows_of(request.company, rules)
    context = {
        "title": segment.name,
        "crumbs": crumbs((_("Segments"), reverse("backoffice:segments")), (segment.name, "")),
        "segment": segment,
        "words": segment_words.explanation(request.company, rules, known),
        "archived": segment_words.archived(request.company, rules, known),
        "list": listed,
        "mailings": list(segment.mailings.order_by("-pk")[:10]) if may(request, "campaign.read") else [],
        "reminder_rules": list(segment.reminder_rules.order_by("-pk")[:10]),
    }
    return page(request, "segments/detail", context)


def _export(request: HttpRequest, segment: Segment, rows: QuerySet[Customer]) -> HttpResponseBase:
    head = [_("Id"), _("Number"), _("Name"), _("E-mail"), _("Kind"), _("Language"), _("External id")]

    def lines() -> Iterator[list[Any]]:
        for row in rows.order_by("sort_key", "pk").iterator(chunk_size=2000):
            yield [row.ref, row.number, row.name, row.email, row.kind, row.language, row.external_id]

    return response(request, "segment", segment.name, head, lines())


@needs("segment.write")
def create(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@needs("segment.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _form(request, found(own(request, Segment), ref))


def _form(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    company = request.company
    initial = {"name": segment.name, "note": segment.note} if segment else {}
    is_saved = request.method == "POST" and request.POST.get("do") == "save"
    form = SegmentNameForm(request.POST if is_saved else None, initial=initial)
    errors: list[str] = []
    if request.method == "POST":
        draft = Draft.typed(company, request.POST)
        if not is_saved:
            form.initial = {"name": request.POST.get("name", ""), "note": request.POST.get("note", "")}
    else:
        draft = Draft.of(company, segment_rules.read(segment.rules)) if segment else Draft.empty(company)
    if is_saved and not (errors := draft.mark()) and form.is_valid():
        try:
            saved = segments.save(
                company=company, segment=segment, **form.cleaned_data, rules=draft.rules(), by=actor(request),
                at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is saved.") % {"name": saved.name}, "segment", saved.ref)
    title = _("Edit %(name)s") % {"name": segment.name} if segment else _("New segment")
    context = {
        "title": title,
        "crumbs": crumbs((_("Segments"), reverse("backoffice:segments")), (title, "")),
        "form": form,
        "errors": [{"message": message} for message in errors],
        "draft": draft,
        "back": reverse("backoffice:segment", args=[segment.ref]) if segment else reverse("backoffice:segments"),
        **_live(request, draft),
    }
    return page(request, "segments/form", context, status=422 if is_saved else 200)


def _live(request: HttpRequest, draft: Draft) -> dict[str, Any]:
    """How many the rules mean as they stand, and in words; nothing while something is missing."""
    try:
        rules = segment_rules.checked(request.company, draft.rules()) if draft.is_complete else None
    except Refused as refused:
        return {"unfinished": refused.message}
    if rules is None:
        return {"unfinished": _("Enter the missing values, and the customers are counted.")}
    rows = segments.matching(company=request.company, rules=rules, on=today(request))
    known = segment_rules.rows_of(request.company, rules)
    return {
        "count": segments.count(rows),
        "words": segment_words.explanation(request.company, rules, known),
        "archived": segment_words.archived(request.company, rules, known),
    }


@needs("segment.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:segment", args=[ref]))
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    held = segments.archive(segment=found(own(request, Segment), ref), by=actor(request), at=now(request))
    return done(request, _("%(name)s is archived.") % {"name": held.name}, "segments")
