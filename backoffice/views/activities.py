"""Calls, meetings, visits and mails: the list, one of them, and writing them down from a customer's or lead's page."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.exports import is_asked, response
from backoffice.finding import cleaned
from backoffice.forms.activities import ActivityFilter, ActivityForm, MailForm
from backoffice.forms.tasks import person
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from core import clock
from core.refusal import Refused
from core.rights import needs
from crm.models import Activity, ActivityPerson, Lead
from crm.services import activities as verbs
from crm.services import activity_mails
from customers.models import Customer

VIEWS: Final = (
    ("", gettext_lazy("Newest")),
    ("planned", gettext_lazy("Planned")),
    ("mine", gettext_lazy("Mine")),
    ("archived", gettext_lazy("Archived")),
)
BACK: Final = "backoffice:activities"
_JOINED: Final = ("company", "customer", "lead", "contact", "owner", "next_step")


def _rows(request: HttpRequest) -> QuerySet[Activity]:
    return own(request, Activity).select_related(*_JOINED)


def of_day(request: HttpRequest) -> QuerySet[Activity]:
    """What the person has to be at today: planned and not over when the day began."""
    begins = datetime.combine(today(request), time.min, clock.zone(request.company.time_zone))  # type: ignore[attr-defined]
    rows = own(request, Activity).filter(archived_at__isnull=True, begins_at__gte=max(begins, now(request)))
    return rows.filter(mine(request), begins_at__lt=begins + timedelta(days=1))


def mine(request: HttpRequest) -> Q:
    """What the person owns or takes part in."""
    return Q(owner=request.user) | Q(pk__in=ActivityPerson.objects.filter(user=request.user).values("activity"))


def _filtered(request: HttpRequest, form: ActivityFilter, view: str, q: str) -> QuerySet[Activity]:
    rows = _rows(request).filter(archived_at__isnull=view != "archived")
    if view == "planned":
        rows = rows.filter(begins_at__gte=now(request))
    elif view == "mine":
        rows = rows.filter(mine(request))
    chosen = form.cleaned_data if form.is_valid() else {}
    if chosen.get("kind"):
        rows = rows.filter(kind=chosen["kind"])
    if chosen.get("owner"):
        rows = rows.filter(owner=person(request.company, chosen["owner"]))  # type: ignore[attr-defined]
    zone = clock.zone(request.company.time_zone)  # type: ignore[attr-defined]
    if chosen.get("on_from"):
        rows = rows.filter(begins_at__gte=datetime.combine(chosen["on_from"], time.min, zone))
    if chosen.get("on_to"):
        rows = rows.filter(begins_at__lt=datetime.combine(chosen["on_to"] + timedelta(days=1), time.min, zone))
    if text := cleaned(q):
        rows = rows.filter(Q(subject__icontains=text) | Q(outcome__icontains=text))
    return rows


@needs("task.read")
def index(request: HttpRequest) -> HttpResponseBase:
    view, q = request.GET.get("view", ""), request.GET.get("q", "")
    if view not in dict(VIEWS):
        view = ""
    form = ActivityFilter(request.GET, company=request.company)
    rows = _filtered(request, form, view, q)
    if is_asked(request):
        return _file(request, rows)
    default = "begins" if view == "planned" else "-begins"
    listed = listing(request, rows, sorts={"begins": "begins_at", "id": "pk"}, default=default, form=form, q=q)
    listed.tabs = tabs_of(request, "view", VIEWS, view)
    context = {"title": _("Activities"), "list": listed, "exports": True}
    return page(request, "activities/list", context)


def _file(request: HttpRequest, rows: QuerySet[Activity]) -> HttpResponseBase:
    head = [
        "id", "kind", "direction", "begins_at", "ends_at", "customer", "lead", "contact", "subject", "outcome", "place",
        "owner", "next_step", "created_at", "created_by",
    ]  # fmt: skip
    body = (
        [
            row.ref, row.kind, row.direction, row.begins_at, row.ends_at,
            row.customer.number if row.customer else "", row.lead.ref if row.lead else "", str(row.contact or ""),
            row.subject, row.outcome, row.place, str(row.owner or ""), row.next_step.ref if row.next_step else "",
            row.created_at, row.created_by,
        ]
        for row in rows.order_by("-begins_at", "-pk").iterator(chunk_size=2000)
    )  # fmt: skip
    return response(request, "activities", _("Activities"), head, body)


@needs("task.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    activity = found(_rows(request), ref)
    attached = activity.files.select_related("file").defer("file__kept").order_by("position")
    context = {
        "title": activity.subject, "crumbs": crumbs((_("Activities"), reverse(BACK)), (activity.subject, "")),
        "activity": activity, "files": list(attached),
        "people": [row.user for row in activity.parts.select_related("user").order_by("pk")],
        "is_planned": activity.begins_at > now(request),
    }  # fmt: skip
    return page(request, "activities/detail", context)


def _about(request: HttpRequest) -> dict[str, Any]:
    """The customer or the lead that the address names; 404 for one that may not be seen."""
    about: dict[str, Any] = {"customer": None, "lead": None}
    models: tuple[tuple[str, Any], ...] = (("customer", Customer), ("lead", Lead))
    for name, model in models:
        if ref := request.GET.get(name):
            if not may(request, f"{name}.read"):
                raise Http404
            about[name] = found(own(request, model), ref)
    return about


def _page_of(activity: Activity | None = None, **about: Any) -> str:
    customer = about.get("customer") or (activity.customer if activity is not None else None)
    lead = about.get("lead") or (activity.lead if activity is not None else None)
    if lead is not None:
        return reverse("backoffice:lead", args=[lead.ref])
    return (
        reverse("backoffice:customer", args=[customer.ref]) + "?tab=timeline" if customer is not None else reverse(BACK)
    )


def _form(request: HttpRequest, form: Any, title: str, back: str, **more: Any) -> HttpResponse:
    context = {
        "title": title, "crumbs": crumbs((_("Activities"), reverse(BACK)), (title, "")), "form": form, "back": back,
        **more,
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


def _with(about: dict[str, Any]) -> str:
    whom = about["lead"] or about["customer"]
    return _("With %(name)s") % {"name": whom} if whom is not None else ""


@needs("task.write")
def create(request: HttpRequest) -> HttpResponse:
    """Writes one down, or plans it, with whom the address names."""
    about = _about(request)
    if about["customer"] is None and about["lead"] is None:
        return page(
            request,
            "activities/whom",
            {
                "title": _("Write down a call, a meeting or a mail"),
                "crumbs": crumbs((_("Activities"), reverse(BACK)), (_("New"), "")),
            },
        )
    kind = request.GET.get("kind", "")
    initial = {
        "kind": kind if kind in Activity.Kind.values else Activity.Kind.CALL, "begins_at": now(request),
        "owner": request.user.ref,  # type: ignore[union-attr]
    }  # fmt: skip
    customer = about["customer"] or (about["lead"].customer if about["lead"] is not None else None)
    form = ActivityForm(request.POST or None, company=request.company, customer=customer, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.log(company=request.company, **about, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("It is written down."), _page_of(**about))
    return _form(request, form, _("Write down a call, a meeting or a mail"), _page_of(**about), lead=_with(about))


@needs("task.write")
def mail(request: HttpRequest) -> HttpResponse:
    """Brings a mail in; with whom it is says the address or, where it names nobody, the mail."""
    about = _about(request)
    form = MailForm(request.POST, request.FILES) if request.method == "POST" else MailForm()
    if request.method == "POST" and form.is_valid():
        try:
            activity, is_new = activity_mails.keep(
                company=request.company, raw=form.content(), **about, owner=request.user, by=actor(request),
                at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            words = _("The mail is kept.") if is_new else _("This mail was here already.")
            return done(request, words, "activity", activity.ref)
    lead = _with(about) or _("Its sender or recipient is looked for among contacts, customers and leads.")
    return _form(request, form, _("Bring a mail in"), _page_of(**about), lead=lead, upload=True)


@needs("task.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    activity = found(_rows(request), ref)
    form = ActivityForm(request.POST or None, company=request.company, customer=activity.customer, activity=activity)
    back = reverse("backoffice:activity", args=[ref])
    if request.method == "POST" and form.is_valid():
        try:
            verbs.change(activity=activity, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("It is changed."), back)
    return _form(request, form, _("Edit"), back)


def _address(ref: str, **_more: Any) -> str:
    return reverse("backoffice:activity", args=[ref])


@needs("task.write")
@require_POST
@tells_refusals(_address)
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """Out of sight, or back."""
    activity = found(_rows(request), ref)
    is_archived = request.POST.get("act") != "restore"
    verbs.archive(activity=activity, is_archived=is_archived, by=actor(request), at=now(request))
    words = _("It is archived.") if is_archived else _("It is shown again.")
    return done(request, words, _address(ref))


@needs("task.read")
def attachment(request: HttpRequest, ref: str, position: int) -> HttpResponse:
    """What was attached, as a download: never shown by the browser itself."""
    activity = found(_rows(request), ref)
    row = activity.files.select_related("file").filter(position=position).first()
    if row is None:
        raise Http404
    response = HttpResponse(row.file.content, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = content_disposition_header(True, row.file.name) or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
