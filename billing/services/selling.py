"""Selling prepaid credit: an invoice with tax at one rate, written and issued at once.

The rule that matters: credit arises with the invoice, not with its payment; a credit note takes back what is unused.
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from billing.models import Invoice
from billing.services import drafting
from billing.services.draft_lines import DraftLine
from billing.services.packs import Pack
from catalog.models import Product, TaxCategory
from core import checks, clock
from core.actors import Actor
from core.refusal import Refused
from customers.models import Customer
from pricing.money import Money


@transaction.atomic
def sell_credit_pack(
    *,
    customer: Customer,
    amount_minor: int,
    price_minor: int | None = None,
    currency: str,
    expires_on: date | None = None,
    description: str = "",
    product: Product | None = None,
    tax_category: TaxCategory | None = None,
    payment_terms_days: int | None = None,
    po_reference: str = "",
    by: Actor,
    at: datetime,
) -> Invoice:
    """The issued invoice that sells so much credit (minor units, without tax) for a price without tax.

    Without a price it costs what it is worth; what it is worth beyond its price is granted credit of the same last day.
    Product or category say how it is taxed; its use lowers what is taxed at the same category and rate.
    """
    checks.currency(currency)
    price = amount_minor if price_minor is None else price_minor
    for minor, field in ((amount_minor, "amount"), (price, "price")):
        if type(minor) is not int or minor <= 0:
            raise Refused("payment.amount", field=field)
        checks.minor(minor, field=field)
    if price > amount_minor:
        raise Refused("credit.pack_price", field="price")
    today = clock.day_in(at, customer.company.time_zone)
    if expires_on is not None and checks.day(expires_on, field="expires_on") < today:
        raise Refused("credit.expired", field="expires_on")
    if not description and product is None:
        with translation.override(customer.language or customer.company.language):
            description = _("Prepaid credit")
    line = DraftLine(
        description=description,
        unit_amount=Money(price, currency).amount,
        product=product,
        tax_category=tax_category,
        pack=Pack(amount_minor, expires_on),
    )
    draft = drafting.create_draft(
        company=customer.company, customer=customer, currency=currency, lines=[line],
        payment_terms_days=payment_terms_days, po_reference=po_reference, by=by, at=at,
    )  # fmt: skip
    return drafting.issue(invoice=draft, at=at, by=by)
