"""The one field of the page that erases: the customer's number, typed."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class EraseForm(forms.Form):
    confirm = forms.CharField(
        label=_("Number of the customer"),
        max_length=20,
        help_text=_("Type it to confirm. There is no way back."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
