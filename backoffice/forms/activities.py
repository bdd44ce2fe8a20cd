"""Forms of calls, meetings, visits and mails, and of the link to one's calendar."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import DayField, MomentField, TextField
from backoffice.forms.sections import Section, SectionedForm
from backoffice.forms.tasks import NOBODY, people_of, person
from core.models import Company
from crm.models import Activity
from crm.services import activities, activity_mails
from crm.services.activities import Step
from customers.models import Contact, Customer

Kind = Activity.Kind
#: What is written down by hand; mails are brought as files, or told in words.
NAMES: Final = ("kind", "direction", "subject", "text", "begins_at", "ends_at", "place", "outcome", "remind_at")


class ActivityFilter(forms.Form):
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[NOBODY, *Kind.choices])
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    on_from = DayField(label=_("Day|from"), required=False)
    on_to = DayField(label=_("Day|to"), required=False)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [NOBODY, *people_of(company)]  # type: ignore[attr-defined]


class ActivityForm(SectionedForm):
    """What was said or is planned; with whom it is says the page."""

    sections = (
        Section(
            "", (("kind", "direction"), "subject", "contact", ("begins_at", "ends_at"), "place", "text", "outcome")
        ),
        Section(_("Next step"), ("step_title", ("step_due_on", "step_owner"))),
        Section(_("Who"), (("owner", "remind_at"), "people")),
    )

    kind = forms.ChoiceField(label=_("Kind"), choices=Kind.choices)
    direction = forms.ChoiceField(
        label=_("Who began"), required=False, choices=[NOBODY, *Activity.Direction.choices], help_text=_("Of a call.")
    )
    subject = forms.CharField(label=_("Subject"), max_length=200)
    contact = forms.ChoiceField(label=_("Contact"), required=False)
    begins_at = MomentField(label=_("Begins"), help_text=_("In the future: it is planned."))
    ends_at = MomentField(label=_("Ends"), required=False)
    place = forms.CharField(label=_("Place"), required=False, max_length=300, help_text=_("A room, or a link."))
    text = TextField(label=_("What was said"), required=False, rows=6, limit=activities.TEXT)
    outcome = TextField(label=_("Outcome"), required=False, rows=2, limit=1000)
    step_title = forms.CharField(
        label=_("What is to be done"), required=False, max_length=200, help_text=_("Becomes a task.")
    )
    step_due_on = DayField(label=_("Due"), required=False)
    step_owner = forms.ChoiceField(label=_("Owner"), required=False)
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    remind_at = MomentField(
        label=_("Remind"), required=False, help_text=_("Everybody who takes part gets a mail then, once.")
    )
    people = forms.MultipleChoiceField(
        label=_("Colleagues who take part"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self, *args: Any, company: Company, customer: Customer | None, activity: Activity | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.company, self.customer = company, customer
        colleagues = people_of(company)
        for name in ("owner", "step_owner"):
            self.fields[name].choices = [NOBODY, *colleagues]  # type: ignore[attr-defined]
        self.fields["people"].choices = colleagues  # type: ignore[attr-defined]
        if customer is None:
            del self.fields["contact"]
        else:
            # Who it was with stays a choice, also when they left since.
            here = Q(archived_at__isnull=True) | Q(pk=activity.contact_id if activity is not None else None)
            rows = Contact.objects.filter(here, company=company, customer=customer)
            choices = [NOBODY, *((row.ref, row.name) for row in rows.order_by("name", "pk"))]
            self.fields["contact"].choices = choices  # type: ignore[attr-defined]
        if activity is not None:
            self._fill(activity)

    def _fill(self, activity: Activity) -> None:
        self.initial |= {name: getattr(activity, name) for name in NAMES}
        self.initial |= {
            "owner": activity.owner.ref if activity.owner is not None else "",
            "contact": activity.contact.ref if activity.contact is not None else "",
            "people": [row.user.ref for row in activity.parts.select_related("user")],
        }
        if activity.next_step_id is not None:
            for name in ("step_title", "step_due_on", "step_owner"):
                del self.fields[name]
        if activity.message_key:
            for name in activities.MAILS_OWN:
                del self.fields[name]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("step_title") and not given.get("step_due_on"):
            self.add_error("step_due_on", _("Say by when it is to be done."))
        return given

    def values(self) -> dict[str, Any]:
        """What the verbs take, with the people and the next step."""
        given = self.cleaned_data
        found = self.changes(*NAMES)
        if self.customer is not None:
            rows = Contact.objects.filter(company=self.company, customer=self.customer)
            found["contact"] = Contact.by_ref(rows, given["contact"]) if given["contact"] else None
        step = None
        if given.get("step_title"):
            step = Step(given["step_title"], given["step_due_on"], person(self.company, given["step_owner"]))
        people = [found for ref in given["people"] if (found := person(self.company, ref)) is not None]
        return found | {"owner": person(self.company, given["owner"]), "people": people, "step": step}


class MailForm(SectionedForm):
    """A mail as a file, or pasted with its headers."""

    sections = (Section("", ("file", "raw")),)

    file = forms.FileField(
        label=_("Mail"), required=False, help_text=_("A file ending in .eml, as mail programs save it; up to 15 MB.")
    )
    raw = TextField(
        label=_("Or its source"), required=False, rows=8, limit=activity_mails.LARGEST,
        help_text=_("All of the mail's source, from its first header on."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not given.get("file") and not (given.get("raw") or "").strip():
            raise ValidationError(_("Choose a file, or paste the mail's source."), code="required")
        if given.get("file") and given["file"].size > activity_mails.LARGEST:
            self.add_error("file", _("The mail is larger than 15 MB."))
        return given

    def content(self) -> bytes:
        file = self.cleaned_data.get("file")
        return bytes(file.read()) if file else self.cleaned_data["raw"].encode()


class CalendarForm(SectionedForm):
    sections = (Section("", ("has_terms",)),)

    has_terms = forms.BooleanField(
        label=_("Renewals and ends of contracts, too"), required=False,
        help_text=_("Of the customers that you own."),
    )  # fmt: skip
