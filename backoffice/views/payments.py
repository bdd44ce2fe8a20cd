"""Money in and back: list, record, allocate, take back, pay out credit, settle refunds."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from backoffice import exports, figures, finding, previewing
from backoffice.acting import actor, done, found, now, own, tells_refusals, today
from backoffice.forms.billing import (
    AllocateForm,
    PaymentFilter,
    PaymentForm,
    PayOutForm,
    SettleRefundForm,
    TakeBackForm,
)
from backoffice.lists import listing, tabs_of
from backoffice.pages import Crumb, crumbs, page
from backoffice.views import payments_board
from billing.gateways import reasons
from billing.models import Allocation, Invoice, Payment, Refund, Reversal
from billing.services import payments as verbs
from billing.services import refunding, trying
from core.design import formats
from core.rights import needs
from customers.models import Customer
from customers.services.customers import currency_of
from pricing.money import Money

VIEWS = (
    ("", gettext_lazy("All money")),
    ("received", gettext_lazy("Received")),
    ("unallocated", gettext_lazy("Not allocated")),
    ("refunds", gettext_lazy("Refunds")),
)


@needs("payment.read")
def index(request: HttpRequest) -> HttpResponse:
    view = request.GET.get("view", "")
    if view == "refunds":
        return _refunds(request)
    if view not in ("received", "unallocated"):
        return payments_board.board(request, tabs_of(request, "view", VIEWS, ""))
    form, q = PaymentFilter(request.GET), request.GET.get("q", "")
    rows = finding.payments(request.company, q)
    if view == "unallocated":
        rows = rows.filter(balance__left_minor__gt=0, status=Payment.Status.SETTLED)
    chosen = form.cleaned_data if form.is_valid() else {}
    lookups = {"method": "method", "received_from": "received_on__gte", "received_to": "received_on__lte"}
    for name, lookup in lookups.items():
        if chosen.get(name):
            rows = rows.filter(**{lookup: chosen[name]})
    rows = rows.select_related("customer", "balance")
    if exports.is_asked(request):
        return _file(request, rows)
    sorts = {"received": "received_on"}
    listed = listing(request, rows, sorts=sorts, default="-received", form=form, q=q)
    listed.tabs = tabs_of(request, "view", VIEWS, view)
    return page(request, "payments/list", {"title": _("Payments"), "list": listed, "exports": True, "view": view})


def _refunds(request: HttpRequest) -> HttpResponse:
    rows = own(request, Refund).select_related("customer")
    listed = listing(request, rows, sorts={"asked": "pk"}, default="-asked")
    listed.tabs = tabs_of(request, "view", VIEWS, "refunds")
    context = {"title": _("Payments"), "list": listed, "view": "refunds", "search_name": ""}
    return page(request, "payments/list", context)


def _file(request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse:
    head = ["id", "customer", "method", "status", "received_on", "currency", "amount", "not_allocated", "reference"]
    cells = (
        [row.ref, row.customer.name if row.customer else "", row.method, row.status, row.received_on, row.currency,
         exports.amount(row.amount_minor, row.currency), exports.amount(row.balance.left_minor, row.currency),
         row.reference]
        for row in rows.order_by("-received_on", "-pk").iterator(chunk_size=1000)
    )  # fmt: skip
    return exports.response(request, "payments", _("Payments"), head, cells)  # type: ignore[return-value]


def _open_invoices(request: HttpRequest, customer: Customer, currency: str = "") -> QuerySet[Invoice]:
    rows = own(request, Invoice).filter(
        customer=customer, balance__status__in=["open", "uncollectible"], sequence__isnull=False
    )
    if currency:
        rows = rows.filter(currency=currency)
    return rows.select_related("balance").order_by("balance__payment_due_on", "pk")


@needs("payment.write")
def record(request: HttpRequest) -> HttpResponse:
    """Money came in: of a customer, for an invoice, or of nobody known."""
    title, first = _("Record a payment"), (_("Payments"), reverse("backoffice:payments"))
    invoice: Invoice | None = None
    customer: Customer | None = None
    if "invoice" in request.GET:
        invoice = found(own(request, Invoice).select_related("customer__company", "balance"), request.GET["invoice"])
        customer = invoice.customer
    elif "customer" in request.GET:
        customer = found(own(request, Customer).select_related("company"), request.GET["customer"])
    elif "unknown" not in request.GET:
        q = request.GET.get("q", "")
        rows = finding.customers(request.company, q).filter(archived_at__isnull=True).order_by("sort_key", "pk")[:8]
        context = {
            "title": title,
            "crumbs": crumbs(first, (title, "")),
            "q": q,
            "rows": [(row, f"{request.path}?customer={row.ref}") for row in rows] if q.strip() else [],
            "unknown": True,
        }
        return page(request, "customers/pick", context)
    open_ = _open_invoices(request, customer) if customer else Invoice.objects.none()
    initial: dict[str, Any] = {
        "currency": invoice.currency if invoice else currency_of(customer) if customer else request.company.currency,
        "received_on": today(request),
        "method": Payment.Method.TRANSFER,
        "invoice": invoice,
    }
    if invoice is not None and invoice.balance.open_minor > 0:
        initial["amount"] = Money(invoice.balance.open_minor, invoice.currency).amount
    form = PaymentForm(request.POST or None, invoices=open_, initial=initial)

    def act() -> Payment:
        return verbs.record(
            company=request.company, customer=customer, **form.values(), by=actor(request), at=now(request)
        )

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(act, customer=customer, currency=values["currency"])
        return previewing.of_trial(trial, sum_minor=values["amount_minor"])

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        payment = trying.done(act, customer=customer, currency=values["currency"], token=token)
        goes_to = reverse("backoffice:invoice", args=[invoice.ref]) if invoice else ""
        return done(
            request, _("The payment is recorded."), goes_to or reverse("backoffice:payment", args=[payment.ref])
        )

    whose = [(customer.name, reverse("backoffice:customer", args=[customer.ref]))] if customer else []
    context = {
        "title": title,
        "crumbs": crumbs(first, *whose, (title, "")),
        "lead": customer.name if customer else _("Nobody knows yet who paid; it waits until somebody does."),
        "act": _("Record"),
        "back": whose[0][1] if whose else first[1],
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


def _payment(request: HttpRequest, ref: str) -> Payment:
    return found(
        own(request, Payment).select_related("customer__company", "company", "balance", "gateway", "attempt"), ref
    )


def _name(payment: Payment) -> str:
    return _("%(amount)s of %(day)s") % {
        "amount": formats.money(payment.amount_minor, payment.currency),
        "day": formats.day(payment.received_on),
    }


def _above(payment: Payment, title: str = "") -> list[Crumb]:
    steps = [(_("Payments"), reverse("backoffice:payments"))]
    if payment.customer:
        steps.append((payment.customer.name, reverse("backoffice:customer", args=[payment.customer.ref])))
    if not title:
        return crumbs(*steps, (_name(payment), ""))
    return crumbs(*steps, (_name(payment), reverse("backoffice:payment", args=[payment.ref])), (title, ""))


@needs("payment.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    payment = _payment(request, ref)
    allocations = Allocation.objects.filter(company=request.company, payment=payment).select_related("invoice")
    reversals = list(Reversal.objects.filter(payment=payment).order_by("pk"))
    for row in reversals:
        row.reason_word = reasons.words_of(row.reason) if row.reason else ""  # type: ignore[attr-defined]
    context = {
        "title": _name(payment),
        "crumbs": _above(payment),
        "payment": payment,
        "balance": payment.balance,
        "allocations": allocations.order_by("pk"),
        "usable": payment.status == Payment.Status.SETTLED,
        "reversals": reversals,
        "refunds": Refund.objects.filter(payment=payment).order_by("pk"),
        "goes_back": refunding.can_go_back(payment),
    }
    return page(request, "payments/detail", context)


@needs("payment.write")
def allocate(request: HttpRequest, ref: str) -> HttpResponse:
    payment = _payment(request, ref)
    customer = payment.customer
    title = _("Allocate")
    if customer is None and "customer" in request.GET:
        customer = found(own(request, Customer).select_related("company"), request.GET["customer"])
    if customer is None:
        q = request.GET.get("q", "")
        rows = finding.customers(request.company, q).filter(archived_at__isnull=True).order_by("sort_key", "pk")[:8]
        context = {
            "title": title,
            "crumbs": _above(payment, title),
            "q": q,
            "rows": [(row, f"{request.path}?customer={row.ref}") for row in rows] if q.strip() else [],
        }
        return page(request, "customers/pick", context)
    open_ = _open_invoices(request, customer, payment.currency)
    form = AllocateForm(request.POST or None, invoices=open_, currency=payment.currency)

    def act(values: dict[str, Any]) -> Payment:
        return verbs.allocate(
            payment=payment,
            customer=customer,
            invoice=values["invoice"],
            amount_minor=values["amount_minor"],
            by=actor(request),
            at=now(request),
        )

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=customer, currency=payment.currency)
        asked = values["amount_minor"]
        return previewing.of_trial(trial, sum_minor=payment.balance.left_minor if asked is None else asked)

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        trying.done(lambda: act(values), customer=customer, currency=payment.currency, token=token)
        return done(request, _("The payment is allocated."), "payment", ref)

    context = {
        "title": title,
        "crumbs": _above(payment, title),
        "lead": customer.name,
        "act": _("Allocate"),
        "back": reverse("backoffice:payment", args=[ref]),
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


@needs("payment.write")
def take_back(request: HttpRequest, ref: str) -> HttpResponse:
    payment = _payment(request, ref)
    form = TakeBackForm(request.POST or None)

    def act(values: dict[str, Any]) -> Payment:
        return verbs.take_back(
            payment=payment, reason=values["reason"], status=values["status"], by=actor(request), at=now(request)
        )

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=payment.customer, currency=payment.currency)
        return previewing.of_trial(trial, sum_minor=-payment.amount_minor)

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        trying.done(lambda: act(values), customer=payment.customer, currency=payment.currency, token=token)
        return done(request, _("The payment is taken back; what it paid is open again."), "payment", ref)

    title = _("Take the payment back")
    context = {
        "title": title,
        "crumbs": _above(payment, title),
        "act": title,
        "tone": "danger",
        "back": reverse("backoffice:payment", args=[ref]),
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


@needs("payment.write")
def pay_out(request: HttpRequest, ref: str) -> HttpResponse:
    """Sets account credit aside to be paid out."""
    customer = found(own(request, Customer).select_related("company"), ref)
    back = reverse("backoffice:customer", args=[ref])
    credit = figures.credit_by_customer([customer.pk]).get(customer.pk, {})
    if not credit:
        return done(request, _("There is no account credit to pay out."), back)
    currency, left = next(iter(credit.items()))
    form = PayOutForm(request.POST or None, currencies=list(credit), initial={"amount": Money(left, currency).amount})

    def act(values: dict[str, Any]) -> Refund:
        return verbs.refund_credit(
            customer=customer,
            currency=values["currency"],
            amount_minor=values["amount_minor"],
            reason=values["reason"],
            by=actor(request),
            at=now(request),
        )

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=customer, currency=values["currency"])
        return previewing.of_trial(trial, sum_minor=-values["amount_minor"])

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        trying.done(lambda: act(values), customer=customer, currency=values["currency"], token=token)
        text = _("The refund waits to be paid out.")
        return done(request, text, reverse("backoffice:payments") + "?view=refunds")

    title = _("Pay out credit")
    context = {
        "title": title,
        "crumbs": crumbs((_("Customers"), reverse("backoffice:customers")), (customer.name, back), (title, "")),
        "lead": customer.name,
        "act": title,
        "back": back,
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


@needs("payment.write")
def settle_refund(request: HttpRequest, ref: str) -> HttpResponse:
    refund = found(own(request, Refund).select_related("customer", "company"), ref)
    back = reverse("backoffice:payments") + "?view=refunds"
    form = SettleRefundForm(request.POST or None, initial={"paid_on": today(request)})

    def act(values: dict[str, Any]) -> Refund:
        return verbs.settle_refund(refund=refund, **values, by=actor(request), at=now(request))

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=refund.customer, currency=refund.currency)
        return previewing.of_trial(trial, sum_minor=-refund.amount_minor)

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        trying.done(lambda: act(values), customer=refund.customer, currency=refund.currency, token=token)
        return done(request, _("The refund is paid out."), back)

    title = _("Refund paid out")
    context = {
        "title": title,
        "crumbs": crumbs((_("Payments"), reverse("backoffice:payments")), (_("Refunds"), back), (title, "")),
        "lead": refund.customer.name,
        "act": _("Book as paid out"),
        "back": back,
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)


@needs("payment.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:payments") + "?view=refunds")
def cancel_refund(request: HttpRequest, ref: str) -> HttpResponse:
    refund = found(own(request, Refund).select_related("customer", "company"), ref)
    reason = request.POST.get("reason", "").strip() or _("Not paid out")
    verbs.cancel_refund(refund=refund, reason=reason, by=actor(request), at=now(request))
    text = _("The refund will not be paid out; the credit is at hand again.")
    return done(request, text, reverse("backoffice:payments") + "?view=refunds")
