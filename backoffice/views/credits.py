"""Credit of customers, and invoices replaced: each act with its preview."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from backoffice import previewing
from backoffice.acting import actor, done, found, now, own
from backoffice.forms.billing import ReasonForm
from backoffice.forms.credits import GrantForm, PackForm, ReplaceForm
from backoffice.pages import crumbs
from backoffice.views.invoices import above, an_invoice
from billing.models import Credit, CreditNote, Invoice
from billing.services import granting, replacing, selling, trying
from core.rights import needs
from customers.models import Customer
from customers.services.customers import currency_of


def _page(
    request: HttpRequest, customer: Customer, form: Any, act: Any, said: Any, title: str, words: str, tone: str = ""
) -> HttpResponse:
    """The page of an act on a customer's credit; `said` makes the message out of its result."""
    back = reverse("backoffice:customer", args=[customer.ref])

    def currency(values: dict[str, Any]) -> str:
        return str(values.get("currency") or currency_of(customer))

    def preview(values: dict[str, Any]) -> previewing.Shown:
        return previewing.of_trial(trying.tried(lambda: act(values), customer=customer, currency=currency(values)))

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        result = trying.done(lambda: act(values), customer=customer, currency=currency(values), token=token)
        return done(request, said(result), back + "?tab=payments")

    context = {
        "title": title,
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (customer.name, back), (title, "")),
        "lead": customer.name,
        "act": words,
        "tone": tone,
        "back": back,
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


@needs("invoice.credit")
def grant(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer).select_related("company"), ref)
    form = GrantForm(request.POST or None, initial={"currency": currency_of(customer)})

    def act(values: dict[str, Any]) -> Credit:
        names = ("amount_minor", "currency", "expires_on", "reason")
        return granting.grant(
            customer=customer, **{name: values[name] for name in names}, by=actor(request), at=now(request)
        )

    return _page(
        request, customer, form, act, lambda _credit: _("The credit is granted."), _("Grant credit"), _("Grant")
    )


@needs("invoice.issue")
def sell(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer).select_related("company"), ref)
    form = PackForm(request.POST or None, company=request.company, initial={"currency": currency_of(customer)})

    def act(values: dict[str, Any]) -> Invoice:
        names = ("amount_minor", "price_minor", "currency", "expires_on", "tax_category", "description", "po_reference")
        return selling.sell_credit_pack(
            customer=customer, **{name: values[name] for name in names}, by=actor(request), at=now(request)
        )

    def said(invoice: Invoice) -> str:
        return _("%(number)s is issued.") % {"number": invoice.number}

    return _page(request, customer, form, act, said, _("Sell prepaid credit"), _("Issue the invoice"))


@needs("invoice.credit")
def reverse_credit(request: HttpRequest, ref: str) -> HttpResponse:
    credit = found(own(request, Credit).select_related("customer__company", "company"), ref)
    form = ReasonForm(request.POST or None)

    def act(values: dict[str, Any]) -> Credit:
        return granting.reverse(credit=credit, reason=values["reason"], by=actor(request), at=now(request))

    said = _("What was unused of the credit is taken back.")
    title = _("Take granted credit back")
    return _page(request, credit.customer, form, act, lambda _credit: said, title, _("Take back"), "danger")


@needs("invoice.credit")
def replace(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = an_invoice(request, ref)
    back = reverse("backoffice:invoice", args=[ref])
    form = ReplaceForm(request.POST or None, initial={"po_reference": invoice.po_reference})

    def act(values: dict[str, Any]) -> tuple[CreditNote, Invoice]:
        return replacing.replace(
            invoice=invoice, how=values["how"], po_reference=values["po_reference"], reason=values["reason"],
            at=now(request), by=actor(request),
        )  # fmt: skip

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=invoice.customer, currency=invoice.currency)
        return previewing.of_trial(trial)

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        _note, new = trying.done(lambda: act(values), customer=invoice.customer, currency=invoice.currency, token=token)
        return done(request, _("%(number)s is replaced.") % {"number": invoice.number}, "invoice", new.ref)

    title = _("Replace %(number)s") % {"number": invoice.number}
    context = {
        "title": title,
        "crumbs": above(invoice, title),
        "lead": invoice.customer.name,
        "act": _("Replace the invoice"),
        "tone": "danger",
        "back": back,
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)
