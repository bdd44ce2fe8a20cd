"""What an audit row was done to: the kind of the row in words, what people call it, and its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest
from django.urls import resolve, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from billing import models as billing
from catalog import models as catalog
from core import models as core
from core.design import formats
from core.models import AuditEntry
from crm import models as crm
from crm.services import alert_kinds
from customers import models as customers
from reporting import models as reporting
from subscriptions import models as subscriptions


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of row. `name`: what people call one; `page`: name of the page that shows one, or the list it is in;
    `of`: the row whose page that is, if not its own; `words`: where the model has none."""

    model: type[Model]
    name: Callable[[Any], object] | None = None
    page: str = ""
    of: str = ""
    words: Promise | str = ""


def _sum(row: Any) -> str:
    return formats.money(row.amount_minor, row.currency)


def _number_of_customer(row: Any) -> str:
    return customers.Customer(pk=row.customer_id).number


SUBJECTS: Final[Mapping[str, Subject]] = {
    "account": Subject(billing.Account, str, "journal", words=_("account")),
    "activity": Subject(crm.Activity, str, "activity"),
    "alert": Subject(crm.Alert, lambda row: alert_kinds.title_of(row.kind), "alerts"),
    "alert_rule": Subject(crm.AlertRule, lambda row: alert_kinds.title_of(row.kind), "alert-rules"),
    "annotation": Subject(reporting.Annotation, lambda row: formats.day(row.on), "report-notes", words=_("note")),
    "api_key": Subject(core.ApiKey, str, "keys", words=_("API key")),
    "attempt": Subject(billing.Attempt, _sum, "attempt"),
    "bank_line": Subject(billing.BankLine, _sum, "bank-line"),
    "bank_statement": Subject(billing.BankStatement, lambda row: row.number, "bank-statement"),
    "bulk_act": Subject(crm.BulkAct, None, "bulk-act"),
    "calendar_link": Subject(crm.CalendarLink),
    "campaign": Subject(catalog.Campaign, str, "campaign"),
    "claim": Subject(billing.Claim, _sum, "customer-account", of="customer"),
    "company": Subject(core.Company, str, "settings"),
    "contact": Subject(customers.Contact, str, "customer", of="customer"),
    "credit": Subject(billing.Credit, _sum, "customer-account", of="customer", words=_("credit")),
    "credit_note": Subject(billing.CreditNote, str, "credit-note"),
    "customer": Subject(customers.Customer, lambda row: row.number, "customer"),
    "debit_batch": Subject(billing.DebitBatch, str, "debit-file"),
    "discount": Subject(catalog.Discount, str, "discount"),
    "dunning_case": Subject(billing.DunningCase, _number_of_customer, "dunning-case"),
    "dunning_policy": Subject(billing.DunningPolicy, str, "dunning-policy"),
    "gateway": Subject(billing.Gateway, str, "gateway"),
    "gateway_event": Subject(billing.GatewayEvent, lambda row: row.type, "gateway-event"),
    "import": Subject(subscriptions.Import, str, "import", words=_("import")),
    "interest_rate": Subject(
        billing.InterestRate, lambda row: f"{row.country} {formats.day(row.from_on)}", "interest-rates",
        words=_("interest rate"),
    ),
    "invoice": Subject(billing.Invoice, lambda row: row.number, "invoice"),
    "job": Subject(core.Job, None, "job", words=_("job")),
    "lead": Subject(crm.Lead, str, "lead"),
    "lead_form": Subject(crm.LeadForm, None, "lead-form"),
    "lead_stage": Subject(crm.LeadStage, str, "lead-stages"),
    "mail_text": Subject(customers.MailText, None, "mail-texts"),
    "mailing": Subject(crm.Mailing, str, "mailing"),
    "mandate": Subject(billing.Mandate, str),
    "member": Subject(core.Membership, lambda row: row.user, "people", words=_("colleague")),
    "message": Subject(customers.Message, str, "message"),
    "meter": Subject(catalog.Meter, str, "meters"),
    "note": Subject(customers.Note, None, "customer", of="customer"),
    "offer": Subject(crm.Offer, str, "offers"),
    "offer_code": Subject(catalog.OfferCode, str, "discount", of="discount"),
    "payment": Subject(billing.Payment, _sum, "payment"),
    "payment_method": Subject(billing.PaymentMethod, str, "customer-account", of="customer"),
    "plan": Subject(catalog.Plan, str, "plan"),
    "product": Subject(catalog.Product, str, "product"),
    "quote": Subject(crm.Quote, str, "quote"),
    "refund": Subject(billing.Refund, _sum, "customer-account", of="customer", words=_("refund")),
    "reminder_rule": Subject(crm.ReminderRule, str, "reminder-rule"),
    "reversal": Subject(billing.Reversal, _sum, "payment", of="payment"),
    "role": Subject(core.Role, str, "people", words=_("role")),
    "run": Subject(billing.BillingRun, lambda row: formats.day(row.on), "run"),
    "saved_report": Subject(reporting.SavedReport, str, "reports", words=_("view of a report")),
    "segment": Subject(crm.Segment, str, "segment"),
    "subscription": Subject(subscriptions.Subscription, lambda row: row.number, "subscription"),
    "suppression": Subject(customers.Suppression, str, "blocked-addresses"),
    "task": Subject(crm.Task, str, "task"),
    "tax_rate": Subject(catalog.TaxRate, lambda row: f"{row.country} {formats.number(row.percent)} %", "tax-rate"),
    "tie": Subject(crm.Tie, str, "tie"),
    "webhook_endpoint": Subject(core.WebhookEndpoint, str, "webhook"),
}  # fmt: skip
#: What `name` reads of other rows.
_RELATED: Final = {"member": "user"}
#: Pages that are found by the row's key.
_BY_KEY: Final = {"gateway-event"}
#: Lists: pages that take nothing.
_LISTS: Final = {
    "journal", "alerts", "alert-rules", "report-notes", "keys", "settings", "interest-rates", "lead-form",
    "lead-stages", "mail-texts", "people", "meters", "offers", "reports", "blocked-addresses",
}  # fmt: skip


def words_of(kind: str) -> str:
    """What rows of a kind are called; a kind without words bears its code."""
    subject = SUBJECTS.get(kind)
    return capfirst(str(subject.words or subject.model._meta.verbose_name)) if subject else kind


def field_of(kind: str, name: str) -> Any:
    """The field of that name, where rows of the kind have one."""
    subject = SUBJECTS.get(kind)
    try:
        return subject.model._meta.get_field(name) if subject else None
    except FieldDoesNotExist:
        return None


def _address(subject: Subject, row: Any) -> str:
    if subject.page in _LISTS:
        return reverse(f"backoffice:{subject.page}")
    shown = getattr(row, subject.of) if subject.of else row
    return reverse(f"backoffice:{subject.page}", args=[shown.pk if subject.page in _BY_KEY else shown.ref])


def find(request: HttpRequest, entries: Iterable[AuditEntry]) -> dict[tuple[str, int], tuple[str, str]]:
    """By kind and id of what the entries are about: its name and the address of its page, if the reader may open it.

    One statement a kind. What is gone, or what the reader may not see, is not among them.
    """
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        if entry.subject_kind in SUBJECTS:
            wanted.setdefault(entry.subject_kind, set()).add(entry.subject_id)
    found = {}
    for kind, ids in wanted.items():
        subject = SUBJECTS[kind]
        rows = subject.model._default_manager.filter(pk__in=ids)
        if kind == "company":
            rows = rows.filter(pk=request.company.pk)  # type: ignore[attr-defined]
        elif field_of(kind, "company") is not None:
            rows = rows.filter(company=request.company)  # type: ignore[attr-defined, misc]
        if related := subject.of or _RELATED.get(kind):
            rows = rows.select_related(related)
        for row in rows:
            url = _address(subject, row) if subject.page else ""
            if url and getattr(resolve(url).func, "right", "") not in request.rights:  # type: ignore[attr-defined]
                continue
            name = str(subject.name(row) or "") if subject.name is not None else ""
            found[kind, row.pk] = (name or str(row.pk), url)
    return found
