"""A customer's account: opening, every document and payment, closing; on the page and as a PDF."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.acting import found, own, today
from backoffice.forms.fields import DayField
from backoffice.pages import crumbs, page
from billing.services import account_papers, customer_accounts
from core.rights import needs
from customers.models import Customer
from customers.services.customers import currency_of


class AccountForm(forms.Form):
    first = DayField(label=gettext_lazy("From"))
    last = DayField(label=gettext_lazy("Up to and with"))
    currency = forms.ChoiceField(label=gettext_lazy("Currency"))

    def __init__(self, *args: Any, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = [(code, code) for code in currencies]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        first, last = values.get("first"), values.get("last")
        if first and last and last < first:
            self.add_error("last", _("The last day lies before the first."))
        return values


def asked(request: HttpRequest, customer: Customer, on: date) -> AccountForm:
    """What the address asks: this year up to today in the customer's currency where it says nothing."""
    currencies = customer_accounts.currencies_of(customer) or [currency_of(customer)]
    usual = currency_of(customer)
    given = {
        "first": date(on.year, 1, 1).isoformat(), "last": on.isoformat(),
        "currency": usual if usual in currencies else currencies[0],
    } | {name: request.GET[name] for name in ("first", "last", "currency") if name in request.GET}  # fmt: skip
    return AccountForm(given, currencies=currencies)


@needs("invoice.read")
def account(request: HttpRequest, ref: str) -> HttpResponse:
    """The page; with `?pdf` the paper."""
    customer = found(own(request, Customer).select_related("company"), ref)
    on = today(request)
    form = asked(request, customer, on)
    if form.is_valid() and "pdf" in request.GET:
        return pdf_of(customer, form.cleaned_data, on)
    back, title = reverse("backoffice:customer", args=[customer.ref]), _("Statement of account")
    query = request.GET.copy()
    query["pdf"] = "1"
    context = {
        "title": title,
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (customer.name, back), (title, "")),
        "customer": customer,
        "form": form,
        "account": customer_accounts.account_of(customer=customer, **form.cleaned_data) if form.is_valid() else None,
        "pdf_url": f"?{query.urlencode()}",
    }
    return page(request, "customers/account", context, status=200 if form.is_valid() else 422)


def pdf_of(customer: Customer, values: dict[str, Any], on: date) -> HttpResponse:
    """The paper as a file."""
    response = HttpResponse(account_papers.pdf_of(customer=customer, **values, on=on), content_type="application/pdf")
    name = account_papers.file_name(customer, values["first"], values["last"])
    response["Content-Disposition"] = f'inline; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
