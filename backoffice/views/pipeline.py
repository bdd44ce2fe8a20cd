"""Settings of selling: the stages of the pipeline and the public form."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.leads import PublicFormForm, StageForm
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.models import LeadStage
from crm.services import lead_capture, pipeline

BACK = "backoffice:lead-stages"


@needs("lead.read")
def stages(request: HttpRequest) -> HttpResponse:
    title = _("Stages of the pipeline")
    context = {
        "title": title, "crumbs": crumbs((_("Leads"), reverse("backoffice:leads")), (title, "")),
        "rows": pipeline.of_company(request.company),
    }  # fmt: skip
    return page(request, "leads/stages", context)


@needs("settings.write")
def create(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@needs("settings.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _form(request, found(own(request, LeadStage), ref))


def _form(request: HttpRequest, stage: LeadStage | None) -> HttpResponse:
    form = StageForm(request.POST or None, stage=stage)
    if request.method == "POST" and form.is_valid():
        given = form.changes("name", "kind", "probability")
        try:
            if stage is None:
                pipeline.create(company=request.company, **given, by=actor(request), at=now(request))
            else:
                pipeline.update(stage=stage, changes=given, by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The stage is saved."), "lead-stages")
    title = _("Edit %(name)s") % {"name": stage.name} if stage else _("New stage")
    back = reverse(BACK)
    context = {
        "title": title, "crumbs": crumbs((_("Stages of the pipeline"), back), (title, "")), "form": form, "back": back,
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("settings.write")
@require_POST
@tells_refusals(lambda ref: reverse(BACK))
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """Moves a stage along the board, or puts it away."""
    stage = found(own(request, LeadStage).filter(archived_at__isnull=True), ref)
    match request.POST.get("act", ""):
        case "left":
            pipeline.shift(stage=stage, steps=-1, by=actor(request), at=now(request))
        case "right":
            pipeline.shift(stage=stage, steps=1, by=actor(request), at=now(request))
        case "archive":
            pipeline.archive(stage=stage, by=actor(request), at=now(request))
    return done(request, _("The pipeline is changed."), "lead-stages")


@needs("settings.write")
def public_form(request: HttpRequest) -> HttpResponse:
    """The company's public form: open or not, who gets what comes in, its words."""
    held = lead_capture.of_company(request.company)
    form = PublicFormForm(request.POST or None, company=request.company, held=held)
    if request.method == "POST" and form.is_valid():
        try:
            lead_capture.save(company=request.company, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The form is saved."), "lead-form")
    title = _("Web form")
    context = {
        "title": title, "crumbs": crumbs((_("Leads"), reverse("backoffice:leads")), (title, "")), "form": form,
        "back": reverse("backoffice:leads"), "held": held,
        "address": f"{settings.SITE_URL}{reverse('portal:public-lead', args=[request.company.slug])}",
    }  # fmt: skip
    return page(request, "leads/public_form", context, status=422 if form.errors else 200)
