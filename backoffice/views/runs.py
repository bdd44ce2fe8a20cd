"""Billing runs: a dry run first, then the run; its progress, what was parked, and trying that again."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, tells_refusals, today
from backoffice.forms.runs import RunForm
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from billing import tasks
from billing.models import BillingRun
from billing.services import running
from core.models import Company, Job
from core.rights import needs
from subscriptions.models import Subscription

SHOWN_PARKED = 200


@needs("run.read")
def index(request: HttpRequest) -> HttpResponse:
    listed = listing(request, own(request, BillingRun), sorts={"id": "pk"}, default="-id")
    parked = own(request, Subscription).filter(parked_at__isnull=False)[: SHOWN_PARKED + 1].count()
    context = {"title": _("Billing runs"), "list": listed, "search_name": "", "parked": parked}
    return page(request, "runs/list", context)


@needs("run.start")
def start(request: HttpRequest) -> HttpResponse:
    """Asks for a day and starts the dry run; its page offers the run itself."""
    form = RunForm(request.POST or None, initial={"on": today(request)})
    if request.method == "POST" and form.is_valid():
        job = tasks.ask_for_run(
            company=request.company,
            on=form.cleaned_data["on"],
            notify_since=form.cleaned_data["notify_since"],
            dry_run=True,
            user=request.user,
        )
        return redirect("backoffice:job", job.ref)
    title = _("Start a billing run")
    context = {
        "title": title,
        "crumbs": crumbs((_("Billing runs"), reverse("backoffice:runs")), (title, "")),
        "lead": _("First a dry run: it shows every sum and writes nothing."),
        "form": form,
        "submit": _("Dry run"),
        "back": reverse("backoffice:runs"),
    }
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("run.start")
@require_POST
def do(request: HttpRequest, ref: str) -> HttpResponse:
    """The run that a finished dry run showed."""
    shown = found(own(request, Job), ref)
    if shown.kind != tasks.KIND or not shown.params.get("dry_run"):
        raise Http404
    since = shown.params.get("notify_since")
    job = tasks.ask_for_run(
        company=request.company,
        on=date.fromisoformat(shown.params["on"]),
        notify_since=date.fromisoformat(since) if since else None,
        user=request.user,
    )
    messages.success(request, _("The run goes on in the background."))
    return redirect("backoffice:job", job.ref)


@needs("run.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    run = found(own(request, BillingRun), ref)
    figures = running.figures(run)
    parked = running.parked(company=request.company, by_day=run.on).select_related("customer")
    title = _("Billing run up to %(day)s") % {"day": run.on.isoformat()}
    context = {
        "title": title,
        "crumbs": crumbs((_("Billing runs"), reverse("backoffice:runs")), (title, "")),
        "run": run,
        "figures": figures,
        "totals": totals_of(figures.totals, request.company),
        "parked": parked[:SHOWN_PARKED],
        "going": run.state == BillingRun.State.RUNNING,
    }
    return page(request, "runs/progress" if request.headers.get("HX-Request") else "runs/detail", context)


def totals_of(totals: dict[str, dict[str, int]], company: Company) -> list[dict[str, Any]]:
    """Net, tax and gross, a row a currency, the company's own first."""
    return [{"currency": code, **totals[code]} for code in sorted(totals, key=company.currency_rank)]


@needs("run.start")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:run", args=[ref]))
def release(request: HttpRequest, ref: str) -> HttpResponse:
    run = found(own(request, BillingRun), ref)
    running.release(run=run, by=actor(request), at=now(request))
    tasks.wake([run])
    return done(request, _("The run goes on."), "run", ref)


@needs("run.read")
def parked(request: HttpRequest) -> HttpResponse:
    rows = own(request, Subscription).filter(parked_at__isnull=False).select_related("customer")
    listed = listing(request, rows, sorts={"parked": "parked_at"}, default="-parked")
    title = _("Parked subscriptions")
    context = {
        "title": title,
        "crumbs": crumbs((_("Billing runs"), reverse("backoffice:runs")), (title, "")),
        "lead": _("Billing could not bill these. Each run and each hour tries them again."),
        "list": listed,
        "search_name": "",
    }
    return page(request, "runs/parked", context)


@needs("run.start")
@require_POST
@tells_refusals(lambda: reverse("backoffice:parked"))
def retry(request: HttpRequest) -> HttpResponse:
    counts = running.retry_parked(company=request.company, at=now(request), by=actor(request))
    text = _("%(billed)s of %(tried)s could be billed now.") % {
        "billed": counts.get("billed", 0),
        "tried": counts.get("tried", 0),
    }
    return done(request, text, "parked")
