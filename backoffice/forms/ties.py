"""The form of a tie. Its key is written, never read back: the field comes empty."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.sections import Section, SectionedForm
from catalog.models import Campaign
from core.models import Company
from crm.models import Segment, Tie
from crm.services.tie_accounts import FIELDS, REQUIRED

_LISTS = {
    Tie.Kind.BREVO: _("The number of the list, as Brevo shows it beside the list's name, such as 7."),
    Tie.Kind.MAILCHIMP: _("The audience id, as Mailchimp shows it in the audience's settings, such as a1b2c3d4e5."),
}
_KEYS = {
    Tie.Kind.BREVO: _("An API key of Brevo, beginning with xkeysib-. It is kept sealed and never shown."),
    Tie.Kind.MAILCHIMP: _("An API key of Mailchimp, ending with its data center as in -us19. Kept sealed."),
    Tie.Kind.HUBSPOT: _("The access token of a private app in HubSpot, beginning with pat-. Kept sealed."),
}


class TieForm(SectionedForm):
    """What a tie of this kind needs."""

    def __init__(self, *args: Any, company: Company, kind: str, tie: Tie | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Segment.objects.filter(company=company, archived_at__isnull=True)
        fields: dict[str, forms.Field] = {
            "name": forms.CharField(label=_("Name"), max_length=200, initial=tie.name if tie else Tie.Kind(kind).label),
            "secret": forms.CharField(
                label=_("API key"), max_length=300, required=tie is None,
                help_text=_("Kept. Leave empty to keep it as it is.") if tie else _KEYS.get(kind, ""),
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            ),
            "audience": forms.CharField(
                label=_("List"), max_length=60, help_text=_LISTS.get(kind, ""), initial=tie.audience if tie else "",
                required="audience" in REQUIRED[kind],
            ),
            "segment": forms.ModelChoiceField(
                rows, label=_("Who is sent"), required=False, empty_label=_("all customers"),
                initial=tie.segment_id if tie else None,
                help_text=_("Customers of this segment; who leaves it leaves the list. Consent is needed in any case."),
            ),
            "marks": forms.ModelMultipleChoiceField(
                rows, label=_("Segments to show there"), required=False,
                help_text=_("Each person is marked over there with those they belong to."),
                initial=[row.pk for row in rows if tie and row.ref in tie.marks],
            ),
            "is_two_way": forms.BooleanField(
                label=_("Take over changes from there"), required=False, initial=tie.is_two_way if tie else True,
                help_text=_("Names and phone numbers changed there are changed here; who is new there becomes a lead."),
            ),
            "campaign": forms.ModelChoiceField(
                Campaign.objects.filter(company=company, archived_at__isnull=True), required=False,
                label=_("Campaign of new leads"), empty_label=_("none"), initial=tie.campaign_id if tie else None,
            ),
        }  # fmt: skip
        self.fields.update({name: fields[name] for name in FIELDS[kind]})
        self.kind = kind

    def layout(self) -> tuple[Section, ...]:
        return (Section("", tuple(FIELDS[self.kind])),)


class TieFileForm(SectionedForm):
    """A file of changes."""

    sections = (Section("", ("file",)),)

    file = forms.FileField(
        label=_("File"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=_(
            "CSV with the column “email” and any of name, phone, advertising (yes or no), new_email, changed_at, "
            "lists; up to 20,000 lines."
        ),
    )  # fmt: skip
