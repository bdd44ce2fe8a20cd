"""What the law lets a customer ask for: everything kept about them as one file, and to be erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, today
from backoffice.forms.personal_data import EraseForm
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.services import erasing, retention, taking_along
from customers.models import Customer, Erasure

#: What is blanked, by the names of `erasing.Plan.blanked`.
BLANKED: Final[Mapping[str, str | Promise]] = {
    "customer": gettext_lazy("Name, addresses for mail and phone, VAT id and further data of the customer"),
    "addresses": gettext_lazy("Postal addresses, but for the country"),
    "contacts": gettext_lazy("Contacts"),
    "sign_ins": gettext_lazy("Sign-ins to the portal, switched off"),
    "notes": gettext_lazy("Notes"),
    "messages": gettext_lazy("Mails: recipients, subject and text"),
    "payment_methods": gettext_lazy("Payment methods, removed at the provider as well"),
    "leads": gettext_lazy("Leads"),
    "tasks": gettext_lazy("Tasks and what was said about them"),
    "activities": gettext_lazy("Activities"),
    "quote_drafts": gettext_lazy("Drafts of quotes"),
    "audit_details": gettext_lazy("Values before and after changes"),
}


@needs("settings.write")
@require_POST
def export(request: HttpRequest, ref: str) -> StreamingHttpResponse:
    """All of it in one file, with what colleagues wrote. It is noted in the audit that it was taken."""
    customer = found(own(request, Customer), ref)
    taking_along.told(customer=customer, internal=True, by=actor(request), at=now(request))
    pieces = taking_along.archive(customer, internal=True)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    name = taking_along.file_name(customer, today(request))
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@needs("settings.write")
def erase(request: HttpRequest, ref: str) -> HttpResponse:
    """The preview, and below it the confirmation by the customer's number."""
    customer = found(own(request, Customer).select_related("company"), ref)
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            erasing.erase(customer=customer, confirm=form.cleaned_data["confirm"], by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The personal data are erased."), "customer", ref)
    back = reverse("backoffice:customer", args=[ref])
    title = _("Erase personal data")
    seen = erasing.plan(customer=customer, on=today(request))
    context = {
        "title": title,
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (customer.name, back), (title, "")),
        "customer": customer,
        "form": form,
        "plan": seen,
        "blanked": _blanked(seen.erased.blanked if seen.erased else seen.blanked),
        "kept": _kept(seen.erased) if seen.erased else seen.kept,
        "back": back,
    }
    return page(request, "customers/erase", context, status=422 if form.errors else 200)


def _blanked(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"label": BLANKED[name], "count": count} for name, count in counts.items() if count]


def _kept(erasure: Erasure) -> list[dict[str, Any]]:
    """What was kept when it was done, as the preview shows it."""
    return [
        {**row, "label": retention.KINDS[row["kind"]][0], "until_on": date.fromisoformat(row["until_on"])}
        for row in erasure.kept
    ]
