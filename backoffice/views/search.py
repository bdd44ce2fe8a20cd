"""One box over everything that has a name or a number; an exact number leads straight to its page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import figures, finding
from backoffice.acting import may, today
from backoffice.pages import page
from billing.models import CreditNote, Invoice, Payment
from core.rights import needs
from customers.models import Customer
from subscriptions.models import Subscription

SHOWN = 10


@needs("customer.read")
def index(request: HttpRequest) -> HttpResponse:
    q = finding.cleaned(request.GET.get("q", ""))
    context: dict[str, Any] = {"title": _("Search"), "q": q}
    if not q:
        return page(request, "search", context)
    if goal := _exact(request, q):
        return redirect(goal)
    of = finding.followed(request.company, q)
    context["customers"] = finding.customers(request.company, q).order_by("sort_key", "pk")[:SHOWN]
    if may(request, "subscription.read"):
        rows = finding.subscriptions(request.company, q, of).select_related("customer")
        context["subscriptions"] = found = list(rows.order_by("-pk")[:SHOWN])
        mrr = figures.mrr_by_subscription([row.pk for row in found])
        for row in found:
            row.mrr_minor = mrr.get(row.pk, 0)  # type: ignore[attr-defined]
    if may(request, "invoice.read"):
        rows_ = finding.invoices(request.company, q, of).select_related("customer", "balance")
        context["invoices"] = bills = list(rows_.order_by("-pk")[:SHOWN])
        for bill in bills:
            bill.state = figures.shown_state(bill, today(request))  # type: ignore[attr-defined]
        notes = finding.credit_notes(request.company, q, of).select_related("customer", "invoice")
        context["credit_notes"] = notes.order_by("-pk")[:SHOWN]
    if may(request, "payment.read"):
        payments = finding.payments(request.company, q, of).select_related("customer", "balance")
        context["payments"] = payments.order_by("-pk")[:SHOWN]
    parts = ("customers", "subscriptions", "invoices", "credit_notes", "payments")
    context["nothing"] = not any(context.get(part) for part in parts)
    return page(request, "search", context)


def _exact(request: HttpRequest, q: str) -> str:
    """The page of the one row that has exactly this number or outside id; empty when there is none."""
    kinds: list[tuple[str, str, Any]] = [("customer.read", "customer", Customer)]
    kinds += [("subscription.read", "subscription", Subscription), ("invoice.read", "invoice", Invoice)]
    kinds += [("invoice.read", "credit-note", CreditNote), ("payment.read", "payment", Payment)]
    for right, name, model in kinds:
        if may(request, right) and (row := finding.exact(request.company, model, q)) is not None:
            return reverse(f"backoffice:{name}", args=[row.ref])
    return ""


@needs("customer.read")
def keys(request: HttpRequest) -> HttpResponse:
    """The keyboard's help as a page of its own."""
    return page(request, "keys", {"title": _("Keyboard")})
