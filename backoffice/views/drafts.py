"""Drafts: written by hand, changed, issued with a preview alone or many together, or thrown away."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import previewing
from backoffice.acting import actor, done, found, now, own, show_refusal
from backoffice.forms.billing import DraftForm, LineSet
from backoffice.forms.sections import SectionedForm
from backoffice.pages import crumbs, page
from backoffice.views.invoices import above, an_invoice
from backoffice.views.subscriptions import pick_customer
from billing.models import Invoice
from billing.services import approving, drafting, trying
from billing.services.draft_lines import is_by_hand
from catalog.models import TaxCategory
from core.refusal import Refused
from core.rights import needs
from customers.models import Customer
from customers.services.customers import currency_of

MORE_LINES = 5
#: Drafts issued together.
MOST_AT_ONCE = 500


def _draft(request: HttpRequest, ref: str) -> Invoice:
    invoice = an_invoice(request, ref)
    if invoice.sequence is not None:
        raise Http404
    return invoice


def _lines(request: HttpRequest, initial: list[dict[str, Any]] | None = None, currency: str = "EUR") -> Any:
    """The lines as sent; "more lines" sends them back with empty ones added."""
    given: Any = None
    if request.method == "POST":
        given = request.POST.copy()
        if "more" in given:
            count = given.get("form-TOTAL_FORMS", "0")
            given["form-TOTAL_FORMS"] = str(int(count) + MORE_LINES) if count.isdigit() and len(count) < 4 else "3"
    return LineSet(given, initial=initial, form_kwargs={"company": request.company, "currency": currency})


def _write(
    request: HttpRequest, form: DraftForm, lines: Any, title: str, trail: Any, back: str, save: Any
) -> HttpResponse:
    more = "more" in request.POST
    if request.method == "POST" and not more:
        ready = form.is_valid()
        if lines.is_valid() and ready:
            try:
                invoice = save(form.cleaned_data, lines.lines())
            except Refused as refused:
                show_refusal(form, refused)
            else:
                return done(
                    request, _("The draft is kept; nothing is owed until it is issued."), "invoice", invoice.ref
                )
    failed = request.method == "POST" and not more
    context = {"title": title, "crumbs": trail, "form": form, "lines": lines, "back": back, "checked": failed}
    if failed:
        context["line_errors"] = _errors_of(lines)
    return page(request, "invoices/draft", context, status=422 if failed else 200)


def _errors_of(lines: Any) -> list[dict[str, str]]:
    """What is wrong with the lines, each with the field it is about."""
    found = [{"message": message, "id": ""} for message in lines.non_form_errors()]
    for number, line in enumerate(lines.forms, start=1):
        for name, messages in line.errors.items():
            field = line[name]
            for message in messages:
                words = _("Line %(number)s, %(field)s: %(message)s")
                found.append(
                    {
                        "message": words % {"number": number, "field": field.label, "message": message},
                        "id": field.id_for_label,
                    }
                )
    return found


@needs("invoice.issue")
def create(request: HttpRequest) -> HttpResponse:
    title, first = _("New invoice"), (_("Invoices"), reverse("backoffice:invoices"))
    if "customer" not in request.GET:
        return pick_customer(request, title, first)
    customer = found(own(request, Customer).select_related("company"), request.GET["customer"])
    back = reverse("backoffice:customer", args=[customer.ref])
    form = DraftForm(
        request.POST if request.method == "POST" and "more" not in request.POST else None,
        initial={"currency": currency_of(customer), "tax_behavior": "exclusive", **_kept(request)},
    )

    def save(values: dict[str, Any], lines: list[drafting.DraftLine]) -> Invoice:
        return drafting.create_draft(
            company=request.company, customer=customer, lines=lines, **values, by=actor(request), at=now(request)
        )

    trail = crumbs(first, (customer.name, back), (title, ""))
    return _write(request, form, _lines(request), title, trail, back, save)


def _kept(request: HttpRequest) -> dict[str, Any]:
    names = ("currency", "tax_behavior", "payment_terms_days", "payment_terms_from", "po_reference", "removed")
    return {name: request.POST[name] for name in names if name in request.POST}


@needs("invoice.issue")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = _draft(request, ref)
    back = reverse("backoffice:invoice", args=[ref])
    categories = {row.pk: row for row in TaxCategory.objects.filter(company=request.company)}
    rows = list(invoice.lines.all())
    initial: list[dict[str, Any]] = [
        {
            "of": line.position,
            "description": line.description,
            "quantity": line.quantity,
            "unit_amount": line.unit_amount,
        }
        if not is_by_hand(line)
        else {
            "product": line.product_id,
            "description": line.description,
            "quantity": line.quantity,
            "unit_amount": line.unit_amount,
            "tax_category": None if line.product_id else categories.get(line.calculation.get("tax_category_id")),
        }
        for line in rows
    ]
    form = DraftForm(
        request.POST if request.method == "POST" and "more" not in request.POST else None,
        changing=True,
        of_billing=any("of" in line for line in initial),
        initial={
            "payment_terms_days": drafting.terms_days_of(invoice),
            "payment_terms_from": invoice.terms_from,
            "po_reference": invoice.po_reference,
            **_kept(request),
        },
    )

    def save(values: dict[str, Any], lines: list[drafting.DraftLine]) -> Invoice:
        return drafting.update_draft(invoice=invoice, lines=lines, **values, by=actor(request), at=now(request))

    title = _("Edit the draft")
    return _write(request, form, _lines(request, initial, invoice.currency), title, above(invoice, title), back, save)


@needs("invoice.issue")
def issue(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = _draft(request, ref)
    form = SectionedForm(request.POST or None)

    def act() -> Invoice:
        return approving.issue(invoice=invoice, at=now(request), by=actor(request))

    def preview(values: dict[str, Any]) -> previewing.Shown:
        return previewing.of_trial(trying.tried(act, customer=invoice.customer, currency=invoice.currency))

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        issued = trying.done(act, customer=invoice.customer, currency=invoice.currency, token=token)
        return done(request, _("%(number)s is issued.") % {"number": issued.number}, "invoice", issued.ref)

    title = _("Issue the draft")
    context = {
        "title": title,
        "crumbs": above(invoice, title),
        "lead": invoice.customer.name,
        "act": _("Issue"),
        "back": reverse("backoffice:invoice", args=[ref]),
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


@needs("invoice.issue")
@require_POST
def approve(request: HttpRequest) -> HttpResponse:
    """The drafts that were checked: what issuing them comes to and which stay, then the act."""
    refs = [ref for ref in request.POST.getlist("row") if ref.startswith(f"{Invoice.PREFIX}_")][:MOST_AT_ONCE]
    drafts = own(request, Invoice).filter(public_id__in=_public_ids(refs), sequence__isnull=True).order_by("pk")
    chosen = {invoice.pk: invoice.ref for invoice in drafts}
    back = reverse("backoffice:invoices") + "?state=draft"
    given: dict[str, Any] = {
        "company": request.company, "invoice_ids": list(chosen), "at": now(request), "by": actor(request),
    }  # fmt: skip
    token, refused = request.POST.get("preview_token"), ""
    if request.POST.get("step") == "do" and token:
        try:
            outcome = approving.issue_many(**given, preview_token=token)
        except Refused as refusal:
            refused = refusal.message
        else:
            words = {"count": len(outcome.invoice_ids), "asked": len(chosen)}
            return done(request, _("Issued: %(count)s of %(asked)s.") % words, back)
    seen = approving.preview_many(**given)
    title = _("Issue drafts")
    context = {
        "title": title,
        "crumbs": crumbs((_("Invoices"), reverse("backoffice:invoices")), (_("Drafts"), back), (title, "")),
        "refs": chosen.values(),
        "totals": [(currency, count, gross) for currency, (count, gross) in seen.totals.items()],
        "skipped": seen.skipped,
        "token": seen.token,
        "refused": refused,
        "back": back,
    }
    return page(request, "invoices/approve", context, status=422 if refused else 200)


def _public_ids(refs: list[str]) -> list[Any]:
    found_ids = []
    for ref in refs:
        try:
            found_ids.append(Invoice.public_id_of(ref))
        except ValueError:
            continue
    return found_ids


@needs("invoice.issue")
@require_POST
def delete(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = _draft(request, ref)
    drafting.delete_draft(invoice=invoice, by=actor(request), at=now(request))
    return done(request, _("The draft is gone."), reverse("backoffice:invoices") + "?state=draft")
