"""A test company's own clock: one month ahead, as a job that asks everything due on the way."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from backoffice.acting import tells_refusals
from core.refusal import Refused
from core.rights import needs
from core.services import advancing


@needs("clock.advance")
@require_POST
@tells_refusals(lambda: reverse("backoffice:home"))
def advance(request: HttpRequest) -> HttpResponse:
    """One month ahead, or one day (`days=1`); answers with the job's page."""
    company = request.company
    if company.is_live:
        raise Refused("company.clock_is_real")
    to = company.clock_at + timedelta(days=1) if request.POST.get("days") == "1" and company.clock_at else None
    job = advancing.start(company=company, to=to, user=request.user)
    return redirect("backoffice:job", job.ref)
