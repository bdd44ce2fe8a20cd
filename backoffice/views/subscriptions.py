"""Subscriptions: list, start from a plan, the page of one, its end and taking the end back."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice import attention, exports, figures, finding, histories, previewing
from backoffice.acting import actor, done, found, may, now, own, today
from backoffice.agreement_acts import above, act_page
from backoffice.forms.sections import SectionedForm
from backoffice.forms.segments import with_segments
from backoffice.forms.subscriptions import CancelForm, StartForm, SubscriptionFilter
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.views import changes, reminders
from backoffice.views.discounts import of_subscription
from backoffice.views.products import named
from billing.documents.price_words import has_amount, rows_of
from billing.models import Invoice, InvoiceLine
from billing.services import acts, previews
from catalog.models import Plan
from core import clock
from core.design import formats
from core.models import AuditEntry
from core.refusal import Refused
from core.rights import needs
from crm.models import Segment
from crm.services import segments
from customers.models import Customer
from customers.services.titles import title_of
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import moves, possible, terms

REMOVED = SlotTerms.Standing.REMOVED


@needs("subscription.read")
def index(request: HttpRequest) -> HttpResponse:
    form, q = SubscriptionFilter(request.GET), request.GET.get("q", "")
    if may(request, "segment.read"):
        with_segments(form, request.company)
    rows = finding.subscriptions(request.company, q)
    chosen = form.cleaned_data if form.is_valid() else {}
    state = chosen.get("state")
    if state == "ending":
        rows = rows.filter(state__in=["active", "trial"], ends_on__isnull=False, end_kind="cancel")
    elif state:
        rows = rows.filter(state=state)
    if chosen.get("plan"):
        rows = rows.filter(plan__in=own(request, Plan).filter(code=chosen["plan"]))
    if chosen.get("parked"):
        rows = rows.filter(parked_at__isnull=False)
    if chosen.get("ends_from"):
        rows = rows.filter(ends_on__gte=chosen["ends_from"])
    if chosen.get("ends_to"):
        rows = rows.filter(ends_on__lte=chosen["ends_to"])
    if chosen.get("asked_from"):
        begins = datetime.combine(chosen["asked_from"], time.min, clock.zone(request.company.time_zone))
        rows = rows.filter(end_kind="cancel", cancel_asked_at__gte=begins)
    if chosen.get("segment"):
        segment = found(own(request, Segment).select_related("company"), chosen["segment"])
        rows = rows.filter(pk__in=segments.subscriptions(segment=segment, on=today(request)).order_by().values("pk"))
    if exports.is_asked(request):
        return _file(request, rows)
    sorts = {"number": "created_at"}  # agreed one after another: the way an index knows
    listed = listing(request, rows.select_related("customer"), sorts=sorts, default="-number", form=form, q=q)
    mrr = figures.mrr_by_subscription([row.pk for row in listed.rows])
    for row in listed.rows:
        row.mrr_minor = mrr.get(row.pk, 0)
    return page(request, "subscriptions/list", {"title": _("Subscriptions"), "list": listed, "exports": True})


def _file(request: HttpRequest, rows: QuerySet[Subscription]) -> HttpResponse:
    head = ["id", "number", "customer_id", "customer", "name", "state", "currency", "start_on", "ends_on",
            "next_bill_on", "external_id"]  # fmt: skip
    cells = (
        [row.ref, row.number, row.customer.ref, row.customer.name, row.name, row.state, row.currency, row.start_on,
         row.ends_on, row.next_bill_on, row.external_id]
        for row in rows.select_related("customer").order_by("pk").iterator(chunk_size=1000)
    )  # fmt: skip
    return exports.response(request, "subscriptions", _("Subscriptions"), head, cells)  # type: ignore[return-value]


def pick_customer(request: HttpRequest, title: str, above: tuple[str, str]) -> HttpResponse:
    """The page on which a customer is chosen before an act goes on."""
    q = request.GET.get("q", "")
    rows = finding.customers(request.company, q).filter(archived_at__isnull=True).order_by("sort_key", "pk")[:8]
    context = {
        "title": title,
        "crumbs": crumbs(above, (title, "")),
        "q": q,
        "rows": [(row, f"{request.path}?customer={row.ref}") for row in rows] if q.strip() else [],
    }
    return page(request, "customers/pick", context)


@needs("subscription.start")
def start(request: HttpRequest) -> HttpResponse:
    """Whom it is for, from which plan, then the terms with their preview."""
    title, above = _("Start a subscription"), (_("Subscriptions"), reverse("backoffice:subscriptions"))
    if "customer" not in request.GET:
        return pick_customer(request, title, above)
    customer = found(own(request, Customer).select_related("company"), request.GET["customer"])
    whose = (customer.name, reverse("backoffice:customer", args=[customer.ref]))
    if "plan" not in request.GET:
        plans = list(own(request, Plan).filter(status=Plan.Status.ON_SALE).order_by("code")[:200])
        for plan in plans:
            plan.shown_name = named(request, plan.name)  # type: ignore[attr-defined]
            plan.about = named(request, plan.description or {})  # type: ignore[attr-defined]
        context = {"title": title, "crumbs": crumbs(above, whose, (title, "")), "plans": plans, "customer": customer}
        return page(request, "subscriptions/choose_plan", context)
    plan = found(own(request, Plan), request.GET["plan"])
    items = list(plan.items.filter(archived_at__isnull=True).select_related("product").prefetch_related("prices"))
    day = clock.today(request.company, customer.time_zone or None)
    form = StartForm(
        request.POST or None, customer=customer, plan=plan, items=items, on=day, language=get_language() or "en"
    )

    def act(token: str | None) -> acts.ActResult:
        agreement = form.agreement()
        if agreement["start_on"] < day and not may(request, "subscription.override"):
            raise Refused("office.past_start", field="start_on")
        return acts.start(
            company=request.company,
            customer=customer,
            plan=plan,
            **agreement,
            on=day,
            by=actor(request),
            at=now(request),
            preview_token=token,
        )

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        subscription = act(token).subscription
        return done(request, _("%(number)s is agreed.") % {"number": subscription.number}, "subscription",
                    subscription.ref)  # fmt: skip

    context = {
        "title": title,
        "crumbs": crumbs(above, whose, (title, "")),
        "lead": _("%(plan)s for %(customer)s") % {"plan": named(request, plan.name), "customer": customer.name},
        "act": _("Start and bill"),
        "back": whose[1],
        "plan": plan,
    }
    return previewing.act_page(
        request,
        form=form,
        preview=lambda values: previewing.of_agreement(previews.preview(lambda: act(None))),
        do=do,
        context=context,
    )


def _subscription(request: HttpRequest, ref: str) -> Subscription:
    return found(own(request, Subscription).select_related("customer", "plan", "company"), ref)


@needs("subscription.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    day = clock.today(request.company, subscription.time_zone)
    slots = list(subscription.slots.select_related("product", "item").prefetch_related("terms__price"))
    for slot in slots:
        slot.now = _terms_on(slot, day)  # type: ignore[attr-defined]
        slot.shown_name = named(request, slot.product.name)  # type: ignore[attr-defined]
        slot.has_amount = slot.now is None or has_amount(slot.now)  # type: ignore[attr-defined]
        slot.rows = rows_of(slot.now, subscription.currency) if slot.now else []  # type: ignore[attr-defined]
        slot.is_removed = slot.now is not None and slot.now.standing == REMOVED  # type: ignore[attr-defined]
        # Before the first bill it holds the day before the first one to pay for.
        billed = slot.billed_through_on >= subscription.paid_from_on or slot.elsewhere_through_on
        slot.through = slot.billed_through_on if billed else None  # type: ignore[attr-defined]
    slots.sort(key=lambda slot: slot.is_removed)  # type: ignore[attr-defined]
    words = terms.in_words(terms.contract_clock_of(subscription, on=day))
    lines = InvoiceLine.objects.filter(slot_id__in=[slot.pk for slot in slots]).order_by().values("invoice_id")
    invoices = list(
        Invoice.objects.filter(company=request.company, pk__in=lines).select_related("balance").order_by("-pk")[:12]
    )
    for invoice in invoices:
        invoice.state = figures.shown_state(invoice, today(request))  # type: ignore[attr-defined]
    history = AuditEntry.objects.filter(
        company=request.company, subject_kind="subscription", subject_id=subscription.pk
    ).order_by("-pk")[:50]
    ending = subscription.end_kind == "cancel" and subscription.state not in moves.ENDED
    context = {
        "title": subscription.name,
        "crumbs": crumbs(
            (_("Subscriptions"), reverse("backoffice:subscriptions")),
            (subscription.customer.name, reverse("backoffice:customer", args=[subscription.customer.ref])),
            (subscription.number, ""),
        ),
        "subscription": subscription,
        "customer": subscription.customer,
        "slots": slots,
        "discounts": of_subscription(subscription),
        "mrr_minor": sum(slot.mrr_minor for slot in slots),
        "one_offs": _one_offs(request, subscription),
        "changes": changes.of_subscription(subscription, day),
        "acts": changes.acts_for(request, subscription, day),
        "paused": possible.is_paused(subscription, day),
        "may_change": may(request, "subscription.change") and subscription.state not in moves.ENDED,
        "has_usage": any(slot.kind == Slot.Kind.USAGE for slot in slots),
        "clock": [{"text": text, "icon": "calendar-clock"} for text in words],
        "invoices": invoices,
        "movements": _movements(subscription),
        "history": [histories.entry(row) for row in history],
        "ending": ending,
        "over": subscription.state in moves.ENDED,
        "shown_state": "canceling" if ending else subscription.state,
        **attention.of(request, subscription=subscription, query=f"?subscription={subscription.ref}"),
        **reminders.of_subscription(request, subscription),
    }
    return page(request, "subscriptions/detail", context)


def _one_offs(request: HttpRequest, subscription: Subscription) -> list[Any]:
    """One-off charges, the latest first, in words."""
    rows = list(subscription.one_offs.select_related("product").order_by("-service_on", "-pk")[:50])
    for row in rows:
        row.shown_name = row.description or named(request, row.product.name)  # type: ignore[attr-defined]
        row.has_amount = has_amount(row)  # type: ignore[attr-defined]
        row.rows = rows_of(row, subscription.currency)  # type: ignore[attr-defined]
    return rows


def _movements(subscription: Subscription) -> list[Any]:
    rows = list(subscription.movements.order_by("-pk")[:50])
    for row in rows:
        row.cause_words = title_of(row.cause)  # type: ignore[attr-defined]
    return rows


def _terms_on(slot: Slot, day: Any) -> Any:
    """The terms that hold that day, else the first to come, else the last there were."""
    rows = sorted(slot.terms.all(), key=lambda row: row.from_on)
    holding = [row for row in rows if row.from_on <= day and (row.until_on is None or row.until_on > day)]
    return holding[0] if holding else next((row for row in rows if row.from_on > day), rows[-1] if rows else None)


@needs("subscription.read")
def upcoming(request: HttpRequest, ref: str) -> HttpResponse:
    """The next three invoices, computed by the billing itself and taken back."""
    subscription = _subscription(request, ref)
    try:
        coming, refused = previews.upcoming(subscription, count=3), ""
    except Refused as refusal:
        coming, refused = [], refusal.message
    title = _("Next invoices")
    context = {
        "title": title,
        "crumbs": above(subscription, title),
        "rows": list(zip(coming, previews.names_beside(coming), strict=True)),
        "refused": refused,
        "subscription": subscription,
    }
    return page(request, "subscriptions/upcoming", context)


@needs("subscription.cancel")
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)
    back = reverse("backoffice:subscription", args=[ref])
    if subscription.state in moves.ENDED:
        return redirect(back)
    allowed = may(request, "subscription.override")
    if not allowed and request.POST.get("override"):
        raise PermissionDenied("subscription.override")
    first = {
        "timing": subscription.cancel_timing,
        "unused": subscription.cancel_unused,
        "ends_on": subscription.ends_on,
    }
    form = CancelForm(request.POST or None, may_override=allowed, initial=first)

    def act(values: dict[str, Any], token: str | None) -> acts.ActResult:
        return acts.cancel(subscription=subscription, **values, by=actor(request), at=now(request), preview_token=token)

    def told(result: acts.ActResult) -> str:
        last = result.subscription.ends_on
        words = {"number": subscription.number, "day": formats.day(last) if last else "–"}
        return _("The last day of %(number)s is %(day)s.") % words

    today_there = clock.today(request.company, subscription.time_zone)
    words = terms.in_words(terms.contract_clock_of(subscription, on=today_there))
    return act_page(
        request,
        subscription,
        form,
        act,
        title=_("Cancel %(number)s") % {"number": subscription.number},
        button=_("Cancel the subscription"),
        tone="danger",
        told=told,
        template="subscriptions/cancel",
        more={"clock": [{"text": text, "icon": "calendar-clock"} for text in words]},
    )


@needs("subscription.cancel")
def undo_cancel(request: HttpRequest, ref: str) -> HttpResponse:
    subscription = _subscription(request, ref)

    def act(values: dict[str, Any], token: str | None) -> acts.ActResult:
        return acts.undo_cancel(subscription=subscription, by=actor(request), at=now(request), preview_token=token)

    return act_page(
        request,
        subscription,
        SectionedForm(request.POST or None),
        act,
        title=_("Take back the cancellation of %(number)s") % {"number": subscription.number},
        button=_("Let it go on"),
        told=_("%(number)s goes on.") % {"number": subscription.number},
        more={"crumbs": above(subscription, _("Take back the cancellation"))},
    )
