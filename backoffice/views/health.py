"""Customers who may leave: everybody whose score is low, the lowest first, with the reasons."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import exports, figures
from backoffice.acting import now
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from core.rights import needs
from crm.services import health


@needs("customer.read")
def at_risk(request: HttpRequest) -> HttpResponseBase:
    """The list, and the same as CSV."""
    rows = health.may_leave(request.company, at=now(request)).select_related("owner")
    if exports.is_asked(request):
        lines = (
            [row.number, row.name, row.health, "; ".join(sign.name for sign in health.health_of(row).signs)]
            for row in rows.order_by("health", "pk")
        )
        return exports.response(
            request, "customers-at-risk", _("Customers who may leave"), ["number", "name", "score", "reasons"], lines
        )
    listed = listing(request, rows, sorts={"score": "health", "name": "sort_key"}, default="score")
    mrr = figures.mrr_by_customer([row.pk for row in listed.rows])
    for row in listed.rows:
        row.found, row.mrr = health.health_of(row), mrr.get(row.pk, {})
    context: dict[str, Any] = {
        "title": _("Customers who may leave"), "list": listed, "exports": True, "search_name": "",
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (_("Customers who may leave"), "")),
        "lead": _("Everybody whose score is under %(line)s of 100.") % {"line": health.AT_RISK},
        "signs": health.SIGNS,
    }  # fmt: skip
    return page(request, "customers/at_risk", context)
