"""What an ORM would take: billing one subscription after the other, as anybody would write it first.

The rule that matters: it reads, prices and writes the same kinds of rows into the same tables, guards on; it does less
than the run in every respect, never more.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from benchmarks.meters import Meter
from benchmarks.stock import AT, LAST
from billing.models import (
    Account,
    BilledDays,
    ChainLink,
    Invoice,
    InvoiceBalance,
    InvoiceLine,
    Posting,
    Snapshot,
)
from catalog.models import TaxRate
from core.models import Company, Event, NumberSeries, Outbox
from customers.models import Address, Customer
from pricing.money import to_minor
from pricing.periods import Anchor, Interval, period_at
from subscriptions.models import Subscription


class Naive:
    """Billing as anybody would write it with an ORM: read one subscription, price it, save each row."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.accounts = {account.role: account for account in Account.objects.filter(company=company).order_by("-pk")}
        self.previous = ""
        self.height = 0

    def bill(self, subscription_id: int, on: date) -> None:
        """One invoice in one transaction: postings alone go in by `bulk_create`, as an entry is accepted only whole."""
        with transaction.atomic():
            subscription = (
                Subscription.objects.select_for_update(of=("self",)).select_related("customer").get(pk=subscription_id)
            )
            customer = subscription.customer
            address = Address.objects.get(customer=customer, kind="billing", replaced_at=None)
            slots = list(subscription.slots.select_related("product__tax_category").prefetch_related("terms"))
            anchor = Anchor(subscription.anchor_on, subscription.anchor_month_day)
            start = subscription.next_bill_on
            assert start is not None
            end = period_at(anchor, Interval("month", 1), start).end
            found = TaxRate.objects.filter(company=self.company, country=address.country, valid_from__lte=start)
            rates = {rate.level: rate.percent for rate in found.order_by("valid_from")}
            lines, net, tax = [], 0, 0
            for position, slot in enumerate(slots, 1):
                (terms,) = slot.terms.all()
                minor = to_minor(terms.unit_amount * terms.quantity, subscription.currency)
                percent = rates[slot.product.tax_category.level]
                lines.append((slot, terms, position, minor, percent))
                net += minor
            tax = to_minor(sum((Decimal(line[3]) * line[4] / 10000 for line in lines), Decimal(0)), "EUR")
            invoice = Invoice(
                company=self.company, customer=customer, language="en", currency="EUR", tax_behavior="exclusive",
                net_minor=net, tax_minor=tax, gross_minor=net + tax, tax_rows=[{"base_minor": net, "tax_minor": tax}],
                created_at=AT, charge_due_on=start, payment_due_on=on + timedelta(days=14), address_id=address.pk,
            )  # fmt: skip
            invoice.save()
            shown = []
            for slot, terms, position, minor, percent in lines:
                calculation = {"quantity": str(terms.quantity), "unit_amount": str(terms.unit_amount)}
                line = InvoiceLine(
                    company=self.company, invoice=invoice, position=position, subscription=subscription, slot=slot,
                    product=slot.product, description=slot.product.name["en"], quantity=terms.quantity,
                    unit_amount=terms.unit_amount, period_start=start, period_end=end, amount_minor=minor,
                    net_minor=minor, tax_category="S", tax_rate=percent, calculation=calculation,
                )  # fmt: skip
                line.save()
                BilledDays(company=self.company, slot=slot, days=DateRange(start, end), line=line, kind="billed").save()
                slot.billed_through_on = end - timedelta(days=1)
                slot.save()
                shown.append({"description": line.description, "amount": minor, "start": str(start), "end": str(end),
                              "calculation": calculation})  # fmt: skip
            self._issue(invoice, customer, shown, on)
            subscription.next_bill_on = end
            subscription.save()

    def _issue(self, invoice: Invoice, customer: Customer, shown: list[dict[str, object]], on: date) -> None:
        series = NumberSeries.objects.select_for_update().get(company=self.company, series="invoice", year=on.year)
        series.last_number += 1
        series.save()
        number = f"TEST-INV-{on.year}-{series.last_number:06d}"
        body = {"number": number, "customer": customer.name, "net": invoice.net_minor, "tax": invoice.tax_minor,
                "lines": shown}  # fmt: skip
        text = json.dumps(body, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.height += 1
        link = ChainLink(
            company=self.company, height=self.height, previous_sha256=self.previous, document_hashes=[digest],
            sha256=hashlib.sha256(f"{self.previous}{digest}".encode()).hexdigest(), linked_at=AT,
        )  # fmt: skip
        link.save()
        self.previous = link.sha256
        invoice.year, invoice.sequence, invoice.number = on.year, series.last_number, number
        invoice.issued_on, invoice.snapshot_hash, invoice.chain_link = on, digest, link
        invoice.save()
        InvoiceBalance(
            invoice=invoice, company_id=self.company.pk, customer_id=customer.pk, currency="EUR", status="open",
            payment_due_on=invoice.payment_due_on, gross_minor=invoice.gross_minor,
        ).save()  # fmt: skip
        amounts = (
            ("receivable", invoice.gross_minor), ("revenue", -invoice.net_minor), ("tax", -invoice.tax_minor),
        )  # fmt: skip
        Posting.objects.bulk_create(
            Posting(
                company=self.company, entry=10_000_000 + series.last_number, account=self.accounts[role],
                booked_on=on, currency="EUR", amount_minor=minor, customer_id=customer.pk, cause_kind="invoice",
                cause_id=invoice.pk,
            )
            for role, minor in amounts
        )  # fmt: skip
        Snapshot(company=self.company, document_kind="invoice", document_id=invoice.pk, sha256=digest, body=text).save()
        Event(
            company=self.company, type="invoice.issued", occurred_at=AT, subject_kind="invoice",
            subject_id=invoice.pk, customer_id=customer.pk, data={"number": number, "gross_minor": invoice.gross_minor},
        ).save()  # fmt: skip
        Outbox(
            company=self.company, kind="document_mail", key=f"invoice-{invoice.pk}",
            payload={"kind": "invoice", "id": invoice.pk}, due_at=AT,
        ).save()  # fmt: skip


def saved_one_by_one(count: int) -> float:
    """Seconds an invoice when each is read, priced and saved by the ORM, in a transaction of its own.

    On a fresh copy of the stock. It does less than the run (one tax rate, a short frozen content), never more.
    """
    naive = Naive(Company.objects.get())
    NumberSeries.objects.get_or_create(
        company=naive.company, series="invoice", year=LAST.year, defaults={"last_number": 0, "last_on": LAST}
    )
    due = list(Subscription.objects.filter(next_bill_on__lte=LAST).order_by("pk").values_list("pk", flat=True)[:count])
    with Meter() as taken:
        for pk in due:
            naive.bill(pk, LAST)
    return taken.seconds / count
