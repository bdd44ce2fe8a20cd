"""Meters, and usage as a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import text_rows
from backoffice.forms.fields import fields_of, language_fields, spread_texts, texts_of
from backoffice.forms.sections import Section, SectionedForm
from catalog.models import Meter
from core.models import Company

FILE_BYTES = 25 * 1024 * 1024


class MeterForm(SectionedForm):
    """A meter with its texts in every language; how it counts is chosen once."""

    def __init__(self, *args: Any, company: Company, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company, self.is_new = company, is_new
        self.fields.update(fields_of(Meter, ("code", "aggregation", "late_days") if is_new else ("late_days",)))
        self.fields.update(language_fields(company, "name", label=_("Name"), required=True))
        self.fields.update(language_fields(company, "unit_name", label=_("Unit, such as call"), limit=60))

    def layout(self) -> tuple[Section, ...]:
        counting = (("code", "aggregation"), "late_days") if self.is_new else ("late_days",)
        return (
            Section("", counting),
            Section(_("Name"), text_rows(self.company, "name")),
            Section(_("Unit"), text_rows(self.company, "unit_name")),
        )

    @staticmethod
    def initial_of(meter: Meter) -> dict[str, Any]:
        names = ("name", "unit_name")
        return {"late_days": meter.late_days} | {
            key: value for name in names for key, value in spread_texts(name, getattr(meter, name)).items()
        }

    def values(self) -> dict[str, Any]:
        own = self.changes("code", "aggregation", "late_days") if self.is_new else self.changes("late_days")
        return own | {name: texts_of(self.cleaned_data, name) for name in ("name", "unit_name")}


class UsageFileForm(SectionedForm):
    """Events in a file, and whether they are only checked."""

    sections = (Section("", ("file", "dry_run")),)

    file = forms.FileField(
        label=_("Events"),
        help_text=_("CSV (UTF-8), at most 25 MB, with the columns meter, event_id, subscription, at, value and key."),
    )
    dry_run = forms.BooleanField(label=_("Only check"), required=False, initial=True, help_text=_("Changes nothing."))

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        if upload.size > FILE_BYTES:
            raise forms.ValidationError(_("The file is larger than 25 MB."))
        return upload
