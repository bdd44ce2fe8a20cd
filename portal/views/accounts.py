"""The customer's own account: opening, every invoice and payment, closing; on the page and as a PDF."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.services import account_papers, customer_accounts
from customers.services.customers import currency_of
from portal.access import Visitor, needs
from portal.pages import crumbs, page

_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class AccountForm(forms.Form):
    first = forms.DateField(label=gettext_lazy("From"), widget=_DAY, input_formats=["%Y-%m-%d"])
    last = forms.DateField(label=gettext_lazy("Up to and with"), widget=_DAY, input_formats=["%Y-%m-%d"])
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


@require_safe
@needs("see")
def account(request: HttpRequest) -> HttpResponse:
    """The page; with `?pdf` the paper in the language of the page."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    customer, on = visitor.customer, visitor.today
    usual = currency_of(customer)
    currencies = customer_accounts.currencies_of(customer) or [usual]
    given = {
        "first": date(on.year, 1, 1).isoformat(), "last": on.isoformat(),
        "currency": usual if usual in currencies else currencies[0],
    } | {name: request.GET[name] for name in ("first", "last", "currency") if name in request.GET}  # fmt: skip
    form = AccountForm(given, currencies=currencies)
    if form.is_valid() and "pdf" in request.GET:
        content = account_papers.pdf_of(
            customer=customer, **form.cleaned_data, on=on, language=(get_language() or "").split("-")[0]
        )
        response = HttpResponse(content, content_type="application/pdf")
        name = account_papers.file_name(customer, form.cleaned_data["first"], form.cleaned_data["last"])
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response
    query = request.GET.copy()
    query["pdf"] = "1"
    title = _("Statement of account")
    context = {
        "title": title,
        "crumbs": crumbs((_("Invoices"), reverse("portal:invoices")), (title, "")),
        "form": form,
        "account": customer_accounts.account_of(customer=customer, **form.cleaned_data) if form.is_valid() else None,
        "pdf_url": f"?{query.urlencode()}",
    }
    return page(request, "account", context, status=200 if form.is_valid() else 422)
