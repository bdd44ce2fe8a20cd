"""Credit given, sold, taken back; invoices replaced."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import AmountField, CurrencyField, DayField, minor_of
from backoffice.forms.sections import Section, SectionedForm
from catalog.models import TaxCategory
from core.models import Company


class GrantForm(SectionedForm):
    """Credit as a goodwill."""

    sections = (Section("", (("amount", "currency"), "expires_on", "reason")),)

    amount = AmountField(label=_("Amount"), places=4, help_text=_("It lowers the next invoices before tax."))
    currency = CurrencyField()
    expires_on = DayField(label=_("Last day"), required=False, help_text=_("Empty: it never expires."))
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        _into_minor(self, given, "amount", "amount_minor")
        return given


class PackForm(SectionedForm):
    """Prepaid credit, sold with tax."""

    sections = (
        Section("", (("amount", "price"), ("currency", "tax_category"), "expires_on", "description", "po_reference")),
    )

    amount = AmountField(label=_("Credit"), places=4, help_text=_("Without tax."))
    price = AmountField(
        label=_("Price"), places=4, required=False,
        help_text=_("Without tax; empty: as much as the credit. What lies above the price is granted."),
    )  # fmt: skip
    currency = CurrencyField()
    expires_on = DayField(label=_("Last day"), required=False, help_text=_("Empty: it never expires."))
    description = forms.CharField(label=_("Words on the invoice"), max_length=400, required=False)
    po_reference = forms.CharField(label=_("Order reference"), max_length=80, required=False)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        categories = TaxCategory.objects.filter(company=company).order_by("name")
        self.fields["tax_category"] = forms.ModelChoiceField(
            label=_("Taxed as"), queryset=categories, help_text=_("It pays for what is taxed at the same rate.")
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        _into_minor(self, given, "amount", "amount_minor")
        _into_minor(self, given, "price", "price_minor")
        return given


def _into_minor(form: forms.Form, given: dict[str, Any], name: str, into: str) -> None:
    given[into] = None
    if given.get(name) is not None and given.get("currency"):
        try:
            given[into] = minor_of(given[name], given["currency"])
        except ValidationError as error:
            form.add_error(name, error)


class ReplaceForm(SectionedForm):
    """How the new invoice comes, and why."""

    sections = (Section("", ("how", "po_reference", "reason")),)

    how = forms.ChoiceField(
        label=_("The new invoice"),
        widget=forms.RadioSelect,
        choices=[
            ("issue", _("is issued at once, with the customer's data of today")),
            ("draft", _("is a draft, to be changed first")),
        ],
        initial="issue",
    )
    po_reference = forms.CharField(label=_("Order reference"), max_length=80, required=False)
    reason = forms.CharField(label=_("Reason"), max_length=500, help_text=_("Printed on the credit note."))
