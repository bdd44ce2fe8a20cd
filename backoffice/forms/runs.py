"""Billing runs and imports."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import DayField, TextField
from backoffice.forms.sections import Section, SectionedForm
from subscriptions.models import ImportLine

FILE_BYTES = 25 * 1024 * 1024


class RunForm(SectionedForm):
    """Up to which day is billed, and since when mails go out."""

    sections = (Section("", (("on", "notify_since"),)),)

    on = DayField(label=_("Bill up to"), help_text=_("Everything due up to and with this day."))
    notify_since = DayField(
        label=_("Mails since"),
        required=False,
        help_text=_("Charges due earlier are issued without mail; empty: seven days before."),
    )


class ImportForm(SectionedForm):
    """The list, its mapping, and the day of the take-over."""

    sections = (Section("", ("file", "mapping", "mapping_file", "on", "with_history")),)

    file = forms.FileField(label=_("List"), help_text=_("CSV (UTF-8) or XLSX, at most 25 MB; one line a subscription."))
    mapping = TextField(
        label=_("Mapping"), rows=10, required=False, limit=200_000,
        help_text=_("TOML: which column says what. Paste it here, or choose a file below."),
    )  # fmt: skip
    mapping_file = forms.FileField(label=_("Mapping as a file"), required=False)
    on = DayField(label=_("Day of the take-over"))
    with_history = forms.BooleanField(
        label=_("With history"), required=False,
        help_text=_("Earlier days are billed here too; otherwise they were billed elsewhere."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        upload = given.get("file")
        if upload is not None and upload.size > FILE_BYTES:
            self.add_error("file", _("The file is larger than 25 MB."))
        chosen = given.get("mapping_file")
        if chosen is not None:
            try:
                given["mapping"] = chosen.read(200_000).decode("utf-8")
            except UnicodeDecodeError:
                self.add_error("mapping_file", _("The mapping is not UTF-8 text."))
        elif not (given.get("mapping") or "").strip():
            self.add_error("mapping", _("Paste a mapping or choose its file."))
        return given


class LineFilter(forms.Form):
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *ImportLine.State.choices])
