"""Customers' payment methods: saved on the provider's page, made the default, named by a subscription, removed.

The rule that matters: no card number comes near us; what we keep is the provider's id, a label and an expiry date.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.gateways.base import Page, SavedMethod, SetUp
from billing.models import Attempt, Gateway, PaymentMethod, SubscriptionMethod
from billing.services import attempts, gateway_accounts, receivables, sending
from core import clock
from core.actors import Actor
from core.models import Company, Outbox
from core.refusal import Refused
from core.services import outbox, ticks
from customers.models import Customer
from customers.services import merged
from customers.services.customers import language_of
from subscriptions.models import Subscription

Status = PaymentMethod.Status
SYSTEM = Actor.system("Payment methods")
#: Days before a card ends on which its holder is told.
WARN_DAYS: Final = (30, 7)
THERE: Final = (Status.ACTIVE, Status.BROKEN, Status.EXPIRED)
#: The effect that has a provider forget a removed method.
FORGET: Final = "forget_method"
KINDS: Final = {Gateway.Kind.STRIPE: PaymentMethod.Kind.CARD, Gateway.Kind.PAYPAL: PaymentMethod.Kind.PAYPAL}


def begin_set_up(
    *, customer: Customer, gateway: Gateway, return_url: str = "", cancel_url: str = "", by: Actor, at: datetime
) -> tuple[PaymentMethod, Page]:
    """Opens the provider's page that saves a method; it is pending until `finish_set_up` hears of it.

    Never inside a transaction. Refuses `attempt.no_way` for gateways without such a page.
    """
    if gateway.company_id != customer.company_id or not gateway.is_active:
        raise Refused("not_found", field="gateway")
    if gateway.kind not in KINDS:
        raise Refused("attempt.no_way", field="gateway", gateway=gateway.name)
    merged.refuse(customer)
    back = return_url or _back(customer)
    order = SetUp(
        key=attempts.new_key(),
        customer=customer.ref,
        customer_name=customer.name,
        customer_email=customer.email,
        language=language_of(customer),
        currency=customer.company.currency,
        return_url=back,
        cancel_url=cancel_url or back,
        external_customer=_known(customer, gateway),
    )
    page = gateway_accounts.connect(gateway).set_up(order)
    with transaction.atomic():
        merged.refuse(receivables.lock_customer(customer.company, customer.pk))
        method = PaymentMethod.objects.create(
            company_id=customer.company_id,
            customer=customer,
            gateway=gateway,
            kind=KINDS[Gateway.Kind(gateway.kind)],
            label=gateway.name,
            external_customer=page.external_customer,
            setup_id=page.external_id,
            created_at=at,
        )
        tell(method, "set_up", "set_up_begun", by=by, at=at)
    return method, page


def _known(customer: Customer, gateway: Gateway) -> str:
    rows = PaymentMethod.objects.filter(customer=customer, gateway=gateway).exclude(external_customer="")
    return rows.order_by("-pk").values_list("external_customer", flat=True).first() or ""


def _back(customer: Customer) -> str:
    try:
        return f"{settings.SITE_URL}{reverse('portal-methods-back')}"
    except NoReverseMatch:
        return settings.SITE_URL


def finish_set_up(*, method: PaymentMethod, by: Actor = SYSTEM, at: datetime) -> PaymentMethod:
    """Asks the provider whether the page is done; if so the method is usable. Never inside a transaction."""
    if method.status != Status.PENDING:
        return method
    found = gateway_accounts.connect(method.gateway).set_up_done(method.setup_id)
    if found is None:
        return method
    return keep(gateway=method.gateway, customer=method.customer, found=found, pending=method, by=by, at=at)


def keep(
    *,
    gateway: Gateway,
    customer: Customer,
    found: SavedMethod,
    pending: PaymentMethod | None = None,
    consent: str = "",
    by: Actor = SYSTEM,
    at: datetime,
) -> PaymentMethod:
    """A method the provider keeps becomes usable here: once, and the default unless there is a usable one.

    What stayed unpaid for want of a method is tried again by dunning's next step, or by the customer's "pay now". What
    is told of a merged customer, such as the card an old invoice was paid with, is the other one's.
    """
    with transaction.atomic():
        company = customer.company
        customer = receivables.lock_customer(company, customer.pk)
        if customer.merged_into is not None:
            customer = receivables.lock_customer(company, customer.merged_into.pk)
        known = PaymentMethod.objects.filter(gateway=gateway, external_id=found.external_id).first()
        method = known or (
            PaymentMethod.objects.select_for_update().get(pk=pending.pk) if pending is not None else PaymentMethod(
                company_id=customer.company_id, customer=customer, gateway=gateway, kind=found.kind, created_at=at,
            )
        )  # fmt: skip
        if known is not None and known.customer_id != customer.pk:
            raise Refused("method.other_customer", field="method")
        if known is not None and known.status == Status.ACTIVE:
            return known
        method.kind, method.label = found.kind, found.label[:80]
        method.external_id, method.external_customer = found.external_id, found.external_customer
        method.expires_on, method.status, method.reason, method.removed_at = found.expires_on, Status.ACTIVE, "", None
        method.consent = consent or _("The payer agreed on the provider's page that it may be charged when due.")
        method.consented_at = at
        take_default(method)
        method.save()
        tell(method, "save", "saved", by=by, at=at)
    return method


def take_default(method: PaymentMethod) -> None:
    """A usable method takes the place of a default that is none, or no longer usable."""
    held = PaymentMethod.objects.select_for_update().filter(customer_id=method.customer_id, is_default=True).first()
    if held is not None and held.pk != method.pk:
        if held.status == Status.ACTIVE:
            return
        held.is_default = False
        held.save(update_fields=["is_default"])
    method.is_default = True


def make_default(*, method: PaymentMethod, by: Actor, at: datetime) -> PaymentMethod:
    """Charged from now on for everything that names no other method. Repeated: nothing happens."""
    with transaction.atomic():
        method = _locked(method)
        _check_usable(method)
        if method.is_default:
            return method
        PaymentMethod.objects.filter(customer_id=method.customer_id, is_default=True).update(is_default=False)
        method.is_default = True
        method.save(update_fields=["is_default"])
        tell(method, "make_default", "made_default", by=by, at=at)
    return method


def use_for(*, subscription: Subscription, method: PaymentMethod | None, by: Actor, at: datetime) -> None:
    """Has the subscription paid by that method; without one by the customer's default again."""
    with transaction.atomic():
        receivables.lock_customer(subscription.company, subscription.customer_id)
        if method is None:
            SubscriptionMethod.objects.filter(subscription=subscription).delete()
        else:
            if method.customer_id != subscription.customer_id:
                raise Refused("method.other_customer", field="method")
            _check_usable(method)
            SubscriptionMethod.objects.update_or_create(
                subscription=subscription, defaults={"company_id": subscription.company_id, "method": method}
            )
        facts = {"method": method.pk if method else None}
        data = {"id": subscription.ref, "method": method.ref if method else None}
        receivables.tell(subscription.company, "subscription.paid_by", "subscription.method_changed", "subscription",
                         subscription.pk, subscription.customer_id, data, facts, by=by, at=at)  # fmt: skip


def remove(*, method: PaymentMethod, by: Actor, at: datetime) -> PaymentMethod:
    """Never charged again; the provider forgets it, too, as soon as it can be told. Repeated: nothing happens.

    Refused while a payment with it is under way (`method.in_use`).
    """
    with transaction.atomic():
        method = _locked(method)
        if method.status == Status.REMOVED:
            return method
        if Attempt.objects.filter(method=method, state__in=Attempt.LIVE).exists():
            raise Refused("method.in_use")
        method.status, method.is_default, method.removed_at = Status.REMOVED, False, at
        method.save(update_fields=["status", "is_default", "removed_at"])
        SubscriptionMethod.objects.filter(method=method).delete()
        method.mandates.filter(ended_on__isnull=True).update(
            ended_on=clock.day_in(at, method.customer.company.time_zone)
        )
        heir = PaymentMethod.objects.filter(customer_id=method.customer_id, status=Status.ACTIVE).order_by("-pk")
        if not PaymentMethod.objects.filter(customer_id=method.customer_id, is_default=True).exists():
            PaymentMethod.objects.filter(pk__in=heir.values("pk")[:1]).update(is_default=True)
        if method.gateway.kind in KINDS and method.external_id:
            # A method that came back (`keep`) is removed, and forgotten there, a second time: each removal has its key.
            key = f"{method.pk}-{clock.machine_now():%Y%m%dT%H%M%S%f}"
            outbox.put(company_id=method.company_id, kind=FORGET, key=key, payload={"method": method.pk})
        tell(method, "remove", "removed", by=by, at=at)
    return method


@outbox.handler(FORGET)
def _forget(row: Outbox) -> None:
    method = PaymentMethod.objects.select_related("gateway__company").get(pk=row.payload["method"])
    if method.status != Status.REMOVED:
        return  # it came back before the provider was told
    gateway_accounts.connect(method.gateway).forget(sending.saved(method))


def gone(*, method: PaymentMethod, by: Actor = SYSTEM, at: datetime) -> PaymentMethod:
    """The provider or the payer removed it there; attempts under way with it end by themselves."""
    with transaction.atomic():
        method = _locked(method)
        if method.status in (Status.REMOVED, Status.BROKEN):
            return method
        method.status, method.reason = Status.BROKEN, "method_gone"
        method.save(update_fields=["status", "reason"])
        tell(method, "lose", "lost", by=by, at=at)
    return method


def renew(*, method: PaymentMethod, found: SavedMethod, by: Actor = SYSTEM, at: datetime) -> PaymentMethod:
    """The bank gave a new card for the old one: other label and expiry, usable again if it had expired."""
    with transaction.atomic():
        method = _locked(method)
        if method.status not in THERE or (method.label, method.expires_on) == (found.label, found.expires_on):
            return method
        method.label, method.expires_on, method.warned_on = found.label[:80], found.expires_on, None
        if method.status == Status.EXPIRED:
            method.status, method.reason = Status.ACTIVE, ""
        method.save(update_fields=["label", "expires_on", "warned_on", "status", "reason"])
        tell(method, "renew", "renewed", by=by, at=at)
    return method


def expire_due(*, company: Company, at: datetime) -> list[PaymentMethod]:
    """Methods whose last day is over; they are charged no more."""
    today = clock.day_in(at, company.time_zone)
    over = list(
        PaymentMethod.objects.filter(company=company, status=Status.ACTIVE, expires_on__lt=today)
        .prefetch_related("customer__company", "gateway")
        .order_by("pk")
    )
    for method in over:
        with transaction.atomic():
            method = _locked(method)
            if method.status == Status.ACTIVE and method.expires_on is not None and method.expires_on < today:
                method.status, method.reason = Status.EXPIRED, "expired_method"
                method.save(update_fields=["status", "reason"])
                tell(method, "expire", "expired", by=SYSTEM, at=at)
    return over


def expiring(company: Company, at: datetime) -> list[PaymentMethod]:
    """Usable methods that end within the days of a warning that wasn't given yet."""
    today = clock.day_in(at, company.time_zone)
    rows = PaymentMethod.objects.filter(
        company=company, status=Status.ACTIVE, expires_on__range=(today, today + timedelta(days=max(WARN_DAYS)))
    ).select_related("customer__company")
    return [method for method in rows.order_by("expires_on", "pk") if _is_to_be_warned(method, today)]


def _is_to_be_warned(method: PaymentMethod, today: date) -> bool:
    assert method.expires_on is not None
    begun = [method.expires_on - timedelta(days=days) for days in WARN_DAYS]
    last = max((day for day in begun if day <= today), default=None)
    return last is not None and (method.warned_on is None or method.warned_on < last)


def _locked(method: PaymentMethod) -> PaymentMethod:
    receivables.lock_customer(method.customer.company, method.customer_id)
    rows = PaymentMethod.objects.select_for_update(of=("self",)).select_related("customer__company", "gateway")
    return rows.get(pk=method.pk)


def _check_usable(method: PaymentMethod) -> None:
    if method.status != Status.ACTIVE:
        raise Refused("method.not_usable", field="method", state=method.get_status_display())


def tell(method: PaymentMethod, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    """Audit row and event of a move of a method."""
    facts = {"kind": method.kind, "status": method.status, "gateway": method.gateway_id, "reason": method.reason}
    data: dict[str, Any] = {
        "id": method.ref,
        "customer": method.customer.ref,
        "kind": method.kind,
        "status": method.status,
        "label": method.label,
        "is_default": method.is_default,
        "expires_on": method.expires_on.isoformat() if method.expires_on else None,
    }
    receivables.tell(method.customer.company, f"payment_method.{verb}", f"payment_method.{past}", "payment_method",
                     method.pk, method.customer_id, data, facts, by=by, at=at)  # fmt: skip


@ticks.tick(
    "billing.methods", order=29, every=timedelta(hours=1), title=gettext_lazy("Expired payment methods"),
    text=gettext_lazy("Ends cards and other methods whose last day is over."),
)  # fmt: skip
def methods_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Ends methods whose day is over."""
    return {"expired": len(expire_due(company=company, at=at))}
