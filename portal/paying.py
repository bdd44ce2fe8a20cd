"""What a customer can pay an open invoice with, and how a payment that was begun stands, in words.

The rule that matters: nothing is charged from here but through `collecting.pay_now`; what is saved is shown only to who
signed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.documents import transfer_code
from billing.documents.words import spaced_iban
from billing.gateways import reasons
from billing.models import Attempt, Gateway, Invoice, InvoiceBalance, Mandate, PaymentMethod, SubscriptionMethod
from billing.services import attempts, collecting, gateway_accounts, pay_links, payment_methods, sending
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from portal.access import RIGHTS, Visitor, contacts_of
from portal.standing import OVER

PAY_PAGE = Actor.system("Pay page")
State, Kind, MethodStatus = Attempt.State, Gateway.Kind, PaymentMethod.Status
#: Nothing else can be begun while one of these waits for the provider's or the bank's word.
UNDER_WAY = (State.SENT, State.PENDING, State.UNKNOWN)
ICONS = {Kind.STRIPE: "credit-card", Kind.PAYPAL: "wallet", Kind.SEPA: "landmark"}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to pay: a saved method, a provider's page, or a mandate to be signed (`url`)."""

    gateway: Gateway
    title: str
    text: str
    method: PaymentMethod | None = None
    url: str = ""

    @property
    def ref(self) -> str:
        """What the button names."""
        return self.method.ref if self.method is not None else self.gateway.ref

    @property
    def icon(self) -> str:
        return ICONS[Kind(self.gateway.kind)]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Where to transfer the sum to; `code` is the picture for banking apps, empty outside the euro."""

    holder: str
    iban: str
    spaced: str
    bic: str
    bank: str
    reference: str
    code: SafeString


def visitor_of(request: HttpRequest, invoice: Invoice) -> Visitor | None:
    """Who is signed in as a contact of the invoice's customer that may pay; None for anybody else."""
    if not request.user.is_authenticated:
        return None
    for contact in contacts_of(request):
        if contact.customer_id == invoice.customer_id and "pay" in RIGHTS[contact.role]:
            return Visitor(contact)
    return None


def gateways_of(company: Company) -> list[Gateway]:
    """The company's gateways that can be talked to now, in the order customers see them."""
    order = [Kind.STRIPE, Kind.PAYPAL, Kind.SEPA]
    rows = Gateway.objects.filter(company=company, is_active=True, kind__in=order).select_related("company")
    return [row for row in sorted(rows, key=lambda one: order.index(Kind(one.kind))) if _is_reached(row)]


def _is_reached(gateway: Gateway) -> bool:
    """A test company has no provider unless a stand-in runs."""
    if gateway.kind == Kind.SEPA:
        return True
    try:
        gateway_accounts.address_of(gateway)
    except Refused:
        return False
    return True


def ways(invoice: Invoice, token: str, visitor: Visitor | None) -> list[Way]:
    """The ways to pay it at once, saved methods first."""
    gateways = gateways_of(invoice.company)
    if invoice.currency != "EUR":
        gateways = [row for row in gateways if row.kind != Kind.SEPA]
    found = [] if visitor is None else _saved(visitor, {row.pk: row for row in gateways})
    for gateway in gateways:
        if gateway.kind == Kind.STRIPE:
            text = _("On the card provider's page. The card is kept there and charged for your next invoices.")
            found.append(Way(gateway, _("Card"), text))
        elif gateway.kind == Kind.PAYPAL:
            text = _("On PayPal's page. PayPal is then charged for your next invoices, too.")
            found.append(Way(gateway, "PayPal", text))
        else:
            text = _("Sign a mandate here; we announce every debit ahead.")
            found.append(Way(gateway, _("SEPA direct debit"), text, url=reverse("pay-mandate", args=[token])))
    return found


def _saved(visitor: Visitor, gateways: dict[int, Gateway]) -> list[Way]:
    rows = PaymentMethod.objects.filter(customer=visitor.customer, status=PaymentMethod.Status.ACTIVE)
    return [
        Way(gateways[row.gateway_id], row.label, _("Saved before; charged at once."), method=row)
        if row.kind != PaymentMethod.Kind.DEBIT
        else Way(gateways[row.gateway_id], row.label, _("Your mandate; debited after notice."), method=row)
        for row in rows.order_by("-is_default", "-pk")
        if row.gateway_id in gateways
    ]


def transfer(invoice: Invoice, open_minor: int) -> Transfer | None:
    """Where a transfer goes: the gateway's account, else the company's; None where there is neither."""
    company = invoice.company
    gateway = gateway_accounts.of_kind(company, Kind.TRANSFER)
    iban, bic, bank = company.iban, company.bic, company.bank_name
    if gateway is not None and gateway.iban:
        iban, bic, bank = gateway.iban, gateway.bic, ""
    if not iban:
        return None
    # Whoever scans a test company's code sees what it is.
    reference = invoice.number if company.is_live else f"TEST {invoice.number}"
    text = ""
    if invoice.currency == "EUR":
        text = transfer_code.words(
            name=company.legal_name, iban=iban, bic=bic, amount_minor=open_minor, reference=reference
        )
    return Transfer(
        company.legal_name, iban, spaced_iban(iban), bic, bank, invoice.number, transfer_code.drawn(text)
    )  # fmt: skip


def standing(invoice: Invoice, balance: InvoiceBalance, alive: Attempt | None) -> str:
    """What the page is about: paid, canceled, closed, under_way or open."""
    status = InvoiceBalance.Status(balance.status)
    if status == InvoiceBalance.Status.PAID:
        return "paid"
    if status == InvoiceBalance.Status.VOID:
        return "canceled"
    if status != InvoiceBalance.Status.OPEN or balance.open_minor <= 0:
        return "closed"
    if alive is not None and (alive.state in UNDER_WAY or alive.batch_id is not None):
        return "under_way"
    return "open"


def begin(invoice: Invoice, gateway: Gateway, method: PaymentMethod | None, *, by: Actor, at: datetime) -> Attempt:
    """What the button does. A page over another sum than is open now is closed first."""
    alive = attempts.live_of(invoice.pk)
    balance = InvoiceBalance.objects.get(pk=invoice.pk)
    if alive is not None and alive.state == State.REQUIRES_ACTION and alive.amount_minor != balance.open_minor:
        sending.cancel(attempt_id=alive.pk, at=at)
    return collecting.pay_now(invoice=invoice, gateway=gateway, method=method, by=by, at=at)


def way_on(attempt: Attempt) -> str:
    """Where a click on "pay" leads: on to the provider, or to how it stands."""
    if attempt.state in (State.CREATED, State.SENT, State.REQUIRES_ACTION) and attempt.collect_on is None:
        return reverse("pay-on", args=[pay_links.signed(attempt)])
    return reverse("pay-back", kwargs={"attempt": pay_links.signed(attempt), "what": "paid"})


def pay_page_of(attempt: Attempt) -> str:
    """The invoice's pay page, open as long as one from the day of the attempt is."""
    return reverse("pay", args=[pay_links.token_of(attempt.invoice, on=attempt.created_at.date())])


def reason_of(attempt: Attempt) -> str:
    """Why it came to nothing, in words."""
    return reasons.told_to_payer(attempt.reason) if attempt.reason else ""


def names_of(method: PaymentMethod) -> dict[str, Any]:
    """A method as customers see it: its state, its mandate if it is one."""
    looks = {"pending": "waiting", "active": "active", "broken": "failed"}
    words = {
        "active": _("Usable"), "broken": pgettext("payment method", "Refused"), "expired": _("Expired"),
        "pending": _("Not finished"),
    }  # fmt: skip
    mandate = None
    if method.kind == PaymentMethod.Kind.DEBIT:
        mandate = Mandate.objects.filter(method=method).order_by("ended_on", "-pk").first()
    return {
        "row": method,
        "state": looks.get(method.status, method.status),
        "word": words.get(method.status, method.get_status_display()),
        "reason": reasons.told_to_payer(method.reason) if method.reason else "",
        "mandate": mandate,
    }


def problem(visitor: Visitor) -> dict[str, str] | None:
    """What stands in the way of the next payment, and the one page that mends it; None when all is well.

    A payment that failed comes first, then a method in use that can't be charged, then one that soon can't.
    """
    failed = _failed(visitor)
    if failed is not None:
        token = pay_links.token_of(failed.invoice, on=visitor.today)
        words = {"number": failed.invoice.number, "reason": reason_of(failed)}
        text = _("Invoice %(number)s could not be collected: %(reason)s.") % words
        return {"tone": "bad", "text": text, "url": reverse("pay", args=[token]), "label": _("Pay now"), "pays": "yes"}
    url, methods = reverse("portal:methods"), _in_use(visitor)
    for status, sentence in ((MethodStatus.BROKEN, _("%(method)s can't be charged any more.")),
                             (MethodStatus.EXPIRED, _("%(method)s has expired."))):  # fmt: skip
        for method in methods:
            if method.status == status:
                text = sentence % {"method": method.label}
                return {"tone": "bad", "text": text, "url": url, "label": _("Choose another way")}
    for method in methods:
        if method.expires_on and (method.expires_on - visitor.today).days <= max(payment_methods.WARN_DAYS):
            text = _("%(method)s expires soon.") % {"method": method.label}
            return {"tone": "warn", "text": text, "url": url, "label": _("Add another")}
    return None


def _in_use(visitor: Visitor) -> list[PaymentMethod]:
    """The default, then those that running subscriptions name."""
    runs = visitor.subscriptions.exclude(state__in=OVER)
    named = SubscriptionMethod.objects.filter(subscription__in=runs).values("method_id")
    rows = PaymentMethod.objects.filter(customer=visitor.customer, status__in=payment_methods.THERE)
    return list(rows.filter(Q(is_default=True) | Q(pk__in=named)).order_by("-is_default", "-pk"))


def _failed(visitor: Visitor) -> Attempt | None:
    """The last attempt on an open invoice, where it failed or waits for the customer and nothing else goes on."""
    rows = Attempt.objects.filter(
        customer=visitor.customer, invoice__balance__status="open", invoice__balance__open_minor__gt=0
    ).select_related("invoice__company")
    latest: dict[int, Attempt] = {}
    for row in rows.order_by("pk"):
        latest[row.invoice_id] = row
    return next((row for row in latest.values() if row.state == State.FAILED), None)
