"""The mails of this room: what each is for, what its text may name, and figures of a real customer for a preview.

One rule matters: what a text may name is promised to those who reword it; a placeholder is never taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.documents.figures import Figures
from billing.models import Invoice, InvoiceBalance
from customers.models import Customer
from customers.services.mail_texts import register

Words = Mapping[str, str | Promise]

CUSTOMER: Final[Words] = {"customer": _("Name of the customer")}
NUMBER: Final[Words] = {"number": _("Number of the document")}
LINK: Final[Words] = {"link": _("Where it is seen, paid or done online")}
DOCUMENT: Final[Words] = {
    **CUSTOMER, **NUMBER, **LINK,
    "day": _("Day of the document"),
    "amount": _("Its amount with tax"),
    "payment": _("How it is paid, in a sentence"),
    "bank": _("Your bank account, in lines; empty where nothing is transferred"),
}  # fmt: skip
INVOICE: Final[Words] = {
    **DOCUMENT,
    "to_pay": _("What is still to be paid; empty: nothing"),
    "due_on": _("Day it is due; empty where nothing is to be paid"),
    "pay_link": _("Where it is paid at once; empty without a payment provider"),
}  # fmt: skip
DEBIT: Final[Words] = {
    **CUSTOMER, **NUMBER, **LINK,
    "amount": _("Amount that is collected"),
    "day": _("Day it is collected"),
    "account": _("Account it is collected from"),
    "reference": _("Mandate reference"),
    "creditor_id": _("Your creditor identifier"),
    "creditor": _("Your name as creditor"),
}  # fmt: skip
REMINDER: Final[Words] = {
    **CUSTOMER,
    "items": _("Overdue invoices, fees and interest, in lines"),
    "total": _("Sum of all that is overdue"),
    "pay_links": _("Where each invoice is paid, in lines"),
    "bank": _("Your bank account, in lines"),
}  # fmt: skip


def example(customer: Customer) -> dict[str, str]:
    """Figures of the customer's newest invoice, for a preview."""
    language = get_language() or customer.company.language
    values = {"customer": customer.name, "email": customer.email, "phone": customer.phone,
              "creditor": customer.company.legal_name}  # fmt: skip
    invoice = Invoice.objects.filter(customer=customer, sequence__isnull=False).order_by("-pk").first()
    if invoice is None:
        return values
    figures = Figures(language, invoice.currency)
    balance = InvoiceBalance.objects.filter(pk=invoice.pk).first()
    amount = figures.money(invoice.gross_minor)
    values |= {"number": str(invoice.number), "day": figures.day(str(invoice.issued_on)), "amount": amount,
               "total": amount}  # fmt: skip
    if balance is not None and balance.open_minor > 0:
        values |= {"to_pay": figures.money(balance.open_minor), "total": figures.money(balance.open_minor),
                   "due_on": figures.day(balance.payment_due_on.isoformat())}  # fmt: skip
    return values


def _register(name: str, title: str | Promise, purpose: str | Promise, placeholders: Words) -> None:
    register(
        name, title=title, purpose=purpose, placeholders=placeholders, category="contract", example=example
    )  # fmt: skip


_register("invoice_issued", _("Invoice to pay"), _("With the invoice, when something is to be paid."), INVOICE)
_register("invoice_settled", _("Invoice with nothing to pay"),
          _("With the invoice, when nothing is left to be paid."), INVOICE)  # fmt: skip
_register("credit_note_issued", _("Credit note"), _("With the credit note."),
          {**DOCUMENT, "invoice": _("Number of the invoice it corrects"),
           "reason": _("Why; empty where no reason is given")})  # fmt: skip
_register("debit_notice", _("Notice of a direct debit"),
          _("Before a direct debit is drawn, when the invoice didn't say all of it."), DEBIT)  # fmt: skip
_register("debit_notice_moved", _("Notice of a moved direct debit"),
          _("When the day of an announced direct debit changes."), DEBIT)  # fmt: skip
_register("pay_link", _("Link to pay an invoice"), _("When a colleague sends it."),
          {**CUSTOMER, **NUMBER, **LINK, "total": _("What is open"), "due_on": _("Day it is due")})  # fmt: skip
_register("method_link", _("Link to add a payment method"), _("When a colleague sends it."), {**CUSTOMER, **LINK})
_register("reminder_0", _("Friendly reminder"), _("Step of dunning: the friendly reminder."), REMINDER)
_register("reminder_1", _("First reminder"), _("Step of dunning: the first reminder."), REMINDER)
_register("reminder_2", _("Second reminder"), _("Step of dunning: the second reminder."), REMINDER)
_register("reminder_3", _("Last reminder"), _("Step of dunning: the last reminder."), REMINDER)
_register("reminder_confirm", _("Payment to be confirmed"),
          _("When the customer's bank wants a payment confirmed."),
          {**CUSTOMER, **NUMBER, **LINK, "total": _("Amount")})  # fmt: skip
_register("reminder_method", _("Another payment method needed"),
          _("When a saved payment method failed for good."),
          {**CUSTOMER, **NUMBER, **LINK, "total": _("Amount"), "method": _("The method that failed"),
           "reason": _("Why it failed")})  # fmt: skip
_STAFF: Final[Words] = {**REMINDER, "email": _("The customer's e-mail"), "phone": _("The customer's phone number")}
_register("reminder_alert", _("To colleagues: somebody should call"),
          _("Step of dunning: to your own address, when a customer should be called."), _STAFF)  # fmt: skip
_register("reminder_alert_handover", _("To colleagues: for collection"),
          _("Step of dunning: to your own address, when a case is to be handed over."), _STAFF)  # fmt: skip
