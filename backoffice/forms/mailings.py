"""What is said to whom, when and how fast: a mailing's form, its start, its test."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import text_rows
from backoffice.forms.fields import DayField, fields_of, language_fields, spread_texts, texts_of
from backoffice.forms.sections import Section, SectionedForm
from catalog.models import Campaign, OfferCode
from core import clock
from core.models import Company
from crm.models import Mailing, Offer, Segment
from crm.services.mailing_texts import NAME, PLACEHOLDERS
from customers.services import mail_texts


class MailingForm(SectionedForm):
    """A mailing as it is written."""

    def __init__(self, *args: Any, company: Company, mailing: Mailing | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(fields_of(Mailing, ("name", "per_hour", "attribution_days")))
        self.fields["campaign"] = _rows(_("Campaign"), Campaign, company, mailing and mailing.campaign_id)
        self.fields["segment"] = _rows(_("Segment"), Segment, company, mailing and mailing.segment_id)
        self.fields["offer"] = _rows(
            _("Offer"), Offer, company, mailing and mailing.offer_id, required=False,
            help_text=_("Taken by one click on {link}; only for those with a subscription."),
        )  # fmt: skip
        self.fields["offer_code"] = _rows(
            _("Offer code"), OfferCode, company, mailing and mailing.offer_code_id, required=False,
            help_text=_("In place of an offer; the text names it as {code}."),
        )  # fmt: skip
        self.fields.update(language_fields(company, "subject", label=_("Subject"), required=True, limit=300))
        self.fields.update(language_fields(company, "body", label=_("Text"), required=True, rows=8, limit=20_000))
        if mailing is None:
            text = mail_texts.default_text(NAME, company.language)
            self.initial = {
                "attribution_days": 90, f"subject__{company.language}": text.subject,
                f"body__{company.language}": text.body, **self.initial,
            }  # fmt: skip
        else:
            self.initial = {
                "name": mailing.name, "per_hour": mailing.per_hour, "attribution_days": mailing.attribution_days,
                "campaign": mailing.campaign_id, "segment": mailing.segment_id, "offer": mailing.offer_id,
                "offer_code": mailing.offer_code_id, **spread_texts("subject", mailing.subject),
                **spread_texts("body", mailing.body),
            }  # fmt: skip

    def layout(self) -> tuple[Section, ...]:
        own, others = f"__{self.company.language}", []
        for name in (*text_rows(self.company, "subject"), *text_rows(self.company, "body")):
            others += [one for one in (name if isinstance(name, tuple) else (name,)) if not one.endswith(own)]
        names = ", ".join(f"{{{name}}}" for name in (*PLACEHOLDERS, "company", "signature"))
        return (
            Section("", ("name", ("campaign", "segment"))),
            Section(_("What is offered"), (("offer", "offer_code"),)),
            Section(
                _("What is said"), (f"subject{own}", f"body{own}"), _("Placeholders: %(names)s") % {"names": names}
            ),
            Section(
                _("In other languages"), tuple(others),
                _("Readers of a language without a text of its own get yours."), folded=True,
            ),
            Section(_("How it goes out and what counts"), (("per_hour", "attribution_days"),)),
        )  # fmt: skip

    def values(self) -> dict[str, Any]:
        names = ("name", "per_hour", "attribution_days", "campaign", "segment", "offer", "offer_code")
        given = self.cleaned_data
        return {
            **{name: given[name] for name in names},
            "subject": texts_of(given, "subject"),
            "body": texts_of(given, "body"),
        }


def _rows(label: Any, model: Any, company: Company, chosen: int | None, **more: Any) -> forms.ModelChoiceField:
    rows = model._default_manager.filter(Q(archived_at__isnull=True) | Q(pk=chosen), company=company)
    field = forms.ModelChoiceField(label=label, queryset=rows, empty_label="–", **more)
    if model is Campaign:
        field.label_from_instance = lambda row: row.name  # type: ignore[method-assign]
    return field


class StartForm(forms.Form):
    """When it starts; empty: at once."""

    day = DayField(label=_("Day"), required=False)
    time = forms.TimeField(
        label=_("Time"), required=False, input_formats=["%H:%M"],
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )  # fmt: skip

    def starts_at(self, company: Company) -> datetime | None:
        """The instant in the company's zone; None where no day was chosen."""
        day, time = self.cleaned_data["day"], self.cleaned_data["time"]
        if day is None:
            return None
        time = time or datetime.min.time().replace(hour=9)
        return datetime.combine(day, time, clock.zone(company.time_zone))


class TestForm(forms.Form):
    """Where a test goes."""

    address = forms.EmailField(label=_("E-mail"))
