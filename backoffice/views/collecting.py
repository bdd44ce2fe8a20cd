"""Collecting by hand: an invoice now, a pay link by mail, a try looked up, canceled or closed by two people."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice import previewing
from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.money import CloseForm, CollectForm, GiveBackForm
from backoffice.pages import Crumb, crumbs, page
from backoffice.views.invoices import above, an_invoice
from billing.gateways import reasons
from billing.models import Attempt, Payment, PaymentMethod, Refund
from billing.services import closing, collecting, paying_mails, refunding, sending, trying
from core.design import formats
from core.models import AuditEntry
from core.refusal import Refused
from core.rights import needs
from core.services import files
from customers.services import titles

State = Attempt.State


def told(attempt: Attempt) -> Attempt:
    """Adds the reason in words and what may be done with it."""
    attempt.reason_word = reasons.words_of(attempt.reason) if attempt.reason else ""  # type: ignore[attr-defined]
    attempt.is_live = attempt.state in Attempt.LIVE  # type: ignore[attr-defined]
    attempt.look = "not_paid" if attempt.state == State.CANCELED else attempt.state  # type: ignore[attr-defined]
    attempt.may_close = attempt.state in closing.CLOSABLE  # type: ignore[attr-defined]
    attempt.proposer = closing.proposer_of(attempt)  # type: ignore[attr-defined]
    return attempt


def attempts_of(invoice_id: int) -> list[Attempt]:
    """The tries to collect an invoice, newest first."""
    rows = Attempt.objects.filter(invoice_id=invoice_id).select_related("gateway", "method").order_by("-pk")
    return [told(row) for row in rows[:20]]


def _attempt(request: HttpRequest, ref: str) -> Attempt:
    rows = own(request, Attempt).select_related(
        "invoice__customer", "customer__company", "gateway", "method", "batch", "closing_proof", "payment"
    )
    return found(rows, ref)


def _back(ref: str) -> str:
    return reverse("backoffice:attempt", args=[ref])


def _above(attempt: Attempt, title: str = "") -> list[Crumb]:
    name = _("Attempt of %(day)s") % {"day": formats.day(attempt.created_at.date())}
    steps = [
        (_("Payments"), reverse("backoffice:payments")),
        (attempt.invoice.number, reverse("backoffice:invoice", args=[attempt.invoice.ref])),
    ]
    if not title:
        return crumbs(*steps, (name, ""))
    return crumbs(*steps, (name, _back(attempt.ref)), (title, ""))


@needs("payment.read")
def attempt(request: HttpRequest, ref: str) -> HttpResponse:
    row = told(_attempt(request, ref))
    history = list(
        AuditEntry.objects.filter(company=request.company, subject_kind="attempt", subject_id=row.pk).order_by("pk")[
            :50
        ]
    )
    for entry in history:
        entry.title = titles.title_of(entry.verb)  # type: ignore[attr-defined]
    context = {
        "title": _("Attempt to collect %(amount)s") % {"amount": formats.money(row.amount_minor, row.currency)},
        "crumbs": _above(row),
        "attempt": row,
        "payment": getattr(row, "payment", None),
        "history": history,
        "is_own_proposal": row.proposed_by.startswith(f"user:{request.user.pk} "),
        "proposed": State(row.proposed_state).label if row.proposed_state else "",
    }
    return page(request, "payments/attempt", context)


@needs("payment.write")
@require_POST
@tells_refusals(_back)
def look_up(request: HttpRequest, ref: str) -> HttpResponse:
    row = sending.look_up(attempt_id=_attempt(request, ref).pk, at=now(request))
    return done(request, _("The provider says: %(state)s.") % {"state": row.get_state_display()}, _back(ref))


@needs("payment.write")
@require_POST
@tells_refusals(_back)
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    row = _attempt(request, ref)
    if row.batch_id is not None:
        raise Refused("debit_batch.move", state=row.batch.get_state_display(), to=State.CANCELED.label)
    row = sending.cancel(attempt_id=row.pk, at=now(request))
    if row.state in (State.CANCELED, State.FAILED):
        return done(request, _("No money will come of it."), _back(ref))
    return done(request, _("The provider says: %(state)s.") % {"state": row.get_state_display()}, _back(ref))


@needs("payment.write")
def close(request: HttpRequest, ref: str) -> HttpResponse:
    """Proposes how a try ended of which the provider says nothing; somebody else has to agree."""
    row = _attempt(request, ref)
    form = CloseForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        proof = form.cleaned_data["proof"]
        try:
            stored = files.store(
                company_id=request.company.pk, name=proof.name, media_type=proof.content_type, content=proof.read()
            )
            closing.propose_close(
                attempt=row, state=form.cleaned_data["state"], proof=stored, by=actor(request), at=now(request)
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("Proposed. A second person has to agree."), _back(ref))
    title = _("Close by hand")
    context = {
        "title": title, "crumbs": _above(row, title), "form": form, "back": _back(ref), "upload": True,
        "submit": _("Propose"),
        "lead": _(
            "For an attempt whose outcome the provider can't tell. Nothing is booked before a second person agrees."
        ),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("payment.write")
@require_POST
@tells_refusals(_back)
def confirm(request: HttpRequest, ref: str) -> HttpResponse:
    row = closing.confirm_close(
        attempt=_attempt(request, ref), state=request.POST.get("state", ""), by=actor(request), at=now(request)
    )
    return done(request, _("Closed: %(state)s.") % {"state": row.get_state_display()}, _back(ref))


@needs("payment.write")
@require_POST
@tells_refusals(_back)
def drop(request: HttpRequest, ref: str) -> HttpResponse:
    closing.drop_proposal(attempt=_attempt(request, ref), by=actor(request), at=now(request))
    return done(request, _("The proposal is taken away."), _back(ref))


@needs("payment.read")
def proof(request: HttpRequest, ref: str) -> HttpResponse:
    stored = _attempt(request, ref).closing_proof
    if stored is None:
        raise Http404
    response = HttpResponse(bytes(stored.content), content_type=stored.media_type)
    # Somebody uploaded it: it is saved, never shown as a page.
    response["Content-Disposition"] = f'attachment; filename="{stored.ref}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def methods_of(request: HttpRequest, customer_id: int) -> Any:
    """The customer's methods that can be charged, the default first."""
    rows = own(request, PaymentMethod).filter(
        customer_id=customer_id, status=PaymentMethod.Status.ACTIVE, gateway__is_active=True
    )
    return rows.select_related("gateway").order_by("-is_default", "-pk")


@needs("payment.write")
def collect(request: HttpRequest, ref: str) -> HttpResponse:
    """Collects an invoice now with one of the customer's methods."""
    invoice = an_invoice(request, ref)
    back = reverse("backoffice:invoice", args=[ref])
    methods = methods_of(request, invoice.customer_id)
    usual = collecting.method_for(invoice) or methods.first()
    form = CollectForm(
        request.POST or None, methods=methods, initial={"method": usual.public_id if usual is not None else None}
    )
    if request.method == "POST" and form.is_valid():
        method = form.cleaned_data["method"]
        try:
            row = collecting.pay_now(
                invoice=invoice, gateway=method.gateway, method=method, origin=Attempt.Origin.STAFF,
                by=actor(request), at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            text = _("The provider says: %(state)s.") % {"state": row.get_state_display()}
            return done(request, text, _back(row.ref))
    amount = formats.money(invoice.balance.open_minor, invoice.currency)
    title = _("Collect %(number)s now") % {"number": invoice.number}
    context = {
        "title": title, "crumbs": above(invoice, title), "form": form, "back": back,
        "lead": invoice.customer.name, "submit": _("Collect %(amount)s") % {"amount": amount},
        "has_methods": usual is not None, "invoice": invoice,
    }  # fmt: skip
    return page(request, "payments/collect", context, status=422 if form.errors else 200)


@needs("payment.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:invoice", args=[ref]))
def send_link(request: HttpRequest, ref: str) -> HttpResponse:
    """Mails the link that pays the invoice without signing in."""
    message = paying_mails.send_link(invoice=an_invoice(request, ref), by=actor(request), at=now(request))
    text = _("The pay link is on its way to %(recipients)s.") % {"recipients": ", ".join(message.recipients)}
    return done(request, text, "invoice", ref)


@needs("payment.write")
def give_back(request: HttpRequest, ref: str) -> HttpResponse:
    """Gives a payment back, or a part: through the gateway that took it, or by hand."""
    rows = own(request, Payment).select_related("customer__company", "company", "balance", "gateway")
    payment = found(rows, ref)
    back = reverse("backoffice:payment", args=[ref])
    goes_back = refunding.can_go_back(payment)
    form = GiveBackForm(
        request.POST or None, currency=payment.currency, gateway=payment.gateway.name if goes_back else ""
    )

    def act(values: dict[str, Any]) -> Refund:
        return refunding.give_back(
            payment=payment, amount_minor=values["amount_minor"], reason=values["reason"],
            by_hand=values.get("way") == "hand", by=actor(request), at=now(request),
        )  # fmt: skip

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=payment.customer, currency=payment.currency)
        return previewing.of_trial(trial, sum_minor=-values["amount_minor"])

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        refund = trying.done(lambda: act(values), customer=payment.customer, currency=payment.currency, token=token)
        if refund.gateway_id is None:
            text = _("The refund waits to be paid out.")
            return done(request, text, reverse("backoffice:payments") + "?view=refunds")
        refund = refunding.send(refund_id=refund.pk, at=now(request))
        return done(request, _("The provider says: %(state)s.") % {"state": refund.get_status_display()}, back)

    title = _("Give money back")
    steps = [(_("Payments"), reverse("backoffice:payments"))]
    if payment.customer:
        steps.append((payment.customer.name, reverse("backoffice:customer", args=[payment.customer.ref])))
    context = {
        "title": title,
        "crumbs": crumbs(*steps, (formats.money(payment.amount_minor, payment.currency), back), (title, "")),
        "lead": _("Out of the customer's account credit. What the payment paid is credited by a credit note first."),
        "act": title,
        "back": back,
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)
