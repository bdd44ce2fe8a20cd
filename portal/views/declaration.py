"""Cancel contracts here: for everybody, without signing in, from the footer of every page of the portal."""

from __future__ import annotations

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.models import Company
from customers.models import Message
from portal import declaring
from portal.forms import PublicCancelForm
from portal.pages import face

RECEIPT_KEY = "portal_declaration"
#: Each declaration mails a stranger's address: so many an hour from one place.
HOURLY = 10


@never_cache
@require_http_methods(["GET", "POST"])
def declare(request: HttpRequest, slug: str) -> HttpResponse:
    company = Company.objects.filter(slug=slug).first()
    if company is None:
        raise Http404
    form = PublicCancelForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            if _too_many(request):
                form.add_error(None, _("Too many cancellations came from here. Please try again in an hour."))
                status = 429
            else:
                receipt = declaring.declare(company=company, said=form.cleaned_data, at=declaring.now(company))
                request.session[RECEIPT_KEY] = receipt.pk
                return redirect("portal:public-receipt", company.slug)
    return render(request, "portal/public_cancel.html", {**face(company), "form": form}, status=status)


@never_cache
@require_http_methods(["GET"])
def receipt(request: HttpRequest, slug: str) -> HttpResponse:
    """The receipt of the declaration made in this browser."""
    rows = Message.objects.filter(company__slug=slug, template=declaring.RECEIPT).select_related("company")
    message = rows.filter(pk=request.session.get(RECEIPT_KEY)).first()
    if message is None:
        raise Http404
    return render(request, "portal/public_receipt.html", {**face(message.company), "message": message})


def _too_many(request: HttpRequest) -> bool:
    key = f"portal-declare-{request.META.get('REMOTE_ADDR', '')}"
    cache.add(key, 0, timeout=3600)
    return cache.incr(key) > HOURLY
