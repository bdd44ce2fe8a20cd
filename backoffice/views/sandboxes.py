"""Sandboxes of the company: opened with its catalog and settings, listed with their clocks, advanced to a day."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, now, show_refusal, tells_refusals
from backoffice.forms.settings import AdvanceForm, SandboxForm
from backoffice.pages import crumbs, page
from billing.services import sandboxes as verbs
from core import clock
from core.models import Company
from core.refusal import Refused
from core.rights import needs
from core.services import advancing


@needs("sandbox.open")
def index(request: HttpRequest) -> HttpResponse:
    rows = Company.objects.filter(sandbox_of=request.company).order_by("-pk")
    mine = {company.pk for company in request.companies}
    context = {
        "title": _("Sandboxes"),
        "crumbs": crumbs((_("Settings"), reverse("backoffice:settings")), (_("Sandboxes"), "")),
        "sandboxes": [(row, row.pk in mine) for row in rows],
        "advance_form": AdvanceForm() if not request.company.is_live else None,
    }
    return page(request, "settings/sandboxes", context)


@needs("sandbox.open")
def create(request: HttpRequest) -> HttpResponse:
    company = request.company
    form = SandboxForm(request.POST or None, initial={"copies_catalog": True, "clock_on": clock.today(company)})
    back = reverse("backoffice:sandboxes")
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            verbs.open_sandbox(
                source=company,
                name=given["name"],
                clock_at=_at_noon(company, given["clock_on"]) if given["clock_on"] else None,
                copies_catalog=given["copies_catalog"],
                owner=request.user,
                by=actor(request),
                at=now(request),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The sandbox is open; switch to it to work in it."), back)
    above = crumbs((_("Settings"), reverse("backoffice:settings")), (_("Sandboxes"), back), (_("Open a sandbox"), ""))
    context = {
        "title": _("Open a sandbox"), "crumbs": above, "form": form, "back": back, "submit": _("Open a sandbox"),
        "lead": _("A test company with this one's settings and a clock of its own. Nothing in it is real."),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("clock.advance")
@require_POST
@tells_refusals(lambda: reverse("backoffice:sandboxes"))
def advance(request: HttpRequest) -> HttpResponse:
    """To noon of a day; answers with the job's page."""
    company = request.company
    form = AdvanceForm(request.POST)
    if not form.is_valid():
        return done(request, _("Choose the day the clock should move to."), "sandboxes")
    job = advancing.start(company=company, to=_at_noon(company, form.cleaned_data["to"]), user=request.user)
    return redirect("backoffice:job", job.ref)


def _at_noon(company: Company, day: object) -> datetime:
    return datetime.combine(day, datetime.min.time().replace(hour=12), clock.zone(company.time_zone))  # type: ignore[arg-type]
