"""What a customer types: their data, a colleague, the day a contract shall end. The verbs check; forms only ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from babel import Locale
from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.models import Mandate
from core import countries
from core.models import LANGUAGE_CHOICES
from core.refusal import Refused
from customers.models import Address, Contact, Customer

REASONS = (
    ("", _("I'd rather not say")),
    ("too_expensive", _("It costs too much")),
    ("not_used", _("I don't use it enough")),
    ("missing_features", _("Something is missing")),
    ("switching", _("I am going elsewhere")),
    ("quality", _("It didn't work well")),
    ("other", _("Another reason")),
)


def show_refusal(form: forms.BaseForm, refused: Refused) -> None:
    """Puts a refusal beside the field it names, else above the form."""
    form.add_error(refused.field if refused.field in form.fields else None, refused.message)


def country_choices() -> list[tuple[str, str]]:
    names = Locale.parse((get_language() or "en").split("-")[0]).territories
    pairs = [(code, str(names.get(code, code))) for code in countries.codes()]
    return sorted(pairs, key=lambda pair: pair[1])


class OfferForm(forms.Form):
    """A code the customer was given."""

    code = forms.CharField(
        label=_("Offer code"), max_length=40, help_text=_("As it was sent to you; capital letters or small ones.")
    )


class DayField(forms.DateField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
        super().__init__(input_formats=["%Y-%m-%d"], **kwargs)


class DataForm(forms.Form):
    """A customer's own data. `values_for` fills it, `changes` and `address` are what the verbs take."""

    name = forms.CharField(label=_("Name"), max_length=200, strip=False)
    email = forms.EmailField(label=_("E-mail for invoices"), help_text=_("Invoices are sent there."), required=False)
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    language = forms.ChoiceField(
        label=_("Language"), required=False, help_text=_("Invoices and mails are written in it.")
    )
    vat_id = forms.CharField(
        label=_("VAT id"), max_length=40, required=False, help_text=_("With country letters, such as DE136695976.")
    )
    po_reference = forms.CharField(
        label=_("Order reference"),
        max_length=80,
        required=False,
        strip=False,
        help_text=_("Your own reference; it is printed on invoices from now on."),
    )
    recipient = forms.CharField(
        label=_("Recipient"), max_length=200, required=False, help_text=_("A department or a person, if it differs.")
    )
    lines = forms.CharField(
        label=_("Street and number"), required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=1000
    )
    postal_code = forms.CharField(label=_("Postal code"), max_length=20, required=False)
    city = forms.CharField(label=_("Town"), max_length=100, required=False)
    country = forms.ChoiceField(label=_("Country"), choices=country_choices)

    OWN = ("name", "email", "phone", "language", "vat_id", "po_reference")
    PLACE = ("recipient", "postal_code", "city", "country")

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer = customer
        usual = customer.company.get_language_display()
        self.fields["language"].choices = [("", usual), *LANGUAGE_CHOICES]  # type: ignore[attr-defined]
        if customer.kind == Customer.Kind.PERSON:
            del self.fields["vat_id"]

    @classmethod
    def values_for(cls, customer: Customer, address: Address | None) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(customer, name) for name in cls.OWN}
        if address is not None:
            values |= {name: getattr(address, name) for name in cls.PLACE}
            values["lines"] = "\n".join(address.lines)
        else:
            values["country"] = customer.company.country
        return values

    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.OWN if name in self.cleaned_data}

    def address(self, current: Address | None) -> dict[str, Any]:
        """The whole address; the region stays while country and postal code do."""
        values = {name: self.cleaned_data[name] for name in self.PLACE}
        lines = self.cleaned_data["lines"].replace("\r\n", "\n").split("\n")
        values["lines"] = [line.strip() for line in lines if line.strip()]
        stays = current is not None and all(
            getattr(current, name) == values[name] for name in ("country", "postal_code")
        )
        values["region"] = current.region if current is not None and stays else ""
        return values


class ColleagueForm(forms.Form):
    """A person who may come in as well."""

    name = forms.CharField(label=_("Name"), max_length=200)
    email = forms.EmailField(label=_("E-mail"), help_text=_("They sign in with a code sent there."))
    role = forms.ChoiceField(label=_("Role"), choices=Contact.Role.choices, widget=forms.RadioSelect)
    gets_invoices = forms.BooleanField(label=_("Gets every invoice by mail"), required=False)


class RoleForm(forms.Form):
    """What a colleague may do, and whether invoices go to them."""

    name = forms.CharField(label=_("Name"), max_length=200)
    role = forms.ChoiceField(label=_("Role"), choices=Contact.Role.choices, widget=forms.RadioSelect)
    gets_invoices = forms.BooleanField(label=_("Gets every invoice by mail"), required=False)


class EndForm(forms.Form):
    """Step one of a cancellation: when it shall end. Each choice names its last day."""

    when = forms.ChoiceField(label=_("When should it end?"), widget=forms.RadioSelect)
    ends_on = DayField(label=_("Last day"), required=False)

    def __init__(self, *args: Any, choices: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["when"].choices = list(choices)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("when") == "date" and not cleaned.get("ends_on") and "ends_on" not in self.errors:
            self.add_error("ends_on", _("Name the last day."))
        return cleaned


class ReasonForm(forms.Form):
    """Step two: why, if they like to say. Nothing here is required."""

    reason = forms.ChoiceField(label=_("Why?"), choices=REASONS, required=False)
    comment = forms.CharField(
        label=_("Anything we should know?"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class PublicCancelForm(forms.Form):
    """A cancellation without signing in, as § 312k BGB asks: kind, who, which contract, when, receipt to whom."""

    kind = forms.ChoiceField(
        label=_("Kind of cancellation"),
        choices=(
            ("ordinary", _("Ordinary: with the contract's notice")),
            ("extraordinary", _("Extraordinary: for good cause")),
        ),
        initial="ordinary",
        widget=forms.RadioSelect,
    )
    cause = forms.CharField(
        label=_("Cause"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Only for an extraordinary cancellation."),
    )
    name = forms.CharField(label=_("Your name"), max_length=200)
    contract = forms.CharField(
        label=_("Contract"),
        max_length=200,
        help_text=_("What identifies it: its number (SUB-…), your customer number, its name or an invoice number."),
    )
    when = forms.ChoiceField(
        label=_("When should it end?"),
        choices=(("earliest", _("As early as possible")), ("date", _("On a certain day"))),
        initial="earliest",
        widget=forms.RadioSelect,
    )
    ends_on = DayField(label=_("Last day"), required=False)
    email = forms.EmailField(label=_("E-mail for the receipt"))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("when") == "date" and not cleaned.get("ends_on") and "ends_on" not in self.errors:
            self.add_error("ends_on", _("Name the last day."))
        return cleaned


class SeatsForm(forms.Form):
    """How many units of each position there shall be."""

    def __init__(self, *args: Any, seats: Iterable[tuple[str, str, int, str]], most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held = {name: quantity for name, _label, quantity, _hint in seats}
        for name, label, quantity, hint in seats:
            self.fields[name] = forms.IntegerField(
                label=label, min_value=1, max_value=most, initial=quantity, help_text=hint
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not self.wanted():
            raise forms.ValidationError(_("Nothing would change."), code="nothing")
        return cleaned

    def wanted(self) -> dict[str, int]:
        """The new numbers by field, only those that differ."""
        return {name: self.cleaned_data[name] for name, held in self.held.items() if self.cleaned_data[name] != held}


class PauseForm(forms.Form):
    """From when, and until when if that is known."""

    from_on = DayField(label=_("First day of the pause"))
    until = DayField(
        label=_("First day after the pause"),
        required=False,
        help_text=_("Leave it empty to decide later; you resume it here."),
    )


class MandateForm(forms.Form):
    """A direct debit mandate, signed by typing one's name."""

    scheme = forms.ChoiceField(label=_("Kind of mandate"), choices=Mandate.Scheme.choices, widget=forms.HiddenInput)
    iban = forms.CharField(
        label=_("IBAN"),
        max_length=42,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("The account that is debited, such as DE02 1203 0000 0000 2020 51."),
    )
    holder = forms.CharField(label=_("Account holder"), max_length=70, help_text=_("As the bank knows the name."))
    signed_by = forms.CharField(
        label=_("Signature"), max_length=120, help_text=_("Type your name; it counts as your signature.")
    )
    agrees = forms.BooleanField(label=_("I have read the mandate above and grant it."))
