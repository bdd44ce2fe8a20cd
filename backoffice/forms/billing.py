"""Invoices by hand, what is given back of them, and money that comes and goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import AmountField, CurrencyField, DayField, NumberField, TextField, minor_of
from backoffice.forms.sections import Section, SectionedForm
from billing.models import Invoice, InvoiceLine, Payment
from billing.services.drafting import DraftLine
from catalog.models import Product, TaxBehavior, TaxCategory
from catalog.services.texts import in_language
from core.design import formats
from core.models import Company, TermsFrom

MOST_LINES = 100


class LineForm(forms.Form):
    """One line of a draft; an empty one is left out.

    `of` is the position of a line that billing wrote: its words and its amount may change, or it is taken out.
    """

    of = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1, max_value=32767)
    description = forms.CharField(label=_("Description"), required=False, max_length=400)
    quantity = NumberField(label=_("Quantity"), places=6, required=False)
    unit_amount = AmountField(label=_("Price of one"), places=10, required=False)
    amount = AmountField(
        label=_("Amount"), places=4, required=False, help_text=_("Empty: quantity times price for its days.")
    )
    reason = forms.CharField(label=_("Reason of the change"), max_length=500, required=False)
    gone = forms.BooleanField(label=_("Take it out"), required=False)

    def __init__(self, *args: Any, company: Company, currency: str = "EUR", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        name = self.add_prefix("of")
        if self.data.get(name) if self.is_bound else self.initial.get("of"):
            names = ("of", "description", "quantity", "unit_amount", "amount", "reason", "gone")
            self.fields = {name: self.fields[name] for name in names}
            return
        own = company.language
        product = forms.ModelChoiceField(
            label=_("Product"),
            required=False,
            empty_label="–",
            queryset=Product.objects.filter(company=company, archived_at__isnull=True).order_by("code"),
        )
        product.label_from_instance = lambda row: in_language(row.name, own, own)  # type: ignore[method-assign]
        category = forms.ModelChoiceField(
            label=_("Taxed as"),
            required=False,
            empty_label=_("as the product"),
            queryset=TaxCategory.objects.filter(company=company).order_by("name"),
        )
        self.fields = {
            "product": product,
            "description": self.fields["description"],
            "quantity": self.fields["quantity"],
            "unit_amount": self.fields["unit_amount"],
            "tax_category": category,
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.is_empty():
            return given
        if given.get("of"):
            given["amount_minor"] = None
            if given.get("amount") is not None:
                try:
                    given["amount_minor"] = minor_of(given["amount"], self.currency)
                except ValidationError as error:
                    self.add_error("amount", error)
            return given
        if given.get("product") is None and given.get("tax_category") is None:
            self.add_error("tax_category", gettext("Name a product, or how the line is taxed."))
        if given.get("product") is None and not given.get("description"):
            self.add_error("description", gettext("Say what the line is for."))
        if given.get("unit_amount") is None and "unit_amount" not in self.errors:
            self.add_error("unit_amount", gettext("Name the price of one."))
        return given

    def is_empty(self) -> bool:
        given = getattr(self, "cleaned_data", {})
        return not self.errors and not any(
            given.get(name) is not None and given.get(name) != "" for name in self.fields
        )

    def line(self) -> DraftLine:
        given = self.cleaned_data
        quantity = given["quantity"]
        if given.get("of"):
            return DraftLine(
                of=given["of"],
                description=given["description"],
                quantity=Decimal(1) if quantity is None else quantity,
                unit_amount=given["unit_amount"] or Decimal(0),
                amount_minor=given["amount_minor"],
                reason=given["reason"],
            )
        return DraftLine(
            description=given["description"],
            quantity=Decimal(1) if quantity is None else quantity,
            unit_amount=given["unit_amount"],
            product=given["product"],
            tax_category=given["tax_category"],
        )


class BaseLines(forms.BaseFormSet):  # type: ignore[type-arg]
    """The lines of a draft; at least one."""

    def clean(self) -> None:
        if not any(self.errors) and not self.lines():
            raise ValidationError(gettext("A draft needs at least one line."))

    def lines(self) -> list[DraftLine]:
        return [
            form.line()
            for form in self.forms
            if form.is_valid() and not form.is_empty() and not form.cleaned_data.get("gone")
        ]


LineSet = forms.formset_factory(LineForm, formset=BaseLines, extra=3, max_num=MOST_LINES, absolute_max=MOST_LINES + 10)


class DraftForm(SectionedForm):
    """What stands above the lines of a draft."""

    sections = (
        Section(
            "", (("currency", "tax_behavior"), ("payment_terms_days", "payment_terms_from"), "po_reference", "removed")
        ),
    )

    currency = CurrencyField()
    tax_behavior = forms.ChoiceField(label=_("Prices"), choices=TaxBehavior.choices)
    payment_terms_days = forms.IntegerField(
        label=_("Payment terms"), min_value=0, max_value=365, required=False,
        help_text=_("Days until due; empty: the customer's or the company's."),
    )  # fmt: skip
    payment_terms_from = forms.ChoiceField(
        label=_("Payment terms count from"), choices=[("", "–"), *TermsFrom.choices], required=False
    )
    po_reference = forms.CharField(label=_("Order reference"), max_length=80, required=False)
    removed = forms.ChoiceField(
        label=_("What lines taken out billed"),
        choices=[("bill_again", _("is billed again later")), ("free", _("stays unbilled for good"))],
        initial="bill_again",
        required=False,
    )

    def __init__(self, *args: Any, changing: bool = False, of_billing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if changing:
            del self.fields["currency"], self.fields["tax_behavior"]
        if not of_billing:
            del self.fields["removed"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if "removed" in self.fields:
            given["removed"] = given.get("removed") or "bill_again"
        return given


class CreditForm(SectionedForm):
    """What is given back of an invoice: all that is left, by line, or an amount."""

    how = forms.ChoiceField(
        label=_("Give back"),
        widget=forms.RadioSelect,
        choices=[
            ("whole", _("All that is left")),
            ("lines", _("By line")),
            ("amount", _("An amount, with tax")),
        ],
        initial="whole",
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, help_text=_("Printed on the credit note."))

    def __init__(self, *args: Any, invoice: Invoice, lines: list[InvoiceLine], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoice, self.lines = invoice, lines
        for line in lines:
            left = line.left_minor  # type: ignore[attr-defined]
            hint = gettext("%(left)s is left.") % {"left": formats.money(left, invoice.currency)}
            self.fields[f"line_{line.pk}"] = AmountField(
                label=line.description, required=False, help_text=hint, disabled=left <= 0
            )
        self.fields["gross"] = AmountField(label=_("Amount with tax"), required=False)

    def layout(self) -> tuple[Section, ...]:
        rows = tuple(f"line_{line.pk}" for line in self.lines)
        return (
            Section("", ("how", "reason")),
            Section(_("By line"), rows, _("Amounts without tax where prices are net, with tax where they are gross.")),
            Section(_("An amount"), ("gross",)),
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        currency, how = self.invoice.currency, given.get("how")
        given["credit_lines"] = given["gross_minor"] = None
        if how == "amount":
            self._minor(given, "gross", currency, "gross_minor")
            if given.get("gross") is None and "gross" not in self.errors:
                self.add_error("gross", gettext("Name the amount."))
        if how == "lines":
            wanted: dict[int, int] = {}
            for line in self.lines:
                name = f"line_{line.pk}"
                if given.get(name):
                    try:
                        wanted[line.pk] = minor_of(given[name], currency)
                    except ValidationError as error:
                        self.add_error(name, error)
            if not wanted and not self.errors:
                self.add_error("how", gettext("Name an amount for at least one line."))
            given["credit_lines"] = wanted
        return given

    def _minor(self, given: dict[str, Any], name: str, currency: str, into: str) -> None:
        if given.get(name) is not None:
            try:
                given[into] = minor_of(given[name], currency)
            except ValidationError as error:
                self.add_error(name, error)


class VoidForm(SectionedForm):
    sections = (Section("", ("days", "reason")),)

    days = forms.ChoiceField(
        label=_("The days it billed"),
        widget=forms.RadioSelect,
        choices=[("bill_again", _("are billed again")), ("free", _("stay unbilled for good"))],
        initial="bill_again",
    )
    reason = forms.CharField(label=_("Reason"), max_length=500, help_text=_("Printed on the credit note."))


class ReasonForm(SectionedForm):
    sections = (Section("", ("reason",)),)

    reason = forms.CharField(label=_("Reason"), max_length=500)


class SendForm(SectionedForm):
    """To whom a document goes; empty means those who get the customer's documents."""

    sections = (Section("", ("recipients",)),)

    recipients = TextField(
        label=_("To"), rows=2, limit=2000, required=False, help_text=_("One address a line; empty: the usual ones.")
    )

    def clean_recipients(self) -> list[str] | None:
        addresses = [line.strip() for line in self.cleaned_data["recipients"].splitlines() if line.strip()]
        for address in addresses:
            forms.EmailField().clean(address)
        return addresses or None


class PaymentForm(SectionedForm):
    """Money that came in."""

    sections = (Section("", (("amount", "currency"), ("received_on", "method"), "invoice", "reference", "note")),)

    amount = AmountField(label=_("Amount"), places=4)
    currency = CurrencyField()
    received_on = DayField(label=_("Received on"), help_text=_("Day of the money."))
    method = forms.ChoiceField(label=_("Method"), choices=Payment.Method.choices)
    reference = forms.CharField(
        label=_("Reference"),
        max_length=140,
        required=False,
        help_text=_("Bank reference, receipt number and the like."),
    )
    note = forms.CharField(label=_("Note"), max_length=500, required=False, help_text=_("For colleagues."))

    def __init__(self, *args: Any, invoices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = forms.ModelChoiceField(
            label=_("Invoice"),
            queryset=invoices,
            required=False,
            empty_label=_("the oldest due first"),
            help_text=_("It is paid first; what is left pays the oldest due, then becomes account credit."),
        )
        choice.label_from_instance = _invoice_label  # type: ignore[method-assign]
        self.fields["invoice"] = choice

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("amount") is not None and given.get("currency"):
            try:
                given["amount_minor"] = minor_of(given["amount"], given["currency"])
            except ValidationError as error:
                self.add_error("amount", error)
        return given

    def values(self) -> dict[str, Any]:
        names = ("amount_minor", "currency", "method", "received_on", "invoice", "reference", "note")
        return self.changes(*names)


def _invoice_label(invoice: Invoice) -> str:
    return gettext("%(number)s, %(open)s open, due %(day)s") % {
        "number": invoice.number,
        "open": formats.money(invoice.balance.open_minor, invoice.currency),
        "day": formats.day(invoice.balance.payment_due_on),
    }


class AllocateForm(SectionedForm):
    """Which invoice a payment pays, and with how much."""

    sections = (Section("", ("invoice", "amount")),)

    amount = AmountField(
        label=_("Amount"), places=4, required=False,
        help_text=_("Exactly this, the rest stays open; empty: as much as fits, the rest becomes account credit."),
    )  # fmt: skip

    def __init__(self, *args: Any, invoices: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        choice = forms.ModelChoiceField(
            label=_("Invoice"), queryset=invoices, required=False, empty_label=_("the oldest due first")
        )
        choice.label_from_instance = _invoice_label  # type: ignore[method-assign]
        self.fields["invoice"] = choice

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given["amount_minor"] = None
        if given.get("amount") is not None:
            try:
                given["amount_minor"] = minor_of(given["amount"], self.currency)
            except ValidationError as error:
                self.add_error("amount", error)
            if given.get("invoice") is None:
                self.add_error("invoice", gettext("An exact amount needs an invoice."))
        return given


class TakeBackForm(SectionedForm):
    sections = (Section("", ("status", "reason")),)

    status = forms.ChoiceField(
        label=_("What happened"),
        widget=forms.RadioSelect,
        choices=[
            (Payment.Status.RETURNED, _("The bank returned it")),
            (Payment.Status.DISPUTED, _("The customer disputes it")),
            (Payment.Status.CANCELED, _("It was recorded by mistake")),
        ],
        initial=Payment.Status.RETURNED,
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)


class PayOutForm(SectionedForm):
    """Account credit that goes back to the customer."""

    sections = (Section("", (("amount", "currency"), "reason")),)

    amount = AmountField(label=_("Amount"), places=4)
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def __init__(self, *args: Any, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency"), choices=[(code, code) for code in currencies], initial=currencies[0]
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("amount") is not None and given.get("currency"):
            try:
                given["amount_minor"] = minor_of(given["amount"], given["currency"])
            except ValidationError as error:
                self.add_error("amount", error)
        return given


class SettleRefundForm(SectionedForm):
    sections = (Section("", ("paid_on", "reference")),)

    paid_on = DayField(label=_("Paid out on"))
    reference = forms.CharField(label=_("Bank reference"), max_length=140, required=False)


class InvoiceFilter(forms.Form):
    currency = CurrencyField(required=False)
    issued_from = DayField(label=_("Issued|from"), required=False)
    issued_to = DayField(label=_("Issued|to"), required=False)
    due_to = DayField(label=_("Due|by"), required=False)


class PaymentFilter(forms.Form):
    method = forms.ChoiceField(label=_("Method"), required=False, choices=[("", "–"), *Payment.Method.choices])
    received_from = DayField(label=_("Received|from"), required=False)
    received_to = DayField(label=_("Received|to"), required=False)
