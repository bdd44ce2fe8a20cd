"""Signed links: an invoice is paid, a payment method added, the end of a payment told without signing in.

The rule that matters: a token names one thing (and a last day, where it is mailed); it opens nothing else and can't be
made up.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import NoReverseMatch, reverse

from billing.models import Attempt, Invoice
from core import clock
from core.ids import BadId
from core.refusal import Refused
from customers.models import Customer
from customers.services import merged

SALT: Final = "turnus.pay"
#: Days a link is good for.
LINK_DAYS: Final = 90
METHOD_SALT, ATTEMPT_SALT = "turnus.pay-method", "turnus.pay-attempt"
#: Days a link to add a payment method is good for.
METHOD_DAYS: Final = 30


def token_of(invoice: Invoice, *, on: date | None = None) -> str:
    """The token, good for `LINK_DAYS` from that day, by the company's clock."""
    first = on or clock.today(invoice.company)
    until = first + timedelta(days=LINK_DAYS)
    return Signer(salt=SALT).sign_object([invoice.ref, until.isoformat()])


def paying_link(invoice: Invoice, *, on: date | None = None) -> str:
    """The address of the page that pays the invoice."""
    token = token_of(invoice, on=on)
    try:
        path = reverse("pay", kwargs={"token": token})
    except NoReverseMatch:  # the product without its portal
        path = f"/pay/{token}/"
    return f"{settings.SITE_URL}{path}"


def read(token: str, *, on: date | None = None) -> Invoice:
    """The invoice a token names. Refuses `pay_link.invalid`, and after its last day `pay_link.over`."""
    try:
        ref, until = Signer(salt=SALT).unsign_object(token)
        found = (
            Invoice.objects.select_related("company", "customer").filter(public_id=Invoice.public_id_of(ref)).first()
        )
        last = date.fromisoformat(until)
    except (BadSignature, ValueError, TypeError) as error:
        raise Refused("pay_link.invalid") from error
    if found is None:
        raise Refused("pay_link.invalid")
    if (on or clock.today(found.company)) > last:
        raise Refused("pay_link.over", day=last)
    return found


def method_token(customer: Customer, *, on: date | None = None) -> str:
    """The token with which the customer adds a payment method, good for `METHOD_DAYS`."""
    until = (on or clock.today(customer.company)) + timedelta(days=METHOD_DAYS)
    return Signer(salt=METHOD_SALT).sign_object([customer.ref, until.isoformat()])


def method_link(customer: Customer, *, on: date | None = None) -> str:
    """The address of the page on which the customer adds a payment method without signing in."""
    token = method_token(customer, on=on)
    try:
        path = reverse("pay-methods", kwargs={"token": token})
    except NoReverseMatch:  # the product without its portal
        path = f"/pay/methods/{token}/"
    return f"{settings.SITE_URL}{path}"


def read_method(token: str, *, on: date | None = None) -> Customer:
    """The customer a token names, or the one it was merged into since. Refuses as `read` does."""
    try:
        ref, until = Signer(salt=METHOD_SALT).unsign_object(token)
        rows = Customer.objects.select_related("company", "merged_into__company")
        found = merged.standing(Customer.by_ref(rows, ref))
        last = date.fromisoformat(until)
    except (BadSignature, ValueError, TypeError, BadId, Customer.DoesNotExist) as error:
        raise Refused("pay_link.invalid") from error
    if (on or clock.today(found.company)) > last:
        raise Refused("pay_link.over", day=last)
    return found


def signed(attempt: Attempt) -> str:
    """What names an attempt in addresses that a customer is led back to."""
    return Signer(salt=ATTEMPT_SALT).sign(attempt.ref)


def read_attempt(text: str) -> Attempt:
    """The attempt that `signed` named. Refuses `pay_link.invalid`."""
    rows = Attempt.objects.select_related("invoice__company", "customer__company", "gateway", "method")
    try:
        return Attempt.by_ref(rows, Signer(salt=ATTEMPT_SALT).unsign(text))
    except (BadSignature, BadId, Attempt.DoesNotExist) as error:
        raise Refused("pay_link.invalid") from error
