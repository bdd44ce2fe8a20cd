"""Forms about the bank: statements read in, lines settled by hand, files for the bank."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import CurrencyField, DayField
from backoffice.forms.sections import Section, SectionedForm
from billing.models import BankLine, BankStatement

STATEMENT_BYTES = 50_000_000


class StatementForm(SectionedForm):
    """A file of the bank."""

    sections = (
        Section("", ("file",)),
        Section(_("For files that don't say it"), (("account", "currency"),), folded=True),
    )

    file = forms.FileField(
        label=_("Statement"), help_text=_("camt.053, camt.054, MT940 or CSV, as the bank offers it.")
    )
    account = forms.CharField(label=_("Account"), max_length=34, required=False, help_text=_("IBAN of the account."))
    currency = CurrencyField(required=False)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > STATEMENT_BYTES:
            raise ValidationError(_("The file is larger than 50 MB."), code="too_large")
        return file


class LineFilter(forms.Form):
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *BankLine.State.choices])
    on_from = DayField(label=_("Day|from"), required=False)
    on_to = DayField(label=_("Day|to"), required=False)


class ChooseForm(SectionedForm):
    """What a line pays, said by a person."""

    sections = (Section("", ("number",)),)

    number = forms.CharField(
        label=_("Invoice or customer"), max_length=100, required=False,
        help_text=_("A number such as INV-2026-000017 or CUS-000042. A customer's oldest due invoices are paid first."),
    )  # fmt: skip


class AsideForm(SectionedForm):
    sections = (Section("", ("reason",)),)

    reason = forms.CharField(label=_("Reason"), max_length=300)


FORMATS = dict(BankStatement.Format.choices)
