"""One-off charges of a subscription: what, for how much, on which day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import products_of
from backoffice.forms.fields import AmountField, DayField, NumberField
from backoffice.forms.sections import Section, SectionedForm
from core.models import Company


class OneOffForm(SectionedForm):
    """A further charge, invoiced on its day or at once."""

    sections = (Section("", ("product", ("quantity", "unit_amount"), "service_on", "description", "bill_now")),)

    def __init__(self, *args: Any, company: Company, on: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"] = products_of(company)
        self.fields["quantity"] = NumberField(label=_("Quantity"), places=6, initial=Decimal(1))
        self.fields["unit_amount"] = AmountField(
            label=_("Price of one"), required=False, help_text=_("Empty: the plan's price of this one-off charge.")
        )
        self.fields["service_on"] = DayField(
            label=_("Day of the supply"), initial=on, help_text=_("It is invoiced on that day.")
        )
        self.fields["description"] = forms.CharField(
            label=_("Words on the document"), required=False, max_length=400, help_text=_("Empty: the product's name.")
        )
        self.fields["bill_now"] = forms.BooleanField(
            label=_("Invoice it today"), required=False, help_text=_("Even if it is supplied later.")
        )

    def values(self) -> dict[str, Any]:
        return self.changes("product", "quantity", "unit_amount", "service_on", "description", "bill_now")


class MoveForm(SectionedForm):
    """Another day of the supply."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service_on"] = DayField(label=_("Day of the supply"), help_text=_("It is invoiced on that day."))
