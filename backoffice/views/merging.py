"""Customers that may be one: the list of pairs, what a merge would do, and the merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice import finding
from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.merging import MergeForm
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.services import customer_duplicates, merging
from customers.models import Customer

#: What moves and what stays, by the names of `merging.Plan`.
KINDS: Final[Mapping[str, str | Promise]] = {
    "contacts": gettext_lazy("Contacts"),
    "notes": gettext_lazy("Notes"),
    "activities": gettext_lazy("Activities"),
    "tasks": gettext_lazy("Tasks"),
    "leads": gettext_lazy("Leads"),
    "quote_drafts": gettext_lazy("Drafts of quotes"),
    "payment_methods": gettext_lazy("Payment methods"),
    "subscriptions": gettext_lazy("Subscriptions"),
    "invoices": gettext_lazy("Invoices"),
    "credit_notes": gettext_lazy("Credit notes"),
    "payments": gettext_lazy("Payments"),
    "refunds": gettext_lazy("Refunds"),
    "quotes": gettext_lazy("Quotes"),
    "messages": gettext_lazy("Mails"),
}
PICKED: Final = 8


@needs("customer.read")
def duplicates(request: HttpRequest) -> HttpResponse:
    """The pairs among so many customers, newest first; older ones by a link."""
    text = request.GET.get("before", "")
    before = found(own(request, Customer), text) if text else None
    seen = customer_duplicates.find(company=request.company, before=before.pk if before is not None else None)
    title = _("May be the same")
    context = {
        "title": title, "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (title, "")), "seen": seen,
        "older_url": f"?before={seen.next.ref}" if seen.next is not None else "", "is_first": before is None,
    }  # fmt: skip
    return page(request, "customers/duplicates", context)


@needs("customer.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:customer", args=[ref]))
def apart(request: HttpRequest, ref: str) -> HttpResponse:
    """Two customers, not one: the pair is not shown again."""
    first = found(own(request, Customer), ref)
    second = found(own(request, Customer), request.POST.get("other", ""))
    customer_duplicates.keep_apart(first=first, second=second, by=actor(request), at=now(request))
    said = _("%(first)s and %(second)s are kept as two customers.") % {"first": first.number, "second": second.number}
    if request.POST.get("next") == "list":
        return done(request, said, reverse("backoffice:customers-duplicates"))
    return done(request, said, "customer", ref)


@needs("customer.write")
def merge(request: HttpRequest, ref: str) -> HttpResponse:
    """First into whom, then the preview, and below it the confirmation by the number of the one that goes."""
    customer = found(own(request, Customer).select_related("company", "merged_into"), ref)
    back = reverse("backoffice:customer", args=[ref])
    title = _("Merge into another customer")
    context: dict[str, Any] = {
        "title": title, "customer": customer, "back": back,
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (customer.name, back), (title, "")),
    }  # fmt: skip
    if not (text := request.GET.get("customer", "")):
        return page(request, "customers/pick", context | _whom(request, customer))
    into = found(own(request, Customer).select_related("company", "merged_into"), text)
    plan = merging.plan(customer=customer, into=into)
    form = MergeForm(request.POST or None, differs=plan.differs, goes=customer, stays=into)
    if request.method == "POST" and form.is_valid():
        try:
            merging.merge(
                customer=customer, into=into, confirm=form.cleaned_data["confirm"], take=form.taken, by=actor(request),
                at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            said = _("%(gone)s is merged into %(stays)s.") % {"gone": customer.number, "stays": into.number}
            return done(request, said, "customer", into.ref)
    context |= {
        "into": into, "plan": plan, "form": form, "moves": _named(plan.moves), "stays": _named(plan.stays),
        "swap_url": f"{reverse('backoffice:customer-merge', args=[into.ref])}?customer={customer.ref}",
    }  # fmt: skip
    return page(request, "customers/merge", context, status=422 if form.errors else 200)


def _whom(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """Whom a search finds, each as a link to the preview."""
    q = request.GET.get("q", "")
    rows = finding.customers(request.company, q).filter(archived_at__isnull=True).exclude(pk=customer.pk)
    picked = rows.order_by("sort_key", "pk")[:PICKED] if q.strip() else []
    return {"q": q, "rows": [(row, f"?customer={row.ref}") for row in picked]}


def _named(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"label": KINDS[name], "count": count} for name, count in counts.items()]
