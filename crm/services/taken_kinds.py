"""The rows of each kind of data a customer may take along: what stands in each, under names that stay.

The rule that matters: every function gives rows of this customer and of those merged into it alone, oldest
first, without secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.db.models import Model, Prefetch, Q, QuerySet

from billing.models import (
    Allocation,
    CreditNote,
    DunningCase,
    Invoice,
    Mandate,
    Payment,
    PaymentBalance,
    PaymentMethod,
    Refund,
)
from crm.models import (
    Activity,
    Lead,
    LeadNote,
    MailingRecipient,
    Quote,
    QuoteAnswer,
    Reminder,
    Task,
    TaskComment,
    TieChange,
    TieRecord,
)
from customers.models import Address, Contact, Customer, Message, Note, VatCheck
from customers.services import merged, suppressing
from customers.services.timeline import timeline
from pricing.money import Money
from subscriptions.models import Subscription, UsageDay

Rows = Iterator[dict[str, Any]]
_PAGE: Final = 500


def own(model: type[Model], customer: Customer) -> QuerySet[Any]:
    """The customer's rows of a model, and those of whoever was merged into it, oldest first."""
    ids = merged.ids_of(customer)
    rows: QuerySet[Any] = model._default_manager.filter(company_id=customer.company_id, customer_id__in=ids)
    return rows.order_by("pk")


def _in_order(name: str, model: type[Model]) -> Prefetch[Any]:
    return Prefetch(name, model._default_manager.order_by("pk"))


def amount(minor: int, currency: str) -> str:
    return str(Money(minor, currency).amount)


def _row(row: Any, *names: str) -> dict[str, Any]:
    head = {"id": row.ref} if hasattr(row, "ref") else {}
    return head | {name: getattr(row, name) for name in names}


def customer(customer: Customer) -> Rows:
    for row in (customer, *merged.of(customer)):
        yield {"id": row.ref, "number": row.number} | {
            name: getattr(row, name)
            for name in (
                "kind", "name", "email", "phone", "language", "time_zone", "currency", "vat_id", "vat_state",
                "tax_exemption", "po_reference", "payment_method", "external_id", "metadata", "created_at",
                "archived_at", "merged_at",
            )
        }  # fmt: skip


def addresses(customer: Customer) -> Rows:
    names = ("kind", "recipient", "lines", "postal_code", "city", "region", "country", "replaced_at")
    return (_row(row, *names) for row in own(Address, customer))


def contacts(customer: Customer) -> Rows:
    for row in own(Contact, customer):
        yield _row(row, "name", "email", "phone", "role", "gets_invoices", "archived_at") | {
            "signs_in": row.user_id is not None
        }


def consents(customer: Customer) -> Rows:
    """Who allowed advertising, when and how; the words agreed to when a way to pay was saved; mandates as signed."""
    for holder in (customer, *merged.of(customer), *own(Contact, customer)):
        if holder.marketing_consent_at is not None:
            yield {
                "to": "advertising", "of": holder.ref, "address": holder.email, "at": holder.marketing_consent_at,
                "proof": holder.marketing_consent_source,
            }  # fmt: skip
    for method in own(PaymentMethod, customer).exclude(consent=""):
        yield {"to": "payment_method", "of": method.ref, "at": method.created_at, "proof": method.consent}
    for row in Mandate.objects.filter(company_id=customer.company_id, method__in=own(PaymentMethod, customer)).order_by(
        "pk"
    ):
        yield {
            "to": "direct_debit", "of": row.reference, "at": row.signed_on, "signed_by": row.signed_by,
            "words": row.text, "proof": row.proof,
        }  # fmt: skip


def vat_checks(customer: Customer) -> Rows:
    names = ("vat_id", "answer", "name", "address", "proof", "asked_at")
    return (_row(row, *names) for row in own(VatCheck, customer))


def payment_methods(customer: Customer) -> Rows:
    names = ("kind", "label", "status", "is_default", "expires_on", "created_at", "removed_at")
    for row in own(PaymentMethod, customer).prefetch_related(_in_order("mandates", Mandate)):
        mandates = [
            {name: getattr(one, name) for name in ("reference", "scheme", "holder", "signed_on", "ended_on")}
            for one in row.mandates.all()
        ]
        yield _row(row, *names) | {"mandates": mandates}


def subscriptions(customer: Customer) -> Rows:
    names = (
        "number", "name", "description", "state", "currency", "start_on", "ends_on", "end_reason", "end_comment",
        "po_reference", "external_id", "metadata",
    )  # fmt: skip
    for row in own(Subscription, customer).prefetch_related("slots__product", "slots__terms"):
        yield _row(row, *names) | {
            "items": [
                {
                    "product": slot.product.code,
                    "from_on": terms.from_on,
                    "until_on": terms.until_on,
                    "quantity": terms.quantity,
                    "unit_amount": terms.unit_amount,
                    "interval": f"{terms.interval_count} {terms.interval_unit}",
                }
                for slot in row.slots.all()
                for terms in slot.terms.all()
            ]
        }


def usage(customer: Customer) -> Rows:
    rows = UsageDay.objects.filter(company_id=customer.company_id, subscription__in=own(Subscription, customer))
    for row in rows.select_related("meter", "subscription").order_by("pk").iterator(chunk_size=2000):
        yield {
            "subscription": row.subscription.ref, "meter": row.meter.code, "day": row.day, "events": row.event_count,
            "sum": row.value_sum, "highest": row.value_max, "latest_at": row.latest_at,
        }  # fmt: skip


def _document(row: Invoice | CreditNote) -> dict[str, Any]:
    return _row(row, "number", "issued_on", "currency") | {
        "net": amount(row.net_minor, row.currency),
        "tax": amount(row.tax_minor, row.currency),
        "gross": amount(row.gross_minor, row.currency),
    }


def invoices(customer: Customer) -> Rows:
    for row in own(Invoice, customer).exclude(number="").select_related("balance").iterator(chunk_size=1000):
        open_minor = row.balance.open_minor if row.balance.status == "open" else 0
        yield _document(row) | {
            "payment_due_on": row.payment_due_on,
            "state": row.balance.status,
            "open": amount(open_minor, row.currency),
        }


def credit_notes(customer: Customer) -> Rows:
    for row in own(CreditNote, customer).exclude(number="").select_related("invoice"):
        yield _document(row) | {"invoice": row.invoice.number, "reason": row.reason}


def payments(customer: Customer) -> Rows:
    rows = list(own(Payment, customer))
    left = dict(PaymentBalance.objects.filter(payment__in=rows).values_list("payment_id", "left_minor"))
    shares: dict[int, list[dict[str, str]]] = {}
    for share in Allocation.objects.filter(payment__in=rows).select_related("invoice").order_by("id"):
        assert share.payment_id is not None
        paid = {"invoice": share.invoice.number, "amount": amount(share.amount_minor, share.invoice.currency)}
        shares.setdefault(share.payment_id, []).append(paid)
    for row in rows:
        yield _row(row, "received_on", "method", "status", "currency") | {
            "amount": amount(row.amount_minor, row.currency),
            "unallocated": amount(left.get(row.pk, 0), row.currency),
            "reference": row.reference,
            "pays": shares.get(row.pk, []),
        }


def refunds(customer: Customer) -> Rows:
    for row in own(Refund, customer):
        yield _row(row, "status", "currency", "reason", "paid_on") | {"amount": amount(row.amount_minor, row.currency)}


def messages(customer: Customer) -> Rows:
    for row in own(Message, customer).iterator(chunk_size=500):
        yield _row(row, "category", "recipients", "subject", "body", "state") | {
            "at": row.created_at, "attachments": [part.get("kind", "") for part in row.attachments],
        }  # fmt: skip


def quotes(customer: Customer) -> Rows:
    rows = _quotes(customer).exclude(state=Quote.State.DRAFT)
    answers = {row.quote_id: row for row in QuoteAnswer.objects.filter(quote__in=rows)}
    for row in rows:
        answer = answers.get(row.pk)
        yield _row(row, "number", "version", "state", "recipient", "person", "email", "sent_at", "content") | {
            "answer": None if answer is None else _row(answer, "kind", "name", "place", "agent", "reason", "at")
        }


def _quotes(customer: Customer) -> QuerySet[Quote]:
    ids = merged.ids_of(customer)
    mine = Q(customer__in=ids) | Q(lead__customer__in=ids)
    return Quote.objects.filter(mine, company_id=customer.company_id).order_by("pk")


def activities(customer: Customer) -> Rows:
    """Calls, meetings and mails; of mails, who wrote to whom."""
    names = ("kind", "direction", "subject", "text", "begins_at", "ends_at", "place", "outcome", "mail_from", "mail_to")
    return (_row(row, *names) for row in own(Activity, customer))


def notes(customer: Customer) -> Rows:
    return (_row(row, "text", "created_at", "archived_at") for row in own(Note, customer))


def leads(customer: Customer) -> Rows:
    names = (
        "name", "organization", "email", "phone", "country", "language", "message", "source", "consent_at",
        "consent_source", "privacy_text", "created_at", "converted_at",
    )  # fmt: skip
    for row in own(Lead, customer).prefetch_related(_in_order("notes", LeadNote)):
        yield _row(row, *names) | {"notes": [{"at": one.at, "text": one.text} for one in row.notes.all()]}


def tasks(customer: Customer) -> Rows:
    ids = merged.ids_of(customer)
    mine = Q(customer__in=ids) | Q(lead__customer__in=ids)
    rows = Task.objects.filter(mine, company_id=customer.company_id).order_by("pk")
    for row in rows.prefetch_related(_in_order("comments", TaskComment)):
        yield _row(row, "title", "text", "due_on", "state", "created_at") | {
            "comments": [{"at": one.at, "text": one.text} for one in row.comments.all()]
        }


def reminders(customer: Customer) -> Rows:
    return (_row(row, "occasion_on", "sent_at", "opened_at", "accepted_at") for row in own(Reminder, customer))


def mailings(customer: Customer) -> Rows:
    for row in own(MailingRecipient, customer).select_related("mailing"):
        yield {"mailing": row.mailing.name, "addresses": row.emails} | {
            name: getattr(row, name) for name in ("left_out", "sent_at", "clicked_at", "accepted_at", "renewed_at")
        }


def blocked_addresses(customer: Customer) -> Rows:
    return (_row(row, "address", "reason", "scope", "since") for row in suppressing.of_customer(customer))


def ties(customer: Customer) -> Rows:
    """To which other systems what is known of them goes, and what came back."""
    for row in own(TieRecord, customer).select_related("tie"):
        yield {"tie": row.tie.name, "system": row.tie.kind} | {
            name: getattr(row, name) for name in ("kind", "key", "state", "lists", "synced_at")
        }
    for change in own(TieChange, customer).select_related("tie"):
        yield {"tie": change.tie.name, "system": change.tie.kind} | {
            name: getattr(change, name) for name in ("key", "what", "ours", "theirs", "outcome", "at")
        }


def dunning(customer: Customer) -> Rows:
    for row in own(DunningCase, customer):
        yield _row(row, "currency", "state", "note", "opened_at", "closed_at") | {
            "overdue": amount(row.opened_minor, row.currency), "recovered": amount(row.recovered_minor, row.currency),
        }  # fmt: skip


def timeline_of(customer: Customer) -> Rows:
    """All that happened, newest first."""
    before = None
    while entries := timeline(customer=customer, before=before, limit=_PAGE):
        for entry in entries:
            yield {
                "at": entry.at, "kind": entry.kind, "title": str(entry.title), "text": str(entry.text),
                "actor": entry.actor, "about": entry.link_id, "facts": dict(entry.facts),
            }  # fmt: skip
        before = entries[-1].at
