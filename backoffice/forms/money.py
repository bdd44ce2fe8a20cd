"""Forms about money in: what the payments page shows, collecting, closing by hand, giving back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import AmountField, CurrencyField, DayField, minor_of
from backoffice.forms.sections import Section, SectionedForm
from billing.models import Attempt, Payment
from billing.services import money_rows

PROOF_BYTES = 5_000_000
PROOF_TYPES = {"application/pdf", "image/png", "image/jpeg", "text/plain"}


class MoneyFilter(forms.Form):
    """What the payments page shows."""

    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *money_rows.STATES.items()])
    way = forms.ChoiceField(label=_("Method"), required=False, choices=[("", "–"), *Payment.Method.choices])
    currency = CurrencyField(required=False)
    on_from = DayField(label=_("Day|from"), required=False)
    on_to = DayField(label=_("Day|to"), required=False)


class CollectForm(SectionedForm):
    """By which of the customer's methods an invoice is collected now."""

    sections = (Section("", ("method",)),)

    def __init__(self, *args: Any, methods: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["method"] = forms.ModelChoiceField(
            label=_("Payment method"), queryset=methods, empty_label=None, widget=forms.RadioSelect,
            to_field_name="public_id",
        )  # fmt: skip


class CloseForm(SectionedForm):
    """How an attempt ended, with what shows it."""

    sections = (Section("", ("state", "proof")),)

    state = forms.ChoiceField(
        label=_("How it ended"),
        widget=forms.RadioSelect,
        choices=[
            (Attempt.State.SETTLED, _("The money came")),
            (Attempt.State.FAILED, _("The provider refused it")),
            (Attempt.State.CANCELED, _("It was never carried out")),
        ],
    )
    proof = forms.FileField(
        label=_("Proof"),
        help_text=_("A statement or screenshot of the provider: PDF, PNG, JPEG or text, at most 5 MB."),
    )

    def clean_proof(self) -> Any:
        proof = self.cleaned_data["proof"]
        if proof.size > PROOF_BYTES or proof.content_type not in PROOF_TYPES:
            raise ValidationError(_("Send a PDF, PNG, JPEG or text file of at most 5 MB."), code="invalid")
        return proof


class GiveBackForm(SectionedForm):
    """Part of a payment, or all of it, that goes back to the customer."""

    sections = (Section("", ("amount", "reason", "way")),)

    amount = AmountField(label=_("Amount"), places=4)
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def __init__(self, *args: Any, currency: str, gateway: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        if gateway:
            self.fields["way"] = forms.ChoiceField(
                label=_("How it is paid out"), widget=forms.RadioSelect, initial="gateway",
                choices=[("gateway", gateway), ("hand", _("by hand, such as by bank transfer"))],
            )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("amount") is not None:
            try:
                given["amount_minor"] = minor_of(given["amount"], self.currency)
            except ValidationError as error:
                self.add_error("amount", error)
        return given
