"""Customers, their people and what is noted about them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import (
    CountryField,
    CurrencyField,
    TextField,
    ZoneField,
    address_lines,
    fields_of,
)
from backoffice.forms.sections import Section, SectionedForm
from core.models import LANGUAGE_CHOICES, Company, User
from customers.models import Address, Contact, Customer

_OWN = (
    "kind",
    "name",
    "email",
    "phone",
    "vat_id",
    "tax_exemption",
    "payment_terms_days",
    "payment_terms_from",
    "po_reference",
    "payment_method",
    "external_id",
    "dunning_group",
)


class CustomerForm(SectionedForm):
    """A customer with its billing address, as `customers.create_customer` takes it."""

    sections = (
        Section(_("Who"), ("kind", "name", ("email", "phone"))),
        Section(
            _("Billing address"),
            ("recipient", "lines", ("postal_code", "city"), ("country", "region")),
        ),
        Section(_("Tax"), ("vat_id", "tax_exemption")),
        Section(
            _("Language, currency, terms"),
            (
                ("language", "currency"),
                ("payment_terms_days", "payment_terms_from"),
                ("time_zone", "payment_method"),
                "po_reference",
            ),
        ),
        Section(_("Inside"), (("owner", "external_id"), "dunning_group")),
    )

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Customer, _OWN))
        self.fields["kind"].widget = forms.RadioSelect(choices=Customer.Kind.choices)
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        self.fields["payment_terms_days"].widget.attrs["min"] = 0
        self.fields.update(fields_of(Address, ("recipient", "postal_code", "city", "region")))
        self.fields["lines"] = TextField(
            label=_("Street"), rows=2, limit=500, required=False, help_text=_("Up to four lines above the town.")
        )
        self.fields["country"] = CountryField()
        own = _("as the company")
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"),
            required=False,
            choices=[("", own), *LANGUAGE_CHOICES],
            help_text=_("Of documents and mails."),
        )
        self.fields["currency"] = CurrencyField(required=False, empty=own)
        self.fields["time_zone"] = ZoneField(required=False, empty=own)
        self.fields["owner"] = forms.ModelChoiceField(
            label=_("Owner"),
            required=False,
            queryset=User.objects.filter(memberships__company=company, is_active=True).order_by("name", "email"),
            help_text=_("Who looks after this customer."),
        )

    @staticmethod
    def initial_of(customer: Customer, address: Address | None) -> dict[str, Any]:
        """What the form shows of a customer."""
        initial = {name: getattr(customer, name) for name in (*_OWN, "language", "currency", "time_zone", "owner")}
        if address is not None:
            initial |= {name: getattr(address, name) for name in ("recipient", "postal_code", "city", "region")}
            initial |= {"country": address.country, "lines": "\n".join(address.lines)}
        return initial

    def customer_values(self) -> dict[str, Any]:
        return self.changes(*_OWN, "language", "currency", "time_zone", "owner")

    def address_values(self) -> dict[str, Any]:
        values = self.changes("recipient", "postal_code", "city", "region", "country")
        return {**values, "lines": address_lines(self.cleaned_data["lines"])}


class ContactForm(SectionedForm):
    """A person at the customer."""

    sections = (Section("", ("name", ("email", "phone"), "role", "gets_invoices")),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Contact, ("name", "email", "phone", "role", "gets_invoices")))
        self.fields["role"].widget = forms.RadioSelect(choices=Contact.Role.choices)


class NoteForm(forms.Form):
    text = TextField(label=_("Note"), rows=3, limit=10_000, help_text=_("What colleagues should know."))


class CustomerFilter(forms.Form):
    """Filters of the list; "label|operator" names a chip."""

    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", "–"), *Customer.Kind.choices])
    language = forms.ChoiceField(label=_("Language"), required=False, choices=[("", "–"), *LANGUAGE_CHOICES])
    country = CountryField(required=False)
    archived = forms.ChoiceField(
        label=_("Archived"), required=False, choices=[("", _("hidden")), ("only", _("only archived"))]
    )
