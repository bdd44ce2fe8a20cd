"""Payment methods: seen, added on the provider's page, made the default, used for one subscription, removed.

A contact with the right to pay does it signed in; a customer with a link from us adds one without.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.models import Gateway, PaymentMethod, SubscriptionMethod
from billing.services import pay_links, payment_methods
from core import clock
from core.actors import Actor
from core.refusal import Refused
from customers.models import Customer
from portal import paying, standing
from portal.access import Visitor, found, needs
from portal.limits import too_many
from portal.pages import crumbs, face, page
from portal.views.paying import BEGUN, leave_to, public

Status = PaymentMethod.Status
LINK = Actor.system("Payment method link")
#: How long a provider's page that saves a method is asked about.
PENDING = timedelta(days=1)


def shown(customer: Customer) -> list[PaymentMethod]:
    """The customer's methods that are there, the default first."""
    rows = PaymentMethod.objects.filter(customer=customer, status__in=payment_methods.THERE)
    return list(rows.select_related("gateway").order_by("-is_default", "-pk"))


@require_safe
@needs("see")
def methods(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    rows = shown(visitor.customer)
    may = "pay" in visitor.rights
    named = SubscriptionMethod.objects.filter(method__in=rows).select_related("subscription")
    uses: dict[int, list[Any]] = {}
    for one in named:
        uses.setdefault(one.method_id, []).append(one.subscription)
    context = {
        "rows": [{**paying.names_of(row), "uses": uses.get(row.pk, [])} for row in rows],
        "may": may,
        "gateways": paying.gateways_of(visitor.company) if may else [],
        "subscriptions": _subscriptions(visitor) if may and len(rows) > 1 else [],
        "usable": [row for row in rows if row.status == Status.ACTIVE],
        "crumbs": [],
    }
    return page(request, "methods", context)


def _subscriptions(visitor: Visitor) -> list[dict[str, Any]]:
    """Running subscriptions and the method each names."""
    rows = standing.running(visitor.subscriptions.order_by("-id"))
    named = dict(SubscriptionMethod.objects.filter(subscription__in=rows).values_list("subscription_id", "method_id"))
    return [{"row": row, "method_id": named.get(row.pk)} for row in rows]


@require_POST
@needs("pay")
def add(request: HttpRequest, gateway: str) -> HttpResponse:
    """Opens the provider's page that saves a method."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = _gateway(visitor.customer, gateway)
    here = request.build_absolute_uri(reverse("portal-methods-back"))
    if too_many("methods-add", visitor.customer.ref, BEGUN):
        messages.error(request, _("Too many tries. Please wait an hour."))
        return redirect("portal:methods")
    try:
        _method, opened = payment_methods.begin_set_up(
            customer=visitor.customer, gateway=row, return_url=here, cancel_url=f"{here}?left=1", by=visitor.actor,
            at=visitor.now,
        )  # fmt: skip
    except Refused as refused:
        messages.error(request, refused.message)
        return redirect("portal:methods")
    return leave_to(request, row, opened.url)


def _gateway(customer: Customer, ref: str) -> Gateway:
    return found(Gateway.objects.filter(company_id=customer.company_id, is_active=True).select_related("company"), ref)


@require_safe
@needs("see")
def back(request: HttpRequest) -> HttpResponse:
    """Back from the provider's page: what was saved there is usable now."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    _tell(request, finish(visitor.customer), left="left" in request.GET)
    return redirect("portal:methods")


def finish(customer: Customer) -> PaymentMethod | None:
    """Asks providers about the pages opened lately; the method that became usable, if any."""
    at = clock.now(customer.company)
    rows = PaymentMethod.objects.filter(customer=customer, status=Status.PENDING, created_at__gte=at - PENDING)
    done = None
    for row in rows.select_related("gateway__company", "customer__company").order_by("-pk")[:5]:
        kept = payment_methods.finish_set_up(method=row, at=at)
        if done is None and kept.status == Status.ACTIVE:
            done = kept
    return done


def _tell(request: HttpRequest, kept: PaymentMethod | None, *, left: bool) -> None:
    if kept is not None:
        messages.success(request, _("%(method)s is saved.") % {"method": kept.label})
    elif not left:
        messages.info(request, _("Nothing was saved yet. If you finished, look again in a minute."))


@require_POST
@needs("pay")
def make_default(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    try:
        row = payment_methods.make_default(method=_own(visitor, ref), by=visitor.actor, at=visitor.now)
        messages.success(request, _("%(method)s pays from now on.") % {"method": row.label})
    except Refused as refused:
        messages.error(request, refused.message)
    return redirect("portal:methods")


@require_POST
@needs("pay")
def use_for(request: HttpRequest, ref: str) -> HttpResponse:
    """The method a subscription is paid with; empty: the default."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    subscription = found(visitor.subscriptions.select_related("company"), ref)
    wanted = request.POST.get("method", "")
    try:
        method = _own(visitor, wanted) if wanted else None
        payment_methods.use_for(subscription=subscription, method=method, by=visitor.actor, at=visitor.now)
        messages.success(request, _("%(name)s is paid as you chose.") % {"name": subscription.name})
    except Refused as refused:
        messages.error(request, refused.message)
    return redirect("portal:methods")


@require_http_methods(["GET", "HEAD", "POST"])
@needs("pay")
def remove(request: HttpRequest, ref: str) -> HttpResponse:
    """Asks once more, then removes it here and at the provider."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = _own(visitor, ref)
    if request.method == "POST":
        try:
            payment_methods.remove(method=row, by=visitor.actor, at=visitor.now)
            messages.success(request, _("%(method)s is removed.") % {"method": row.label})
        except Refused as refused:
            messages.error(request, refused.message)
        return redirect("portal:methods")
    heir = next((one for one in shown(visitor.customer) if one.pk != row.pk and one.status == Status.ACTIVE), None)
    context = {
        **paying.names_of(row),
        "heir": heir if row.is_default else None,
        "is_last": heir is None,
        "crumbs": crumbs((_("Payment methods"), reverse("portal:methods")), (row.label, "")),
    }
    return page(request, "method_remove", context)


def _own(visitor: Visitor, ref: str) -> PaymentMethod:
    rows = PaymentMethod.objects.filter(customer=visitor.customer, status__in=payment_methods.THERE)
    return found(rows.select_related("gateway__company", "customer__company"), ref)


# With a mailed link, without signing in


@require_http_methods(["GET", "HEAD", "POST"])
@public
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Adds a method for the customer that the link names; shows nothing that is saved already."""
    customer = pay_links.read_method(token)
    problem = ""
    if request.method == "POST" and too_many("methods-add", customer.ref, BEGUN):
        problem = _("Too many tries. Please wait an hour.")
    elif request.method == "POST":
        row = _gateway(customer, request.POST.get("gateway", ""))
        here = request.build_absolute_uri(reverse("pay-methods-back", args=[token]))
        try:
            _method, opened = payment_methods.begin_set_up(
                customer=customer, gateway=row, return_url=here, cancel_url=f"{here}?left=1", by=LINK,
                at=clock.now(customer.company),
            )  # fmt: skip
            return leave_to(request, row, opened.url)
        except Refused as refused:
            problem = refused.message
    context = {
        **face(customer.company),
        "customer": customer,
        "gateways": paying.gateways_of(customer.company),
        "problem": problem,
        "token": token,
    }
    return render(request, "portal/method_link.html", context, status=422 if problem else 200)


@require_safe
@public
def by_link_back(request: HttpRequest, token: str) -> HttpResponse:
    """Back from the provider's page: says whether it is saved."""
    customer = pay_links.read_method(token)
    kept = finish(customer)
    context = {**face(customer.company), "kept": kept, "token": token}
    return render(request, "portal/method_link_done.html", context)
