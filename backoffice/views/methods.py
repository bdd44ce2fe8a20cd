"""A customer's payment methods: the default, what a subscription is paid by, removing one, a link to add one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.methods import UseForm
from backoffice.pages import crumbs, page
from backoffice.views.collecting import methods_of
from billing.gateways import reasons
from billing.models import PaymentMethod, SubscriptionMethod
from billing.services import paying_mails, payment_methods
from core.refusal import Refused
from core.rights import needs
from customers.models import Customer
from subscriptions.models import Subscription


def shown_of(customer: Customer) -> list[PaymentMethod]:
    """All but removed ones with their mandate in force and what is paid by them, the default first."""
    rows = list(
        PaymentMethod.objects.filter(customer=customer)
        .exclude(status=PaymentMethod.Status.REMOVED)
        .select_related("gateway")
        .prefetch_related("mandates")
        .order_by("-is_default", "-pk")
    )
    used: dict[int, list[Subscription]] = {}
    for row in SubscriptionMethod.objects.filter(method__in=rows).select_related("subscription"):
        used.setdefault(row.method_id, []).append(row.subscription)
    for method in rows:
        method.reason_word = reasons.words_of(method.reason) if method.reason else ""  # type: ignore[attr-defined]
        method.used_by = used.get(method.pk, [])  # type: ignore[attr-defined]
        method.mandate = next(  # type: ignore[attr-defined]
            (row for row in method.mandates.all() if row.ended_on is None), None
        )
        method.look = {"pending": "pending", "active": "active", "broken": "failed", "expired": "expired"}.get(  # type: ignore[attr-defined]
            method.status, method.status
        )
    return rows


def _page_of(method: PaymentMethod) -> str:
    return reverse("backoffice:customer", args=[method.customer.ref]) + "?tab=payments"


def _method(request: HttpRequest, ref: str) -> PaymentMethod:
    return found(own(request, PaymentMethod).select_related("customer__company", "gateway"), ref)


def _refused_to(ref: str) -> str:
    return _page_of(PaymentMethod.by_ref(PaymentMethod.objects.select_related("customer"), ref))


@needs("payment.write")
@require_POST
@tells_refusals(_refused_to)
def make_default(request: HttpRequest, ref: str) -> HttpResponse:
    method = payment_methods.make_default(method=_method(request, ref), by=actor(request), at=now(request))
    return done(request, _("%(label)s is charged from now on.") % {"label": method.label}, _page_of(method))


@needs("payment.write")
@require_POST
@tells_refusals(_refused_to)
def remove(request: HttpRequest, ref: str) -> HttpResponse:
    method = payment_methods.remove(method=_method(request, ref), by=actor(request), at=now(request))
    return done(request, _("%(label)s is removed.") % {"label": method.label}, _page_of(method))


@needs("customer.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:customer", args=[ref]) + "?tab=payments")
def send_link(request: HttpRequest, ref: str) -> HttpResponse:
    """Mails the customer a link with which a payment method can be added without signing in."""
    customer = found(own(request, Customer).select_related("company"), ref)
    message = paying_mails.send_method_link(customer=customer, by=actor(request), at=now(request))
    text = _("The link is on its way to %(recipients)s.") % {"recipients": ", ".join(message.recipients)}
    return done(request, text, reverse("backoffice:customer", args=[ref]) + "?tab=payments")


@needs("subscription.change")
def use(request: HttpRequest, ref: str) -> HttpResponse:
    """By which method a subscription is paid."""
    row = found(own(request, Subscription).select_related("customer", "company"), ref)
    held = SubscriptionMethod.objects.filter(subscription=row).select_related("method").first()
    form = UseForm(
        request.POST or None, methods=methods_of(request, row.customer_id),
        initial={"method": held.method.public_id if held else ""},
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        try:
            payment_methods.use_for(
                subscription=row, method=form.cleaned_data["method"], by=actor(request), at=now(request)
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The payment method is set."), "subscription", ref)
    title = _("Payment method of %(number)s") % {"number": row.number}
    context = {
        "title": title,
        "crumbs": crumbs(
            (_("Subscriptions"), reverse("backoffice:subscriptions")),
            (row.number, reverse("backoffice:subscription", args=[ref])),
            (title, ""),
        ),
        "form": form,
        "back": reverse("backoffice:subscription", args=[ref]),
    }
    return page(request, "form", context, status=422 if form.errors else 200)
