"""Imports: upload with a mapping, a dry run with every bad row, the take-over as a job, taking it back."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, tells_refusals, today
from backoffice.forms.runs import ImportForm, LineFilter
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from core.models import Job
from core.refusal import Refused
from core.rights import needs
from core.services import files, jobs
from subscriptions.models import Import, ImportLine
from subscriptions.services import importing
from subscriptions.services.importing import mapping as mappings
from subscriptions.services.importing.working import KIND

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@needs("import.run")
def index(request: HttpRequest) -> HttpResponse:
    rows = own(request, Import).select_related("by")
    listed = listing(request, rows, sorts={"id": "pk"}, default="-id")
    return page(request, "imports/list", {"title": _("Imports"), "list": listed, "search_name": ""})


@needs("import.run")
def create(request: HttpRequest) -> HttpResponse:
    """Keeps the file and starts the dry run; its page shows the bad rows and offers the take-over."""
    form = ImportForm(request.POST or None, request.FILES or None, initial={"on": today(request)})
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            mapping = importing.from_toml(form.cleaned_data["mapping"])
            mappings.parse(mapping)
            content = upload.read()
            stored = files.store(
                company_id=request.company.pk,
                name=upload.name,
                media_type=_XLSX if content.startswith(b"PK") else "text/csv",
                content=content,
            )
            params = {
                "file": stored.pk,
                "mapping": mapping,
                "on": form.cleaned_data["on"].isoformat(),
                "with_history": form.cleaned_data["with_history"],
                "dry_run": True,
            }
            job = jobs.start(company_id=request.company.pk, name=KIND, params=params, user=request.user)
        except Refused as refused:
            form.add_error("mapping", refused.message)
        else:
            return redirect("backoffice:job", job.ref)
    title = _("Import a list")
    context = {
        "title": title,
        "crumbs": crumbs((_("Imports"), reverse("backoffice:imports")), (title, "")),
        "lead": _("First a dry run: it names every bad row and changes nothing."),
        "form": form,
        "submit": _("Dry run"),
        "back": reverse("backoffice:imports"),
        "upload": True,
    }
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("import.run")
@require_POST
def do(request: HttpRequest, ref: str) -> HttpResponse:
    """The take-over that a finished dry run showed."""
    shown = found(own(request, Job), ref)
    if shown.kind != KIND or not shown.params.get("dry_run"):
        raise Http404
    params = {**shown.params, "dry_run": False}
    job = jobs.start(company_id=request.company.pk, name=KIND, params=params, user=request.user)
    return redirect("backoffice:job", job.ref)


@needs("import.run")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    source = found(own(request, Import).select_related("by"), ref)
    form = LineFilter(request.GET)
    rows = ImportLine.objects.filter(company=request.company, source=source)
    if form.is_valid() and form.cleaned_data["state"]:
        rows = rows.filter(state=form.cleaned_data["state"])
    rows = rows.select_related("customer", "subscription")
    listed = listing(request, rows, sorts={"line": "number"}, default="line", form=form)
    context = {
        "title": source.file_name,
        "crumbs": crumbs((_("Imports"), reverse("backoffice:imports")), (source.file_name, "")),
        "source": source,
        "list": listed,
        "search_name": "",
    }
    return page(request, "imports/detail", context)


@needs("import.run")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:import", args=[ref]))
def undo(request: HttpRequest, ref: str) -> HttpResponse:
    importing.undo(source=found(own(request, Import), ref), by=actor(request), at=now(request))
    return done(request, _("The import is taken back; the list can be imported anew."), "import", ref)
