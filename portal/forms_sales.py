"""What somebody types who may become a customer: a message to the company, a signature, why a quote isn't wanted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.forms import country_choices


class LeadCaptureForm(forms.Form):
    """Get in touch: who, how to answer, what about. `website` is a trap: people don't see it."""

    name = forms.CharField(label=_("Your name"), max_length=200)
    organization = forms.CharField(label=pgettext_lazy("organization", "Company"), max_length=200, required=False)
    email = forms.EmailField(label=_("E-mail"))
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    country = forms.ChoiceField(label=_("Country"), required=False)
    message = forms.CharField(
        label=_("How can we help?"), max_length=10_000, required=False, widget=forms.Textarea(attrs={"rows": 5})
    )
    website = forms.CharField(required=False)

    def __init__(self, *args: Any, consent: str, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].choices = [("", ""), *country_choices()]  # type: ignore[attr-defined]
        self.fields["country"].initial = country
        if consent:
            self.fields["consent"] = forms.BooleanField(label=consent, required=False)

    def is_trapped(self) -> bool:
        return bool(self.cleaned_data.get("website"))


class SignForm(forms.Form):
    """Accepting a quote: the typed name stands for the signature."""

    name = forms.CharField(label=_("Your name, as your signature"), max_length=200)
    agreed = forms.BooleanField(label=_("I have read the quote and accept it for the one it is addressed to."))


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Why not? (if you like)"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
