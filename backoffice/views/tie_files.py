"""The files of a tie by CSV: given in, downloaded, answered line by line; and the same tables behind a secret link."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.exports import csv_response
from backoffice.forms.ties import TieFileForm
from backoffice.pages import Crumb, crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.models import Tie, TieFile
from crm.services import tie_files, tying


def _tie(request: HttpRequest, ref: str) -> Any:
    rows = own(request, Tie).filter(archived_at__isnull=True, kind=Tie.Kind.CSV)
    return found(rows.select_related("company"), ref)


def _above(tie: Any, *steps: tuple[str, str]) -> list[Crumb]:
    return crumbs(
        (_("Settings"), reverse("backoffice:settings")), (_("Ties"), reverse("backoffice:ties")),
        (tie.name, reverse("backoffice:tie", args=[tie.ref])), *steps,
    )  # fmt: skip


def _back(ref: str) -> str:
    return reverse("backoffice:tie", args=[ref])


@needs("settings.read")
def table(request: HttpRequest, ref: str, name: str) -> StreamingHttpResponse:
    """A table as of the last run."""
    tie = _tie(request, ref)
    if name not in tie_files.TABLES:
        raise Http404
    return csv_response(name, *tie_files.table(tie, name))


@needs("settings.write")
def give_in(request: HttpRequest, ref: str) -> HttpResponse:
    tie = _tie(request, ref)
    form = TieFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data["file"]
        try:
            tie_files.give_in(tie=tie, name=given.name, content=given.read(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            job = tying.run_now(tie=tie, user=request.user, by=actor(request), at=now(request))  # type: ignore[arg-type]
            return done(request, _("%(file)s is being read.") % {"file": given.name}, "job", job.ref)
    title = _("Give in a file of changes")
    context = {
        "title": title, "crumbs": _above(tie, (title, "")), "form": form,
        "back": reverse("backoffice:tie", args=[ref]), "upload": True, "submit": _("Give in"),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.read")
def result(request: HttpRequest, ref: str, file: str) -> StreamingHttpResponse:
    """What became of each line of a file, as a file."""
    row = found(TieFile.objects.filter(tie=_tie(request, ref)), file)
    lines = ((line, str(tie_files.OUTCOMES[outcome]), why) for line, outcome, why in tie_files.results(row))
    return csv_response("result", [_("line"), _("what became of it"), _("reason")], lines)


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def link(request: HttpRequest, ref: str) -> HttpResponse:
    """A new secret link, shown this once."""
    tie = _tie(request, ref)
    token = tie_files.create_link(tie=tie, by=actor(request), at=now(request))
    title = _("Secret link")
    context = {
        "title": title, "crumbs": _above(tie, (title, "")), "tie": tie,
        "links": [
            (words, settings.SITE_URL + reverse("tie-files", args=[token, name]))
            for name, words in tie_files.WORDS.items()
        ],
    }  # fmt: skip
    response = page(request, "settings/tie_link", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@needs("settings.write")
@require_POST
@tells_refusals(_back)
def unlink(request: HttpRequest, ref: str) -> HttpResponse:
    tie_files.revoke_link(tie=_tie(request, ref), by=actor(request), at=now(request))
    return done(request, _("The link is switched off."), "tie", ref)


@require_safe
def feed(request: HttpRequest, token: str, name: str) -> HttpResponse | StreamingHttpResponse:
    """A table behind a secret link, without a session."""
    try:
        tie = tie_files.behind(token)
    except Refused as refused:
        return HttpResponse(refused.message, status=404, content_type="text/plain; charset=utf-8")
    if name not in tie_files.TABLES:
        raise Http404
    response = csv_response(name, *tie_files.table(tie, name))
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
