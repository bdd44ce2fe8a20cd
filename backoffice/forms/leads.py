"""Forms of leads, the stages they go through and the public form they come in by."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.forms.fields import (
    AmountField,
    CountryField,
    CurrencyField,
    DayField,
    TextField,
    fields_of,
    language_fields,
    minor_of,
    texts_of,
)
from backoffice.forms.sections import Section, SectionedForm
from backoffice.forms.tasks import NOBODY, people_of, person, team, teams_of
from catalog.models import Campaign
from core.models import LANGUAGE_CHOICES, Company
from crm.models import Lead, LeadForm, LeadStage, LostReason
from crm.services import lead_capture, pipeline
from customers.models import Customer
from pricing.money import Money


def campaigns_of(company: Company, also: Campaign | None = None) -> list[tuple[str, str]]:
    """The campaigns that can be chosen, and the one that was."""
    rows = Campaign.objects.filter(company=company)
    return [(row.ref, row.name) for row in rows if row.archived_at is None or row == also]


def campaign(company: Company, ref: str) -> Campaign | None:
    return Campaign.by_ref(Campaign.objects.filter(company=company), ref) if ref else None


def stages_of(company: Company, *kinds: str) -> list[tuple[str, str]]:
    return [(row.ref, row.name) for row in pipeline.of_company(company) if not kinds or row.kind in kinds]


class LeadFilter(forms.Form):
    stage = forms.ChoiceField(label=pgettext_lazy("sales", "Stage"), required=False)
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    campaign = forms.ChoiceField(label=_("Campaign"), required=False)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["stage"].choices = [NOBODY, *stages_of(company)]  # type: ignore[attr-defined]
        self.fields["owner"].choices = [NOBODY, *people_of(company)]  # type: ignore[attr-defined]
        self.fields["campaign"].choices = [NOBODY, *campaigns_of(company)]  # type: ignore[attr-defined]


class LeadDataForm(SectionedForm):
    """Who it is, what it may bring, where it came from."""

    sections = (
        Section(_("Who"), (("name", "organization"), ("email", "phone"), ("country", "language"), "message")),
        Section(_("What it may bring"), (("amount", "currency"), ("probability", "owner"))),
        Section(_("Where from"), (("source", "campaign"), "external_id")),
    )

    def __init__(self, *args: Any, company: Company, lead: Lead | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        names = ("name", "organization", "email", "phone", "probability", "source", "external_id")
        self.fields |= fields_of(Lead, names)
        self.fields["country"] = CountryField(required=False)
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"), required=False, choices=[NOBODY, *LANGUAGE_CHOICES]
        )
        self.fields["message"] = TextField(label=_("Message"), required=False, rows=4, limit=10_000)
        self.fields["amount"] = AmountField(label=_("Expected monthly amount"), required=False)
        self.fields["currency"] = CurrencyField(initial=company.currency)
        self.fields["owner"] = forms.ChoiceField(
            label=_("Owner"), required=False, choices=[NOBODY, *people_of(company)]
        )
        also = lead.campaign if lead is not None else None
        self.fields["campaign"] = forms.ChoiceField(
            label=_("Campaign"), required=False, choices=[NOBODY, *campaigns_of(company, also)]
        )
        if lead is not None:
            columns = (*names, "country", "language", "message", "currency")
            self.initial |= {name: getattr(lead, name) for name in columns}
            self.initial["owner"] = lead.owner.ref if lead.owner is not None else ""
            self.initial["campaign"] = lead.campaign.ref if lead.campaign is not None else ""
            if lead.value_minor is not None:
                self.initial["amount"] = Money(lead.value_minor, lead.currency).amount

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("name") and not given.get("organization"):
            self.add_error("name", _("Enter a name or a company."))
        amount = given.get("amount")
        given["value_minor"] = None
        if amount is not None and given.get("currency"):
            try:
                given["value_minor"] = minor_of(amount, given["currency"])
            except forms.ValidationError as error:
                self.add_error("amount", error)
        return given

    def values(self) -> dict[str, Any]:
        given = self.changes(
            "name", "organization", "email", "phone", "probability", "source", "external_id", "country", "language",
            "message", "currency", "value_minor",
        )  # fmt: skip
        return given | {
            "owner": person(self.company, self.cleaned_data["owner"]),
            "campaign": campaign(self.company, self.cleaned_data["campaign"]),
        }


class LoseForm(SectionedForm):
    sections = (Section("", ("reason", "words")),)

    reason = forms.ChoiceField(label=_("Reason"), choices=[NOBODY, *LostReason.choices])
    words = forms.CharField(label=_("Remark"), required=False, max_length=500)


class StepForm(SectionedForm):
    """The next step: what, by when, by whom."""

    sections = (Section("", ("title", ("due_on", "owner"))),)

    title = forms.CharField(label=_("Next step"), max_length=200, help_text=_("Such as: call about the offer."))
    due_on = DayField(label=_("Due"))

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"] = forms.ChoiceField(
            label=_("Owner"), required=False, choices=[NOBODY, *people_of(company)], help_text=_("Empty: the lead's.")
        )


class NoteForm(SectionedForm):
    sections = (Section("", ("text",)),)

    text = TextField(label=_("Note"), rows=3, limit=10_000)


class ConvertForm(SectionedForm):
    """A new customer from the lead, or one that is there."""

    sections = (
        Section(_("A customer that is there"), ("customer",), lead=_("Leave it empty to make a new one.")),
        Section(_("A new customer"), ("name", ("kind", "vat_id"), "lines", ("postal_code", "city"), "country")),
    )

    customer = forms.ChoiceField(
        label=_("Customer"), required=False, help_text=_("Those that look like the lead; or enter a number below.")
    )
    number = forms.CharField(label=_("Customer number"), required=False, max_length=40, help_text=_("Such as CUS-42."))
    kind = forms.ChoiceField(label=_("Kind"), choices=Customer.Kind.choices)
    lines = TextField(label=_("Street"), required=False, rows=2, limit=400)
    postal_code = forms.CharField(label=_("Postal code"), required=False, max_length=20)
    city = forms.CharField(label=_("Town"), required=False, max_length=100)

    def __init__(self, *args: Any, lead: Lead, alike: list[Customer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= fields_of(Customer, ("name", "vat_id"))
        self.fields["name"].required = False
        self.fields["country"] = CountryField(required=False)
        self.fields["customer"].choices = [  # type: ignore[attr-defined]
            NOBODY, *((row.ref, f"{row.name} ({row.number})") for row in alike)
        ]  # fmt: skip
        self.initial |= {
            "name": lead.title, "kind": "company" if lead.organization else "person",
            "country": lead.country or lead.company.country,
        }  # fmt: skip

    def layout(self) -> tuple[Section, ...]:
        first, second = self.sections
        return (Section(first.title, (("customer", "number"),), lead=first.lead), second)

    def address(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "lines": [line.strip() for line in given["lines"].splitlines() if line.strip()],
            "postal_code": given["postal_code"], "city": given["city"], "country": given["country"],
        }  # fmt: skip


class MergeForm(SectionedForm):
    sections = (Section("", ("into",)),)

    into = forms.ChoiceField(label=_("The lead that stays"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, alike: list[Lead], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["into"].choices = [  # type: ignore[attr-defined]
            (row.ref, f"{row.title}, {row.email or row.phone or '–'} ({row.stage.name})") for row in alike
        ]


class StageForm(SectionedForm):
    sections = (Section("", ("name", ("kind", "probability"))),)

    def __init__(self, *args: Any, stage: LeadStage | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = ("name", "kind", "probability")
        self.fields |= fields_of(LeadStage, names)
        if stage is not None:
            self.initial |= {name: getattr(stage, name) for name in names}


class PublicFormForm(SectionedForm):
    """The company's public form."""

    def __init__(self, *args: Any, company: Company, held: LeadForm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields |= fields_of(LeadForm, ("is_active", "asks_consent", "privacy_url"))
        self.fields["owner"] = forms.ChoiceField(
            label=_("Owner"), required=False, choices=[NOBODY, *people_of(company)],
            help_text=_("Who gets what comes in."),
        )  # fmt: skip
        self.fields["team"] = forms.ChoiceField(
            label=_("Team"), required=False, choices=[NOBODY, *teams_of(company)],
            help_text=_("Who sees to it where there is no owner."),
        )  # fmt: skip
        self.fields["campaign"] = forms.ChoiceField(
            label=_("Campaign"), required=False, choices=[NOBODY, *campaigns_of(company, held.campaign)],
            help_text=_("Of those whose link names none."),
        )  # fmt: skip
        self.fields |= language_fields(company, "title", label=_("Title"))
        self.fields |= language_fields(company, "intro", label=_("Introduction"), rows=3, limit=2000)
        self.fields |= language_fields(company, "privacy", label=_("Privacy notice"), rows=5, limit=10_000)
        self.initial |= {name: getattr(held, name) for name in ("is_active", "asks_consent", "privacy_url")}
        self.initial |= {
            "owner": held.owner.ref if held.owner is not None else "", "team": held.team_id or "",
            "campaign": held.campaign.ref if held.campaign is not None else "",
        }  # fmt: skip
        for name in lead_capture.WORDS:
            self.initial |= {f"{name}__{code}": text for code, text in getattr(held, name).items()}

    def layout(self) -> tuple[Section, ...]:
        def texts(name: str) -> tuple[str, ...]:
            return tuple(field for field in self.fields if field.startswith(f"{name}__"))

        return (
            Section("", ("is_active", ("owner", "team"), "campaign")),
            Section(_("Privacy"), ("asks_consent", "privacy_url", *texts("privacy")),
                    lead=_("Empty: the product's own notice."), folded=True),
            Section(_("Words"), (*texts("title"), *texts("intro")), lead=_("Empty: the product's own words."),
                    folded=True),
        )  # fmt: skip

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            **self.changes("is_active", "asks_consent", "privacy_url"),
            "owner": person(self.company, given["owner"]),
            "team": team(self.company, given["team"]),
            "campaign": campaign(self.company, given["campaign"]),
            **{name: texts_of(given, name) for name in lead_capture.WORDS},
        }
