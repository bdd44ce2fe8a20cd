"""A direct debit mandate, read and signed by typing one's name: in the portal, on the pay page, by a mailed link.

The rule that matters: the words shown are the words kept, with the place and the browser of whoever signed.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.models import Gateway, Mandate
from billing.services import collecting, gateway_accounts, mandates, pay_links
from core import clock
from core.actors import Actor
from core.refusal import Refused
from customers.models import Customer
from portal import paying
from portal.access import Visitor, needs
from portal.forms import MandateForm, show_refusal
from portal.limits import place_of, too_many
from portal.pages import crumbs, face, page
from portal.views.methods import LINK
from portal.views.paying import BEGUN, public

Scheme = Mandate.Scheme


@require_http_methods(["GET", "HEAD", "POST"])
@needs("pay")
def sign(request: HttpRequest) -> HttpResponse:
    """Signed in: the mandate becomes a payment method."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    gateway = _gateway(visitor.customer)
    form = _form(request, visitor.customer, name=visitor.contact.name)
    if form.is_valid() and (made := _sign(request, form, visitor.customer, gateway, by=visitor.actor)):
        messages.success(request, _("%(method)s is saved.") % {"method": made.method.label})
        return redirect("portal:methods")
    context = {
        **_context(form, visitor.customer, gateway, reverse("portal:methods")),
        "crumbs": crumbs((_("Payment methods"), reverse("portal:methods")), (_("Direct debit mandate"), "")),
    }
    return page(request, "mandate", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@public
def to_pay(request: HttpRequest, token: str) -> HttpResponse:
    """From an invoice's pay page: signed, and the invoice debited with it after the notice."""
    invoice = pay_links.read(token)
    customer, gateway = invoice.customer, _gateway(invoice.customer)
    if invoice.currency != "EUR":
        raise Http404
    visitor = paying.visitor_of(request, invoice)
    by = visitor.actor if visitor is not None else paying.PAY_PAGE
    form = _form(request, customer, name=visitor.contact.name if visitor else "")
    if form.is_valid() and (made := _sign(request, form, customer, gateway, by=by)):
        try:
            attempt = collecting.pay_now(
                invoice=invoice, gateway=gateway, method=made.method, by=by, at=clock.now(invoice.company)
            )
        except Refused as refused:
            messages.error(request, refused.message)
            return redirect("pay", token)
        return redirect(paying.way_on(attempt))
    context = {**_context(form, customer, gateway, reverse("pay", args=[token])), **face(invoice.company)}
    return render(request, "portal/mandate_link.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@public
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """From the link that staff sent."""
    customer = pay_links.read_method(token)
    gateway = _gateway(customer)
    form = _form(request, customer)
    if form.is_valid() and (made := _sign(request, form, customer, gateway, by=LINK)):
        context = {**face(customer.company), "kept": made.method, "token": token}
        return render(request, "portal/method_link_done.html", context)
    context = {**_context(form, customer, gateway, reverse("pay-methods", args=[token])), **face(customer.company)}
    return render(request, "portal/mandate_link.html", context, status=422 if form.is_bound else 200)


def _gateway(customer: Customer) -> Gateway:
    gateway = gateway_accounts.of_kind(customer.company, Gateway.Kind.SEPA)
    if gateway is None:
        raise Http404
    return gateway


def _scheme(request: HttpRequest, customer: Customer) -> str:
    """The kind that was chosen; consumers have no choice."""
    given = request.POST.get("scheme") or request.GET.get("scheme", "")
    return str(Scheme.B2B if given == Scheme.B2B and customer.kind != Customer.Kind.PERSON else Scheme.CORE)


def _form(request: HttpRequest, customer: Customer, *, name: str = "") -> MandateForm:
    initial = {"scheme": _scheme(request, customer), "holder": customer.name if name else "", "signed_by": name}
    return MandateForm(request.POST if request.method == "POST" else None, initial=initial)


def _sign(
    request: HttpRequest, form: MandateForm, customer: Customer, gateway: Gateway, *, by: Actor
) -> Mandate | None:
    """The mandate; None when it was refused, and the form says why."""
    if too_many("mandate", customer.ref, BEGUN):
        form.add_error(None, _("Too many tries. Please wait an hour."))
        return None
    given = form.cleaned_data
    proof = {"address": place_of(request), "browser": request.headers.get("User-Agent", "")[:300], "by": by.label}
    try:
        return mandates.sign(
            customer=customer, gateway=gateway, iban=given["iban"], holder=given["holder"], scheme=given["scheme"],
            signed_by=given["signed_by"], text=mandates.words_of(customer, gateway, given["scheme"]), proof=proof,
            by=by, at=clock.now(customer.company),
        )  # fmt: skip
    except Refused as refused:
        show_refusal(form, refused)
        return None


def _context(form: MandateForm, customer: Customer, gateway: Gateway, back: str) -> dict[str, Any]:
    scheme = form["scheme"].value()
    kinds = [] if customer.kind == Customer.Kind.PERSON else [
        {"label": _("For everybody (Core)"), "url": "?scheme=CORE", "current": scheme != Scheme.B2B},
        {"label": _("For companies (B2B)"), "url": "?scheme=B2B", "current": scheme == Scheme.B2B},
    ]  # fmt: skip
    return {
        "form": form,
        "text": mandates.words_of(customer, gateway, scheme),
        "gateway": gateway,
        "tabs": kinds,
        "back": back,
        "creditor": gateway.creditor_name or gateway.company.legal_name,
        "customer": customer,
    }
