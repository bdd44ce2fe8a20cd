"""A test company's own clock: one month ahead, as a job that asks everything due on the way."""

from __future__ import annotations

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
    """One month ahead; answers with the job's page."""
    company = request.company
    if company.is_live:
        raise Refused("company.clock_is_real")
    job = advancing.start(company=company, user=request.user)
    return redirect("backoffice:job", job.ref)
