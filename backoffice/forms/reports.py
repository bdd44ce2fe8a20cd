"""What a report is asked by a person, saved views of it, goals and notes on days."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.forms.fields import DayField, NumberField
from backoffice.forms.sections import Section, SectionedForm
from core.models import Company, User
from reporting.asking import COMPARED, SPANS
from reporting.models import SavedReport
from reporting.registry import Spec
from reporting.shapes import IN_ONE, Figure, Kind


class AskForm(forms.Form):
    """The question of a report; what the report doesn't take is left out."""

    span = forms.ChoiceField(label=_("Period"), required=False, choices=list(SPANS.items()))
    first = DayField(label=_("From"), required=False)
    last = DayField(label=_("Until"), required=False)

    def __init__(self, *args: Any, spec: Spec, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if spec.dimensions:
            choices = [("", pgettext_lazy("division of a report", "Not divided")), *spec.dimensions]
            self.fields["by"] = forms.ChoiceField(label=_("Divided by"), required=False, choices=choices)
        if spec.has_currency:
            named = [("", _("Each apart")), (IN_ONE, _("All in one")), *((code, code) for code in currencies)]
            self.fields["currency"] = forms.ChoiceField(label=_("Currency"), required=False, choices=named)
        if spec.can_compare:
            self.fields["compare"] = forms.ChoiceField(
                label=_("Compare"), required=False, choices=list(COMPARED.items())
            )


class ViewForm(SectionedForm):
    """A saved view: its name, who sees it, who gets it by mail."""

    sections = (
        Section("", ("name", ("is_shared", "is_on_wall"))),
        Section(_("By mail"), ("every", "readers"), lead=_("Each reader gets it in their language, once.")),
    )

    name = forms.CharField(label=_("Name"), max_length=200)
    is_shared = forms.BooleanField(label=_("For everybody who may see reports"), required=False)
    is_on_wall = forms.BooleanField(
        label=_("On the wall"), required=False,
        help_text=_("Its figures and first chart stand on the wall display."),
    )  # fmt: skip
    every = forms.ChoiceField(label=_("How often"), required=False, choices=SavedReport.Every.choices)

    def __init__(self, *args: Any, company: Company, view: SavedReport | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        members = User.objects.filter(memberships__company=company, is_active=True).distinct().order_by("name", "pk")
        self.fields["readers"] = forms.ModelMultipleChoiceField(
            label=_("Readers"), queryset=members, required=False, widget=forms.CheckboxSelectMultiple
        )
        if view is not None:
            for name in ("name", "is_shared", "is_on_wall", "every"):
                self.initial[name] = getattr(view, name)
            self.initial["readers"] = list(view.readers.values_list("user_id", flat=True))


class GoalForm(SectionedForm):
    """What a figure of a report is to reach by the end of a month."""

    sections = (Section("", ("figure", ("month", "value"))),)

    month = DayField(label=_("By the end of the month of"), help_text=_("Any day of that month."))
    value = NumberField(
        label=_("Value"), places=4, signed=True, required=False,
        help_text=_("In whole units of the currency; empty takes the goal away."),
    )  # fmt: skip

    def __init__(self, *args: Any, figures: list[Figure], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_key = {
            f"{figure.name}|{figure.currency}": figure
            for figure in figures
            if figure.kind in (Kind.MONEY, Kind.COUNT, Kind.PERCENT, Kind.RATIO)
        }
        choices = [
            (key, f"{figure.label} ({figure.currency})" if figure.currency else str(figure.label))
            for key, figure in self.by_key.items()
        ]
        self.fields["figure"] = forms.ChoiceField(label=_("Figure"), choices=choices)


class NoteForm(SectionedForm):
    """What happened on a day that explains a figure."""

    sections = (Section("", ("on", "text")),)

    on = DayField(label=_("Day"))
    text = forms.CharField(label=_("What happened"), max_length=300)
