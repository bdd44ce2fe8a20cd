"""By which of a customer's methods a subscription is paid."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.sections import Section, SectionedForm


class UseForm(SectionedForm):
    """One of the customer's methods, or its default."""

    sections = (Section("", ("method",)),)

    def __init__(self, *args: Any, methods: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["method"] = forms.ModelChoiceField(
            label=_("Payment method"), queryset=methods, required=False, empty_label=_("the customer's default"),
            to_field_name="public_id",
        )  # fmt: skip
