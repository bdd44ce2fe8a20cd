"""What is taken over of the customer that goes, field by field, and its number typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from crm.services.merging_fields import Difference
from customers.models import Customer

GOES, STAYS = "goes", "stays"


class MergeForm(forms.Form):
    confirm = forms.CharField(
        label=_("Number of the customer that goes"),
        max_length=20,
        help_text=_("Type it to confirm. There is no way back."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(
        self, *args: Any, differs: Sequence[Difference], goes: Customer, stays: Customer, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.differs = differs
        for one in differs:
            self.fields[f"take_{one.name}"] = forms.ChoiceField(
                label=capfirst(str(one.label)), choices=[
                    (STAYS, f"{stays.number}: {one.stays or '–'}"), (GOES, f"{goes.number}: {one.goes}"),
                ],
                widget=forms.RadioSelect, initial=GOES if one.is_taken else STAYS,
            )  # fmt: skip

    @property
    def choices(self) -> list[forms.BoundField]:
        """The fields in which the two differ."""
        return [self[f"take_{one.name}"] for one in self.differs]

    @property
    def taken(self) -> list[str]:
        """Names of the fields in which the one that goes wins."""
        return [one.name for one in self.differs if self.cleaned_data[f"take_{one.name}"] == GOES]
