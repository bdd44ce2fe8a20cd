"""Customers: list, create, change, and the page that gathers everything about one."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice import attention, exports, figures, finding, timelines
from backoffice.acting import actor, done, found, may, now, own, show_refusal, tells_refusals, today
from backoffice.forms.customers import CustomerFilter, CustomerForm, NoteForm
from backoffice.forms.fields import country_name
from backoffice.forms.segments import with_segments
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views import methods
from billing.models import Credit, CreditNote, DunningCase, Invoice, Payment, Refund
from core.refusal import Refused
from core.rights import needs
from crm.models import Segment
from crm.services import customer_duplicates, health, segments
from customers.models import Address, Contact, Customer, Message, Note, VatCheck
from customers.services import customers as verbs
from customers.services import merged, suppressing, vat_ids
from subscriptions.models import Subscription

TABS = (
    ("", gettext_lazy("Overview")),
    ("subscriptions", gettext_lazy("Subscriptions")),
    ("invoices", gettext_lazy("Invoices")),
    ("payments", gettext_lazy("Payments")),
    ("timeline", gettext_lazy("Timeline")),
    ("notes", gettext_lazy("Notes")),
    ("contacts", gettext_lazy("Contacts")),
)
SHOWN = 50


@needs("customer.read")
def index(request: HttpRequest) -> HttpResponse:
    form = CustomerFilter(request.GET)
    if may(request, "segment.read"):
        with_segments(form, request.company)
    q = request.GET.get("q", "")
    rows = finding.customers(request.company, q)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = rows.filter(archived_at__isnull=chosen.get("archived") != "only")
    for name in ("kind", "language"):
        if chosen.get(name):
            rows = rows.filter(**{name: chosen[name]})
    if chosen.get("country"):
        rows = rows.filter(
            pk__in=Address.objects.filter(
                company=request.company, kind="billing", replaced_at__isnull=True, country=chosen["country"]
            ).values("customer_id")
        )
    if chosen.get("segment"):
        segment = found(own(request, Segment).select_related("company"), chosen["segment"])
        rows = rows.filter(pk__in=segments.members(segment=segment, on=today(request)).order_by().values("pk"))
    if exports.is_asked(request):
        return _file(request, rows)
    sorts = {"name": "sort_key", "created": "created_at", "number": "pk"}
    listed = listing(request, rows, sorts=sorts, default="name", form=form, q=q)
    ids = [row.pk for row in listed.rows]
    open_, mrr = figures.open_by_customer(ids), figures.mrr_by_customer(ids)
    countries = dict(
        Address.objects.filter(customer_id__in=ids, kind="billing", replaced_at__isnull=True).values_list(
            "customer_id", "country"
        )
    )
    for row in listed.rows:
        row.open, row.mrr, row.country = open_.get(row.pk, {}), mrr.get(row.pk, {}), countries.get(row.pk, "")
    return page(request, "customers/list", {"title": _("Customers"), "list": listed, "exports": True})


def _file(request: HttpRequest, rows: QuerySet[Customer]) -> HttpResponse:
    head = [
        "id",
        "number",
        "kind",
        "name",
        "email",
        "phone",
        "vat_id",
        "language",
        "currency",
        "external_id",
        "created",
    ]
    found_rows = rows.order_by("sort_key", "pk").iterator(chunk_size=1000)
    cells = (
        [
            row.ref,
            row.number,
            row.kind,
            row.name,
            row.email,
            row.phone,
            row.vat_id,
            row.language,
            row.currency,
            row.external_id,
            row.created_at.date(),
        ]
        for row in found_rows
    )
    return exports.response(request, "customers", _("Customers"), head, cells)  # type: ignore[return-value]


@needs("customer.read")
def pick(request: HttpRequest) -> HttpResponse:
    """The rows of a live search for one customer, each a link that goes on to the page `here` with `?customer=`."""
    q = request.GET.get("q", "")
    rows = finding.customers(request.company, q).filter(archived_at__isnull=True).order_by("sort_key", "pk")[:8]
    base = request.GET.get("here", "")
    if not base.startswith("/office/") or "?" in base:
        base = ""
    context = {"rows": [(row, f"{base}?customer={row.ref}") for row in rows] if base and q.strip() else [], "q": q}
    return page(request, "customers/picked", context)


@needs("customer.write")
def create(request: HttpRequest) -> HttpResponse:
    form = CustomerForm(
        request.POST or None,
        company=request.company,
        initial={"kind": Customer.Kind.COMPANY, "country": request.company.country},
    )
    if request.method == "POST" and form.is_valid():
        try:
            customer = verbs.create_customer(
                company=request.company,
                **form.customer_values(),
                address=form.address_values(),
                by=actor(request),
                at=now(request),
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(name)s is now a customer.") % {"name": customer.name}, "customer", customer.ref)
    return _form(request, form, _("New customer"), reverse("backoffice:customers"))


@needs("customer.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer), ref)
    address = _billing_address(customer)
    form = CustomerForm(
        request.POST or None, company=request.company, initial=CustomerForm.initial_of(customer, address)
    )
    back = reverse("backoffice:customer", args=[ref])
    if request.method == "POST" and form.is_valid():
        by, at = actor(request), now(request)
        try:
            verbs.update_customer(customer=customer, changes=form.customer_values(), by=by, at=at)
            verbs.set_address(customer=customer, kind="billing", address=form.address_values(), by=by, at=at)
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The changes are saved."), back)
    return _form(request, form, _("Edit customer"), back, (customer.name, back))


def _form(request: HttpRequest, form: CustomerForm, title: str, back: str, *above: tuple[str, str]) -> HttpResponse:
    trail = crumbs((_("Customers"), reverse("backoffice:customers")), *above, (title, ""))
    return page(
        request,
        "form",
        {"title": title, "crumbs": trail, "form": form, "back": back},
        status=422 if form.errors else 200,
    )


@needs("customer.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:customer", args=[ref]))
def archive(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer), ref)
    by, at = actor(request), now(request)
    if request.POST.get("restore"):
        verbs.restore_customer(customer=customer, by=by, at=at)
        return done(request, _("The customer is shown in lists again."), "customer", ref)
    verbs.archive_customer(customer=customer, by=by, at=at)
    return done(request, _("The customer is archived; what runs goes on."), "customer", ref)


@needs("customer.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:customer", args=[ref]))
def check_vat_id(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer).select_related("company"), ref)
    vat_ids.check(customer=customer, by=actor(request), at=now(request))
    return done(request, _("The service is being asked; the answer comes in a moment."), "customer", ref)


@needs("customer.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    customer = found(own(request, Customer).select_related("company", "owner", "merged_into"), ref)
    tab = request.GET.get("tab", "")
    seen = {
        "subscriptions": "subscription.read",
        "invoices": "invoice.read",
        "payments": "payment.read",
    }
    tabs = [(value, label) for value, label in TABS if seen.get(value, "customer.read") in request.rights]
    if tab not in dict(tabs):
        tab = ""
    parts = merged.of(customer)
    ids = [customer.pk, *(part.pk for part in parts)]
    open_ = figures.together(figures.open_by_customer(ids))
    context: dict[str, Any] = {
        "title": customer.name,
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (customer.name, "")),
        "customer": customer,
        "tab": tab,
        "tabs": [
            {"label": label, "url": f"?tab={value}" if value else "?", "current": value == tab} for value, label in tabs
        ],
        "open": open_,
        "overdue": figures.together(figures.open_by_customer(ids, overdue_on=today(request))) if open_ else {},
        "credit": figures.together(figures.credit_by_customer(ids)),
        "parts": parts,
        "mrr": figures.mrr_by_customer([customer.pk]).get(customer.pk, {}),
        "usual_currency": verbs.currency_of(customer),
        "health": health.of_customer(customer, at=now(request)),
    }
    context |= _TAB_CONTEXTS[tab](request, customer)
    return page(request, "customers/detail", context)


def _billing_address(customer: Customer) -> Address | None:
    return Address.objects.filter(customer=customer, kind="billing", replaced_at__isnull=True).first()


def _overview(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    address = _billing_address(customer)
    if address is not None:
        address.country_name = country_name(address.country)  # type: ignore[attr-defined]
    return {
        "vat_check": VatCheck.objects.filter(customer=customer, vat_id=customer.vat_id).order_by("-id").first()
        if customer.vat_id
        else None,
        "address": address,
        "subscriptions": _subscriptions(customer)[:5] if "subscription.read" in request.rights else [],
        "invoices": _invoices(request, customer, 5) if "invoice.read" in request.rights else [],
        "timeline": timelines.of_customer(customer, limit=6),
        "alike": [(pair, pair.other(customer)) for pair in customer_duplicates.of_customer(customer)],
        **attention.of(request, customer=customer, query=f"?customer={customer.ref}"),
    }


def _subscriptions(customer: Customer) -> list[Subscription]:
    rows = list(Subscription.objects.filter(merged.whole(customer), company=customer.company).order_by("-id")[:SHOWN])
    mrr = figures.mrr_by_subscription([row.pk for row in rows])
    for row in rows:
        row.mrr_minor = mrr.get(row.pk, 0)  # type: ignore[attr-defined]
    return rows


def _invoices(request: HttpRequest, customer: Customer, count: int = SHOWN) -> list[Invoice]:
    rows = list(
        Invoice.objects.filter(merged.whole(customer), company=customer.company)
        .select_related("balance")
        .order_by("-id")[:count]
    )
    for row in rows:
        row.state = figures.shown_state(row, today(request))  # type: ignore[attr-defined]
    return rows


def _invoices_tab(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    notes = CreditNote.objects.filter(merged.whole(customer), company=customer.company).select_related("invoice")
    return {"invoices": _invoices(request, customer), "credit_notes": notes.order_by("-id")[:SHOWN]}


def _payments_tab(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    rows = Payment.objects.filter(merged.whole(customer), company=customer.company).select_related("balance")
    refunds = Refund.objects.filter(merged.whole(customer), company=customer.company)
    credits = Credit.objects.filter(merged.whole(customer), company=customer.company).select_related(
        "balance", "invoice"
    )
    return {
        "methods": methods.shown_of(customer),
        "cases": DunningCase.objects.filter(merged.whole(customer)).order_by("-pk")[:10],
        "payments": rows.order_by("-id")[:SHOWN],
        "refunds": refunds.order_by("-id")[:SHOWN],
        "credits": credits.order_by("-id")[:SHOWN],
    }


def _timeline_tab(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return timelines.page_of(request, customer)


def _notes_tab(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    notes = Note.objects.filter(company=customer.company, customer=customer, archived_at__isnull=True)
    return {"notes": notes.select_related("by").order_by("-id")[:SHOWN], "note_form": NoteForm()}


def _contacts_tab(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    contacts = Contact.objects.filter(company=customer.company, customer=customer).select_related("user")
    return {
        "contacts": contacts.order_by("archived_at", "name", "id"),
        "messages_sent": Message.objects.filter(merged.whole(customer), company=customer.company).order_by("-id")[:10],
        "blocked": suppressing.of_customer(customer),
    }


_TAB_CONTEXTS = {
    "": _overview,
    "subscriptions": lambda request, customer: {"subscriptions": _subscriptions(customer)},
    "invoices": _invoices_tab,
    "payments": _payments_tab,
    "timeline": _timeline_tab,
    "notes": _notes_tab,
    "contacts": _contacts_tab,
}
